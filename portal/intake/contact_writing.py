"""Applying contacts and visits that were made: into the log, and measured against the rule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from portal.contacts.log import measure
from portal.intake import merges

if TYPE_CHECKING:
    from portal.intake.writing import BatchWriter

#: Borrowers measured at once.
CHUNK = 500

_COLUMNS = """created_at, borrower_id, source, source_ref, channel, direction, party, at, outcome,
    number_digest, tail_sealed, agency_id, officer_ref, notice_id, asked_for, pressing, content_digest"""


def visits(batch: BatchWriter) -> None:
    """Bring the visits up to date; one that was made is a contact."""
    batch.merge(merges.VISITS)
    _written(
        batch,
        f"""INSERT INTO contact ({_COLUMNS})
        SELECT %(now)s, v.borrower_id, 'core', 'visit:' || v.visit_ref, 'visit', 'out', 'debtor', v.starts_at,
            'made', '', NULL, o.agency_id, o.officer_ref, v.notice_id, {_no(batch)}, {_yes(batch)}, ''
        FROM in_visits s JOIN visit v ON v.visit_ref = s.visit_ref
        JOIN officer o ON o.id = v.lead_officer_id
        WHERE v.state = 'done'
        AND NOT EXISTS (SELECT 1 FROM contact t WHERE t.source_ref = 'visit:' || v.visit_ref)
        ORDER BY s.line""",  # noqa: S608 - names of ours
    )


def contacts(batch: BatchWriter) -> None:
    """Write down the contacts that are new."""
    _written(
        batch,
        f"""INSERT INTO contact ({_COLUMNS})
        SELECT %(now)s, c.id, 'core', 'core:' || s.contact_ref, s.channel, s.direction, s.party, s.at, s.outcome,
            s.number_digest, s.tail_sealed, COALESCE(a.id, o.agency_id), COALESCE(s.officer_ref, ''), n.id,
            {_no(batch)}, {_yes(batch)}, s.content_digest
        FROM in_contacts s JOIN borrower c ON c.customer_ref = s.customer_ref
        LEFT JOIN agency a ON a.agency_ref = s.agency_ref
        LEFT JOIN officer o ON o.officer_ref = s.officer_ref
        LEFT JOIN notice n ON n.notice_ref = s.notice_ref
        WHERE NOT EXISTS (SELECT 1 FROM contact t WHERE t.source_ref = 'core:' || s.contact_ref)
        ORDER BY s.line""",  # noqa: S608
    )


def _yes(batch: BatchWriter) -> str:
    return "1" if batch.stage.is_sqlite else "true"


def _no(batch: BatchWriter) -> str:
    return "0" if batch.stage.is_sqlite else "false"


def _written(batch: BatchWriter, sql: str) -> None:
    """Run one INSERT and measure what it wrote, some hundred borrowers at a time."""
    stage = batch.stage
    before = stage.value("SELECT COALESCE(max(id), 0) FROM contact")
    if not stage.run(sql, now=batch.instant):
        return
    new = "SELECT borrower_id, min(at) FROM contact WHERE id > %(before)s AND borrower_id > %(after)s"
    after = 0
    while rows := stage.all(
        f"{new} GROUP BY borrower_id ORDER BY borrower_id LIMIT {CHUNK}",
        before=before,
        after=after,
    ):
        measure(
            batch.session,
            [borrower_id for borrower_id, _ in rows],
            since=min(_instant(at) for _, at in rows),
            rules=batch.rules,
            now=batch.now,
        )
        after = rows[-1][0]


def _instant(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value).replace(tzinfo=UTC)
