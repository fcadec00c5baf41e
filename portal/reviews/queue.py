"""The queue: open cases filtered, sorted and paged by what the address says. Reads only."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Subquery, and_, case, false, func, or_, select

from portal.access.models import Staff
from portal.accounts.models import Loan, LoanBalance
from portal.borrowers.models import Borrower
from portal.keys import Keys
from portal.money import EXPONENTS, Money
from portal.plans.models import Negotiation, Proposal
from portal.plans.policy import Policy
from portal.plans.terms import Terms
from portal.reviews.four_eyes import second_person_reasons
from portal.reviews.queries import is_newest_round

#: Rows of one page of the queue.
PAGE_SIZE = 50

#: What the state filter offers, and the proposal states behind each word.
STATES: Mapping[str, tuple[str, ...]] = {
    "ours": ("submitted", "second_approval"),
    "submitted": ("submitted",),
    "second_approval": ("second_approval",),
    "more_asked": ("more_asked",),
    "theirs": ("approved", "countered"),
}
#: Amount bands of what is due now, in whole units: at least, less than.
BANDS: Mapping[str, tuple[int, int | None]] = {
    "small": (0, 20_000),
    "middle": (20_000, 100_000),
    "large": (100_000, None),
}
SORTS = ("clock", "due", "loans", "overdue", "share", "owner", "case")


@dataclass(frozen=True)
class QueueFilter:
    """What the address of the queue asks for; every field is one of its listed words or empty."""

    state: str = ""
    owner: str = ""
    rule: str = ""
    amount: str = ""
    text: str = ""
    sort: str = "clock"
    descending: bool = False
    page: int = 1

    @classmethod
    def from_address(cls, query: Mapping[str, str]) -> QueueFilter:
        """The filter an address carries; a word that is not listed counts as not given."""
        sort = query.get("sort", "")
        page = query.get("page", "")
        return cls(
            state=_listed(query.get("state", ""), STATES),
            owner=_listed(query.get("owner", ""), ("mine", "nobody")),
            rule=_listed(query.get("rule", ""), ("within", "above", "unstated")),
            amount=_listed(query.get("amount", ""), BANDS),
            text=unicodedata.normalize("NFKC", query.get("q", "")).strip()[:60],
            sort=sort.removeprefix("-") if sort.removeprefix("-") in SORTS else "clock",
            descending=sort.startswith("-") and sort.removeprefix("-") in SORTS,
            page=int(page) if page.isascii() and page.isdigit() and len(page) < 6 and int(page) else 1,
        )

    def address(self, **changes: str | int) -> dict[str, Any]:
        """The parameters of this filter with `changes`; what is usual stays out of the address."""
        sort = ("-" if self.descending else "") + self.sort
        given: dict[str, Any] = {
            "state": self.state,
            "owner": self.owner,
            "rule": self.rule,
            "amount": self.amount,
            "q": self.text,
            "sort": "" if sort == "clock" else sort,
            "page": self.page,
            **changes,
        }
        return {name: value for name, value in given.items() if value and (name, value) != ("page", 1)}

    def sorted_by(self, column: str) -> dict[str, Any]:
        """The parameters that sort by `column`: the other way round when it is sorted already."""
        turned = "-" + column if self.sort == column and not self.descending else column
        return self.address(sort="" if turned == "clock" else turned, page=1)

    @property
    def is_narrow(self) -> bool:
        """Whether anything is filtered out."""
        return bool(self.state or self.owner or self.rule or self.amount or self.text)


@dataclass(frozen=True)
class QueueRow:
    """One open case in the queue."""

    reference: str
    customer_ref: str
    name: str
    state: str
    answer_due_on: date
    lapses_at: datetime | None
    due_now: Money
    loan_count: int
    days_overdue: int
    instalment_count: int
    instalment: Money
    #: the largest instalment's share of what is left over; None when nothing is left over
    share_percent: int | None
    #: whether the share is above the bank's line, or nothing is left over
    is_above: bool
    #: whether a month was stated at all
    is_stated: bool
    #: why two people decide; empty when one may
    second_person: tuple[str, ...]
    owner: str | None
    is_mine: bool


@dataclass(frozen=True)
class QueuePage:
    """One page of the queue, and how many cases the filter found."""

    rows: tuple[QueueRow, ...]
    total: int
    page: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // PAGE_SIZE))


def queue_page(
    connection: Connection, keys: Keys, wanted: QueueFilter, *, staff_id: int, policy: Policy, currency: str
) -> QueuePage:
    """The open cases that fit the filter, sorted, one page of them; one statement, two for a name."""
    given = _conditions(connection, keys, wanted, staff_id, policy)
    found = _page_rows(connection, wanted, given, currency)
    if not found and wanted.page > 1:
        wanted = replace(wanted, page=1)
        found = _page_rows(connection, wanted, given, currency)
    rows = tuple(_queue_row(row, keys, policy, currency, staff_id) for row in found)
    return QueuePage(rows, found[0].total if found else 0, wanted.page)


def queue_counts(connection: Connection, *, staff_id: int) -> Mapping[str, int]:
    """How many open cases stand in each proposal state, and under ``mine`` those I have taken."""
    rows = connection.execute(
        select(
            Proposal.state,
            func.count().label("cases"),
            func.sum(case((Negotiation.owner_staff_id == staff_id, 1), else_=0)).label("mine"),
        )
        .select_from(Negotiation)
        .join(Proposal, is_newest_round())
        .where(Negotiation.closed_at.is_(None))
        .group_by(Proposal.state)
    ).all()
    return {**{row.state: row.cases for row in rows}, "mine": sum(int(row.mine) for row in rows)}


def _page_rows(
    connection: Connection, wanted: QueueFilter, given: Sequence[ColumnElement[bool]], currency: str
) -> list[Row[Any]]:
    figures = _figures(currency)
    place = func.row_number().over(order_by=[*_order(wanted, figures), Negotiation.id])
    narrow = (
        select(
            Negotiation.id.label("negotiation_id"),
            Proposal.id.label("proposal_id"),
            figures.c.due_minor,
            figures.c.loan_count,
            figures.c.days_overdue,
            func.count().over().label("total"),
            place.label("place"),
        )
        .select_from(Negotiation)
        .join(Proposal, is_newest_round())
        .join(Borrower, Borrower.id == Negotiation.borrower_id)
        .join(figures, figures.c.negotiation_id == Negotiation.id)
        .outerjoin(Staff, Staff.id == Negotiation.owner_staff_id)
        .where(Negotiation.closed_at.is_(None), *given, *_band(wanted, figures, currency))
        .order_by("place")
        .limit(PAGE_SIZE)
        .offset((wanted.page - 1) * PAGE_SIZE)
        .subquery("page")
    )
    return list(connection.execute(_with_details(narrow)))


def _with_details(page: Subquery) -> Select[*tuple[Any, ...]]:
    """What the rows of one page print; looked up only for those that are on it."""
    return (
        select(
            page.c.due_minor,
            page.c.loan_count,
            page.c.days_overdue,
            page.c.total,
            Negotiation.reference,
            Negotiation.answer_due_on,
            Negotiation.owner_staff_id,
            Staff.name.label("owner_name"),
            Borrower.customer_ref,
            Borrower.name_sealed,
            Proposal.state,
            Proposal.terms_text,
            Proposal.lapses_at,
            _share().label("share_bp"),
            Proposal.affordability["share_percent"].as_integer().label("share_percent"),
            _left_over().label("left_over"),
        )
        .select_from(page)
        .join(Negotiation, Negotiation.id == page.c.negotiation_id)
        .join(Proposal, Proposal.id == page.c.proposal_id)
        .join(Borrower, Borrower.id == Negotiation.borrower_id)
        .outerjoin(Staff, Staff.id == Negotiation.owner_staff_id)
        .order_by(page.c.place)
    )


def _band(wanted: QueueFilter, figures: Subquery, currency: str) -> list[ColumnElement[bool]]:
    """The condition of the amount band, in minor units."""
    if not wanted.amount:
        return []
    low, high = BANDS[wanted.amount]
    unit = 10 ** EXPONENTS[currency]
    given: list[ColumnElement[bool]] = [figures.c.due_minor >= low * unit]
    return given if high is None else [*given, figures.c.due_minor < high * unit]


def _conditions(
    connection: Connection, keys: Keys, wanted: QueueFilter, staff_id: int, policy: Policy
) -> list[ColumnElement[bool]]:
    given: list[ColumnElement[bool]] = []
    if wanted.state:
        given.append(Proposal.state.in_(STATES[wanted.state]))
    if wanted.owner:
        given.append(Negotiation.owner_staff_id == (staff_id if wanted.owner == "mine" else None))
    line = policy.share_percent * 100
    if wanted.rule == "within":
        given.append(_share() <= line)
    elif wanted.rule == "above":
        given.append(or_(_share() > line, and_(_share().is_(None), _left_over().is_not(None))))
    elif wanted.rule == "unstated":
        given.append(_left_over().is_(None))
    if wanted.text:
        given.append(_names_or_references(connection, keys, wanted.text))
    return given


def _names_or_references(connection: Connection, keys: Keys, text: str) -> ColumnElement[bool]:
    """The cases a typed text may mean. Names are sealed: those of open cases are opened and compared."""
    bare = re.sub(r"[\s-]", "", text).upper()
    if bare.isascii():
        as_typed = (bare, text.upper())
        return or_(
            Borrower.customer_ref.in_(as_typed),
            func.replace(Negotiation.reference, "-", "") == bare,
            Negotiation.borrower_id.in_(select(Loan.borrower_id).where(Loan.loan_ref.in_(as_typed))),
        )
    rows = connection.execute(
        select(Borrower.id, Borrower.name_sealed)
        .join(Negotiation, Negotiation.borrower_id == Borrower.id)
        .where(Negotiation.closed_at.is_(None))
    )
    found = [row.id for row in rows if bare in keys.unseal("borrower.name", row.name_sealed)]
    return Negotiation.borrower_id.in_(found) if found else false()


def _order(wanted: QueueFilter, figures: Subquery) -> list[Any]:
    """The sort: by default what waits for the bank first, by the day it must be answered."""
    theirs = case((Proposal.state.in_(STATES["ours"]), 0), (Proposal.state == "more_asked", 1), else_=2)
    columns: dict[str, list[Any]] = {
        "clock": [theirs, Negotiation.answer_due_on],
        "due": [figures.c.due_minor],
        "loans": [figures.c.loan_count],
        "overdue": [figures.c.days_overdue],
        "share": [func.coalesce(_share(), 10**9)],
        "owner": [func.coalesce(Staff.name, "")],
        "case": [Negotiation.reference],
    }
    chosen = columns[wanted.sort]
    return [column.desc() for column in chosen] if wanted.descending else chosen


def _queue_row(row: Row[Any], keys: Keys, policy: Policy, currency: str, staff_id: int) -> QueueRow:
    terms = Terms.parse(row.terms_text)
    is_stated = row.left_over is not None
    return QueueRow(
        reference=row.reference,
        customer_ref=row.customer_ref,
        name=keys.unseal("borrower.name", row.name_sealed),
        state=row.state,
        answer_due_on=row.answer_due_on,
        lapses_at=row.lapses_at,
        due_now=Money(int(row.due_minor), currency),
        loan_count=row.loan_count,
        days_overdue=row.days_overdue,
        instalment_count=terms.count,
        instalment=terms.usual,
        share_percent=row.share_percent,
        is_above=is_stated and (row.share_bp is None or row.share_bp > policy.share_percent * 100),
        is_stated=is_stated,
        second_person=second_person_reasons(terms, policy),
        owner=row.owner_name,
        is_mine=row.owner_staff_id == staff_id,
    )


def _listed(word: str, words: Mapping[str, object] | tuple[str, ...]) -> str:
    return word if word in words else ""


def _share() -> ColumnElement[int]:
    share: ColumnElement[int] = Proposal.affordability["share_bp"].as_integer()
    return share


def _left_over() -> ColumnElement[int]:
    """What is left over in the stated month; NULL where none was stated."""
    left: ColumnElement[int] = Proposal.affordability["left_over_minor"].as_integer()
    return left


def _figures(currency: str) -> Subquery:
    """Per open case: what is due now in the bank's currency, how many loans, the longest delay."""
    return (
        select(
            Negotiation.id.label("negotiation_id"),
            func.sum(case((Loan.currency == currency, LoanBalance.due_now_minor), else_=0)).label(
                "due_minor"
            ),
            func.count().label("loan_count"),
            func.max(LoanBalance.days_overdue).label("days_overdue"),
        )
        .join(Loan, Loan.borrower_id == Negotiation.borrower_id)
        .join(LoanBalance, LoanBalance.loan_id == Loan.id)
        .where(Negotiation.closed_at.is_(None))
        .group_by(Negotiation.id)
        .subquery("figures")
    )
