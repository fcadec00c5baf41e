"""The borrower's answer to a record: confirmed, or what was different, with a word on the conduct. It stays as sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal import audit
from portal.access.codes import new_reference
from portal.audit import Actor
from portal.db import upsert
from portal.disputes import conduct, words
from portal.disputes.models import VisitAnswer, VisitRecord
from portal.disputes.record import (
    LONGEST_ITEM,
    LONGEST_TEXT,
    OVERALL,
    RATINGS,
    VERDICTS,
    breaches_said,
    contradicted,
    items_of,
)
from portal.documents.card_numbers import has_card_number
from portal.jurisdictions import Jurisdiction
from portal.keys import Keys
from portal.signing import Signer
from portal.visits.models import Visit

#: Beside the words at items, named by their item.
OWN_WORDS = "own_words"


class NoSuchRecord(Exception):
    """The borrower has no such visit, or nothing was written down about it yet."""


class NotReady(Exception):
    """The answer cannot be kept; `problems`: field -> ``missing``, ``long``, ``card_number``."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(", ".join(problems))
        self.problems = problems


class Meanwhile(Exception):
    """The record has a newer version than the one that was read, or an answer was sent meanwhile."""


@dataclass(frozen=True)
class Said:
    """An answer as somebody filled it in. `confirms`: None where neither was chosen."""

    confirms: bool | None
    items: Mapping[str, str] = field(default_factory=dict)
    item_words: Mapping[str, str] = field(default_factory=dict)
    own_words: str = ""
    ratings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bank:
    """What an answer needs of the portal."""

    keys: Keys
    signer: Signer
    pack: Jurisdiction


@dataclass(frozen=True)
class Read:
    """What was read before answering: the version of the record, and how many answers there were."""

    record_version: int
    answers: int


def answer(
    session: Session,
    *,
    bank: Bank,
    borrower_id: int,
    visit_ref: str,
    said: Said,
    read: Read,
    form_key: str,
    now: datetime,
) -> str:
    """Sign and keep the answer beside the record; its reference. The same form again gives the first one.

    Raises NoSuchRecord, NotReady, Meanwhile.
    """
    record = _record(session, borrower_id, visit_ref)
    form_digest = bank.keys.digest("visit.answer.form", f"{borrower_id} {visit_ref} {form_key}")
    first = _sent(session, form_digest)
    if first:
        return first
    problems = problems_of(said, record.outcome)
    if problems:
        raise NotReady(problems)
    kept, reference = _kept(said, record.outcome), None
    if (record.version, _count(session, record.visit_id)) == (read.record_version, read.answers):
        reference = _insert(
            session, bank, record, borrower_id, visit_ref, kept, read.answers + 1, form_digest, now
        )
    if reference is None:
        first = _sent(session, form_digest)  # the same form, a moment earlier
        if first:
            return first
        raise Meanwhile
    audit.record(
        session,
        actor=Actor("borrower", str(borrower_id)),
        event="disputes.answered",
        subject_kind="visit",
        subject_ref=visit_ref,
        now=now,
        facts={"reference": reference, "confirms": bool(kept.confirms), "record": record.reference},
    )
    kinds = breaches_said(kept.items, kept.ratings, record.choices)
    conduct.mark(
        session, visit_ref=visit_ref, kinds=kinds, whose=conduct.BY_BORROWER, pack=bank.pack, now=now
    )
    return reference


def problems_of(said: Said, outcome: str) -> dict[str, str]:
    """What stands against keeping an answer: field -> code."""
    problems: dict[str, str] = {}
    if said.confirms is None:
        problems["confirms"] = "missing"
    kept = _kept(said, outcome)
    if said.confirms is False and not contradicted(kept.items) and not kept.own_words:
        problems["items"] = "missing"
    texts = {OWN_WORDS: said.own_words.strip()}
    texts |= {f"words_{item}": text for item, text in kept.item_words.items()}
    for name, text in texts.items():
        if len(text) > (LONGEST_TEXT if name == OWN_WORDS else LONGEST_ITEM):
            problems[name] = "long"
        elif has_card_number(text):
            problems[name] = "card_number"
    return problems


def facts_of(row: Any, visit_ref: str, record_reference: str) -> dict[str, Any]:
    """What of an answer is signed besides its words."""
    return {
        "kind": "visit_answer",
        "reference": row.reference,
        "visit": visit_ref,
        "record": record_reference,
        "version": row.version,
        "written_at": words.instant(row.created_at),
        "confirms": row.confirms,
        "items": dict(row.items),
        "ratings": dict(row.ratings),
    }


def _kept(said: Said, outcome: str) -> Said:
    """The answer without what is none of ours: other items, other codes, words at items left as they are."""
    known = {} if said.confirms else said.items
    items = {item: known[item] for item in items_of(outcome) if known.get(item) in VERDICTS}
    ratings = {name: said.ratings[name] for name, codes in RATINGS.items() if said.ratings.get(name) in codes}
    if said.ratings.get("overall") in OVERALL:
        ratings["overall"] = said.ratings["overall"]
    item_words = {
        item: said.item_words[item].strip()
        for item in contradicted(items)
        if said.item_words.get(item, "").strip()
    }
    return Said(said.confirms, items, item_words, said.own_words.strip(), ratings)


def _insert(
    session: Session,
    bank: Bank,
    record: Any,
    borrower_id: int,
    visit_ref: str,
    kept: Said,
    version: int,
    form_digest: str,
    now: datetime,
) -> str | None:
    """The answer's reference; None where this form or this version is there already."""
    values: dict[str, Any] = {
        "created_at": now,
        "reference": new_reference("A"),
        "visit_id": record.visit_id,
        "borrower_id": borrower_id,
        "record_id": record.id,
        "version": version,
        "confirms": bool(kept.confirms),
        "items": dict(kept.items),
        "ratings": dict(kept.ratings),
        "form_digest": form_digest,
    }
    signed = words.sign(
        bank.signer,
        bank.keys,
        facts=facts_of(VisitAnswer(**values), visit_ref, record.reference),
        words={OWN_WORDS: kept.own_words, **kept.item_words},
    )
    done: str | None = session.execute(
        upsert(VisitAnswer)
        .values(values | signed.__dict__)
        .on_conflict_do_nothing()
        .returning(VisitAnswer.reference)
    ).scalar()
    return done


def _record(session: Session, borrower_id: int, visit_ref: str) -> Any:
    row = session.execute(
        select(
            VisitRecord.id,
            VisitRecord.visit_id,
            VisitRecord.reference,
            VisitRecord.version,
            VisitRecord.outcome,
            VisitRecord.choices,
        )
        .join(Visit, Visit.id == VisitRecord.visit_id)
        .where(Visit.visit_ref == visit_ref, Visit.borrower_id == borrower_id)
        .order_by(VisitRecord.version.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        raise NoSuchRecord(visit_ref)
    return row


def _count(session: Session, visit_id: int) -> int:
    found = select(func.coalesce(func.max(VisitAnswer.version), 0)).where(VisitAnswer.visit_id == visit_id)
    return session.scalar(found) or 0


def _sent(session: Session, form_digest: str) -> str | None:
    return session.scalar(select(VisitAnswer.reference).where(VisitAnswer.form_digest == form_digest))
