"""Lin's payments, and batches made of them, for tests of what goes out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.accounts.operations import post_payment, rebalance
from portal.bank_files.mapping import load_mapping
from portal.bank_files.reading import Read, Source, read_rows
from portal.bank_files.rejections import Rejections
from portal.db import Database
from portal.keys import Keys
from portal.outgoing.making import BatchMade, Step, make_batch
from portal.outgoing.mapping import outgoing_of
from portal.outgoing.models import OutgoingEntry, OutgoingRow
from portal.outgoing.operations import Sender
from portal.payments.models import Payment
from tests import people
from tests.conftest import BANK_MORNING

BUSINESS_DATE = people.BUSINESS_DATE


def sender(mapping: str = "harbour", text: str | None = None) -> Sender:
    """The demonstration's bank on its business date."""
    return Sender("HARBOUR", BUSINESS_DATE, text or load_mapping(mapping).text, True)


def lin(database: Database, keys: Keys) -> int:
    """Lin with her loans' figures worked out from their lines."""

    def unit(session: Session) -> int:
        borrower_id = people.lin(session, keys)
        loan_ids = session.scalars(select(LoanBalance.loan_id)).all()
        rebalance(session, loan_ids=loan_ids, as_of=BUSINESS_DATE, now=BANK_MORNING)
        return borrower_id

    return database.write(unit)


def pay(
    database: Database,
    reference: str,
    parts: Mapping[str, int],
    *,
    loan_ref: str = "L-LIN-1",
    suspense: int = 0,
    at: datetime = BANK_MORNING,
) -> int:
    """A payment posted here, placed as `parts` say; its ledger line."""

    def unit(session: Session) -> int:
        loan = session.scalars(select(Loan).where(Loan.loan_ref == loan_ref)).one()
        payment = Payment(
            created_at=at,
            reference=reference,
            borrower_id=loan.borrower_id,
            loan_id=loan.id,
            target=f"loan:{loan.id}",
            amount_minor=sum(parts.values()) + suspense,
            currency=loan.currency,
            method="stripe",
            state="posted",
            offered={},
            expires_at=at,
            asked_at=at,
            form_key=reference,
            idempotency_key=reference,
            allocation={"loans": [{"loan_id": loan.id, "rule": "cn.561"}]},
        )
        session.add(payment)
        session.flush()
        return post_payment(
            session,
            loan_id=loan.id,
            parts=parts,
            suspense_minor=suspense,
            posted_on=at.date(),
            payment_id=payment.id,
            line_ref=f"{reference}:{loan.id}",
            memo=reference,
            now=at,
        ).line_id

    return database.write(unit)


def make(
    database: Database,
    folder: Path,
    *,
    step: Step = lambda name: None,
    now: datetime = BANK_MORNING,
    **how: Any,
) -> list[BatchMade]:
    """A batch of what waits, as the command makes it."""
    due_by = how.pop("due_by", None)
    return make_batch(database, sender=sender(**how), folder=folder, now=now, due_by=due_by, step=step)


def rows_in(place: Path, kind: str, mapping: str = "harbour") -> list[dict[str, Any]]:
    """The rows of one file of a batch, read as the core reads them; none where the batch has no such file."""
    forms = outgoing_of(load_mapping(mapping)).forms
    path, rejections = place / forms.files[kind].file, Rejections()
    if not path.exists():
        return []
    source = Source(path, forms.files[kind], forms, lambda cells: cells.get("currency", forms.currency))
    rows = [dict(row) for _, row in read_rows(source, rejections, Read())]
    assert list(rejections) == []
    return rows


def states(database: Database) -> dict[str, str]:
    """Entry reference -> state."""
    with database.read() as connection:
        found = connection.execute(select(OutgoingEntry.entry_ref, OutgoingEntry.state))
        return dict(found.all())


def times_told(database: Database) -> dict[str, int]:
    """Entry reference -> in how many batches it stands without the core's refusal."""
    with database.read() as connection:
        found = connection.execute(
            select(OutgoingEntry.entry_ref, func.count(OutgoingRow.batch_id))
            .outerjoin(
                OutgoingRow, (OutgoingRow.entry_id == OutgoingEntry.id) & (OutgoingRow.outcome != "refused")
            )
            .group_by(OutgoingEntry.entry_ref)
        )
        return dict(found.all())


def line_refs(database: Database) -> set[str]:
    """The references of the lines posted here."""
    with database.read() as connection:
        return set(connection.scalars(select(LedgerLine.line_ref).where(LedgerLine.source == "portal")))
