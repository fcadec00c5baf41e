"""What the desk and the public read of reports and groups."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import aliased

from portal.fakes.grouping import Suspect, numbers, suspects
from portal.fakes.lifecycle import GroupState
from portal.fakes.models import FakeDecision, FakeGroup, FakePicture, FakeReport
from portal.fakes.operations import Published
from portal.keys import Keys

#: Reports of one group that the desk reads at once, and groups on one page.
SHOWN, ROWS = 50, 100


@dataclass(frozen=True)
class Receipt:
    """What the holder of a reference is told: that we have it, since when, and whether it is confirmed."""

    reference: str
    at: datetime
    confirmed: bool


@dataclass(frozen=True)
class Warned:
    """One confirmed fake as the public sees it; the links are names, never to be opened."""

    text: str
    links: tuple[str, ...]
    numbers: tuple[str, ...]
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class GroupRow:
    """One group in the desk's queue, with words of one report."""

    group_id: int
    state: str
    reports: int
    first_at: datetime
    last_at: datetime
    words: str


@dataclass(frozen=True)
class ReportView:
    """One report as the desk reads it."""

    report_id: int
    reference: str
    at: datetime
    text: str
    number: str
    link: str
    has_picture: bool


@dataclass(frozen=True)
class DecisionView:
    """One decision about a group."""

    action: str
    at: datetime
    staff_ref: str
    note: str
    reports: int


@dataclass(frozen=True)
class GroupDetail:
    """A group with its newest reports, what is suspect in them, and what was decided."""

    row: GroupRow
    version: int
    reports: tuple[ReportView, ...]
    links: tuple[Suspect, ...]
    numbers: tuple[str, ...]
    decisions: tuple[DecisionView, ...]
    warning: Warned | None


def receipt(connection: Connection, reference: str) -> Receipt | None:
    """The receipt of a report; None for a reference that is nobody's."""
    row = connection.execute(
        select(FakeReport.reference, FakeReport.created_at, FakeGroup.state)
        .join(FakeGroup, FakeGroup.id == FakeReport.group_id)
        .where(FakeReport.reference == reference)
    ).one_or_none()
    return Receipt(row[0], row[1], row[2] == GroupState.CONFIRMED) if row else None


def warnings(connection: Connection) -> tuple[Warned, ...]:
    """The confirmed fakes, the latest first."""
    rows = connection.execute(
        select(
            FakeGroup.warning_text,
            FakeGroup.warning_links,
            FakeGroup.warning_numbers,
            FakeGroup.first_at,
            FakeGroup.last_at,
        )
        .where(FakeGroup.state == GroupState.CONFIRMED)
        .order_by(FakeGroup.last_at.desc(), FakeGroup.id.desc())
        .limit(ROWS)
    )
    return tuple(Warned(row[0], tuple(row[1]), tuple(row[2]), row[3], row[4]) for row in rows)


def confirmed_hosts(connection: Connection) -> frozenset[str]:
    """The addresses of confirmed fakes, by grouping.name_of."""
    return frozenset(link for one in _confirmed(connection, FakeGroup.warning_links) for link in one)


def confirmed_numbers(connection: Connection) -> frozenset[str]:
    """The numbers of confirmed fakes, as contacts.numbers.normalised writes them."""
    return frozenset(number for one in _confirmed(connection, FakeGroup.warning_numbers) for number in one)


def queue(connection: Connection, keys: Keys, *, decided: bool = False) -> tuple[GroupRow, ...]:
    """Open groups, those with most reports first; or the decided ones, the latest first."""
    rows = _group_rows().where(
        FakeGroup.state.not_in((GroupState.OPEN, GroupState.MERGED))
        if decided
        else FakeGroup.state == GroupState.OPEN
    )
    order = (FakeGroup.last_at.desc(),) if decided else (FakeGroup.reports.desc(), FakeGroup.last_at.desc())
    found = connection.execute(rows.order_by(*order, FakeGroup.id).limit(ROWS))
    return tuple(_group_row(row, keys) for row in found)


def open_count(connection: Connection) -> int:
    """How many groups wait."""
    return int(
        connection.scalar(
            select(func.count()).select_from(FakeGroup).where(FakeGroup.state == GroupState.OPEN)
        )
        or 0
    )


def group(connection: Connection, keys: Keys, group_id: int, *, published: Published) -> GroupDetail | None:
    """One group with everything that is decided upon; None when there is none or it was merged."""
    row = connection.execute(
        _group_rows().where(FakeGroup.id == group_id, FakeGroup.state != GroupState.MERGED)
    ).one_or_none()
    if row is None:
        return None
    reports = _reports(connection, keys, group_id)
    links = {one for view in reports for one in suspects(view.text, view.link, hosts=published.hosts)}
    found = {one for view in reports for one in numbers(view.text, view.number, published=published.numbers)}
    return GroupDetail(
        row=_group_row(row, keys),
        version=row.version,
        reports=reports,
        links=tuple(sorted(links, key=lambda one: (one.name, one.kind))),
        numbers=tuple(sorted(found)),
        decisions=_decisions(connection, keys, group_id),
        warning=Warned(
            row.warning_text, tuple(row.warning_links), tuple(row.warning_numbers), row.first_at, row.last_at
        )
        if row.state == GroupState.CONFIRMED
        else None,
    )


def picture(connection: Connection, keys: Keys, report_id: int) -> bytes | None:
    """The picture of a report as JPEG; None where there is none."""
    sealed = connection.scalar(select(FakePicture.jpeg_sealed).where(FakePicture.report_id == report_id))
    return keys.unseal_bytes("fakes.picture", sealed) if sealed is not None else None


def _confirmed(connection: Connection, column: Any) -> Any:
    return connection.scalars(select(column).where(FakeGroup.state == GroupState.CONFIRMED))


def _group_rows() -> Any:
    other = aliased(FakeReport)
    first = (
        select(func.min(other.id))
        .where(other.group_id == FakeGroup.id)
        .correlate(FakeGroup)
        .scalar_subquery()
    )
    return select(
        FakeGroup.id,
        FakeGroup.state,
        FakeGroup.version,
        FakeGroup.reports,
        FakeGroup.first_at,
        FakeGroup.last_at,
        FakeGroup.warning_text,
        FakeGroup.warning_links,
        FakeGroup.warning_numbers,
        FakeReport.text_sealed,
        FakeReport.number_sealed,
        FakeReport.link_sealed,
    ).outerjoin(FakeReport, FakeReport.id == first)


def _group_row(row: Any, keys: Keys) -> GroupRow:
    words = ""
    if row.text_sealed is not None:
        sealed = (("text", row.text_sealed), ("number", row.number_sealed), ("link", row.link_sealed))
        words = next(filter(None, (keys.unseal(f"fakes.{name}", value) for name, value in sealed)), "")
    return GroupRow(row.id, row.state, row.reports, row.first_at, row.last_at, words[:120])


def _reports(connection: Connection, keys: Keys, group_id: int) -> tuple[ReportView, ...]:
    rows = connection.execute(
        select(FakeReport, FakePicture.report_id.label("picture"))
        .outerjoin(FakePicture, FakePicture.report_id == FakeReport.id)
        .where(FakeReport.group_id == group_id)
        .order_by(FakeReport.id.desc())
        .limit(SHOWN)
    )
    return tuple(
        ReportView(
            row.id,
            row.reference,
            row.created_at,
            keys.unseal("fakes.text", row.text_sealed),
            keys.unseal("fakes.number", row.number_sealed),
            keys.unseal("fakes.link", row.link_sealed),
            row.picture is not None,
        )
        for row in rows
    )


def _decisions(connection: Connection, keys: Keys, group_id: int) -> tuple[DecisionView, ...]:
    rows = connection.execute(
        select(FakeDecision).where(FakeDecision.group_id == group_id).order_by(FakeDecision.id)
    )
    return tuple(
        DecisionView(
            row.action, row.created_at, row.staff_ref, keys.unseal("fakes.note", row.note_sealed), row.reports
        )
        for row in rows
    )
