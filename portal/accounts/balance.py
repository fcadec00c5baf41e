"""What a loan's lines add up to: owed, paid, forgiven and left per component, and what is due now.

Pure: no database, no clock. Amounts are integers of the loan's minor unit. The bank's posted lines
are the truth; nothing here computes interest.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction

from portal.dates import add_months
from portal.money import Rounding, divide

#: In the order in which they are listed everywhere; the order of allocation is the jurisdiction's.
COMPONENTS = ("cost", "fee", "penalty_interest", "interest", "principal")

#: Kinds of lines that charge something.
CHARGES = frozenset({"disbursement", "interest", "penalty_interest", "fee", "cost"})
#: Kinds that take back money of one payment: the provider or a bank did, or we gave it back.
TAKINGS = frozenset({"charge_back", "refund"})
#: Kinds that move what was paid: money in (negative), taken back (positive), moved on (one of each).
SETTLING = TAKINGS | {"payment", "transfer"}
#: Kinds that forgive.
FORGIVING = frozenset({"waiver", "write_down"})
#: All of them; a `reversal` moves what the line it undoes had moved.
KINDS = CHARGES | SETTLING | FORGIVING | {"reversal"}

METHODS = ("equal_principal", "equal_instalments", "bullet")


class LedgerFault(ValueError):
    """Lines that cannot be one loan's ledger. `reason`: ``kind``, ``reversal``."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(f"{reason}: {text}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class LoanTerms:
    """What of a contract the figures need. `annual_rate` is a yearly fraction (0.088)."""

    principal_minor: int
    annual_rate: Decimal
    method: str
    pay_day: int
    term_count: int
    matures_on: date


@dataclass(frozen=True, slots=True)
class Line:
    """One posted line: charges positive, payments and waivers negative; money taken back positive again.

    A `reversal` carries the kind of the line it undoes, and that line's amounts with the other sign.
    """

    posted_on: date
    kind: str
    amounts: Mapping[str, int]
    suspense_minor: int = 0
    reverses_kind: str | None = None

    @property
    def effect(self) -> str:
        """The kind whose sums this line moves: its own, or that of the line it reverses."""
        if self.kind != "reversal":
            return self.kind
        if self.reverses_kind is None or self.reverses_kind == "reversal":
            raise LedgerFault("reversal", str(self.reverses_kind))
        return self.reverses_kind


@dataclass(frozen=True, slots=True)
class Instalment:
    """One principal instalment of the contract."""

    due_on: date
    principal_minor: int


@dataclass(frozen=True, slots=True)
class ComponentSums:
    """One component's sums, minor units: `left` = owed - paid - forgiven."""

    owed: int = 0
    paid: int = 0
    forgiven: int = 0

    @property
    def left(self) -> int:
        """What is still to be paid."""
        return self.owed - self.paid - self.forgiven


@dataclass(frozen=True, slots=True)
class LoanFigures:
    """A loan's figures as of a date, minor units.

    `suspense` is money received that no component could take, as a positive figure.
    """

    components: Mapping[str, ComponentSums]
    suspense: int
    line_count: int
    principal_due: int
    due_now: int
    days_overdue: int

    @property
    def owed(self) -> int:
        """All that was ever charged, principal included."""
        return sum(sums.owed for sums in self.components.values())

    @property
    def paid(self) -> int:
        """All that was paid and placed."""
        return sum(sums.paid for sums in self.components.values())

    @property
    def forgiven(self) -> int:
        """All that was waived."""
        return sum(sums.forgiven for sums in self.components.values())

    @property
    def left(self) -> int:
        """owed - paid - forgiven."""
        return self.owed - self.paid - self.forgiven

    @property
    def not_yet_due(self) -> int:
        """What is left and not due now."""
        return self.left - self.due_now


def moves(effect: str) -> str:
    """Which sum a kind of line moves: ``owed``, ``paid`` or ``forgiven``. Raises LedgerFault('kind').

    >>> [moves(kind) for kind in ("interest", "payment", "refund", "write_down")]
    ['owed', 'paid', 'paid', 'forgiven']
    """
    if effect in CHARGES:
        return "owed"
    if effect in SETTLING:
        return "paid"
    if effect in FORGIVING:
        return "forgiven"
    raise LedgerFault("kind", effect)


@dataclass(slots=True)
class Totals:
    """Running sums of one loan's lines, in any order; adding is all the memory a ledger needs."""

    owed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COMPONENTS, 0))
    paid: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COMPONENTS, 0))
    forgiven: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COMPONENTS, 0))
    suspense: int = 0
    line_count: int = 0

    def add(
        self, *, effect: str, amounts: Mapping[str, int], suspense_minor: int = 0, lines: int = 1
    ) -> None:
        """Add lines whose effect is of one kind. Raises LedgerFault('kind') for an unknown one."""
        moved = moves(effect)
        column: dict[str, int] = getattr(self, moved)
        sign = 1 if moved == "owed" else -1
        for component, minor in amounts.items():
            column[component] += sign * minor
        self.suspense -= suspense_minor
        self.line_count += lines

    def figures(self, terms: LoanTerms, *, as_of: date) -> LoanFigures:
        """The figures that follow from these sums and the contract, as of a date."""
        sums = {
            name: ComponentSums(self.owed[name], self.paid[name], self.forgiven[name]) for name in COMPONENTS
        }
        principal = sums["principal"]
        overdue = principal_due(terms, settled=principal.paid + principal.forgiven, as_of=as_of)
        overdue = min(overdue, max(principal.left, 0))
        charges = sum(sums[name].left for name in COMPONENTS if name != "principal")
        return LoanFigures(
            components=sums,
            suspense=self.suspense,
            line_count=self.line_count,
            principal_due=overdue,
            due_now=overdue + charges,
            days_overdue=days_overdue(terms, settled=principal.paid + principal.forgiven, as_of=as_of),
        )


def balance_of(terms: LoanTerms, lines: Iterable[Line], *, as_of: date) -> LoanFigures:
    """The figures of a loan from its lines posted up to and including `as_of`.

    Due now = principal instalments that fell due and are not covered by the principal paid, plus all
    posted and unpaid interest, penalty interest, fees and costs. Raises LedgerFault.

    >>> terms = LoanTerms(10_000, Decimal("0.088"), "equal_principal", 5, 4, date(2026, 5, 5))
    >>> lent = Line(date(2026, 1, 7), "disbursement", {"principal": 10_000})
    >>> paid = Line(date(2026, 2, 5), "payment", {"principal": -1_000})
    >>> figures = balance_of(terms, [lent, paid], as_of=date(2026, 3, 10))
    >>> figures.due_now, figures.not_yet_due, figures.days_overdue
    (4000, 5000, 33)
    """
    totals = Totals()
    for line in lines:
        if line.posted_on <= as_of:
            totals.add(effect=line.effect, amounts=line.amounts, suspense_minor=line.suspense_minor)
    return totals.figures(terms, as_of=as_of)


def principal_due(terms: LoanTerms, *, settled: int, as_of: date) -> int:
    """Principal of instalments due up to and including `as_of` and not covered by `settled`."""
    due = sum(part.principal_minor for part in instalments(terms) if part.due_on <= as_of)
    return max(0, due - settled)


def days_overdue(terms: LoanTerms, *, settled: int, as_of: date) -> int:
    """Days since the due date of the oldest instalment that `settled` does not cover; 0 if none.

    Money covers the oldest instalment first. On its own due date an instalment is 0 days overdue.
    """
    covered = settled
    for part in instalments(terms):
        if part.due_on > as_of:
            return 0
        covered -= part.principal_minor
        if covered < 0:
            return (as_of - part.due_on).days
    return 0


def instalments(terms: LoanTerms) -> Iterator[Instalment]:
    """The contract's principal instalments, oldest first; they sum to the principal.

    The last falls due on the maturity date, the others on the pay day of the months before it (the
    last day where a month lacks it).
    """
    return iter(_instalments(terms))


@functools.lru_cache(8192)
def _instalments(terms: LoanTerms) -> tuple[Instalment, ...]:
    """Kept: the same terms always have the same instalments, and pages ask for them several times."""
    parts = tuple(_PRINCIPAL_PARTS[terms.method](terms))
    made = []
    for index, minor in enumerate(parts):
        before = len(parts) - 1 - index
        due_on = add_months(terms.matures_on, -before, day=terms.pay_day) if before else terms.matures_on
        made.append(Instalment(due_on, minor))
    return tuple(made)


def _equal_principal(terms: LoanTerms) -> Iterator[int]:
    """Equal parts; the remainder of the division in the last."""
    each = terms.principal_minor // terms.term_count
    for _ in range(terms.term_count - 1):
        yield each
    yield terms.principal_minor - each * (terms.term_count - 1)


def _equal_instalments(terms: LoanTerms) -> Iterator[int]:
    """The principal parts of an annuity at a twelfth of the yearly rate; instalment and monthly
    interest are each rounded half-up once, the residue is in the last."""
    rate = Fraction(terms.annual_rate) / 12
    if rate == 0:
        yield from _equal_principal(terms)
        return
    exact = terms.principal_minor * rate / (1 - 1 / (1 + rate) ** terms.term_count)
    instalment = divide(exact.numerator, exact.denominator, Rounding.HALF_UP)
    left = terms.principal_minor
    for _ in range(terms.term_count - 1):
        interest = left * rate
        part = instalment - divide(interest.numerator, interest.denominator, Rounding.HALF_UP)
        part = min(max(part, 0), left)
        left -= part
        yield part
    yield left


def _bullet(terms: LoanTerms) -> Iterator[int]:
    """All of it at maturity."""
    yield terms.principal_minor


_PRINCIPAL_PARTS = {
    "equal_principal": _equal_principal,
    "equal_instalments": _equal_instalments,
    "bullet": _bullet,
}
