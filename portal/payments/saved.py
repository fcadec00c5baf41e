"""A way to pay that the borrower lets the bank keep for the instalments of a plan.

Agreed to at the checkout in words that are kept, active once that checkout is paid, revoked in one step at any
time. Each instalment is taken on its day once; a decline is told to the borrower with the way to pay by hand.
No call is made here (see provider_calls.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.db import upsert
from portal.gateways.stripe import PaymentReport
from portal.messages import operations as messages
from portal.money import Money
from portal.payments.books import Books
from portal.payments.lifecycle import OPEN_STATES, SAVED_METHOD, SavedAction, SavedState
from portal.payments.models import InstalmentCharge, Payment, SavedMethod
from portal.payments.operations import Attempt, UnableToPay, create_attempt
from portal.plans.lifecycle import PlanState
from portal.plans.models import Plan, PlanChange, PlanInstalment, PlanReceipt

#: Methods that can be kept at all; the bank's policy names those it allows.
KEEPABLE = ("card", "alipay")
#: Days between two tries of one instalment, where the bank allows more than one.
DAYS_BETWEEN = 3


@dataclass(frozen=True, slots=True)
class SavingRules:
    """What the bank allows: which methods may be kept (none: the feature is off), how often an instalment
    is tried, and how many days before the borrower is reminded."""

    methods: tuple[str, ...]
    attempts: int
    remind_days: int

    @classmethod
    def of(cls, policy: Mapping[str, Any]) -> SavingRules:
        """The rules in a bank's policy; without a word of it nothing is kept."""
        named = policy.get("saved_methods", ())
        return cls(
            methods=tuple(method for method in named if method in KEEPABLE),
            attempts=max(1, int(policy.get("saved_method_attempts", 1))),
            remind_days=max(0, int(policy.get("saved_method_remind_days", 3))),
        )


@dataclass(frozen=True, slots=True)
class DueCharge:
    """An instalment to be taken today with a saved method."""

    saved_id: int
    borrower_id: int
    plan_id: int
    number: int
    attempt: int
    amount: Money


def agree(
    session: Session,
    *,
    payment_id: int,
    plan_id: int,
    borrower_id: int,
    text: str,
    language: str,
    today: date,
    now: datetime,
) -> None:
    """Keep the words the borrower agreed to at this checkout. The same payment again changes nothing."""
    table: Any = SavedMethod.__table__
    values = {
        "created_at": now,
        "borrower_id": borrower_id,
        "plan_id": plan_id,
        "payment_id": payment_id,
        "state": SAVED_METHOD.initial,
        "from_on": today,
        "consent_text": text,
        "consent_language": language,
        "kind": "",
        "revoked_by": "",
    }
    made = session.execute(
        upsert(table)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["payment_id"])
        .returning(table.c.id)
    ).scalar()
    if made is not None:
        _record(session, made, "saved_method.agreed", Actor("borrower", str(borrower_id)), now)


def keep(session: Session, payment: Payment, report: PaymentReport, books: Books) -> None:
    """The checkout was paid: what was agreed to be kept is kept, in the place of what was kept before."""
    row = session.scalar(select(SavedMethod).where(SavedMethod.payment_id == payment.id).with_for_update())
    if row is None or row.state != SavedState.AGREED or not (report.customer and report.saved_method):
        return
    earlier = select(SavedMethod.id).where(
        SavedMethod.plan_id == row.plan_id, SavedMethod.state == SavedState.ACTIVE
    )
    for saved_id in session.scalars(earlier).all():
        _revoke(session, saved_id, "replaced", audit.SYSTEM, books.now)
    row.state = SAVED_METHOD.after(SavedState.AGREED, SavedAction.KEEP)
    row.kind = report.method or payment.paid_with
    row.provider_customer, row.provider_method = report.customer, report.saved_method
    session.flush()
    _record(session, row.id, "saved_method.active", audit.SYSTEM, books.now)


def revoke(session: Session, *, borrower_id: int, plan_id: int, now: datetime) -> int:
    """The borrower takes the consent back: nothing is charged any more from this moment; how many."""
    mine = select(SavedMethod.id).where(
        SavedMethod.borrower_id == borrower_id,
        SavedMethod.plan_id == plan_id,
        SavedMethod.state != SavedState.REVOKED,
    )
    ids = session.scalars(mine).all()
    return sum(_revoke(session, one, "borrower", Actor("borrower", str(borrower_id)), now) for one in ids)


def revoke_of_ended_plans(session: Session, *, now: datetime) -> int:
    """What was kept for a plan that has ended is of no more use; how many were let go."""
    ended = (
        select(SavedMethod.id)
        .join(Plan, Plan.id == SavedMethod.plan_id)
        .where(SavedMethod.state != SavedState.REVOKED, Plan.ended_at.is_not(None))
    )
    return sum(_revoke(session, one, "plan_ended", audit.SYSTEM, now) for one in session.scalars(ended).all())


def to_forget(session: Session, *, limit: int = 50) -> list[tuple[int, str]]:
    """(id, the provider's name) of methods that were revoked and the provider may still have."""
    rows = session.execute(
        select(SavedMethod.id, SavedMethod.provider_method)
        .where(
            SavedMethod.state == SavedState.REVOKED,
            SavedMethod.provider_method.is_not(None),
            SavedMethod.forgotten_at.is_(None),
        )
        .order_by(SavedMethod.id)
        .limit(limit)
    )
    return [(saved_id, name) for saved_id, name in rows if name is not None]


def forgotten(session: Session, *, saved_id: int, real_now: datetime) -> None:
    """The provider has forgotten it too."""
    session.execute(
        update(SavedMethod)
        .where(SavedMethod.id == saved_id)
        .values(forgotten_at=real_now)
        .execution_options(synchronize_session=False)
    )


def due_charges(session: Session, *, rules: SavingRules, today: date, limit: int = 100) -> list[DueCharge]:
    """The instalments to be taken today: due, not fully paid, tried less often than the bank allows, and
    not tried within the last days."""
    if not rules.methods:
        return []
    return [
        DueCharge(
            row.id,
            row.borrower_id,
            row.plan_id,
            row.number,
            row.tries + 1,
            Money(int(row.left), row.currency),
        )
        for row in session.execute(_due(rules, today).limit(limit))
    ]


def begin_charge(
    session: Session, *, charge: DueCharge, title: str, today: date, now: datetime, real_now: datetime
) -> Attempt | None:
    """Write the payment of one try, before the provider is called; None when this try exists, the
    borrower is paying the same by hand at this moment, or the consent is gone."""
    is_active = session.scalar(
        select(SavedMethod.state).where(SavedMethod.id == charge.saved_id).with_for_update()
    )
    if is_active != SavedState.ACTIVE:
        return None
    key = f"instalment-{charge.plan_id}-{charge.number}-{charge.attempt}"
    offered = {"saved": charge.saved_id, "methods": [], "locale": "", "title": title}
    try:
        attempt = create_attempt(
            session,
            borrower_id=charge.borrower_id,
            loan_ref=None,
            amount=charge.amount,
            form_key=key,
            offered=offered,
            now=now,
            real_now=real_now,
        )
    except UnableToPay:
        return None
    table: Any = InstalmentCharge.__table__
    made = session.execute(
        upsert(table)
        .values(
            created_at=now,
            plan_id=charge.plan_id,
            number=charge.number,
            attempt=charge.attempt,
            saved_method_id=charge.saved_id,
            payment_id=attempt.payment_id,
            tried_on=today,
        )
        .on_conflict_do_nothing()
        .returning(table.c.id)
    ).scalar()
    return attempt if made is not None and "saved" in attempt.offered else None


def method_of(session: Session, saved_id: int) -> tuple[str, str, str] | None:
    """(customer, method, kind) as the provider names them; nothing once it is revoked."""
    row = session.execute(
        select(SavedMethod.provider_customer, SavedMethod.provider_method, SavedMethod.kind).where(
            SavedMethod.id == saved_id, SavedMethod.state == SavedState.ACTIVE
        )
    ).one_or_none()
    return (row[0], row[1], row[2]) if row and row[0] and row[1] else None


def note_decline(session: Session, *, payment_id: int, code: str) -> None:
    """Keep why a saved method did not pay: a code, never the payer's data."""
    session.execute(
        update(Payment)
        .where(Payment.id == payment_id)
        .values(decline=code[:40])
        .execution_options(synchronize_session=False)
    )


def tell_not_taken(session: Session, attempt: Attempt, books: Books) -> None:
    """The saved method did not pay: the borrower learns it and can pay by hand. Never tried again in silence."""
    borrower_id = session.scalar(select(Payment.borrower_id).where(Payment.id == attempt.payment_id))
    assert borrower_id is not None
    messages.queue(
        session,
        keys=books.keys,
        borrower_id=borrower_id,
        kind="charge_failed",
        params={"host": books.host, "reference": attempt.reference},
        dedupe_key=f"charge-failed:{attempt.reference}",
        asked_for=False,
        real_now=books.real_now,
        demonstration=books.demonstration,
    )


def remind(session: Session, *, rules: SavingRules, books: Books, limit: int = 200) -> int:
    """Remind of instalments that will be taken in the days before; each once. How many were queued."""
    if not rules.methods:
        return 0
    until = books.today + timedelta(days=rules.remind_days)
    count = 0
    for row in session.execute(_ahead(books.today, until).limit(limit)):
        count += messages.queue(
            session,
            keys=books.keys,
            borrower_id=row.borrower_id,
            kind="charge_ahead",
            params={"host": books.host, "day": row.due_on.isoformat()},
            # an instalment that was put off is told again, with its new day
            dedupe_key=f"charge-ahead:{row.plan_id}:{row.number}"
            + (f":{row.changes}" if row.changes else ""),
            asked_for=False,
            real_now=books.real_now,
            demonstration=books.demonstration,
        )
    return count


def _open_instalments() -> Any:
    """Instalments of plans in force with an active saved method, with what of each is still to pay."""
    paid = (
        select(PlanReceipt.plan_id, PlanReceipt.number, func.sum(PlanReceipt.amount_minor).label("paid"))
        .group_by(PlanReceipt.plan_id, PlanReceipt.number)
        .subquery()
    )
    left = PlanInstalment.amount_minor - func.coalesce(paid.c.paid, 0)
    changes = select(func.count()).where(PlanChange.plan_id == SavedMethod.plan_id)
    return (
        select(
            SavedMethod.id,
            SavedMethod.borrower_id,
            SavedMethod.plan_id,
            Plan.currency,
            PlanInstalment.number,
            PlanInstalment.due_on,
            left.label("left"),
            changes.correlate(SavedMethod).scalar_subquery().label("changes"),
        )
        .join(Plan, Plan.id == SavedMethod.plan_id)
        .join(PlanInstalment, PlanInstalment.plan_id == SavedMethod.plan_id)
        .outerjoin(
            paid, (paid.c.plan_id == PlanInstalment.plan_id) & (paid.c.number == PlanInstalment.number)
        )
        .where(SavedMethod.state == SavedState.ACTIVE, Plan.state == PlanState.ACTIVE, left > 0)
        .order_by(PlanInstalment.due_on, SavedMethod.id, PlanInstalment.number)
    )


def _due(rules: SavingRules, today: date) -> Any:
    tries = (
        select(
            InstalmentCharge.plan_id,
            InstalmentCharge.number,
            func.count().label("tries"),
            func.max(InstalmentCharge.tried_on).label("last"),
            func.sum(case((Payment.state.in_(OPEN_STATES), 1), else_=0)).label("open"),
        )
        .join(Payment, Payment.id == InstalmentCharge.payment_id)
        .group_by(InstalmentCharge.plan_id, InstalmentCharge.number)
        .subquery()
    )
    count = func.coalesce(tries.c.tries, 0)
    return (
        _open_instalments()
        .add_columns(count.label("tries"))
        .outerjoin(
            tries, (tries.c.plan_id == PlanInstalment.plan_id) & (tries.c.number == PlanInstalment.number)
        )
        .where(
            PlanInstalment.due_on <= today,
            PlanInstalment.due_on >= SavedMethod.from_on,
            count < rules.attempts,
            func.coalesce(tries.c.open, 0) == 0,
            func.coalesce(tries.c.last, date.min) <= today - timedelta(days=DAYS_BETWEEN),
        )
    )


def _ahead(today: date, until: date) -> Any:
    return _open_instalments().where(PlanInstalment.due_on > today, PlanInstalment.due_on <= until)


def _revoke(session: Session, saved_id: int, by: str, actor: Actor, now: datetime) -> bool:
    done = session.execute(
        update(SavedMethod)
        .where(SavedMethod.id == saved_id, SavedMethod.state != SavedState.REVOKED)
        .values(state=SAVED_METHOD.target(SavedAction.REVOKE), revoked_at=now, revoked_by=by)
        .returning(SavedMethod.id)
        .execution_options(synchronize_session=False)
    ).scalar()
    if done is not None:
        _record(session, saved_id, "saved_method.revoked", actor, now, {"by": by})
    return done is not None


def _record(
    session: Session,
    saved_id: int,
    event: str,
    actor: Actor,
    now: datetime,
    facts: Mapping[str, Any] | None = None,
) -> None:
    audit.record(
        session,
        actor=actor,
        event=event,
        subject_kind="saved_method",
        subject_ref=saved_id,
        now=now,
        facts=facts,
    )
