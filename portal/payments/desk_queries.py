"""What the desk reads of payments: the list as its address asks for it, and one payment with its whole life."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, false, func, or_, select
from sqlalchemy.orm import aliased

from portal.access.models import Staff
from portal.accounts.corrections import PLACES
from portal.accounts.models import LedgerLine, Loan
from portal.audit import AuditEntry
from portal.borrowers.models import Borrower
from portal.keys import Keys
from portal.money import Money
from portal.payments.evidence import PaperView, papers_of
from portal.payments.lifecycle import CLAIMING, CREDITED_STATES, OPEN_DISPUTES, RefundState
from portal.payments.models import Dispute, Payment, ProviderEvent, Refund
from portal.payments.queries import PaymentView, payment_for
from portal.payments.refunds import LAST_DAYS, Rules
from portal.plans.models import Plan

PAGE_SIZE = 50
#: What the state filter offers besides the payment's own states.
_OPEN = ("created", "processing")
_GONE = ("failed", "cancelled")
STATES = ("waiting", "dispute", "open", "succeeded", "posted", "part_refund", "refunded", "disputed", "gone")

_PAYMENT: Any = Payment.__table__


@dataclass(frozen=True)
class PaymentFilter:
    """What the address of the list asks for."""

    state: str = ""
    text: str = ""
    page: int = 1

    @classmethod
    def from_address(cls, query: Mapping[str, str]) -> PaymentFilter:
        """The filter an address carries; a word that is not listed counts as not given."""
        state, page = query.get("state", ""), query.get("page", "")
        return cls(
            state=state if state in STATES else "",
            text=unicodedata.normalize("NFKC", query.get("q", "")).strip()[:60],
            page=int(page) if page.isascii() and page.isdigit() and len(page) < 6 and int(page) else 1,
        )

    def address(self, **changes: str | int) -> dict[str, Any]:
        """The parameters of this filter with `changes`; what is usual stays out of the address."""
        given: dict[str, Any] = {"state": self.state, "q": self.text, "page": self.page, **changes}
        return {name: value for name, value in given.items() if value and (name, value) != ("page", 1)}

    @property
    def is_narrow(self) -> bool:
        """Whether anything is filtered out."""
        return bool(self.state or self.text)


@dataclass(frozen=True)
class PaymentRow:
    """One payment in the list. `answer_by`: the last moment for an answer to its open dispute."""

    reference: str
    created_at: datetime
    name: str
    customer_ref: str
    target: str
    amount: Money
    method: str
    paid_with: str
    state: str
    refund_waits: bool
    answer_by: datetime | None
    is_disputed: bool


@dataclass(frozen=True)
class PaymentPage:
    """One page of the list."""

    rows: tuple[PaymentRow, ...]
    total: int
    page: int
    pages: int


@dataclass(frozen=True)
class RefundView:
    """One refund as the desk and the borrower see it; names are of staff."""

    reference: str
    amount: Money
    reason: str
    note: str
    state: str
    code: str
    created_at: datetime
    asked_by: str
    decided_by: str
    decided_at: datetime | None
    finished_at: datetime | None
    staff_id: int | None
    human_ref: str


@dataclass(frozen=True)
class DisputeView:
    """One dispute; `answer` is what the bank sent."""

    reference: str
    provider_dispute: str
    amount: Money
    reason: str
    state: str
    withdrawn: bool
    reinstated: bool
    created_at: datetime
    answer_by: datetime | None
    answer: str
    answer_state: str
    answered_by: str
    answered_at: datetime | None
    closed_at: datetime | None
    #: what goes, or went, with the answer
    papers: tuple[PaperView, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to decide."""
        return self.state in OPEN_DISPUTES

    @property
    def can_be_answered(self) -> bool:
        """Whether the bank has not answered yet and still may."""
        return self.state in ("inquiry", "needs_answer") and self.answer_state not in ("sending", "sent")


@dataclass(frozen=True)
class LineView:
    """One ledger line of the payment: what was credited (above zero) or taken back (below)."""

    posted_on: date
    loan_ref: str
    line_ref: str
    kind: str
    amount: Money
    parts: tuple[tuple[str, Money], ...]


@dataclass(frozen=True)
class EventView:
    """One thing the provider said."""

    event_id: str
    kind: str
    received_at: datetime
    outcome: str


@dataclass(frozen=True)
class StepView:
    """One entry of the record about this payment, its refunds and disputes."""

    at: datetime
    event: str
    actor: str


@dataclass(frozen=True)
class PaymentDetail:
    """One payment with its whole life. `refundable`: what can still be sent back; `last_moment`: until when."""

    payment: PaymentView
    borrower_name: str
    customer_ref: str
    paid_with: str
    provider_intent: str | None
    lines: tuple[LineView, ...]
    refunds: tuple[RefundView, ...]
    disputes: tuple[DisputeView, ...]
    events: tuple[EventView, ...]
    history: tuple[StepView, ...]
    refundable: Money
    limit_days: int | None

    @property
    def net(self) -> Money:
        """What of it counts now."""
        return Money.sum((line.amount for line in self.lines), self.payment.amount.currency)

    @property
    def why_not(self) -> str:
        """Why nothing can be refunded, as a code; empty where something can."""
        if self.payment.state not in CREDITED_STATES:
            return "state"
        if self.payment.method != "stripe" or self.provider_intent is None:
            return "method"
        if any(dispute.is_open for dispute in self.disputes):
            return "disputed"
        return "" if self.refundable else "nothing_left"


def payments_page(connection: Connection, keys: Keys, wanted: PaymentFilter) -> PaymentPage:
    """The payments an address asks for, the newest first."""
    base = (
        select(_PAYMENT, Loan.loan_ref, Plan.reference.label("plan_reference"), Borrower)
        .join(Borrower, Borrower.id == Payment.borrower_id)
        .outerjoin(Loan, Loan.id == Payment.loan_id)
        .outerjoin(Plan, Plan.id == Payment.plan_id)
        .where(*_conditions(wanted))
    )
    total = (
        connection.scalar(select(func.count()).select_from(base.with_only_columns(Payment.id).subquery()))
        or 0
    )
    rows = connection.execute(
        base.with_only_columns(
            *_PAYMENT.c,
            Loan.loan_ref,
            Plan.reference.label("plan_reference"),
            Borrower.name_sealed,
            Borrower.customer_ref,
            exists().where(Refund.payment_id == Payment.id, Refund.state == RefundState.ASKED).label("waits"),
            select(func.min(Dispute.answer_by))
            .where(Dispute.payment_id == Payment.id, Dispute.state.in_(OPEN_DISPUTES))
            .scalar_subquery()
            .label("answer_by"),
            exists()
            .where(Dispute.payment_id == Payment.id, Dispute.state.in_(OPEN_DISPUTES))
            .label("open_dispute"),
        )
        .order_by(Payment.id.desc())
        .limit(PAGE_SIZE)
        .offset((wanted.page - 1) * PAGE_SIZE)
    )
    return PaymentPage(
        rows=tuple(_row(row, keys) for row in rows),
        total=total,
        page=wanted.page,
        pages=max(1, -(-total // PAGE_SIZE)),
    )


def waiting_counts(connection: Connection) -> tuple[int, int]:
    """How many refunds wait for a second person, and how many disputes for an answer."""
    refunds = select(func.count()).select_from(Refund).where(Refund.state == RefundState.ASKED)
    disputes = (
        select(func.count())
        .select_from(Dispute)
        .where(
            Dispute.state.in_(("inquiry", "needs_answer")), Dispute.answer_state.not_in(("sending", "sent"))
        )
    )
    return connection.scalar(refunds) or 0, connection.scalar(disputes) or 0


def payment_detail(
    connection: Connection, keys: Keys, reference: str, *, rules: Rules
) -> PaymentDetail | None:
    """One payment with everything that happened to it."""
    row = connection.execute(
        select(_PAYMENT, Borrower.name_sealed, Borrower.customer_ref)
        .join(Borrower, Borrower.id == Payment.borrower_id)
        .where(Payment.reference == reference)
    ).one_or_none()
    view = payment_for(connection, row.borrower_id, reference) if row is not None else None
    if row is None or view is None:
        return None
    refunds, disputes = refunds_of(connection, row.id), disputes_of(connection, keys, row.id)
    lines = _lines(connection, row.id, row.currency)
    held = sum(line.amount.minor for line in lines)
    claimed = sum(
        one.amount.minor for one in refunds if one.state in CLAIMING and one.state != RefundState.SUCCEEDED
    )
    names = [one.reference for one in refunds] + [one.reference for one in disputes]
    return PaymentDetail(
        payment=view,
        borrower_name=keys.unseal("borrower.name", row.name_sealed),
        customer_ref=row.customer_ref,
        paid_with=row.paid_with,
        provider_intent=row.provider_intent,
        lines=lines,
        refunds=refunds,
        disputes=disputes,
        events=_events(connection, row),
        history=_history(connection, row.id, names),
        refundable=Money(max(0, held - claimed), row.currency),
        limit_days=rules.last_days.get(row.paid_with, LAST_DAYS.get(row.paid_with)),
    )


def refunds_of(connection: Connection, payment_id: int) -> tuple[RefundView, ...]:
    """The refunds of a payment, the earliest first."""
    second = aliased(Staff)
    rows = connection.execute(
        select(
            Refund.__table__,
            Staff.name.label("first_name"),
            Staff.staff_ref.label("first_ref"),
            second.name.label("second_name"),
            second.staff_ref.label("second_ref"),
        )
        .outerjoin(Staff, Staff.id == Refund.staff_id)
        .outerjoin(second, second.id == Refund.second_staff_id)
        .where(Refund.payment_id == payment_id)
        .order_by(Refund.id)
    )
    return tuple(
        RefundView(
            reference=row.reference,
            amount=Money(row.amount_minor, row.currency),
            reason=row.reason,
            note=row.note,
            state=row.state,
            code=row.code,
            created_at=row.created_at,
            asked_by=f"{row.first_name} {row.first_ref}" if row.first_ref else "",
            decided_by=f"{row.second_name} {row.second_ref}" if row.second_ref else "",
            decided_at=row.decided_at,
            finished_at=row.finished_at,
            staff_id=row.staff_id,
            human_ref=row.human_ref or "",
        )
        for row in rows
    )


def disputes_of(connection: Connection, keys: Keys, payment_id: int) -> tuple[DisputeView, ...]:
    """The disputes about a payment, the earliest first."""
    rows = connection.execute(
        select(Dispute.__table__, Staff.name, Staff.staff_ref)
        .outerjoin(Staff, Staff.id == Dispute.answered_by)
        .where(Dispute.payment_id == payment_id)
        .order_by(Dispute.id)
    )
    return tuple(
        DisputeView(
            reference=row.reference,
            provider_dispute=row.provider_dispute,
            amount=Money(row.amount_minor, row.currency),
            reason=row.reason,
            state=row.state,
            withdrawn=row.withdrawn,
            reinstated=row.reinstated,
            created_at=row.created_at,
            answer_by=row.answer_by,
            answer=keys.unseal("dispute.answer", row.answer_sealed) if row.answer_sealed else "",
            answer_state=row.answer_state,
            answered_by=f"{row.name} {row.staff_ref}" if row.staff_ref else "",
            answered_at=row.answered_at,
            closed_at=row.closed_at,
            papers=papers_of(connection, keys, row.id),
        )
        for row in rows
    )


def _conditions(wanted: PaymentFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.state == "waiting":
        found.append(exists().where(Refund.payment_id == Payment.id, Refund.state == RefundState.ASKED))
    elif wanted.state == "dispute":
        found.append(exists().where(Dispute.payment_id == Payment.id, Dispute.state.in_(OPEN_DISPUTES)))
    elif wanted.state:
        states = {"open": _OPEN, "gone": _GONE}.get(wanted.state, (wanted.state,))
        found.append(Payment.state.in_(states))
    if wanted.text:
        found.append(_named(wanted.text))
    return found


def _named(text: str) -> ColumnElement[bool]:
    """A payment by its own reference, its loan's, plan's or customer's number, or that of a refund or dispute."""
    if "\0" in text:
        return false()
    word = text.upper()
    return or_(
        Payment.reference.startswith(word, autoescape=True),
        Loan.loan_ref == text,
        Plan.reference == word,
        Borrower.customer_ref == text,
        Payment.provider_intent == text,
        exists().where(Refund.payment_id == Payment.id, Refund.reference == word),
        exists().where(Dispute.payment_id == Payment.id, Dispute.reference == word),
    )


def _row(row: Any, keys: Keys) -> PaymentRow:
    return PaymentRow(
        reference=row.reference,
        created_at=row.created_at,
        name=keys.unseal("borrower.name", row.name_sealed),
        customer_ref=row.customer_ref,
        target=row.loan_ref or row.plan_reference or "",
        amount=Money(row.amount_minor, row.currency),
        method=row.method,
        paid_with=row.paid_with,
        state=row.state,
        refund_waits=bool(row.waits),
        answer_by=row.answer_by,
        is_disputed=bool(row.open_dispute),
    )


def _lines(connection: Connection, payment_id: int, currency: str) -> tuple[LineView, ...]:
    own = select(LedgerLine.id).where(LedgerLine.payment_id == payment_id, LedgerLine.kind == "payment")
    about = or_(LedgerLine.id.in_(own), LedgerLine.of_line_id.in_(own))
    rows = connection.execute(
        select(LedgerLine.__table__, Loan.loan_ref)
        .join(Loan, Loan.id == LedgerLine.loan_id)
        .where(or_(about, LedgerLine.reverses_id.in_(select(LedgerLine.id).where(about))))
        .order_by(LedgerLine.id)
    )
    return tuple(_line(row, currency) for row in rows)


def _line(row: Any, currency: str) -> LineView:
    parts = [(name, -int(getattr(row, f"{name}_minor"))) for name in PLACES]
    return LineView(
        posted_on=row.posted_on,
        loan_ref=row.loan_ref,
        line_ref=row.line_ref,
        kind=row.kind,
        amount=Money(sum(minor for _, minor in parts), currency),
        parts=tuple((name, Money(minor, currency)) for name, minor in parts if minor),
    )


def _events(connection: Connection, payment: Any) -> tuple[EventView, ...]:
    refunds = select(Refund.provider_refund).where(
        Refund.payment_id == payment.id, Refund.provider_refund.is_not(None)
    )
    disputes = select(Dispute.provider_dispute).where(Dispute.payment_id == payment.id)
    objects = [name for name in (payment.provider_intent, payment.provider_session) if name]
    objects += [*connection.scalars(refunds), *connection.scalars(disputes)]
    rows = connection.execute(
        select(ProviderEvent.event_id, ProviderEvent.kind, ProviderEvent.received_at, ProviderEvent.outcome)
        .where(ProviderEvent.object_id.in_(objects))
        .order_by(ProviderEvent.received_at, ProviderEvent.event_id)
    )
    return tuple(EventView(*row) for row in rows)


def _history(connection: Connection, payment_id: int, names: list[str]) -> tuple[StepView, ...]:
    rows = connection.execute(
        select(AuditEntry.created_at, AuditEntry.event, AuditEntry.actor_kind, AuditEntry.actor_ref)
        .where(
            or_(
                (AuditEntry.subject_kind == "payment") & (AuditEntry.subject_ref == str(payment_id)),
                AuditEntry.subject_kind.in_(("refund", "dispute")) & AuditEntry.subject_ref.in_(names),
            )
        )
        .order_by(AuditEntry.id)
    )
    return tuple(
        StepView(row.created_at, row.event, row.actor_ref if row.actor_kind == "staff" else "")
        for row in rows
    )
