"""Somebody else pays: links a borrower makes for a helper, what such a link shows, and the payer's receipt.

Whoever holds a link learns the bank's name, a reference and what to pay; no name, no loan, nothing of what
is left. The receipt of a payment made through it has an address that only its payer was sent to.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.access.codes import TOKEN_LENGTH, new_reference, new_token, normalise
from portal.accounts.models import Loan
from portal.db import upsert
from portal.documents.card_numbers import has_card_number
from portal.keys import Keys
from portal.money import Money
from portal.payments.lifecycle import PaymentState
from portal.payments.models import PayLink, Payment
from portal.payments.operations import Attempt, attempt_of, create_attempt, target_for
from portal.payments.return_views import returns_of
from portal.plans.models import Plan

KINDS = ("fixed", "up_to")
#: How long a link may be good for, in days.
SHORTEST_DAYS, USUAL_DAYS, LONGEST_DAYS = 1, 14, 60
#: Links of one borrower that are open at once; more is no helping.
MOST_OPEN = 20
LONGEST_LABEL = 40
#: Payments that took nothing of what a link allows.
_NOTHING = (PaymentState.FAILED, PaymentState.CANCELLED)
_RECEIPT_KEY_LENGTH = 26


class UnableToLink(Exception):
    """A link that is not made. `reason`: ``kind``, ``days``, ``label`` (too long), ``card_number``,
    ``above_left`` (`limit` is the most), ``zero``, ``too_many``."""

    def __init__(self, reason: str, limit: Money | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.limit = limit


class LinkClosed(Exception):
    """Nothing can be begun with this link. `reason`: ``unknown``, ``revoked``, ``expired``, ``used``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AboveLimit(Exception):
    """More than the link allows by now; `room` is what it still does."""

    def __init__(self, room: Money) -> None:
        super().__init__("above_limit")
        self.room = room


@dataclass(frozen=True)
class LinkWish:
    """What a borrower asks for: an amount somebody pays once, or up to which they pay."""

    loan_ref: str | None
    kind: str
    limit: Money
    days: int
    label: str
    form_key: str


@dataclass(frozen=True)
class LinkView:
    """A link as its borrower sees it; `state`: "open", "used", "expired", "revoked"."""

    reference: str
    token: str
    label: str
    kind: str
    limit: Money
    paid: Money
    under_way: Money
    valid_until: date
    state: str
    target: str
    made_at: datetime


@dataclass(frozen=True)
class Face:
    """All that a link tells whoever opens it; `room`: what can still be paid with it."""

    reference: str
    kind: str
    room: Money
    valid_until: date
    state: str


@dataclass(frozen=True)
class Receipt:
    """What the payer of a payment may see of it."""

    reference: str
    amount: Money
    state: str
    begun_at: datetime
    received_at: datetime | None
    expires_at: datetime
    checkout_url: str | None
    #: of it what was paid back
    sent_back: Money


def make_link(
    session: Session, *, keys: Keys, borrower_id: int, wish: LinkWish, today: date, now: datetime
) -> str:
    """Make a link and return its reference; the same form again gives the first. Raises UnableToLink,
    and UnableToPay when the loan is not the borrower's or nothing is left there."""
    first = session.scalar(
        select(PayLink.reference).where(PayLink.borrower_id == borrower_id, PayLink.form_key == wish.form_key)
    )
    if first is not None:
        return str(first)
    _refuse(session, borrower_id, wish, today)
    target = target_for(session, borrower_id=borrower_id, loan_ref=wish.loan_ref)
    if wish.limit.currency != target.left.currency or wish.limit > target.left:
        raise UnableToLink("above_left", target.left)
    token, reference = new_token(), new_reference("Y")
    table: Any = PayLink.__table__
    values = {
        "created_at": now,
        "reference": reference,
        "borrower_id": borrower_id,
        "loan_id": target.loan_id,
        "plan_id": target.plan_id,
        "token_digest": _digest(keys, token),
        "token_sealed": keys.seal("pay_link.token", token),
        "label_sealed": keys.seal("pay_link.label", wish.label.strip()),
        "kind": wish.kind,
        "limit_minor": wish.limit.minor,
        "currency": wish.limit.currency,
        "valid_until": today + timedelta(days=wish.days),
        "form_key": wish.form_key,
    }
    session.execute(upsert(table).values(values).on_conflict_do_nothing())
    made = session.scalars(
        select(PayLink.reference).where(PayLink.borrower_id == borrower_id, PayLink.form_key == wish.form_key)
    ).one()
    facts = {"kind": wish.kind, "limit_minor": wish.limit.minor, "days": wish.days}
    _record(session, borrower_id, "pay_link.made", made, now, facts)
    return str(made)


def revoke(session: Session, *, borrower_id: int, reference: str, now: datetime) -> bool:
    """Close a link for good; False when it is not the borrower's or closed already."""
    closed = session.execute(
        update(PayLink)
        .where(
            PayLink.borrower_id == borrower_id, PayLink.reference == reference, PayLink.revoked_at.is_(None)
        )
        .values(revoked_at=now)
        .returning(PayLink.id)
        .execution_options(synchronize_session=False)
    ).scalar()
    if closed is None:
        return False
    _record(session, borrower_id, "pay_link.revoked", reference, now, {})
    return True


def begin(
    session: Session,
    *,
    keys: Keys,
    token: str,
    amount: Money | None,
    form_key: str,
    offered: Mapping[str, Any],
    today: date,
    now: datetime,
    real_now: datetime,
) -> Attempt:
    """Begin a payment with a link: its own amount, or `amount` where it allows any up to its limit.

    The link's row is held meanwhile, so that two payers never exceed it together. Raises LinkClosed,
    AboveLimit, and UnableToPay (less is left by now).
    """
    link = session.scalar(_by_token(keys, token).with_for_update())
    if link is None:
        raise LinkClosed("unknown")
    key = f"{link.id}-{form_key}"[:64]
    known = session.execute(
        select(Payment.__table__).where(Payment.pay_link_id == link.id, Payment.form_key == key)
    ).one_or_none()
    if known is not None:
        return attempt_of(known, repeated=True)
    room = Money(link.limit_minor - _claimed(session, link.id), link.currency)
    if (state := _state(link, room, today)) != "open":
        raise LinkClosed(state)
    wanted = room if link.kind == "fixed" or amount is None else amount
    if wanted.currency != room.currency or wanted > room:
        raise AboveLimit(room)
    loan_ref = session.scalar(select(Loan.loan_ref).where(Loan.id == link.loan_id))
    return create_attempt(
        session,
        borrower_id=link.borrower_id,
        loan_ref=loan_ref,
        amount=wanted,
        form_key=key,
        offered={**offered, "payer": "helper"},
        now=now,
        real_now=real_now,
        pay_link_id=link.id,
    )


def face_of(connection: Connection, keys: Keys, token: str, *, today: date) -> Face | None:
    """What a link tells; None for one that never was."""
    row = connection.execute(_by_token(keys, token, PayLink.__table__)).one_or_none()
    if row is None:
        return None
    room = Money(row.limit_minor - _claimed(connection, row.id), row.currency)
    return Face(row.reference, row.kind, room, row.valid_until, _state(row, room, today))


def links_for(connection: Connection, keys: Keys, borrower_id: int, *, today: date) -> tuple[LinkView, ...]:
    """The borrower's links, the newest first."""
    rows = connection.execute(
        select(PayLink.__table__, Loan.loan_ref, Plan.reference.label("plan_reference"))
        .outerjoin(Loan, Loan.id == PayLink.loan_id)
        .outerjoin(Plan, Plan.id == PayLink.plan_id)
        .where(PayLink.borrower_id == borrower_id)
        .order_by(PayLink.id.desc())
        .limit(50)
    ).all()
    return tuple(_view(connection, keys, row, today) for row in rows)


def receipt_key(keys: Keys, reference: str) -> str:
    """The part of a receipt's address that only its payer is sent."""
    return keys.digest("pay.receipt", reference)[:_RECEIPT_KEY_LENGTH]


def receipt_path(keys: Keys, reference: str) -> str:
    """Where the payer of a payment made through a link sees how it stands."""
    return f"/pay/receipt/{reference}/{receipt_key(keys, reference)}"


def receipt_of(connection: Connection, keys: Keys, reference: str, key: str) -> Receipt | None:
    """The payer's receipt; None for a wrong key or a payment that was not made through a link."""
    row = _payment_of(connection, keys, reference, key)
    if row is None:
        return None
    return Receipt(
        row.reference,
        Money(row.amount_minor, row.currency),
        row.state,
        row.created_at,
        row.succeeded_at,
        row.expires_at,
        row.checkout_url,
        _sent_back(connection, row),
    )


def _sent_back(connection: Connection, row: Row[Any]) -> Money:
    parts = (
        one.amount for one in returns_of(connection, row.id) if one.kind == "refund" and one.state == "sent"
    )
    return sum(parts, Money(0, row.currency))


def attempt_with(connection: Connection, keys: Keys, reference: str, key: str) -> Attempt | None:
    """The payment as the provider's calls need it, for its payer."""
    row = _payment_of(connection, keys, reference, key)
    return None if row is None else attempt_of(row, repeated=True)


def _payment_of(connection: Connection, keys: Keys, reference: str, key: str) -> Row[Any] | None:
    if not hmac.compare_digest(key.encode(), receipt_key(keys, reference).encode()):
        return None
    table: Any = Payment.__table__
    return connection.execute(
        select(table).where(table.c.reference == reference, table.c.pay_link_id.is_not(None))
    ).one_or_none()


def _refuse(session: Session, borrower_id: int, wish: LinkWish, today: date) -> None:
    if wish.kind not in KINDS:
        raise UnableToLink("kind")
    if not SHORTEST_DAYS <= wish.days <= LONGEST_DAYS:
        raise UnableToLink("days")
    if has_card_number(wish.label):
        raise UnableToLink("card_number")
    if len(wish.label) > LONGEST_LABEL:
        raise UnableToLink("label")
    if wish.limit.minor <= 0:
        raise UnableToLink("zero")
    is_open = (PayLink.revoked_at.is_(None), PayLink.valid_until >= today)
    count = session.scalar(select(func.count(PayLink.id)).where(PayLink.borrower_id == borrower_id, *is_open))
    if (count or 0) >= MOST_OPEN:
        raise UnableToLink("too_many")


def _digest(keys: Keys, token: str) -> str:
    return keys.digest("pay_link.token", token)


def _by_token(keys: Keys, token: str, what: Any = PayLink) -> Any:
    plain = normalise(token)
    digest = _digest(keys, plain) if len(plain) == TOKEN_LENGTH else ""
    return select(what).where(PayLink.token_digest == digest)


def _claimed(connection: Connection | Session, link_id: int) -> int:
    """What was paid or is being paid with a link, minor units."""
    sums = select(func.coalesce(func.sum(Payment.amount_minor), 0)).where(
        Payment.pay_link_id == link_id, Payment.state.not_in(_NOTHING)
    )
    return int(connection.scalar(sums) or 0)


def _paid(connection: Connection, link_id: int) -> int:
    sums = select(func.coalesce(func.sum(Payment.amount_minor), 0)).where(
        Payment.pay_link_id == link_id, Payment.succeeded_at.is_not(None)
    )
    return int(connection.scalar(sums) or 0)


def _state(link: Any, room: Money, today: date) -> str:
    if link.revoked_at is not None:
        return "revoked"
    if room.minor <= 0 or (link.kind == "fixed" and room.minor < link.limit_minor):
        return "used"
    return "expired" if link.valid_until < today else "open"


def _view(connection: Connection, keys: Keys, row: Row[Any], today: date) -> LinkView:
    claimed, paid = _claimed(connection, row.id), _paid(connection, row.id)
    limit = Money(row.limit_minor, row.currency)
    return LinkView(
        reference=row.reference,
        token=keys.unseal("pay_link.token", row.token_sealed),
        label=keys.unseal("pay_link.label", row.label_sealed),
        kind=row.kind,
        limit=limit,
        paid=Money(paid, row.currency),
        under_way=Money(max(0, claimed - paid), row.currency),
        valid_until=row.valid_until,
        state=_state(row, limit - Money(claimed, row.currency), today),
        target=row.loan_ref or row.plan_reference or "",
        made_at=row.created_at,
    )


def _record(
    session: Session, borrower_id: int, event: str, reference: str, now: datetime, facts: Mapping[str, Any]
) -> None:
    audit.record(
        session,
        actor=audit.Actor("borrower", str(borrower_id)),
        event=event,
        subject_kind="pay_link",
        subject_ref=reference,
        now=now,
        facts=facts,
    )
