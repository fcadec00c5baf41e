"""What pages read of negotiations and plans: rounds with their terms, the plan in force and its progress.

Core statements; each loads for its owner, or for the desk by id, and answers with frozen dataclasses.
Overdue and missed are computed here from dates and receipts, never stored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from portal.accounts.models import Loan
from portal.accounts.queries import BorrowerBalance, balances_for, ordinary_instalments_for
from portal.borrowers.models import Borrower
from portal.dates import WorkingDays
from portal.hardship.queries import ReportView, latest_report_for
from portal.keys import Keys
from portal.money import Money
from portal.plans.agreement import WrittenItem, items_of
from portal.plans.lifecycle import OFFERED
from portal.plans.models import (
    Agreement,
    Negotiation,
    Plan,
    PlanChange,
    PlanInstalment,
    PlanLoan,
    PlanReceipt,
    Proposal,
)
from portal.plans.policy import Ground, Means, Policy
from portal.plans.progress import InstalmentView as InstalmentView
from portal.plans.progress import PlanView as PlanView
from portal.plans.revisions import ChangeView, Revision
from portal.plans.terms import LoanBasis, Terms
from portal.schedules.extra import ExtraChoice

#: Components a proposal may ask to have waived, or a reviewer may give up.
WAIVABLE = ("fee", "penalty_interest")


@dataclass(frozen=True, slots=True)
class ProposalView:
    """One round as both sides may see it."""

    id: int
    reference: str
    negotiation_id: int
    negotiation_reference: str
    borrower_id: int
    round: int
    made_by: str
    terms: Terms
    terms_hash: str
    state: str
    version: int
    comment: str
    affordability: Mapping[str, Any]
    created_at: datetime
    lapses_at: datetime | None
    receipt_signature: str

    def is_offer(self, now: datetime) -> bool:
        """Whether the borrower can accept it at `now`."""
        return self.state in OFFERED and self.lapses_at is not None and self.lapses_at > now

    def has_lapsed(self, now: datetime) -> bool:
        """Whether its day passed, recorded or not."""
        return self.state == "lapsed" or (
            self.state in OFFERED and self.lapses_at is not None and self.lapses_at <= now
        )


@dataclass(frozen=True, slots=True)
class NegotiationView:
    """A case with its rounds, oldest first."""

    id: int
    reference: str
    borrower_id: int
    report_id: int | None
    opened_at: datetime
    answer_due_on: date
    closed_at: datetime | None
    rounds: tuple[ProposalView, ...]

    @property
    def current(self) -> ProposalView:
        """The round that stands last."""
        return self.rounds[-1]

    @property
    def asked(self) -> ProposalView | None:
        """The borrower's latest round."""
        return next((one for one in reversed(self.rounds) if one.made_by == "borrower"), None)


@dataclass(frozen=True, slots=True)
class AgreementView:
    """One agreement in the words it was made in; `content_text` is what was hashed and signed."""

    id: int
    reference: str
    content_text: str
    product_class: str
    language: str
    items: tuple[WrittenItem, ...]
    content_hash: str
    signature: str
    made_at: datetime
    plan_reference: str
    #: the key that signed; None of agreements from before it was kept
    key_id: str | None


def ground_for(
    connection: Connection,
    keys: Keys,
    borrower_id: int,
    *,
    policy: Policy,
    working_days: WorkingDays,
    today: date,
    currency: str = "CNY",
) -> Ground:
    """What a proposal of this borrower is measured against today: loans that no plan covers yet, the
    bank's rules, and the month stated in the report sent last."""
    return ground_on(
        connection,
        borrower_id,
        balance=balances_for(connection, borrower_id),
        report=latest_report_for(connection, keys, borrower_id),
        policy=policy,
        working_days=working_days,
        today=today,
        currency=currency,
    )


def ground_on(
    connection: Connection,
    borrower_id: int,
    *,
    balance: BorrowerBalance,
    report: ReportView | None,
    policy: Policy,
    working_days: WorkingDays,
    today: date,
    currency: str,
) -> Ground:
    """As `ground_for`, for a page that has read the balance and the report already."""
    means = None
    if report is not None and report.budget is not None and report.budget.income.currency == currency:
        ordinary = ordinary_instalments_for(connection, borrower_id, today=today, currency=currency)
        means = Means(report.budget, ordinary)
    taken = loans_in_plans(connection, borrower_id)
    dates = [loan.as_of for loan in balance.loans if loan.currency == currency]
    return Ground(
        loans=basis_of(balance, currency=currency, without=taken),
        as_of=min(dates, default=today),
        today=today,
        working_days=working_days,
        policy=policy,
        means=means,
    )


def basis_of(
    balance: BorrowerBalance, *, currency: str, without: frozenset[int] = frozenset()
) -> tuple[LoanBasis, ...]:
    """The loans of one currency as a plan sees them, the most due first."""
    return tuple(
        LoanBasis(
            loan_id=loan.loan_id,
            loan_ref=loan.loan_ref,
            product_class=loan.product_class,
            due_now=loan.due_now,
            left=loan.left,
            waivable=tuple((name, loan.components[name].left) for name in WAIVABLE),
            due_parts=tuple((name, loan.due_of(name)) for name in loan.components),
            left_parts=tuple((name, figures.left) for name, figures in loan.components.items()),
        )
        for loan in balance.loans
        if loan.currency == currency and loan.loan_id not in without
    )


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose plan it is, as much as may be shown to somebody at the door."""

    masked_name: str
    phone_tail: str
    customer_ref: str


def holder_for(connection: Connection, keys: Keys, borrower_id: int) -> Holder:
    """The borrower with the name masked to its first character and the last two digits of the mobile."""
    row = connection.execute(
        select(Borrower.name_sealed, Borrower.phone_tail_sealed, Borrower.customer_ref).where(
            Borrower.id == borrower_id
        )
    ).one()
    name = keys.unseal("borrower.name", row.name_sealed)
    tail = keys.unseal("borrower.phone_tail", row.phone_tail_sealed)
    return Holder(masked_name(name), tail[-2:], row.customer_ref)


def masked_name(name: str) -> str:
    """The first character and a star for each other one, at least one and at most two.

    >>> masked_name("蒋曦静"), masked_name("林晓"), masked_name("Li")
    ('蒋**', '林*', 'L*')
    """
    return name[:1] + "*" * min(max(len(name) - 1, 1), 2)


def loans_in_plans(connection: Connection, borrower_id: int) -> frozenset[int]:
    """The borrower's loans that a plan in force covers."""
    rows = connection.execute(
        select(PlanLoan.loan_id)
        .join(Plan, Plan.id == PlanLoan.plan_id)
        .where(Plan.borrower_id == borrower_id, PlanLoan.ended_at.is_(None))
    )
    return frozenset(rows.scalars())


def open_negotiation_for(connection: Connection, borrower_id: int) -> NegotiationView | None:
    """The borrower's open case with its rounds, or nothing."""
    return _negotiation(
        connection,
        _negotiations().where(Negotiation.borrower_id == borrower_id, Negotiation.closed_at.is_(None)),
    )


def latest_negotiation_for(connection: Connection, borrower_id: int) -> NegotiationView | None:
    """The borrower's last case, open or closed, or nothing."""
    return _negotiation(
        connection,
        _negotiations()
        .where(Negotiation.borrower_id == borrower_id)
        .order_by(Negotiation.id.desc())
        .limit(1),
    )


def negotiation_view(connection: Connection, negotiation_id: int) -> NegotiationView | None:
    """A case by id, for the desk."""
    return _negotiation(connection, _negotiations().where(Negotiation.id == negotiation_id))


def proposal_for(connection: Connection, borrower_id: int, reference: str) -> ProposalView | None:
    """The borrower's own round of that reference, or nothing."""
    row = connection.execute(
        _proposals().where(Proposal.borrower_id == borrower_id, Proposal.reference == reference)
    ).one_or_none()
    return None if row is None else _proposal(row)


def _negotiations() -> Select[*tuple[Any, ...]]:
    return select(
        Negotiation.id,
        Negotiation.reference,
        Negotiation.borrower_id,
        Negotiation.report_id,
        Negotiation.created_at,
        Negotiation.answer_due_on,
        Negotiation.closed_at,
    )


def _negotiation(connection: Connection, statement: Select[*tuple[Any, ...]]) -> NegotiationView | None:
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    rounds = connection.execute(
        _proposals().where(Proposal.negotiation_id == row.id).order_by(Proposal.round)
    ).all()
    return NegotiationView(
        id=row.id,
        reference=row.reference,
        borrower_id=row.borrower_id,
        report_id=row.report_id,
        opened_at=row.created_at,
        answer_due_on=row.answer_due_on,
        closed_at=row.closed_at,
        rounds=tuple(_proposal(one) for one in rounds),
    )


def _proposals() -> Select[*tuple[Any, ...]]:
    return select(
        Proposal.id,
        Proposal.reference,
        Proposal.negotiation_id,
        Negotiation.reference.label("negotiation_reference"),
        Proposal.borrower_id,
        Proposal.round,
        Proposal.made_by,
        Proposal.terms_text,
        Proposal.terms_hash,
        Proposal.state,
        Proposal.version,
        Proposal.comment,
        Proposal.affordability,
        Proposal.created_at,
        Proposal.lapses_at,
        Proposal.receipt_signature,
    ).join(Negotiation, Negotiation.id == Proposal.negotiation_id)


def _proposal(row: Row[Any]) -> ProposalView:
    facts = dict(row._mapping)
    return ProposalView(terms=Terms.parse(facts.pop("terms_text")), **facts)


def latest_plan_for(connection: Connection, borrower_id: int) -> PlanView | None:
    """The borrower's newest plan in whatever state, or nothing."""
    return _plan(connection, _plans().where(Plan.borrower_id == borrower_id))


def plan_for(connection: Connection, borrower_id: int, reference: str) -> PlanView | None:
    """The borrower's own plan of that reference, or nothing."""
    return _plan(connection, _plans().where(Plan.borrower_id == borrower_id, Plan.reference == reference))


def plan_of_change_for(connection: Connection, borrower_id: int, reference: str) -> PlanView | None:
    """The borrower's own plan with the change of that reference, or nothing."""
    of_change = select(PlanChange.plan_id).where(PlanChange.reference == reference)
    return _plan(connection, _plans().where(Plan.borrower_id == borrower_id, Plan.id.in_(of_change)))


def plan_of_proposals(connection: Connection, proposal_ids: Collection[int]) -> PlanView | None:
    """The plan that came of one of these rounds, for the desk; nothing where none did."""
    return _plan(connection, _plans().where(Plan.proposal_id.in_(proposal_ids)))


def _plans() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Plan.id,
            Plan.reference,
            Plan.borrower_id,
            Plan.proposal_id,
            Plan.state,
            Plan.currency,
            Plan.created_at,
            Plan.ended_at,
            Plan.terms_hash,
            Plan.extra_choice,
            Proposal.terms_text,
        )
        .join(Proposal, Proposal.id == Plan.proposal_id)
        .order_by(Plan.id.desc())
        .limit(1)
    )


def _plan(connection: Connection, statement: Select[*tuple[Any, ...]]) -> PlanView | None:
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    loans = connection.execute(
        select(Loan.id, Loan.loan_ref)
        .join(PlanLoan, PlanLoan.loan_id == Loan.id)
        .where(PlanLoan.plan_id == row.id)
        .order_by(Loan.id)
    ).all()
    return PlanView(
        plan_id=row.id,
        reference=row.reference,
        borrower_id=row.borrower_id,
        proposal_id=row.proposal_id,
        state=row.state,
        currency=row.currency,
        made_at=row.created_at,
        ended_at=row.ended_at,
        terms=Terms.parse(row.terms_text),
        terms_hash=row.terms_hash,
        instalments=_instalments(connection, row.id, row.currency),
        loan_ids=tuple(loan.id for loan in loans),
        loans=tuple(loan.loan_ref for loan in loans),
        extra_choice=ExtraChoice(row.extra_choice),
        changes=_changes(connection, row.id),
    )


def _changes(connection: Connection, plan_id: int) -> tuple[ChangeView, ...]:
    rows = connection.execute(
        select(
            PlanChange.reference,
            PlanChange.schedule_text,
            PlanChange.created_at,
            PlanChange.key_id,
            PlanChange.signature,
        )
        .where(PlanChange.plan_id == plan_id)
        .order_by(PlanChange.number)
    )
    return tuple(
        ChangeView(
            row.reference, Revision.parse(row.schedule_text), row.created_at, row.key_id, row.signature
        )
        for row in rows
    )


def _instalments(connection: Connection, plan_id: int, currency: str) -> tuple[InstalmentView, ...]:
    paid = (
        select(
            PlanReceipt.number,
            func.sum(PlanReceipt.amount_minor).label("paid_minor"),
            func.max(PlanReceipt.created_at).label("paid_at"),
        )
        .where(PlanReceipt.plan_id == plan_id)
        .group_by(PlanReceipt.number)
        .subquery()
    )
    rows = connection.execute(
        select(
            PlanInstalment.number,
            PlanInstalment.due_on,
            PlanInstalment.amount_minor,
            func.coalesce(paid.c.paid_minor, 0).label("paid_minor"),
            paid.c.paid_at,
        )
        .outerjoin(paid, paid.c.number == PlanInstalment.number)
        .where(PlanInstalment.plan_id == plan_id)
        .order_by(PlanInstalment.number)
    )
    return tuple(
        InstalmentView(
            number=row.number,
            due_on=row.due_on,
            amount=Money(row.amount_minor, currency),
            paid=Money(int(row.paid_minor), currency),
            paid_at=row.paid_at if int(row.paid_minor) == row.amount_minor else None,
        )
        for row in rows
    )


def agreements_for(connection: Connection, borrower_id: int, plan_id: int) -> tuple[AgreementView, ...]:
    """The agreements of one of the borrower's own plans."""
    rows = connection.execute(
        select(
            Agreement.id,
            Agreement.reference,
            Agreement.product_class,
            Agreement.language,
            Agreement.content_text,
            Agreement.content_hash,
            Agreement.signature,
            Agreement.key_id,
            Agreement.created_at,
            Plan.reference.label("plan_reference"),
        )
        .join(Plan, Plan.id == Agreement.plan_id)
        .where(Agreement.plan_id == plan_id, Plan.borrower_id == borrower_id)
        .order_by(Agreement.id)
    )
    return tuple(
        AgreementView(
            id=row.id,
            reference=row.reference,
            content_text=row.content_text,
            product_class=row.product_class,
            language=row.language,
            items=items_of(row.content_text),
            content_hash=row.content_hash,
            signature=row.signature,
            made_at=row.created_at,
            plan_reference=row.plan_reference,
            key_id=row.key_id,
        )
        for row in rows
    )


def cases_not_closed_before(before: datetime) -> Select[int]:
    """A query for the borrowers with a case that is open, or was closed at `before` or later."""
    return select(Negotiation.borrower_id).where(
        Negotiation.closed_at.is_(None) | (Negotiation.closed_at >= before)
    )
