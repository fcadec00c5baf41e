"""Papers go when their days are over: the key first, so that nobody can open them again."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from portal.audit import AuditEntry
from portal.documents import operations, retention
from portal.documents.models import Document, DocumentPage
from portal.documents.operations import Original
from portal.keys import Keys
from portal.plans.models import Negotiation
from portal.plans.queries import cases_not_closed_before
from tests.documents.stage import NOW, Stage

LATER = NOW + timedelta(days=181)


def sent(stage: Stage, *, now: datetime = NOW) -> Original:
    """A rendered file, and the day on which Lin sent it."""
    original = stage.ready()
    stage.database.write(
        lambda session: operations.send(session, borrower_id=stage.lin, report_id=stage.report, now=now)
    )
    return original


def shred(stage: Stage, *, days: int = 180) -> tuple[str, ...]:
    before = LATER - timedelta(days=days)
    return stage.database.write(
        lambda session: retention.shred(
            session,
            keys=stage.keys,
            sent_before=before,
            keep_for=cases_not_closed_before(before),
            now=LATER,
        )
    )


def test_key_name_and_pages_go_and_the_objects_are_named(stage: Stage, keys: Keys) -> None:
    original = sent(stage)

    objects = shred(stage)

    with stage.database.read() as connection:
        row = connection.execute(select(Document)).one()
        assert connection.execute(select(DocumentPage)).all() == []
        events = connection.execute(select(AuditEntry.event)).scalars().all()
    assert (row.state, row.file_key_sealed, row.removed_at) == ("removed", None, LATER)
    assert keys.unseal("document.name", row.name_sealed) == ""
    assert original.storage_key in objects
    assert len(objects) == 2
    assert "document.shredded" in events
    assert shred(stage) == ()


def case(stage: Stage, *, closed_at: datetime | None) -> None:
    """A case of Lin's, the only one."""

    def unit(session: Session) -> None:
        session.execute(delete(Negotiation))
        session.add(
            Negotiation(
                created_at=NOW,
                reference="K-1",
                borrower_id=stage.lin,
                answer_due_on=NOW.date(),
                closed_at=closed_at,
            )
        )

    stage.database.write(unit)


def test_papers_stay_for_their_days_counted_from_when_they_were_sent(stage: Stage) -> None:
    sent(stage, now=NOW + timedelta(days=3))

    assert shred(stage, days=178) == ()
    assert len(shred(stage, days=177)) == 2


def test_an_open_case_or_one_closed_lately_keeps_its_papers(stage: Stage) -> None:
    sent(stage)

    kept = []
    for closed_at in (None, NOW + timedelta(days=2), NOW):
        case(stage, closed_at=closed_at)
        kept.append(shred(stage) == ())

    assert kept == [True, True, False]
