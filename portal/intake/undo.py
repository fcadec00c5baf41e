"""Taking the last batch back: the book is as it was before, and the corrected batch can be taken in.

A withdrawn line is moved, never lost: it stands in the append-only table `withdrawn_line` before the
database lets it leave the ledger. What came later must not rest on what would be withdrawn: payments,
plans, statements, codes given out. Then nothing is undone, and the answer says what stands in the way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    Date,
    DateTime,
    LargeBinary,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

from portal import audit
from portal.accounts.corrections import GAVE_WAY
from portal.accounts.models import LedgerLine, LoanBalance, WithdrawnLine
from portal.accounts.reconcile_core import PARKED
from portal.accounts.rewinding import rewind
from portal.contacts.models import Contact, ContactBreach
from portal.db import Base
from portal.intake import undo_transfers
from portal.intake.models import IntakeBatch, IntakeBefore, IntakeRun
from portal.notices.operations import sync_faces
from portal.plans.models import Plan, PlanReceipt

#: Rows restored, and loans worked out again, at once.
CHUNK = 500

#: Tables of which an intake adds rows, those that refer to others first.
_ADDED = (
    "contact_breach",
    "contact",
    "visit",
    "notice",
    "loan_rate",
    "loan",
    "borrower",
    "officer",
    "agency",
)
#: Of these it adds some, and the portal others.
_LOGGED = frozenset({"contact", "contact_breach"})
#: Tables an intake writes beside them, gone with the rows they belong to.
_OWN = {*_ADDED, "notice_loan", "loan_balance", "ledger_line", "transfer_reference"}
#: What somebody did on the figures as they stand: a row added since stands in the way.
_RELIED = (
    "payment",
    "refund",
    "dispute",
    "suspense_move",
    "statement",
    "proposal",
    "decision",
    "agreement",
    "plan",
    "plan_receipt",
)


@dataclass(frozen=True)
class Undone:
    """The batch is out again. `lines`: ledger lines withdrawn; `restored`: rows as they were before."""

    sequence: int
    business_date: date
    lines: int
    restored: int


@dataclass(frozen=True)
class CannotUndo:
    """Nothing was changed. `reason`: ``none`` (no batch), or ``relied`` with what stands in the way, as
    table -> how many rows."""

    reason: str
    in_the_way: Mapping[str, int]


def marks(session: Session) -> dict[str, int]:
    """The largest id of every table that has one: what is above was added later."""
    found = {}
    for table in Base.metadata.sorted_tables:
        if "id" in table.c:
            found[table.name] = session.scalar(select(func.coalesce(func.max(table.c.id), 0))) or 0
    return found


def undo_last(session: Session, *, by: str, now: datetime) -> Undone | CannotUndo:
    """Take the last batch back within the caller's transaction; `by` is the staff.human_ref of who asks.

    Balances are those of before, figure by figure and as of the date before; their versions rise, so that
    nothing remembered of the batch is taken for current.
    """
    batch = session.scalar(
        select(IntakeBatch)
        .where(IntakeBatch.state == "applied")
        .order_by(IntakeBatch.sequence.desc())
        .limit(1)
    )
    if batch is None:
        return CannotUndo("none", {})
    since = {name: int(mark) for name, mark in batch.marks.items()}
    undo_transfers.hold(session, since)
    in_the_way = dict(_in_the_way(session, since))
    if in_the_way:
        return CannotUndo("relied", in_the_way)
    batch.state = "undoing"
    session.flush()
    session.execute(
        delete(PlanReceipt).where(_counted_by_batch(since)).execution_options(synchronize_session=False)
    )
    lines = _withdraw_lines(session, batch, since, now)
    undo_transfers.take_back(session, since)
    restored = _restore(session, batch)
    _remove_added(session, since)
    sync_faces(session)
    previous = session.scalar(
        select(IntakeBatch.business_date)
        .where(IntakeBatch.state == "applied")
        .order_by(IntakeBatch.sequence.desc())
        .limit(1)
    )
    if previous is not None:
        rewind(session, as_of=previous)
    batch.state, batch.undone_at = "undone", now
    session.execute(
        update(IntakeRun)
        .where(IntakeRun.manifest_sha256 == batch.manifest_sha256, IntakeRun.state == "applied")
        .values(state="undone")
    )
    session.flush()
    audit.record(
        session,
        actor=audit.Actor("operator", by or "intake"),
        event="intake.undone",
        subject_kind="intake_batch",
        subject_ref=batch.sequence,
        now=now,
        facts={"bank": batch.bank, "lines": lines, "restored": restored},
    )
    return Undone(batch.sequence, batch.business_date, lines, restored)


def _in_the_way(session: Session, since: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """What was done since, and would lose what it rests on."""
    if not since:
        yield "intake_batch", 1
        return
    tables = Base.metadata.tables
    for name in _RELIED:
        added = tables[name].c.id > since.get(name, 0)
        if name == "payment":
            added &= tables[name].c.id.not_in(undo_transfers.payments_of(since))
        count = _count(session, tables[name], added)
        if name == "plan_receipt":
            count -= _count(session, tables[name], _counted_by_batch(since))
        if count:
            yield name, count
    ended = select(PlanReceipt.plan_id).where(_counted_by_batch(since))
    count = _count(session, tables["plan"], and_(Plan.id.in_(ended), Plan.state != "active"))
    if count:
        yield "plan", count
    yield from undo_transfers.in_the_way(session, since)
    count = _count(session, tables["ledger_line"], and_(_added_line(since), not_(_by_batch(since))))
    if count:
        yield "ledger_line", count
    notices = tables["notice"]
    minted = _count(
        session, notices, and_(notices.c.id > since["notice"], notices.c.code_digest.is_not(None))
    )
    if minted:
        yield "notice", minted
    worked = _count(session, tables["contact_breach"], _worked(since))
    if worked:
        yield "contact_breach", worked
    yield from _references(session, since)


def _worked(since: Mapping[str, int]) -> Any:
    """Breaches that somebody worked, of contacts that the batch brought."""
    batchs = select(Contact.id).where(Contact.id > since.get("contact", 0), Contact.source == "core")
    return and_(ContactBreach.contact_id.in_(batchs), ContactBreach.state != "open")


def _references(session: Session, since: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Rows of other features that point at a person, loan, notice or visit the batch added."""
    for table in Base.metadata.sorted_tables:
        if table.name in _OWN or table.name in _RELIED:
            continue
        pointing = [
            column > since[key.column.table.name]
            for column in table.columns
            for key in column.foreign_keys
            if key.column.table.name in _ADDED and key.column.table.name in since
        ]
        count = _count(session, table, or_(*pointing)) if pointing else 0
        if count:
            yield table.name, count
    ours = [
        column > since[key.column.table.name]
        for column in Contact.__table__.columns
        for key in column.foreign_keys
        if key.column.table.name in since
    ]
    count = _count(session, Contact.__table__, and_(Contact.source != "core", or_(*ours)))  # type: ignore[arg-type]
    if count:
        yield "contact", count


def _count(session: Session, table: Table, condition: Any) -> int:
    return session.scalar(select(func.count()).select_from(table).where(condition)) or 0


def _added_line(since: Mapping[str, int]) -> Any:
    return LedgerLine.id > since["ledger_line"]


def _counted_by_batch(since: Mapping[str, int]) -> Any:
    """What the batch let count for plans, or took off them: its own lines, or its undoing of earlier ones."""
    return and_(PlanReceipt.id > since.get("plan_receipt", 0), PlanReceipt.line_id.is_not(None))


def _by_batch(since: Mapping[str, int]) -> Any:
    """Lines the intake itself wrote: the bank's, its own that made room for them, and what came of the
    transfers that it brought."""
    ours = or_(
        LedgerLine.line_ref.startswith(GAVE_WAY),
        LedgerLine.line_ref.startswith(PARKED),
        and_(
            LedgerLine.payment_id.is_not(None), LedgerLine.payment_id.in_(undo_transfers.payments_of(since))
        ),
    )
    return or_(LedgerLine.source == "core", and_(LedgerLine.source == "portal", ours))


def _withdraw_lines(session: Session, batch: IntakeBatch, since: Mapping[str, int], now: datetime) -> int:
    """Move the batch's lines to `withdrawn_line`; how many."""
    lines: Table = LedgerLine.__table__  # type: ignore[assignment]
    moved = [column for column in lines.columns if column.name != "id"]
    statement = select(
        lines.c.id,
        bindparam("batch", batch.id),
        bindparam("at", now, type_=WithdrawnLine.withdrawn_at.type),
        *moved,
    ).where(_added_line(since))
    names = ["line_id", "batch_id", "withdrawn_at", *(column.name for column in moved)]
    session.execute(insert(WithdrawnLine).from_select(names, statement))
    gone = session.execute(
        delete(LedgerLine).where(_added_line(since)).execution_options(synchronize_session=False)
    )
    return int(gone.rowcount)  # type: ignore[attr-defined]


def _restore(session: Session, batch: IntakeBatch) -> int:
    """Rows the batch changed, as they were."""
    restored, after = 0, 0
    while True:
        rows = session.execute(
            select(IntakeBefore.id, IntakeBefore.table_name, IntakeBefore.row_id, IntakeBefore.content)
            .where(IntakeBefore.batch_id == batch.id, IntakeBefore.id > after)
            .order_by(IntakeBefore.id)
            .limit(CHUNK)
        ).all()
        if not rows:
            return restored
        for _, name, row_id, content in rows:
            table = Base.metadata.tables[name]
            if name == "notice_loan":
                pair = (table.c.notice_id == row_id) & (table.c.loan_id == int(content))
                session.execute(delete(table).where(pair))
            else:
                values = {key: _value(table, key, held) for key, held in json.loads(content).items()}
                session.execute(update(table).where(table.c.id == row_id).values(**values))
            restored += 1
        after = rows[-1].id


def _value(table: Table, name: str, held: Any) -> Any:
    """A column's value from its JSON."""
    kind = table.c[name].type
    inner = kind.impl if isinstance(kind, TypeDecorator) else kind
    if held is None:
        return None
    if isinstance(inner, LargeBinary):
        return bytes.fromhex(held)
    if isinstance(inner, DateTime):
        found = datetime.fromisoformat(held)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    if isinstance(inner, Date):
        return date.fromisoformat(held)
    return kind.process_result_value(held, None) if isinstance(kind, TypeDecorator) else held  # type: ignore[arg-type]


def _remove_added(session: Session, since: Mapping[str, int]) -> None:
    """Rows that were not there before the batch."""
    tables = Base.metadata.tables
    named = tables["notice_loan"]
    session.execute(
        delete(named).where(or_(named.c.notice_id > since["notice"], named.c.loan_id > since["loan"]))
    )
    references = tables["transfer_reference"]
    session.execute(delete(references).where(references.c.loan_id > since["loan"]))
    session.execute(
        delete(LoanBalance)
        .where(LoanBalance.loan_id > since["loan"])
        .execution_options(synchronize_session=False)
    )
    _remove_contacts(session, since)
    for name in _ADDED:
        if name in tables and name in since and name not in _LOGGED:
            session.execute(delete(tables[name]).where(tables[name].c.id > since[name]))
    session.expire_all()


def _remove_contacts(session: Session, since: Mapping[str, int]) -> None:
    """Contacts that the bank's file brought, and what they had broken; what was written down here stays."""
    of_file = and_(Contact.id > since.get("contact", 0), Contact.source == "core")
    gone = select(Contact.id).where(of_file)
    for statement in (
        delete(ContactBreach).where(ContactBreach.contact_id.in_(gone)),
        delete(Contact).where(of_file),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
