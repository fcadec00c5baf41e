"""A statement: opening figures, every ledger line, closing figures, and the one text that is signed.

Pure: no database, no clock. Amounts are integers of the loans' minor unit. Opening, movement and
closing are each added up from the lines by themselves, so that *opening + charged - paid - waived =
closing* is a check and not a definition.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from portal import signing
from portal.accounts.balance import COMPONENTS, ComponentSums, Instalment, Line, LoanTerms, Totals, moves
from portal.accounts.balance import instalments as instalments_of
from portal.money import Money
from portal.statements import settlement as statement_settlement
from portal.statements.settlement import SettlementRow

#: The components in the order a person reads them.
PARTS = tuple(reversed(COMPONENTS))
#: What a line does to the figures of its components.
EFFECTS = ("charged", "paid", "forgiven")
#: The form of the signed text; a change of meaning gets the next number.
VERSION = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One ledger line of a statement: charges positive, payments and waivers negative, minor units.

    `effect` is one of EFFECTS: the figure that the line moves. A reversal moves that of the line it undoes.
    """

    posted_on: date
    line_ref: str
    kind: str
    effect: str
    amounts: Mapping[str, int]
    suspense: int = 0
    reverses_ref: str | None = None

    @property
    def total(self) -> int:
        """What the line changes in all, money without a component included."""
        return sum(self.amounts.values()) + self.suspense


@dataclass(frozen=True, slots=True)
class Side:
    """The figures at one end of a period, or what moved in it; `suspense` is overpaid money, positive."""

    parts: Mapping[str, ComponentSums]
    suspense: int = 0

    @property
    def owed(self) -> int:
        """All that was charged."""
        return sum(part.owed for part in self.parts.values())

    @property
    def paid(self) -> int:
        """All that was paid."""
        return sum(part.paid for part in self.parts.values())

    @property
    def forgiven(self) -> int:
        """All that was waived."""
        return sum(part.forgiven for part in self.parts.values())

    @property
    def left(self) -> int:
        """owed - paid - forgiven."""
        return self.owed - self.paid - self.forgiven

    def __add__(self, other: Side) -> Side:
        parts = {
            name: ComponentSums(
                self.parts[name].owed + other.parts[name].owed,
                self.parts[name].paid + other.parts[name].paid,
                self.parts[name].forgiven + other.parts[name].forgiven,
            )
            for name in PARTS
        }
        return Side(parts, self.suspense + other.suspense)


NOTHING = Side({name: ComponentSums() for name in PARTS})


@dataclass(frozen=True, slots=True)
class LoanFacts:
    """What a statement says of a loan account beside its figures."""

    loan_ref: str
    product: str
    product_class: str
    annual_rate: str


@dataclass(frozen=True, slots=True)
class LoanStatement:
    """One loan account's part: `opening` before the first day, `moved` by `entries`, `closing` at `as_of`.

    `as_of` is the statement's, or earlier where the bank's books of this loan end earlier.
    """

    facts: LoanFacts
    as_of: date
    opening: Side
    entries: tuple[Entry, ...]
    moved: Side
    closing: Side
    instalments: tuple[Instalment, ...]
    principal_due: int
    due_now: int
    days_overdue: int

    @property
    def not_yet_due(self) -> int:
        """What is left and not due now."""
        return self.closing.left - self.due_now


@dataclass(frozen=True, slots=True)
class Statement:
    """The chosen loan accounts of one customer and currency from `first` (None: the start) to `as_of`."""

    issuer: str
    customer_ref: str
    currency: str
    first: date | None
    as_of: date
    loans: tuple[LoanStatement, ...]
    #: what pays each loan off on a day that was asked for; empty where none was
    settlement: tuple[SettlementRow, ...] = ()

    @property
    def opening(self) -> Side:
        """The figures of all loans before the period."""
        return sum((loan.opening for loan in self.loans), NOTHING)

    @property
    def moved(self) -> Side:
        """What all entries moved."""
        return sum((loan.moved for loan in self.loans), NOTHING)

    @property
    def closing(self) -> Side:
        """The figures of all loans at the end."""
        return sum((loan.closing for loan in self.loans), NOTHING)

    @property
    def due_now(self) -> int:
        """What is due of all loans."""
        return sum(loan.due_now for loan in self.loans)

    @property
    def not_yet_due(self) -> int:
        """What is left of all loans and not due."""
        return self.closing.left - self.due_now

    @property
    def shown(self) -> tuple[str, ...]:
        """The components that were ever charged, in reading order."""
        parts = self.closing.parts
        return tuple(name for name in PARTS if parts[name].owed or self.opening.parts[name].owed)

    @property
    def product_classes(self) -> tuple[str, ...]:
        """The product classes among the loans, each once."""
        return tuple(dict.fromkeys(loan.facts.product_class for loan in self.loans))

    @property
    def entry_count(self) -> int:
        """How many ledger lines it lists."""
        return sum(len(loan.entries) for loan in self.loans)

    def money(self, minor: int) -> Money:
        """A figure of this statement as an amount of its currency."""
        return Money(minor, self.currency)


_EFFECTS = {"owed": "charged", "paid": "paid", "forgiven": "forgiven"}


def entry_of(line: Line, *, line_ref: str, reverses_ref: str | None = None) -> Entry:
    """The entry of a posted line. Raises LedgerFault for a reversal of nothing."""
    return Entry(
        posted_on=line.posted_on,
        line_ref=line_ref,
        kind=line.kind,
        effect=_EFFECTS[moves(line.effect)],
        amounts={name: minor for name, minor in line.amounts.items() if minor},
        suspense=line.suspense_minor,
        reverses_ref=reverses_ref,
    )


#: A kind with each effect, for adding up entries, which remember only the effect.
_KIND_OF = {"charged": "interest", "paid": "payment", "forgiven": "waiver"}


def loan_statement(
    facts: LoanFacts, terms: LoanTerms, entries: Iterable[Entry], *, first: date | None, as_of: date
) -> LoanStatement:
    """The part of one loan from all its entries in posting order; those after `as_of` are left out.

    >>> from decimal import Decimal
    >>> terms = LoanTerms(10_000, Decimal("0.088"), "equal_principal", 5, 4, date(2026, 5, 5))
    >>> lent = Entry(date(2026, 1, 7), "T1", "disbursement", "charged", {"principal": 10_000})
    >>> paid = Entry(date(2026, 2, 5), "T2", "payment", "paid", {"principal": -1_000})
    >>> made = loan_statement(LoanFacts("L1", "", "loan", "0.088"), terms, [lent, paid],
    ...                       first=date(2026, 2, 1), as_of=date(2026, 3, 10))
    >>> made.opening.left, made.moved.paid, made.closing.left, made.due_now
    (10000, 1000, 9000, 4000)
    """
    known = [entry for entry in entries if entry.posted_on <= as_of]
    inside = tuple(entry for entry in known if first is None or entry.posted_on >= first)
    before = [entry for entry in known if first is not None and entry.posted_on < first]
    figures = _added(known).figures(terms, as_of=as_of)
    return LoanStatement(
        facts=facts,
        as_of=as_of,
        opening=_side(before),
        entries=inside,
        moved=_side(inside),
        closing=Side({name: figures.components[name] for name in PARTS}, figures.suspense),
        instalments=tuple(instalments_of(terms)),
        principal_due=figures.principal_due,
        due_now=figures.due_now,
        days_overdue=figures.days_overdue,
    )


def _added(entries: Iterable[Entry]) -> Totals:
    totals = Totals()
    for entry in entries:
        totals.add(effect=_KIND_OF[entry.effect], amounts=entry.amounts, suspense_minor=entry.suspense)
    return totals


def _side(entries: Iterable[Entry]) -> Side:
    totals = _added(entries)
    parts = {
        name: ComponentSums(totals.owed[name], totals.paid[name], totals.forgiven[name]) for name in PARTS
    }
    return Side(parts, totals.suspense)


def content_of(statement: Statement) -> dict[str, Any]:
    """The statement as plain data: what is kept, hashed and signed. Texts, whole numbers, nothing else."""
    settled = [statement_settlement.content_of(row) for row in statement.settlement]
    return ({"settlement": settled} if settled else {}) | {
        "kind": "statement",
        "version": VERSION,
        "issuer": statement.issuer,
        "customer": statement.customer_ref,
        "currency": statement.currency,
        "first": statement.first.isoformat() if statement.first else None,
        "as_of": statement.as_of.isoformat(),
        "loans": [_loan_content(loan) for loan in statement.loans],
    }


def _loan_content(loan: LoanStatement) -> dict[str, Any]:
    return {
        "loan": loan.facts.loan_ref,
        "product": loan.facts.product,
        "product_class": loan.facts.product_class,
        "annual_rate": loan.facts.annual_rate,
        "as_of": loan.as_of.isoformat(),
        "opening": _side_content(loan.opening),
        "entries": [_entry_content(entry) for entry in loan.entries],
        "moved": _side_content(loan.moved),
        "closing": _side_content(loan.closing),
        "instalments": [[part.due_on.isoformat(), part.principal_minor] for part in loan.instalments],
        "principal_due": loan.principal_due,
        "due_now": loan.due_now,
        "days_overdue": loan.days_overdue,
    }


def _side_content(side: Side) -> dict[str, Any]:
    parts = {name: [part.owed, part.paid, part.forgiven] for name, part in side.parts.items()}
    return parts | {"unassigned": side.suspense}


def _entry_content(entry: Entry) -> dict[str, Any]:
    return {
        "on": entry.posted_on.isoformat(),
        "line": entry.line_ref,
        "kind": entry.kind,
        "effect": entry.effect,
        "amounts": dict(entry.amounts),
        "unassigned": entry.suspense,
        "reverses": entry.reverses_ref,
    }


def digest_of(content: Mapping[str, Any]) -> str:
    """The SHA-256 of the content's one canonical text, in 64 hexadecimal digits."""
    return hashlib.sha256(signing.canonical(content)).hexdigest()


def statement_from(content: Mapping[str, Any]) -> Statement:
    """The statement that `content_of` wrote down: the same figures, whatever the ledger says today."""
    first = content["first"]
    return Statement(
        issuer=content["issuer"],
        customer_ref=content["customer"],
        currency=content["currency"],
        first=date.fromisoformat(first) if first else None,
        as_of=date.fromisoformat(content["as_of"]),
        loans=tuple(_loan_from(loan) for loan in content["loans"]),
        settlement=tuple(statement_settlement.row_from(row) for row in content.get("settlement", ())),
    )


def _loan_from(content: Mapping[str, Any]) -> LoanStatement:
    return LoanStatement(
        facts=LoanFacts(
            content["loan"], content["product"], content["product_class"], content["annual_rate"]
        ),
        as_of=date.fromisoformat(content["as_of"]),
        opening=_side_from(content["opening"]),
        entries=tuple(_entry_from(entry) for entry in content["entries"]),
        moved=_side_from(content["moved"]),
        closing=_side_from(content["closing"]),
        instalments=tuple(
            Instalment(date.fromisoformat(day), minor) for day, minor in content["instalments"]
        ),
        principal_due=content["principal_due"],
        due_now=content["due_now"],
        days_overdue=content["days_overdue"],
    )


def _side_from(content: Mapping[str, Any]) -> Side:
    return Side({name: ComponentSums(*content[name]) for name in PARTS}, content["unassigned"])


def _entry_from(content: Mapping[str, Any]) -> Entry:
    return Entry(
        posted_on=date.fromisoformat(content["on"]),
        line_ref=content["line"],
        kind=content["kind"],
        effect=content["effect"],
        amounts=content["amounts"],
        suspense=content["unassigned"],
        reverses_ref=content["reverses"],
    )


def running(loan: LoanStatement) -> list[int]:
    """What is left after each entry, from the opening figure on; money not assigned to a part counts apart."""
    left, made = loan.opening.left, []
    for entry in loan.entries:
        left += sum(entry.amounts.values())
        made.append(left)
    return made
