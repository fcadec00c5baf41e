"""The reviewers' reads: the queue, one case's head, and the decisions on a proposal."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, false, func, or_, select
from sqlalchemy.orm import aliased

from portal.access.models import Staff
from portal.accounts.models import Loan, LoanBalance
from portal.borrowers.models import Borrower
from portal.keys import Keys
from portal.money import Money
from portal.plans.models import Negotiation, Proposal
from portal.plans.terms import Terms
from portal.reviews.four_eyes import Rules, second_person_reasons
from portal.reviews.models import Decision

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
            rule=_listed(query.get("rule", ""), ("within", "above")),
            amount=_listed(query.get("amount", ""), BANDS),
            text=unicodedata.normalize("NFKC", query.get("q", "")).strip()[:60],
            sort=sort.removeprefix("-") if sort.removeprefix("-") in SORTS else "clock",
            descending=sort.startswith("-") and sort.removeprefix("-") in SORTS,
            page=int(page) if page.isascii() and page.isdigit() and len(page) < 6 and int(page) else 1,
        )

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
    #: largest instalment over what is left over, in basis points; nothing when nothing is left over
    share_bp: int | None
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


@dataclass(frozen=True)
class DecisionView:
    """A decision as the desk shows it."""

    id: int
    proposal_id: int
    staff_id: int
    staff_name: str
    staff_ref: str
    human_ref: str
    kind: str
    stage: int
    attempt: int
    terms_hash: str
    offer: Terms | None
    offer_hash: str | None
    reasons: tuple[str, ...]
    note: str
    effective: bool
    decided_at: datetime


@dataclass(frozen=True)
class CaseHead:
    """Whose case it is and where it stands; the pages compose the rest from each feature's reads."""

    negotiation_id: int
    reference: str
    borrower_id: int
    customer_ref: str
    name: str
    phone_tail: str
    language: str
    opened_at: datetime
    answer_due_on: date
    closed_at: datetime | None
    owner_staff_id: int | None
    owner_name: str | None
    #: the newest round
    proposal_id: int


def queue_page(
    connection: Connection, keys: Keys, wanted: QueueFilter, *, staff_id: int, rules: Rules, currency: str
) -> QueuePage:
    """The open cases that fit the filter, sorted, one page of them; one statement, two for a name."""
    found = _page_rows(connection, keys, wanted, staff_id, rules, currency, page=wanted.page)
    if not found and wanted.page > 1:
        wanted = QueueFilter(**{**wanted.__dict__, "page": 1})
        found = _page_rows(connection, keys, wanted, staff_id, rules, currency, page=1)
    rows = tuple(_queue_row(row, keys, rules, currency, staff_id) for row in found)
    return QueuePage(rows, found[0].total if found else 0, wanted.page)


def _page_rows(
    connection: Connection, keys: Keys, wanted: QueueFilter, staff_id: int, rules: Rules, currency: str, *, page: int
) -> list[Row[Any]]:
    conditions = _conditions(connection, keys, wanted, staff_id, rules, currency)
    statement = (
        _queue_statement(currency)
        .where(*conditions)
        .order_by(*_order(wanted), Negotiation.id)
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    return list(connection.execute(statement))


def queue_counts(connection: Connection, *, staff_id: int) -> Mapping[str, int]:
    """How many open cases stand in each proposal state, and under ``mine`` those I have taken."""
    rows = connection.execute(
        select(
            Proposal.state,
            func.count().label("cases"),
            func.sum(case((Negotiation.owner_staff_id == staff_id, 1), else_=0)).label("mine"),
        )
        .select_from(Negotiation)
        .join(Proposal, _newest_round())
        .where(Negotiation.closed_at.is_(None))
        .group_by(Proposal.state)
    ).all()
    return {**{row.state: row.cases for row in rows}, "mine": sum(int(row.mine) for row in rows)}


def case_head(connection: Connection, keys: Keys, reference: str) -> CaseHead | None:
    """The case with this reference, open or closed; None when there is none."""
    row = connection.execute(
        select(
            Negotiation.id,
            Negotiation.reference,
            Negotiation.borrower_id,
            Negotiation.created_at,
            Negotiation.answer_due_on,
            Negotiation.closed_at,
            Negotiation.owner_staff_id,
            Staff.name.label("owner_name"),
            Proposal.id.label("proposal_id"),
            Borrower.customer_ref,
            Borrower.name_sealed,
            Borrower.phone_tail_sealed,
            Borrower.language,
        )
        .join(Proposal, _newest_round())
        .join(Borrower, Borrower.id == Negotiation.borrower_id)
        .outerjoin(Staff, Staff.id == Negotiation.owner_staff_id)
        .where(Negotiation.reference == reference)
    ).one_or_none()
    if row is None:
        return None
    return CaseHead(
        negotiation_id=row.id,
        reference=row.reference,
        borrower_id=row.borrower_id,
        customer_ref=row.customer_ref,
        name=keys.unseal("borrower.name", row.name_sealed),
        phone_tail=keys.unseal("borrower.phone_tail", row.phone_tail_sealed)[-2:],
        language=row.language,
        opened_at=row.created_at,
        answer_due_on=row.answer_due_on,
        closed_at=row.closed_at,
        owner_staff_id=row.owner_staff_id,
        owner_name=row.owner_name,
        proposal_id=row.proposal_id,
    )


def decisions_of(connection: Connection, negotiation_id: int) -> tuple[DecisionView, ...]:
    """Every decision of a case, oldest first."""
    rows = connection.execute(
        select(Decision, Staff.name.label("staff_name"), Staff.staff_ref)
        .join(Staff, Staff.id == Decision.staff_id)
        .join(Proposal, Proposal.id == Decision.proposal_id)
        .where(Proposal.negotiation_id == negotiation_id)
        .order_by(Decision.id)
    )
    return tuple(_decision_view(row) for row in rows)


def _decision_view(row: Row[Any]) -> DecisionView:
    return DecisionView(
        id=row.id,
        proposal_id=row.proposal_id,
        staff_id=row.staff_id,
        staff_name=row.staff_name,
        staff_ref=row.staff_ref,
        human_ref=row.human_ref,
        kind=row.kind,
        stage=row.stage,
        attempt=row.attempt,
        terms_hash=row.terms_hash,
        offer=Terms.parse(row.offer_text) if row.offer_text else None,
        offer_hash=row.offer_hash,
        reasons=tuple(row.reasons),
        note=row.note,
        effective=row.effective,
        decided_at=row.created_at,
    )


def _listed(word: str, words: Mapping[str, object] | tuple[str, ...]) -> str:
    return word if word in words else ""


def _newest_round() -> ColumnElement[bool]:
    newer = aliased(Proposal)
    last = select(func.max(newer.round)).where(newer.negotiation_id == Negotiation.id).scalar_subquery()
    return and_(Proposal.negotiation_id == Negotiation.id, Proposal.round == last)


def _figures(currency: str) -> Any:
    """Per open case: what is due now in the bank's currency, how many loans, the longest delay."""
    return (
        select(
            Negotiation.id.label("negotiation_id"),
            func.sum(case((Loan.currency == currency, LoanBalance.due_now_minor), else_=0)).label("due_minor"),
            func.count().label("loan_count"),
            func.max(LoanBalance.days_overdue).label("days_overdue"),
        )
        .join(Loan, Loan.borrower_id == Negotiation.borrower_id)
        .join(LoanBalance, LoanBalance.loan_id == Loan.id)
        .where(Negotiation.closed_at.is_(None))
        .group_by(Negotiation.id)
        .subquery("figures")
    )


def _share() -> ColumnElement[Any]:
    return Proposal.affordability["share_bp"].as_integer()


class _Columns:
    """The columns the queue filters and sorts by, of one statement."""

    def __init__(self, currency: str) -> None:
        self.figures = _figures(currency)

    def statement(self) -> Select[Any]:
        figures = self.figures
        return (
            select(
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
                figures.c.due_minor,
                figures.c.loan_count,
                figures.c.days_overdue,
                func.count().over().label("total"),
            )
            .select_from(Negotiation)
            .join(Proposal, _newest_round())
            .join(Borrower, Borrower.id == Negotiation.borrower_id)
            .join(figures, figures.c.negotiation_id == Negotiation.id)
            .outerjoin(Staff, Staff.id == Negotiation.owner_staff_id)
            .where(Negotiation.closed_at.is_(None))
        )
