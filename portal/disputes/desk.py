"""Records of visits at the desk: what is missing or late, where an answer contradicts, and officers in sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select
from sqlalchemy.orm import Session, aliased

from portal.borrowers.models import Borrower
from portal.contacts.models import Agency
from portal.disputes.models import VisitAnswer, VisitRecord
from portal.disputes.record import RATINGS, breaches_said, breaches_written, contradicted
from portal.keys import Keys
from portal.visits.lifecycle import State
from portal.visits.models import Officer, Visit

#: What the list can show.
SHOWN = ("contradicted", "missing", "late", "all")


@dataclass(frozen=True)
class RecordRow:
    """A visit in the list; `reference` is "" where nothing was written down yet."""

    visit_ref: str
    starts_at: datetime
    ends_at: datetime
    state: str
    customer_ref: str
    name: str
    officer_ref: str
    agency_name: str
    reference: str
    outcome: str
    is_late: bool
    #: None: not answered yet
    confirms: bool | None
    contradicted: tuple[str, ...]
    breaches: tuple[str, ...]
    overall: str


@dataclass
class OfficerSum:
    """One officer's records in sum. `bad`: question of conduct -> how many answered it badly."""

    officer_ref: str
    agency_name: str
    records: int = 0
    late: int = 0
    missing: int = 0
    answers: int = 0
    differing: int = 0
    overalls: list[int] = field(default_factory=list)
    bad: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RATINGS, 0))

    @property
    def tenths(self) -> int | None:
        """The mean of the overall marks in tenths, rounded half up; None without a mark."""
        count = len(self.overalls)
        return (20 * sum(self.overalls) + count) // (2 * count) if count else None


def record_rows(
    connection: Connection | Session,
    keys: Keys,
    *,
    show: str,
    now: datetime,
    limit: int = 100,
    offset: int = 0,
) -> tuple[RecordRow, ...]:
    """Visits that took place or should have, the newest first; `show` is one of SHOWN."""
    conditions: Mapping[str, ColumnElement[bool]] = {
        "contradicted": VisitAnswer.confirms.is_(False),
        "missing": VisitRecord.id.is_(None),
        "late": VisitRecord.is_late.is_(True),
    }
    statement = _rows().where(_should_have_been(now))
    if show in conditions:
        statement = statement.where(conditions[show])
    rows = connection.execute(
        statement.order_by(Visit.starts_at.desc(), Visit.id.desc()).limit(limit).offset(offset)
    )
    return tuple(_row(row, keys) for row in rows)


def counts(connection: Connection | Session, *, now: datetime) -> Mapping[str, int]:
    """How many visits each way of showing the list has."""
    inner = _rows().where(_should_have_been(now)).subquery()
    missing, late = inner.c.reference.is_(None), inner.c.is_late.is_(True)
    row = connection.execute(
        select(
            func.count().label("all"),
            func.count().filter(missing).label("missing"),
            func.count().filter(late).label("late"),
            func.count().filter(inner.c.confirms.is_(False)).label("contradicted"),
        ).select_from(inner)
    ).one()
    return {name: int(row._mapping[name]) for name in SHOWN}


def officer_sums(
    connection: Connection | Session, *, since: datetime, now: datetime
) -> tuple[OfficerSum, ...]:
    """Each officer's records and the latest answers to them, of visits from `since` on."""
    sums: dict[str, OfficerSum] = {}
    bad = {name: "yes" if codes[0] == "no" else "no" for name, codes in RATINGS.items()}
    for row in connection.execute(_rows().where(_should_have_been(now), Visit.starts_at >= since)):
        one = sums.setdefault(row.officer_ref, OfficerSum(row.officer_ref, row.agency_name))
        one.missing += row.reference is None
        one.records += row.reference is not None
        one.late += bool(row.is_late)
        if row.confirms is None:
            continue
        one.answers += 1
        one.differing += not row.confirms
        if "overall" in row.ratings:
            one.overalls.append(int(row.ratings["overall"]))
        for name, code in bad.items():
            one.bad[name] += row.ratings.get(name) == code
    return tuple(sums[ref] for ref in sorted(sums))


def _should_have_been(now: datetime) -> ColumnElement[bool]:
    """Over by now, or written down already."""
    planned = (Visit.state.in_((State.PLANNED, State.DONE))) & (Visit.ends_at <= now)
    return planned | VisitRecord.id.is_not(None)


def _rows() -> Select[*tuple[Any, ...]]:
    later, after = aliased(VisitRecord), aliased(VisitAnswer)
    newest = select(func.max(later.version)).where(later.visit_id == Visit.id).scalar_subquery()
    last = select(func.max(after.version)).where(after.visit_id == Visit.id).scalar_subquery()
    return (
        select(
            Visit.visit_ref,
            Visit.starts_at,
            Visit.ends_at,
            Visit.state,
            Borrower.customer_ref,
            Borrower.name_sealed,
            Officer.officer_ref,
            Agency.name.label("agency_name"),
            VisitRecord.reference,
            VisitRecord.outcome,
            VisitRecord.choices,
            VisitRecord.is_late,
            VisitAnswer.confirms,
            VisitAnswer.items,
            VisitAnswer.ratings,
        )
        .join(Borrower, Borrower.id == Visit.borrower_id)
        .outerjoin(VisitRecord, (VisitRecord.visit_id == Visit.id) & (VisitRecord.version == newest))
        .outerjoin(VisitAnswer, (VisitAnswer.visit_id == Visit.id) & (VisitAnswer.version == last))
        # whoever wrote the record answers for it; until then whoever was to lead
        .join(Officer, Officer.id == func.coalesce(VisitRecord.officer_id, Visit.lead_officer_id))
        .join(Agency, Agency.id == Officer.agency_id)
    )


def _row(row: Any, keys: Keys) -> RecordRow:
    written = breaches_written(row.choices, row.outcome) if row.reference else ()
    said = breaches_said(row.items, row.ratings, row.choices) if row.confirms is not None else ()
    return RecordRow(
        visit_ref=row.visit_ref,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        state=row.state,
        customer_ref=row.customer_ref,
        name=keys.unseal("borrower.name", row.name_sealed),
        officer_ref=row.officer_ref,
        agency_name=row.agency_name,
        reference=row.reference or "",
        outcome=row.outcome or "",
        is_late=bool(row.is_late),
        confirms=row.confirms,
        contradicted=contradicted(row.items or {}),
        breaches=tuple(dict.fromkeys((*written, *said))),
        overall=str((row.ratings or {}).get("overall", "")),
    )
