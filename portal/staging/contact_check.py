"""The checks of the file of contacts: who was reached for, how, when, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from portal.bank_files.reading import Row

if TYPE_CHECKING:
    from portal.staging.row_check import Numbered, RowCheck

#: column -> what it holds, as row_check.TABLES; of a number a keyed digest and a sealed tail are kept
TABLES: Mapping[str, Mapping[str, str]] = {
    "contacts": {
        "contact_ref": "text",
        "customer_ref": "text",
        "channel": "text",
        "at": "moment",
        "outcome": "text",
        "number_digest": "text",
        "tail_sealed": "bytes",
        "agency_ref": "text",
        "officer_ref": "text",
        "notice_ref": "text",
        "party": "text",
        "direction": "text",
        "content_digest": "text",
    },
}
_SAID = (
    "customer_ref",
    "channel",
    "at",
    "outcome",
    "number",
    "agency_ref",
    "officer_ref",
    "notice_ref",
    "party",
    "direction",
)


def contacts(rows: RowCheck, numbered: list[Numbered]) -> None:
    """Put away a chunk of contacts; one of a day to come is refused."""
    check, keys, made = rows.check, rows.check.keys, []
    for line, row in numbered:
        day = check.manifest.business_date
        if row["at"].date() > day:
            check.fault("contacts", "contact_future", line, "at", row["at"], business_date=day)
        number = row["number"] or ""
        digest = keys.digest("phone", number) if number else ""
        values = {
            **row,
            "at": rows.moment(row["at"]),
            "number_digest": digest,
            "tail_sealed": keys.seal("contact.tail", number[-4:]) if number else None,
            "officer_ref": row["officer_ref"],
            "party": row.get("party") or "debtor",
            "direction": row.get("direction") or "out",
            "content_digest": keys.digest("contact", _said(row)),
        }
        made.append((line, *(values[name] for name in TABLES["contacts"])))
    rows.keep("contacts", made)


def contacts_staged(rows: RowCheck) -> None:
    """A known contact says what it said before; the notice it names is of its customer."""
    check = rows.check
    other = """
        SELECT s.line, s.contact_ref FROM in_contacts s
        JOIN contact t ON t.source_ref = 'core:' || s.contact_ref
        WHERE t.content_digest <> s.content_digest ORDER BY s.line"""
    for line, ref in rows.stage.rows(other):
        check.fault("contacts", "contact_changed", line, "contact_ref", ref)
    foreign = """
        SELECT s.line, s.notice_ref FROM in_contacts s
        LEFT JOIN in_notices i ON i.notice_ref = s.notice_ref
        LEFT JOIN notice n ON n.notice_ref = s.notice_ref
        LEFT JOIN borrower b ON b.id = n.borrower_id
        WHERE COALESCE(i.customer_ref, b.customer_ref) <> s.customer_ref ORDER BY s.line"""
    for line, ref in rows.stage.rows(foreign):
        check.fault("contacts", "foreign_notice", line, "notice_ref", ref)


def _said(row: Row) -> str:
    return "\x1f".join(_text(row.get(name)) for name in _SAID)


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value or "")
