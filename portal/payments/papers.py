"""Receipts: issued once for the borrower and once for whoever paid instead, kept as issued, checked by anybody.

The borrower's says how the money was placed. The helper's says that a sum arrived, and nothing of a person, an
account or what is left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.orm import Session

from portal import audit
from portal.access.codes import new_reference
from portal.audit import Actor
from portal.db import upsert
from portal.keys import Keys
from portal.money import Money
from portal.papers.faces import PaperFace
from portal.payments.models import Payment, PaymentPaper
from portal.payments.payers import receipt_of
from portal.payments.queries import PaymentView, payment_for
from portal.signing import Signer, canonical

#: Of a receipt's reference.
PREFIX = "N"
#: The form of the content; a change of meaning gets the next number.
VERSION = 1
#: How often a reference is drawn again that stands already.
DRAWS = 4
BORROWER, HELPER = "borrower", "helper"

_PAPER: Table = PaymentPaper.__table__  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class IssuedReceipt:
    """A receipt as it was issued: nothing of it changes any more."""

    reference: str
    kind: str
    issued_on: date
    created_at: datetime
    digest: str
    key_id: str
    signature: str
    content: Mapping[str, Any]

    @property
    def amount(self) -> Money:
        """What arrived."""
        return self.money(self.content["amount"])

    @property
    def facts(self) -> dict[str, str]:
        """What the signature covers."""
        return signed_facts(self.content["issuer"], self.reference, self.issued_on, self.digest)

    def money(self, minor: int) -> Money:
        """An amount of the content."""
        return Money(minor, self.content["currency"])


@dataclass(frozen=True, slots=True)
class Issuer:
    """The bank as it issues a paper: its code, who signs, and how it counts days."""

    code: str
    signer: Signer
    local: Callable[[datetime], datetime]


def signed_facts(issuer: str, reference: str, issued_on: date, digest: str) -> dict[str, str]:
    """What the signature covers. With the content's digest in it, it covers the content."""
    return {
        "kind": "receipt",
        "issuer": issuer,
        "reference": reference,
        "issued_on": issued_on.isoformat(),
        "digest": digest,
    }


def issue_for(
    session: Session, *, issuer: Issuer, borrower_id: int, reference: str, today: date, now: datetime
) -> str | None:
    """Issue the receipt of a credited payment of the borrower's own; its reference, or None where there is no such
    payment or it is not credited. Asked again, it is the one that was issued."""
    view = payment_for(session.connection(), borrower_id, reference)
    if view is None or view.posted_at is None:
        return None
    content = _head(issuer, view.reference, view.amount, view.succeeded_at or view.posted_at)
    content |= _placed(view, issuer)
    return _keep(session, issuer, view.payment_id, BORROWER, content, today=today, now=now)


def issue_with(
    session: Session, *, issuer: Issuer, keys: Keys, reference: str, key: str, today: date, now: datetime
) -> str | None:
    """Issue the receipt of whoever paid through a link and holds the receipt's address; None for a wrong one or
    while nothing arrived."""
    receipt = receipt_of(session.connection(), keys, reference, key)
    if receipt is None or receipt.received_at is None:
        return None
    payment_id = session.scalars(select(Payment.id).where(Payment.reference == reference)).one()
    content = _head(issuer, receipt.reference, receipt.amount, receipt.received_at)
    return _keep(session, issuer, payment_id, HELPER, content, today=today, now=now)


def _head(issuer: Issuer, reference: str, amount: Money, received_at: datetime) -> dict[str, Any]:
    return {
        "kind": "receipt",
        "version": VERSION,
        "issuer": issuer.code,
        "payment": reference,
        "currency": amount.currency,
        "amount": amount.minor,
        "received_on": issuer.local(received_at).date().isoformat(),
    }


def _placed(view: PaymentView, issuer: Issuer) -> dict[str, Any]:
    """How the money was placed: by loan and part, and towards which instalments of a plan."""
    assert view.posted_at is not None
    return {
        "credited_on": issuer.local(view.posted_at).date().isoformat(),
        "towards": view.loan_ref or view.plan_reference or "",
        "by_helper": view.by_helper,
        "placed": [
            {
                "loan": one.loan_ref,
                "product_class": one.product_class,
                "rule": one.rule,
                "steps": [[step.component, step.amount.minor] for step in one.steps],
                "suspense": one.suspense.minor,
                "amount": one.amount.minor,
            }
            for one in view.placed
        ],
        "counted": [[part.number, part.amount.minor] for part in view.counted],
    }


def _keep(
    session: Session,
    issuer: Issuer,
    payment_id: int,
    kind: str,
    content: dict[str, Any],
    *,
    today: date,
    now: datetime,
) -> str:
    digest = hashlib.sha256(canonical(content)).hexdigest()
    for _ in range(DRAWS):
        reference = new_reference(PREFIX)
        made = session.execute(
            upsert(_PAPER)
            .values(
                created_at=now,
                reference=reference,
                payment_id=payment_id,
                kind=kind,
                issued_on=today,
                digest=digest,
                content=content,
                key_id=issuer.signer.key_id,
                signature=issuer.signer.sign(signed_facts(issuer.code, reference, today, digest)),
            )
            .on_conflict_do_nothing()
            .returning(_PAPER.c.reference)
        ).scalar()
        if made is not None:
            _publish(session, payment_id, kind, reference, digest, today=today, now=now)
            return reference
        known = session.scalar(
            select(PaymentPaper.reference).where(
                PaymentPaper.payment_id == payment_id, PaymentPaper.kind == kind
            )
        )
        if known is not None:
            return known
    raise RuntimeError("no free reference")


def _publish(
    session: Session, payment_id: int, kind: str, reference: str, digest: str, *, today: date, now: datetime
) -> None:
    """The face that anybody may ask, and the record."""
    session.add(PaperFace(reference=reference, issued_on=today, digest=digest))
    audit.record(
        session,
        actor=audit.SYSTEM if kind == HELPER else Actor("borrower", _owner(session, payment_id)),
        event="payments.receipt_issued",
        subject_kind="payment_paper",
        subject_ref=reference,
        now=now,
        facts={"digest": digest, "payment": payment_id, "for": kind},
    )
    session.flush()


def _owner(session: Session, payment_id: int) -> str:
    return str(session.scalars(select(Payment.borrower_id).where(Payment.id == payment_id)).one())


def receipt_for(connection: Connection, borrower_id: int, reference: str) -> IssuedReceipt | None:
    """The borrower's own receipt of that reference, as issued; a helper's or somebody else's is nothing."""
    statement = _issued().where(
        PaymentPaper.reference == reference,
        PaymentPaper.kind == BORROWER,
        Payment.borrower_id == borrower_id,
    )
    row = connection.execute(statement).one_or_none()
    return IssuedReceipt(*row) if row else None


def receipt_with(connection: Connection, keys: Keys, reference: str, key: str) -> IssuedReceipt | None:
    """The helper's receipt of a payment through a link, for whoever holds its address."""
    if receipt_of(connection, keys, reference, key) is None:
        return None
    statement = _issued().where(Payment.reference == reference, PaymentPaper.kind == HELPER)
    row = connection.execute(statement).one_or_none()
    return IssuedReceipt(*row) if row else None


def _issued() -> Any:
    return select(
        PaymentPaper.reference,
        PaymentPaper.kind,
        PaymentPaper.issued_on,
        PaymentPaper.created_at,
        PaymentPaper.digest,
        PaymentPaper.key_id,
        PaymentPaper.signature,
        PaymentPaper.content,
    ).join(Payment, Payment.id == PaymentPaper.payment_id)
