"""Every figure of an issued statement as the sum of other figures, down to the entries that it lists.

Pure. A figure is named by a code, of one loan account or of all: ``due``, ``later``, ``principal.due``, ``overpaid``, or
side, part and sum: ``closing.interest.paid``, ``moved.all.owed``, ``opening.principal.left``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portal.accounts.balance import ComponentSums
from portal.accounts.figures import Explained, Summand
from portal.money import Money
from portal.statements.sheet import PARTS, Entry, LoanStatement, Side, Statement

SIDES = ("opening", "moved", "closing")
SUMS = ("owed", "paid", "forgiven", "left")
#: What a line's effect is called among the sums.
_EFFECT_OF = {"owed": "charged", "paid": "paid", "forgiven": "forgiven"}


def statement_figure(statement: Statement, loan_ref: str | None, code: str) -> Explained | None:
    """A figure of the statement, of one loan account or (None) of all; None for one there is not.

    Raises figures.DoesNotComeOut for a statement whose figures are not its entries'.
    """
    loans = [loan for loan in statement.loans if loan_ref in (None, loan.facts.loan_ref)]
    if not loans or not _is_code(code):
        return None
    if loan_ref is not None or len(loans) == 1:
        return _of_loan(loans[0], code, statement.currency)
    summands = tuple(
        Summand(_value(loan, code, statement.currency), code, loan.facts.loan_ref) for loan in loans
    )
    return Explained(code, Money.sum((one.amount for one in summands), statement.currency), summands)


def _is_code(code: str) -> bool:
    if code in ("due", "later", "principal.due", "overpaid"):
        return True
    side, _, rest = code.partition(".")
    part, _, what = rest.partition(".")
    return side in SIDES and part in ("all", *PARTS) and what in SUMS


def _value(loan: LoanStatement, code: str, currency: str) -> Money:
    plain = {"due": loan.due_now, "later": loan.not_yet_due, "principal.due": loan.principal_due}
    if code in plain:
        return Money(plain[code], currency)
    if code == "overpaid":
        return Money(loan.closing.suspense, currency)
    side, part, what = code.split(".")
    figures: Side = getattr(loan, side)
    holder: Side | ComponentSums = figures if part == "all" else figures.parts[part]
    minor: int = getattr(holder, what)
    return Money(minor, currency)


def _of_loan(loan: LoanStatement, code: str, currency: str) -> Explained:
    summands = tuple(_summands(loan, code, currency))
    return Explained(code, _value(loan, code, currency), summands)


def _summands(loan: LoanStatement, code: str, currency: str) -> Iterator[Summand]:
    if code == "due":
        charges = (f"closing.{name}.left" for name in _used(loan) if name != "principal")
        yield from _named(loan, ("principal.due", *charges), currency)
    elif code == "later":
        yield from _named(loan, ("closing.all.left", "-due"), currency)
    elif code == "principal.due":
        yield from _principal_due(loan, currency)
    elif code == "overpaid":
        opening = Money(loan.opening.suspense, currency)
        if opening:
            yield Summand(opening, "before")
        yield from _entries(loan, "suspense", "", -1, currency)
    else:
        yield from _of_side(loan, *code.split("."), currency=currency)


def _of_side(loan: LoanStatement, side: str, part: str, what: str, *, currency: str) -> Iterator[Summand]:
    if part == "all":
        yield from _named(loan, (f"{side}.{name}.{what}" for name in _used(loan)), currency)
    elif what == "left":
        sums = ("owed", "-paid", "-forgiven")
        yield from _named(loan, (_code(side, part, one) for one in sums), currency)
    elif side == "closing":
        yield from _named(loan, (f"opening.{part}.{what}", f"moved.{part}.{what}"), currency)
    elif side == "moved":
        sign = 1 if what == "owed" else -1
        yield from _entries(loan, part, _EFFECT_OF[what], sign, currency)
    else:
        before = _value(loan, f"opening.{part}.{what}", currency)
        if before:
            yield Summand(before, f"before.{part}.{what}")


def _code(side: str, part: str, what: str) -> str:
    minus = "-" if what.startswith("-") else ""
    return f"{minus}{side}.{part}.{what.removeprefix('-')}"


def _named(loan: LoanStatement, codes: Iterable[str], currency: str) -> Iterator[Summand]:
    for code in codes:
        name = code.removeprefix("-")
        amount = _value(loan, name, currency)
        if amount or not code.endswith("forgiven"):
            yield Summand(-amount if name != code else amount, name)


def _entries(loan: LoanStatement, part: str, effect: str, sign: int, currency: str) -> Iterator[Summand]:
    for entry in loan.entries:
        minor = entry.suspense if part == "suspense" else entry.amounts.get(part, 0)
        if minor and effect in ("", entry.effect):
            yield Summand(Money(sign * minor, currency), line=_LineOf(entry))


def _principal_due(loan: LoanStatement, currency: str) -> Iterator[Summand]:
    summands = [
        Summand(Money(part.principal_minor, currency), due_on=part.due_on)
        for part in loan.instalments
        if part.due_on <= loan.as_of
    ]
    summands += _named(loan, ("-closing.principal.paid", "-closing.principal.forgiven"), currency)
    rest = loan.principal_due - sum(one.amount.minor for one in summands)
    yield from summands
    if rest:
        yield Summand(Money(rest, currency), "principal.ahead")


def _used(loan: LoanStatement) -> Iterator[str]:
    for name in PARTS:
        if loan.closing.parts[name].owed or loan.opening.parts[name].owed or name == "principal":
            yield name


class _LineOf:
    """A statement's entry as the line of a summand."""

    def __init__(self, entry: Entry) -> None:
        self.posted_on = entry.posted_on
        self.line_ref = entry.line_ref
        self.kind = entry.kind
        self.moves = entry.effect
        self.amounts: dict[str, Money] = {}
        self.reverses_ref = entry.reverses_ref
