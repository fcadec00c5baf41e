"""The three books of one bank day, read for comparing: what the provider moved, what we hold, what the core posted.

Beside the rows of the day come their counterparts of other days, found by key, so that money that arrived
around midnight is seen for what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from portal.accounts.corrections import PLACES
from portal.accounts.models import LedgerLine, Loan
from portal.messages.models import Message
from portal.payments.lifecycle import MoveState, RefundState
from portal.payments.models import (
    Dispute,
    Payment,
    ProviderEvent,
    ProviderMovement,
    Refund,
    SuspenseMove,
    UnplacedMoney,
)
from portal.payments.references import TRANSFER
from portal.reconciliation.comparison import Entry, Movement, Posted


def currencies(session: Session, day: date, zone: str) -> set[str]:
    """The currencies in which anything happened on a bank day."""
    start, end = _instants(day, zone)
    moved = session.scalars(select(ProviderMovement.currency).where(ProviderMovement.day == day).distinct())
    paid = session.scalars(
        select(Payment.currency).where(Payment.succeeded_at >= start, Payment.succeeded_at < end).distinct()
    )
    return {*moved, *paid}


def movements(session: Session, day: date, currency: str, entries: list[Entry]) -> list[Movement]:
    """The provider's movements of the day, and those of other days that belong to our entries of the day."""
    table = ProviderMovement
    found = session.scalars(select(table).where(table.day == day, table.currency == currency)).all()
    known = {row.movement_id for row in found}
    wanted = sorted({entry.key for entry in entries if entry.in_day and entry.key})
    others = [
        row
        for part in _parts(wanted)
        for row in session.scalars(select(table).where(table.key.in_(part), table.currency == currency))
        if row.movement_id not in known
    ]
    return [*(_movement(row, True) for row in found), *(_movement(row, False) for row in others)]


def entries(session: Session, day: date, currency: str, *, zone: str, shift: timedelta) -> list[Entry]:
    """What we hold of the provider's money: credited, kept apart, given back, disputed.

    `shift` takes an instant of the provider's clock to the bank's (nought outside the demonstration).
    """
    start, end = _instants(day, zone)
    reader = _Reader(session, day, currency, start, end, shift)
    return [
        *reader.payments(),
        *reader.unplaced(),
        *reader.refunds(),
        *reader.returns(),
        *reader.disputes(),
    ]


class _Reader:
    """Reads one day's entries: those of the day, and those of other days whose movement is of the day."""

    def __init__(
        self, session: Session, day: date, currency: str, start: datetime, end: datetime, shift: timedelta
    ) -> None:
        self.session, self.day, self.currency = session, day, currency
        self.start, self.end, self.shift = start, end, shift

    def payments(self) -> Iterator[Entry]:
        """Credited payments; those that were placed by hand are told by their unplaced money."""
        by_hand = select(SuspenseMove.payment_id).where(
            SuspenseMove.payment_id.is_not(None), SuspenseMove.unplaced_id.is_not(None)
        )
        rows = self.session.execute(
            select(
                Payment.reference, Payment.provider_intent, Payment.amount_minor, Payment.succeeded_at
            ).where(
                Payment.method == "stripe",
                Payment.currency == self.currency,
                Payment.posted_at.is_not(None),
                Payment.id.not_in(by_hand),
                self._wanted(Payment.succeeded_at, Payment.provider_intent),
            )
        )
        for reference, intent, minor, at in rows:
            yield Entry(reference, "charge", intent or "", minor, self._in_day(at))

    def unplaced(self) -> Iterator[Entry]:
        """Money kept apart, also when it found a place since."""
        rows = self.session.execute(
            select(UnplacedMoney, ProviderEvent.facts)
            .outerjoin(ProviderEvent, ProviderEvent.event_id == UnplacedMoney.event_id)
            .where(
                UnplacedMoney.method == "stripe",
                UnplacedMoney.currency == self.currency,
                self._wanted(UnplacedMoney.created_at, UnplacedMoney.money_key),
            )
        )
        for row, facts in rows:
            intent = (facts or {}).get("intent_id") or row.money_key
            yield Entry(
                f"unplaced-{row.id}", "charge", intent, row.amount_minor, self._in_day(row.created_at)
            )

    def refunds(self) -> Iterator[Entry]:
        """Refunds the provider knows of; one that failed took the money and brought it back."""
        rows = self.session.scalars(
            select(Refund).where(
                Refund.currency == self.currency,
                Refund.provider_refund.is_not(None),
                Refund.state.in_((RefundState.PROCESSING, RefundState.SUCCEEDED, RefundState.FAILED)),
                self._wanted_since(Refund.provider_created, Refund.provider_refund),
            )
        )
        for row in rows:
            key = row.provider_refund or ""
            in_day = self._in_day(self._at(row.provider_created))
            yield Entry(row.reference, "refund", key, -row.amount_minor, in_day)
            if row.state == RefundState.FAILED:
                yield Entry(
                    f"{row.reference}-failed",
                    "refund_failed",
                    key,
                    row.amount_minor,
                    self._in_day(row.finished_at),
                )

    def returns(self) -> Iterator[Entry]:
        """Money without a place that went back online, where no refund row tells of it."""
        rows = self.session.scalars(
            select(SuspenseMove).where(
                SuspenseMove.kind == "give_back",
                SuspenseMove.state == MoveState.DONE,
                SuspenseMove.unplaced_id.is_not(None),
                SuspenseMove.currency == self.currency,
                SuspenseMove.done_at >= self.start - timedelta(days=2),
                SuspenseMove.done_at < self.end + timedelta(days=2),
            )
        ).all()
        ids = [(row.outcome or {}).get("refund") for row in rows]
        told = set(
            self.session.scalars(select(Refund.provider_refund).where(Refund.provider_refund.in_(ids)))
        )
        for row, refund in zip(rows, ids, strict=True):
            if refund and refund not in told:
                yield Entry(row.reference, "refund", refund, -row.amount_minor, self._in_day(row.done_at))

    def disputes(self) -> Iterator[Entry]:
        """Disputes whose money left, and came back."""
        rows = self.session.scalars(
            select(Dispute).where(
                Dispute.currency == self.currency,
                Dispute.withdrawn,
                # a bank transfer taken back never passed the provider
                ~Dispute.provider_dispute.startswith(TRANSFER),
                or_(
                    self._wanted_since(Dispute.provider_created, Dispute.provider_dispute),
                    and_(Dispute.closed_at >= self.start, Dispute.closed_at < self.end),
                ),
            )
        )
        for row in rows:
            in_day = self._in_day(self._at(row.provider_created))
            yield Entry(row.reference, "dispute", row.provider_dispute, -row.amount_minor, in_day)
            if row.reinstated:
                yield Entry(
                    f"{row.reference}-won",
                    "dispute_won",
                    row.provider_dispute,
                    row.amount_minor,
                    self._in_day(row.closed_at or self._at(row.provider_created)),
                )

    def _wanted(self, at: Any, key: Any) -> ColumnElement[bool]:
        moved = exists().where(ProviderMovement.key == key, ProviderMovement.day == self.day)
        return or_(and_(at >= self.start, at < self.end), moved)

    def _wanted_since(self, seconds: Any, key: Any) -> ColumnElement[bool]:
        first, last = (int((one - self.shift).timestamp()) for one in (self.start, self.end))
        moved = exists().where(ProviderMovement.key == key, ProviderMovement.day == self.day)
        return or_(and_(seconds >= first, seconds < last), moved)

    def _at(self, seconds: int | None) -> datetime | None:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC) + self.shift

    def _in_day(self, at: datetime | None) -> bool:
        return at is not None and self.start <= at < self.end


def ledger(session: Session, day: date, currency: str, today: date) -> list[Posted]:
    """Our payment lines of the day, and those of other days that the core posted on this one."""
    core = aliased(LedgerLine)
    posted_today = exists().where(
        core.source == "core", core.posted_on == day, core.external_ref == Payment.reference
    )
    rows = session.execute(
        select(LedgerLine.id, Payment.reference, LedgerLine.loan_id, LedgerLine.posted_on, _total(LedgerLine))
        .join(Payment, Payment.id == LedgerLine.payment_id)
        .where(
            LedgerLine.source == "portal",
            LedgerLine.kind == "payment",
            Payment.currency == currency,
            or_(LedgerLine.posted_on == day, posted_today),
        )
    )
    return [
        Posted(str(row[0]), f"{row[1]}:{row[2]}", -int(row[4]), row[3] == day, (today - row[3]).days)
        for row in rows
    ]


def core_lines(session: Session, day: date, currency: str) -> list[Posted]:
    """The core's payments that name one of ours: of the day, or of a payment posted here on the day."""
    ours = aliased(LedgerLine)
    posted_here = exists().where(
        ours.payment_id == Payment.id, ours.source == "portal", ours.kind == "payment", ours.posted_on == day
    )
    rows = session.execute(
        select(
            LedgerLine.line_ref,
            LedgerLine.external_ref,
            LedgerLine.loan_id,
            LedgerLine.posted_on,
            _total(LedgerLine),
        )
        .join(Loan, Loan.id == LedgerLine.loan_id)
        .outerjoin(Payment, Payment.reference == LedgerLine.external_ref)
        .where(
            LedgerLine.source == "core",
            LedgerLine.kind == "payment",
            LedgerLine.external_ref.startswith("P-"),
            Loan.currency == currency,
            or_(LedgerLine.posted_on == day, posted_here),
        )
    )
    return [Posted(row[0], f"{row[1]}:{row[2]}", -int(row[4]), row[3] == day) for row in rows]


def receipts_of(session: Session, day: date, zone: str) -> tuple[int, int]:
    """Payments credited on a bank day, and the receipts that were queued for them (P8)."""
    start, end = _instants(day, zone)
    credited = select(Payment.id).where(Payment.posted_at >= start, Payment.posted_at < end)
    payments = session.scalars(credited).all()
    keys = [f"receipt:payment:{payment_id}" for payment_id in payments]
    sent = sum(
        session.scalar(select(func.count()).select_from(Message).where(Message.dedupe_key.in_(part))) or 0
        for part in _parts(keys)
    )
    return len(payments), sent


def _total(line: Any) -> Any:
    return sum(getattr(line, f"{name}_minor") for name in PLACES)


def _movement(row: ProviderMovement, in_day: bool) -> Movement:
    return Movement(row.movement_id, row.kind, row.key, row.gross_minor, row.fee_minor, row.net_minor, in_day)


def _instants(day: date, zone: str) -> tuple[datetime, datetime]:
    """A bank day as instants of the bank's clock."""
    start, end = (datetime.combine(one, time(), ZoneInfo(zone)) for one in (day, day + timedelta(days=1)))
    return start, end


def _parts(keys: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), 500):
        yield keys[start : start + 500]
