"""Papers go when their days are over: the key first, so that nobody can open them again."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from portal.audit import AuditEntry
from portal.documents import operations, retention
from portal.documents.models import Document, DocumentPage
from portal.documents.operations import Original
from portal.keys import Keys
from tests.documents.stage import NOW, Stage

LATER = NOW + timedelta(days=181)


def sent(stage: Stage) -> Original:
    """A rendered file that Lin has sent."""
    original = stage.ready()
    stage.database.write(
        lambda session: operations.send(session, borrower_id=stage.lin, report_id=stage.report, now=NOW)
    )
    return original


def shred(stage: Stage, *, days: int = 180, keep_for: frozenset[int] = frozenset()) -> tuple[str, ...]:
    return stage.database.write(
        lambda session: retention.shred(
            session, keys=stage.keys, sent_before=LATER - timedelta(days=days), keep_for=keep_for, now=LATER
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


def test_an_open_or_recent_case_keeps_its_papers(stage: Stage) -> None:
    sent(stage)

    assert shred(stage, keep_for=frozenset({stage.lin})) == ()
    assert shred(stage, days=182) == ()
