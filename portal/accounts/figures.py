"""Every figure of a loan as the sum of other figures, down to the ledger's lines and the contract's instalments.

Pure. A figure is named by a code: ``owed``, ``paid``, ``forgiven``, ``left``, ``due``, ``later``, ``overpaid``
of the whole loan; ``interest``, ``interest.owed``, ``interest.paid``, ``interest.forgiven``, ``interest.due`` of
a component; ``principal.fallen`` and ``principal.settled`` behind the principal that is due. Whatever is
answered comes out exactly, or it is not answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from portal.accounts.balance import COMPONENTS, LoanTerms, instalments
from portal.money import Money

#: What a whole loan, or all loans of a currency, are asked about.
WHOLE = ("owed", "paid", "forgiven", "left", "due", "later", "overpaid")
#: What of a component.
OF_COMPONENT = ("owed", "paid", "forgiven", "due")
#: The components in the order a person reads them.
PARTS = tuple(reversed(COMPONENTS))


class DoesNotComeOut(ValueError):
    """The summands do not make the figure: nothing is explained rather than something wrong."""


class Line(Protocol):
    """What an explanation needs of a ledger line."""

    @property
    def posted_on(self) -> date: ...
    @property
    def line_ref(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def moves(self) -> str: ...
    @property
    def amounts(self) -> Mapping[str, Money]: ...
    @property
    def reverses_ref(self) -> str | None: ...


class Sums(Protocol):
    """One component's figures."""

    @property
    def owed(self) -> Money: ...
    @property
    def paid(self) -> Money: ...
    @property
    def forgiven(self) -> Money: ...
    @property
    def left(self) -> Money: ...


class Loan(Protocol):
    """A loan with its figures as of a day."""

    @property
    def loan_ref(self) -> str: ...
    @property
    def currency(self) -> str: ...
    @property
    def as_of(self) -> date: ...
    @property
    def terms(self) -> LoanTerms: ...
    @property
    def components(self) -> Mapping[str, Sums]: ...
    @property
    def owed(self) -> Money: ...
    @property
    def paid(self) -> Money: ...
    @property
    def forgiven(self) -> Money: ...
    @property
    def left(self) -> Money: ...
    @property
    def due_now(self) -> Money: ...
    @property
    def not_yet_due(self) -> Money: ...
    @property
    def principal_due(self) -> Money: ...
    @property
    def overpaid(self) -> Money: ...


@dataclass(frozen=True, slots=True)
class Summand:
    """One row of a sum. `figure` names the figure that it is (its own explanation follows from that, in
    `loan_ref` where that is given); a row without one is a posted line or an agreed instalment."""

    amount: Money
    figure: str = ""
    loan_ref: str = ""
    line: Line | None = None
    due_on: date | None = None


@dataclass(frozen=True, slots=True)
class Explained:
    """A figure and what it is the sum of. Raises DoesNotComeOut where it is not."""

    figure: str
    total: Money
    summands: tuple[Summand, ...]

    def __post_init__(self) -> None:
        found = Money.sum((one.amount for one in self.summands), self.total.currency)
        if found != self.total:
            raise DoesNotComeOut(f"{self.figure}: {self.total.plain()} is not {found.plain()}")


def loan_figure(loan: Loan, lines: Sequence[Line], figure: str) -> Explained | None:
    """One figure of a loan from its lines up to its day; None for a figure there is not.

    Raises DoesNotComeOut when the lines are not those of the figures.
    """
    made = _LOAN_FIGURES.get(figure)
    known = [line for line in lines if line.posted_on <= loan.as_of]
    return made(loan, known) if made else None


def whole_figure(loans: Sequence[Loan], figure: str, currency: str) -> Explained | None:
    """The same figure over several loans of one currency: the sum of theirs; None where there is none."""
    if figure not in _LOAN_FIGURES:
        return None
    summands = tuple(Summand(value_of(loan, figure), figure, loan.loan_ref) for loan in loans)
    return Explained(figure, Money.sum((one.amount for one in summands), currency), summands)


def value_of(loan: Loan, figure: str) -> Money:
    """A figure's value as the balance holds it. Raises KeyError for a figure there is not."""
    whole = {"due": "due_now", "later": "not_yet_due"}
    component, _, what = figure.partition(".")
    if component not in loan.components:
        found: Money = getattr(loan, whole.get(figure, figure))
        return found
    part = loan.components[component]
    if what == "due":
        return loan.principal_due if component == "principal" else part.left
    if what == "fallen":
        return _fallen(loan)
    if what == "settled":
        return part.paid + part.forgiven
    value: Money = getattr(part, what or "left")
    return value


def _fallen(loan: Loan) -> Money:
    return Money(sum(minor for _, minor in _fallen_parts(loan)), loan.currency)


def _fallen_parts(loan: Loan) -> Iterator[tuple[date, int]]:
    for part in instalments(loan.terms):
        if part.due_on <= loan.as_of:
            yield part.due_on, part.principal_minor


def _by_component(what: str) -> Callable[[Loan, Sequence[Line]], Explained]:
    def made(loan: Loan, lines: Sequence[Line]) -> Explained:
        figures = (f"{name}.{what}" for name in PARTS if loan.components[name].owed or name == "principal")
        return Explained(what, value_of(loan, what), _of(loan, figures))

    return made


def _of(loan: Loan, figures: Iterable[str]) -> tuple[Summand, ...]:
    """Figures of the loan as summands; a leading minus takes one off."""
    made = []
    for figure in figures:
        name = figure.removeprefix("-")
        amount = value_of(loan, name)
        made.append(Summand(-amount if name != figure else amount, name))
    return tuple(made)


def _left(loan: Loan, lines: Sequence[Line]) -> Explained:
    figures = ["owed", "-paid", *(["-forgiven"] if loan.forgiven else [])]
    return Explained("left", loan.left, _of(loan, figures))


def _due(loan: Loan, lines: Sequence[Line]) -> Explained:
    figures = (f"{name}.due" for name in PARTS if loan.components[name].owed or name == "principal")
    return Explained("due", loan.due_now, _of(loan, figures))


def _later(loan: Loan, lines: Sequence[Line]) -> Explained:
    return Explained("later", loan.not_yet_due, _of(loan, ("left", "-due")))


def _overpaid(loan: Loan, lines: Sequence[Line]) -> Explained:
    return Explained("overpaid", loan.overpaid, tuple(_lines_of(lines, "suspense", -1)))


def _lines_of(lines: Iterable[Line], component: str, sign: int, moves: str = "") -> Iterator[Summand]:
    for line in lines:
        amount = line.amounts[component]
        if amount and moves in ("", line.moves):
            yield Summand(amount if sign > 0 else -amount, line=line)


def _component_left(name: str) -> Callable[[Loan, Sequence[Line]], Explained]:
    def made(loan: Loan, lines: Sequence[Line]) -> Explained:
        part = loan.components[name]
        figures = [f"{name}.owed", f"-{name}.paid", *([f"-{name}.forgiven"] if part.forgiven else [])]
        return Explained(name, part.left, _of(loan, figures))

    return made


def _component_sum(name: str, what: str) -> Callable[[Loan, Sequence[Line]], Explained]:
    figure, sign = f"{name}.{what}", 1 if what == "owed" else -1

    def made(loan: Loan, lines: Sequence[Line]) -> Explained:
        return Explained(figure, value_of(loan, figure), tuple(_lines_of(lines, name, sign, what)))

    return made


def _charge_due(name: str) -> Callable[[Loan, Sequence[Line]], Explained]:
    def made(loan: Loan, lines: Sequence[Line]) -> Explained:
        return Explained(f"{name}.due", value_of(loan, f"{name}.due"), _of(loan, [name]))

    return made


def _principal_due(loan: Loan, lines: Sequence[Line]) -> Explained:
    """Fallen due less settled; what was settled ahead of the instalments is not taken off twice."""
    due, summands = loan.principal_due, list(_of(loan, ("principal.fallen", "-principal.settled")))
    ahead = due - Money.sum((one.amount for one in summands), loan.currency)
    if ahead:
        summands.append(Summand(ahead, "principal.ahead"))
    return Explained("principal.due", due, tuple(summands))


def _principal_fallen(loan: Loan, lines: Sequence[Line]) -> Explained:
    parts = tuple(
        Summand(Money(minor, loan.currency), due_on=due_on) for due_on, minor in _fallen_parts(loan)
    )
    return Explained("principal.fallen", _fallen(loan), parts)


def _principal_settled(loan: Loan, lines: Sequence[Line]) -> Explained:
    figures = ("principal.paid", "principal.forgiven")
    return Explained("principal.settled", value_of(loan, "principal.settled"), _of(loan, figures))


_LOAN_FIGURES: Mapping[str, Callable[[Loan, Sequence[Line]], Explained]] = {
    **{what: _by_component(what) for what in ("owed", "paid", "forgiven")},
    "left": _left,
    "due": _due,
    "later": _later,
    "overpaid": _overpaid,
    **{name: _component_left(name) for name in PARTS},
    **{
        f"{name}.{what}": _component_sum(name, what)
        for name in PARTS
        for what in ("owed", "paid", "forgiven")
    },
    **{f"{name}.due": _charge_due(name) for name in PARTS if name != "principal"},
    "principal.due": _principal_due,
    "principal.fallen": _principal_fallen,
    "principal.settled": _principal_settled,
}
#: Every figure of a loan that has an explanation.
FIGURES = tuple(_LOAN_FIGURES)
