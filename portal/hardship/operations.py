"""What the borrower does with a report: begin, fill in step by step, add and take back papers, send.

A draft belongs to one borrower and there is one at most (a partial unique index). Sending a report
neither proposes a plan nor acknowledges a debt.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn, cast

from sqlalchemy import CursorResult, Update, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import audit
from portal.access.codes import new_reference
from portal.audit import Actor
from portal.documents import operations as documents
from portal.documents.card_numbers import has_card_number
from portal.documents.kinds import SENSITIVE_KINDS, Limits
from portal.documents.models import Document
from portal.documents.operations import Original, Upload
from portal.hardship.budget import KIND_OF, LINES, POSITION, REASONS, SENSITIVE_REASONS
from portal.hardship.models import BudgetLine, HardshipReport
from portal.keys import Keys
from portal.money import Money

#: The longest own words that are kept.
STORY_LENGTH = 2000


class CardNumberFound(Exception):
    """The text holds a payment card number; nothing of it was stored."""


class NoDraft(Exception):
    """The borrower has no report that is still a draft."""


class NotReady(Exception):
    """What is missing before a report can be sent: "reason", "income", "spending", "consent"."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        super().__init__(", ".join(missing))
        self.missing = missing


def draft_id(session: Session, *, borrower_id: int, now: datetime) -> int:
    """The borrower's draft, begun now if there is none; two at once end in one draft."""
    found = _draft(session, borrower_id)
    if found is not None:
        return found
    row = HardshipReport(
        created_at=now, reference=new_reference("H"), borrower_id=borrower_id, updated_at=now
    )
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
            documents.open_allowance(session, report_id=row.id)
    except IntegrityError:
        found = _draft(session, borrower_id)
        if found is None:
            raise
        return found
    return row.id


def save_reason(
    session: Session, *, keys: Keys, borrower_id: int, reason: str | None, story: str, now: datetime
) -> None:
    """Keep what happened, as a choice and in the borrower's own words.

    Raises CardNumberFound before anything is written; ValueError for an unknown reason or a text
    longer than STORY_LENGTH.
    """
    if has_card_number(story):
        raise CardNumberFound
    if (reason is not None and reason not in REASONS) or len(story) > STORY_LENGTH:
        raise ValueError("reason or length")
    report_id = draft_id(session, borrower_id=borrower_id, now=now)
    sealed = keys.seal("hardship.story", story) if story.strip() else None
    session.execute(
        update(HardshipReport)
        .where(HardshipReport.id == report_id, HardshipReport.submitted_at.is_(None))
        .values(reason=reason, story_sealed=sealed, updated_at=now)
    )


def save_amounts(
    session: Session, *, borrower_id: int, amounts: Mapping[str, Money | None], now: datetime
) -> None:
    """Replace the named monthly lines of the draft; None takes a line away. KeyError for an unknown label."""
    report_id = draft_id(session, borrower_id=borrower_id, now=now)
    _lock_draft(session, report_id, now)
    session.execute(
        delete(BudgetLine).where(BudgetLine.report_id == report_id, BudgetLine.label.in_(list(amounts)))
    )
    session.add_all(
        BudgetLine(
            report_id=report_id,
            label=label,
            kind=KIND_OF[label],
            position=POSITION[label],
            amount_minor=amount.minor,
            currency=amount.currency,
        )
        for label, amount in amounts.items()
        if amount is not None
    )
    session.flush()


def add_document(
    session: Session,
    *,
    keys: Keys,
    borrower_id: int,
    upload: Upload,
    consents: bool,
    limits: Limits,
    now: datetime,
) -> Original:
    """Take in a file for the draft, else for the report sent last, else for a new draft.

    `consents`: the separate consent was given with this file; it is kept for the whole report.
    Raises documents.media.Refused.
    """
    report_id = _report_for_papers(session, borrower_id) or draft_id(
        session, borrower_id=borrower_id, now=now
    )
    if consents:
        _consent(session, report_id, now)
    consented = session.execute(
        select(HardshipReport.sensitive_consent_at).where(HardshipReport.id == report_id)
    ).scalar_one()
    return documents.receive(
        session,
        keys=keys,
        borrower_id=borrower_id,
        report_id=report_id,
        upload=upload,
        consented=consented is not None,
        limits=limits,
        now=now,
    )


def send_more(session: Session, *, borrower_id: int, now: datetime) -> int:
    """Hand over papers added to a report that was sent already; returns how many. Raises NoDraft."""
    report_id = _report_for_papers(session, borrower_id)
    if report_id is None or _draft(session, borrower_id) is not None:
        raise NoDraft
    return documents.send(session, borrower_id=borrower_id, report_id=report_id, now=now)


def submit(session: Session, *, borrower_id: int, form_key: str, consents: bool, now: datetime) -> str:
    """Send the draft and its papers to the bank; returns its reference, again for the same form_key.

    Raises NotReady with everything that is missing, and NoDraft.
    """
    report_id = _draft(session, borrower_id)
    sent = _sent_with(session, borrower_id, form_key)
    if sent is not None:
        return sent
    if report_id is None:
        raise NoDraft
    if consents:
        _consent(session, report_id, now)
    missing = missing_of(session, report_id=report_id)
    if missing:
        raise NotReady(missing)
    sending = (
        update(HardshipReport)
        .where(HardshipReport.id == report_id, HardshipReport.submitted_at.is_(None))
        .values(submitted_at=now, updated_at=now, form_key=form_key)
        .returning(HardshipReport.reference)
    )
    reference = session.execute(sending).scalar()
    if reference is None:  # sent by a twin of this request while it waited
        return _sent_with(session, borrower_id, form_key) or _no_draft()
    papers = documents.send(session, borrower_id=borrower_id, report_id=report_id, now=now)
    audit.record(
        session,
        actor=Actor("borrower", str(borrower_id)),
        event="hardship.report_sent",
        subject_kind="hardship_report",
        subject_ref=reference,
        now=now,
        facts={"papers": papers},
    )
    return reference


def missing_of(session: Session, *, report_id: int) -> tuple[str, ...]:
    """What keeps the report from being sent, in the order of the pages."""
    reason, consent = session.execute(
        select(HardshipReport.reason, HardshipReport.sensitive_consent_at).where(
            HardshipReport.id == report_id
        )
    ).one()
    labels = set(session.execute(select(BudgetLine.label).where(BudgetLine.report_id == report_id)).scalars())
    spending = {*LINES["spending"], *LINES["priority_debt"]}
    sensitive = reason in SENSITIVE_REASONS or _has_sensitive_papers(session, report_id)
    found = {
        "reason": reason is None,
        "income": not labels & set(LINES["income"]),
        "spending": not labels & spending,
        "consent": sensitive and consent is None,
    }
    return tuple(name for name, is_missing in found.items() if is_missing)


def _sent_with(session: Session, borrower_id: int, form_key: str) -> str | None:
    return session.execute(
        select(HardshipReport.reference).where(
            HardshipReport.borrower_id == borrower_id, HardshipReport.form_key == form_key
        )
    ).scalar()


def _no_draft() -> NoReturn:
    raise NoDraft


def _draft(session: Session, borrower_id: int) -> int | None:
    return session.execute(
        select(HardshipReport.id).where(
            HardshipReport.borrower_id == borrower_id, HardshipReport.submitted_at.is_(None)
        )
    ).scalar()


def _report_for_papers(session: Session, borrower_id: int) -> int | None:
    wanted = (
        select(HardshipReport.id)
        .where(HardshipReport.borrower_id == borrower_id)
        .order_by(HardshipReport.submitted_at.is_not(None), HardshipReport.id.desc())
        .limit(1)
    )
    return session.execute(wanted).scalar()


def _lock_draft(session: Session, report_id: int, now: datetime) -> None:
    """Hold the draft against being sent meanwhile. Raises NoDraft when it was."""
    touching = (
        update(HardshipReport)
        .where(HardshipReport.id == report_id, HardshipReport.submitted_at.is_(None))
        .values(updated_at=now)
    )
    if _count(session, touching) != 1:
        raise NoDraft


def _consent(session: Session, report_id: int, now: datetime) -> None:
    session.execute(
        update(HardshipReport)
        .where(HardshipReport.id == report_id, HardshipReport.sensitive_consent_at.is_(None))
        .values(sensitive_consent_at=now)
    )


def _has_sensitive_papers(session: Session, report_id: int) -> bool:
    wanted = select(Document.id).where(
        Document.report_id == report_id,
        Document.kind.in_(SENSITIVE_KINDS),
        Document.removed_at.is_(None),
    )
    return session.execute(wanted.limit(1)).first() is not None


def _count(session: Session, statement: Update) -> int:
    return cast("CursorResult[Any]", session.execute(statement)).rowcount
