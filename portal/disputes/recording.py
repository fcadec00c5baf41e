"""The officer writes the record of a visit: a draft that survives, and a record that is signed and stays.

Sending the record is one transaction: the record, the line in the log of contacts, the visit's state, the
text to the borrower, and whatever the record itself says was against the rules of conduct.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from portal import audit
from portal.access.codes import new_reference
from portal.audit import Actor
from portal.contacts.log import Rules
from portal.db import upsert
from portal.disputes import conduct, words
from portal.disputes.models import VisitDraft, VisitRecord
from portal.disputes.officer_visits import OwnVisit, own_visit
from portal.disputes.record import CONTACT_OUTCOMES, Checked, Written, breaches_written, check
from portal.disputes.telling import Teller, tell
from portal.keys import Keys
from portal.signing import Signer
from portal.visits import operations as visits
from portal.visits.contacting import log_visit


class NoSuchVisit(Exception):
    """The officer has no such visit, or it has not begun yet."""


class NotReady(Exception):
    """The record cannot be kept as it is; `problems`: field -> code (record.check)."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(", ".join(problems))
        self.problems = problems


class Meanwhile(Exception):
    """Somebody else wrote a version of this record since it was read."""


@dataclass(frozen=True)
class Desk:
    """What writing a record needs of the portal: keys, the signer, the rules, and how people are told."""

    keys: Keys
    signer: Signer
    rules: Rules
    teller: Teller


@dataclass(frozen=True)
class Draft:
    """A record begun: what was typed, as it was typed."""

    outcome: str = ""
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    started: str = ""
    ended: str = ""

    def written(self) -> Written:
        """As a record that can be checked."""
        return Written(self.outcome, self.choices, self.texts, self.started, self.ended)


def save_draft(
    session: Session, *, keys: Keys, officer_id: int, visit_ref: str, draft: Draft, now: datetime
) -> None:
    """Keep what was typed so far. Words that hold a card number are the caller's to leave out.
    Raises NoSuchVisit."""
    visit = _own(session, officer_id, visit_ref, now)
    content = {
        "outcome": draft.outcome,
        "choices": {name: list(codes) for name, codes in draft.choices.items()},
        "texts": dict(draft.texts),
        "started": draft.started,
        "ended": draft.ended,
    }
    values = {
        "content_sealed": keys.seal(words.RECORD, json.dumps(content, ensure_ascii=False)),
        "updated_at": now,
    }
    session.execute(
        upsert(VisitDraft)
        .values(created_at=now, visit_id=visit.visit_id, officer_id=officer_id, **values)
        .on_conflict_do_update(index_elements=["visit_id", "officer_id"], set_=values)
    )


def write(
    session: Session,
    *,
    desk: Desk,
    officer_id: int,
    visit_ref: str,
    draft: Draft,
    after: int,
    form_key: str,
    now: datetime,
) -> str:
    """Sign and keep the record as version `after` + 1; its reference. The same form again gives the first one.

    Raises NoSuchVisit, NotReady, Meanwhile.
    """
    visit = _own(session, officer_id, visit_ref, now)
    form_digest = desk.keys.digest("visit.record.form", f"{officer_id} {visit_ref} {form_key}")
    checked = check(
        draft.written(), day=visit.starts_at.astimezone(desk.rules.zone).date(), zone=desk.rules.zone, now=now
    )
    if checked.problems or checked.started_at is None or checked.ended_at is None:
        first = _sent(session, form_digest)
        if first:
            return first
        raise NotReady(checked.problems)
    reference = _insert(session, desk, visit, officer_id, draft.outcome, checked, after, form_digest, now)
    if reference is None:
        first = _sent(session, form_digest)
        if first:
            return first
        raise Meanwhile
    session.execute(
        delete(VisitDraft)
        .where(VisitDraft.visit_id == visit.visit_id, VisitDraft.officer_id == officer_id)
        .execution_options(synchronize_session=False)
    )
    _follow(session, desk, visit, draft.outcome, checked, reference, after, officer_id, now)
    return reference


def facts_of(row: Any, visit_ref: str, officer_ref: str) -> dict[str, Any]:
    """What of a record is signed besides its words."""
    return {
        "kind": "visit_record",
        "reference": row.reference,
        "visit": visit_ref,
        "officer": officer_ref,
        "version": row.version,
        "written_at": words.instant(row.created_at),
        "outcome": row.outcome,
        "choices": {name: list(codes) for name, codes in row.choices.items()},
        "started_at": words.instant(row.started_at),
        "ended_at": words.instant(row.ended_at),
        "late": row.is_late,
    }


def _insert(
    session: Session,
    desk: Desk,
    visit: OwnVisit,
    officer_id: int,
    outcome: str,
    checked: Checked,
    after: int,
    form_digest: str,
    now: datetime,
) -> str | None:
    """The record's reference; None where this form or this version is there already. The unique
    constraints decide between two at once."""
    zone = desk.rules.zone
    row = VisitRecord(
        created_at=now,
        reference=new_reference("V"),
        visit_id=visit.visit_id,
        borrower_id=visit.borrower_id,
        officer_id=officer_id,
        version=after + 1,
        outcome=outcome,
        choices=dict(checked.choices),
        started_at=checked.started_at,
        ended_at=checked.ended_at,
        is_late=now.astimezone(zone).date() > visit.starts_at.astimezone(zone).date(),
        form_digest=form_digest,
    )
    signed = words.sign(
        desk.signer, desk.keys, facts=facts_of(row, visit.visit_ref, visit.officer_ref), words=checked.texts
    )
    if after != _latest(session, visit.visit_id):
        return None
    values = {name: getattr(row, name) for name in _COLUMNS} | signed.__dict__
    done: str | None = session.execute(
        upsert(VisitRecord).values(values).on_conflict_do_nothing().returning(VisitRecord.reference)
    ).scalar()
    return done


_COLUMNS = (
    "created_at",
    "reference",
    "visit_id",
    "borrower_id",
    "officer_id",
    "version",
    "outcome",
    "choices",
    "started_at",
    "ended_at",
    "is_late",
    "form_digest",
)


def _follow(
    session: Session,
    desk: Desk,
    visit: OwnVisit,
    outcome: str,
    checked: Checked,
    reference: str,
    after: int,
    officer_id: int,
    now: datetime,
) -> None:
    """What follows from a record, in the same transaction."""
    actor = Actor("officer", str(officer_id))
    assert checked.started_at is not None
    log_visit(
        session,
        keys=desk.keys,
        visit_ref=visit.visit_ref,
        at=checked.started_at,
        outcome=CONTACT_OUTCOMES[outcome],
        rules=desk.rules,
        now=now,
        actor=actor,
    )
    visits.finish(session, visit_ref=visit.visit_ref, actor=actor, now=now)
    audit.record(
        session,
        actor=actor,
        event="disputes.recorded",
        subject_kind="visit",
        subject_ref=visit.visit_ref,
        now=now,
        facts={"borrower": visit.borrower_id, "reference": reference, "version": after + 1},
    )
    conduct.mark(
        session,
        visit_ref=visit.visit_ref,
        kinds=breaches_written(checked.choices, outcome),
        whose=conduct.BY_RECORD,
        pack=desk.rules.pack,
        now=now,
    )
    tell(
        session,
        keys=desk.keys,
        teller=desk.teller,
        borrower_id=visit.borrower_id,
        reference=reference,
        about=f"record:{reference}",
    )


def _own(session: Session, officer_id: int, visit_ref: str, now: datetime) -> OwnVisit:
    visit = own_visit(session, officer_id, visit_ref)
    if visit is None or not visit.has_begun(now):
        raise NoSuchVisit(visit_ref)
    return visit


def _latest(session: Session, visit_id: int) -> int:
    found = select(func.coalesce(func.max(VisitRecord.version), 0)).where(VisitRecord.visit_id == visit_id)
    return session.scalar(found) or 0


def _sent(session: Session, form_digest: str) -> str | None:
    return session.scalar(select(VisitRecord.reference).where(VisitRecord.form_digest == form_digest))
