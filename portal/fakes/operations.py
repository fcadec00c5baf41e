"""Keeping a report, bringing it into its group, and deciding about a group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.access import counters
from portal.access.codes import new_reference
from portal.access.limits import DAY, HOUR, Limit
from portal.documents.card_numbers import has_card_number
from portal.fakes.grouping import Likeness, alike, likeness
from portal.fakes.lifecycle import GROUPS, GroupAction, GroupState
from portal.fakes.masking import masked
from portal.fakes.models import FakeDecision, FakeGroup, FakeKey, FakePicture, FakeReport
from portal.keys import Keys
from portal.states import NotAllowed

REPORTS_NETWORK = Limit("fakes_network", HOUR, 20, "a person reports a few; a script would bury them")
#: Also what makes reports wait for one another: two alike at the same instant are one group.
REPORTS_ALL = Limit("fakes_all", DAY, 20_000, "no more can be looked at; a flood fills no disk")
LONGEST_TEXT, LONGEST_NUMBER, LONGEST_LINK, LONGEST_NOTE = 4_000, 60, 500, 2_000


class UnableToReport(Exception):
    """Nothing was kept. `reason`: "empty", "card_number", or "wait" with `seconds`."""

    def __init__(self, reason: str, seconds: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.seconds = reason, seconds


class UnableToDecide(Exception):
    """Nothing was decided. `reason`: "gone", "meanwhile", "note", "card_number", "nothing"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Told:
    """What somebody reports: any one of it is enough. `jpeg` is of our own rendering."""

    text: str = ""
    number: str = ""
    link: str = ""
    jpeg: bytes = b""


@dataclass(frozen=True)
class Published:
    """What is ours and so says nothing about a fake: our hosts, our and our agencies' numbers."""

    hosts: tuple[str, ...]
    numbers: tuple[str, ...]


@dataclass(frozen=True)
class Word:
    """What somebody at the desk decides, on the `version` of the group he saw; what a warning shows."""

    action: GroupAction
    version: int
    note: str
    text: str = ""
    links: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()


def report(
    session: Session,
    told: Told,
    *,
    keys: Keys,
    published: Published,
    form_key: str,
    network: str,
    now: datetime,
    real_now: datetime,
) -> str:
    """Keep a report and bring it into its group; its reference. The same form again gives the first
    reference. Raises UnableToReport."""
    if not any((told.text.strip(), told.number.strip(), told.link.strip(), told.jpeg)):
        raise UnableToReport("empty")
    if any(map(has_card_number, (told.text, told.number, told.link))):
        raise UnableToReport("card_number")
    everywhere = counters.count_towards(session, keys=keys, limit=REPORTS_ALL, key="all", real_now=real_now)
    form_digest = keys.digest("fakes.form", form_key)
    first = session.scalar(select(FakeReport.reference).where(FakeReport.form_digest == form_digest))
    if first is not None:
        return str(first)
    here = counters.count_towards(session, keys=keys, limit=REPORTS_NETWORK, key=network, real_now=real_now)
    for count, limit in ((here, REPORTS_NETWORK), (everywhere, REPORTS_ALL)):
        if count > limit.most:
            raise UnableToReport("wait", counters.seconds_left(limit, real_now))
    like = likeness(told.text, told.number, told.link, hosts=published.hosts, published=published.numbers)
    return _keep(
        session, told, like, keys=keys, digests=(form_digest, keys.digest("network", network)), now=now
    )


def decide(
    session: Session,
    *,
    keys: Keys,
    group_id: int,
    word: Word,
    staff_ref: str,
    actor: audit.Actor,
    now: datetime,
) -> None:
    """Confirm a group as fake, clear it, call it ours after all, or open it again.

    Of two at once on the same version one decides and the other is told. Raises UnableToDecide.
    """
    _refuse_words(word)
    group = session.execute(
        select(FakeGroup).where(FakeGroup.id == group_id).with_for_update()
    ).scalar_one_or_none()
    if group is None:
        raise UnableToDecide("gone")
    if group.version != word.version:
        raise UnableToDecide("meanwhile")
    try:
        group.state = GROUPS.after(GroupState(group.state), word.action)
    except NotAllowed:
        raise UnableToDecide("meanwhile") from None
    confirmed = word.action is GroupAction.CONFIRM
    group.version += 1
    group.warned_at = now if confirmed else None
    group.warning_text = masked(word.text) if confirmed else ""
    group.warning_links = sorted(word.links) if confirmed else []
    group.warning_numbers = sorted(word.numbers) if confirmed else []
    session.add(
        FakeDecision(
            created_at=now,
            group_id=group.id,
            action=word.action,
            version=word.version,
            reports=group.reports,
            staff_ref=staff_ref,
            note_sealed=keys.seal("fakes.note", word.note.strip()),
        )
    )
    _record(session, f"fakes.{word.action}", group.id, actor, now, reports=group.reports)
    session.flush()


def _refuse_words(word: Word) -> None:
    if not word.note.strip():
        raise UnableToDecide("note")
    if has_card_number(word.note) or has_card_number(word.text):
        raise UnableToDecide("card_number")
    if word.action is GroupAction.CONFIRM and not (word.text.strip() or word.links or word.numbers):
        raise UnableToDecide("nothing")


def _keep(
    session: Session, told: Told, like: Likeness, *, keys: Keys, digests: tuple[str, str], now: datetime
) -> str:
    likeness_digest = keys.digest("fakes.likeness", f"{sorted(like.strong)} {like.sketch}")
    is_blank = not like.strong and not like.sketch
    twin = None if is_blank else _twin(session, likeness_digest)
    group_id = twin or _group_for(session, like, keys, now)
    row = FakeReport(
        created_at=now,
        reference=new_reference("F"),
        form_digest=digests[0],
        group_id=group_id,
        text_sealed=keys.seal("fakes.text", told.text.strip()),
        number_sealed=keys.seal("fakes.number", told.number.strip()),
        link_sealed=keys.seal("fakes.link", told.link.strip()),
        network_digest=digests[1],
        likeness_digest=likeness_digest,
        sketch=list(like.sketch),
    )
    session.add(row)
    session.flush()
    if twin is None and not is_blank:
        session.execute(insert(FakeKey), _keys_of(like, keys, row.id))
    if told.jpeg:
        session.add(FakePicture(report_id=row.id, jpeg_sealed=keys.seal_bytes("fakes.picture", told.jpeg)))
    session.execute(
        quiet(update(FakeGroup).where(FakeGroup.id == group_id)).values(
            reports=FakeGroup.reports + 1, last_at=now
        )
    )
    _record(session, "fakes.reported", group_id, audit.SYSTEM, now, reference=row.reference)
    session.flush()
    return row.reference


def _twin(session: Session, likeness_digest: str) -> int | None:
    """The group of a report with the same words, addresses and numbers."""
    return session.scalar(
        select(FakeReport.group_id).where(FakeReport.likeness_digest == likeness_digest).limit(1)
    )


def _group_for(session: Session, like: Likeness, keys: Keys, now: datetime) -> int:
    """The group a report belongs to: a confirmed one, else all open ones that it joins together, else a new
    one. A group that was cleared takes in nothing but its own likes: what differs is looked at anew."""
    found = _alike(session, like, keys)
    confirmed = sorted(group for group, state in found.items() if state == GroupState.CONFIRMED)
    if confirmed:
        return confirmed[0]
    opened = sorted(group for group, state in found.items() if state == GroupState.OPEN)
    if opened:
        _merge(session, opened[0], opened[1:], now)
        return opened[0]
    group = FakeGroup(
        created_at=now,
        state=GROUPS.initial,
        version=1,
        reports=0,
        first_at=now,
        last_at=now,
        warned_at=None,
        warning_text="",
        warning_links=[],
        warning_numbers=[],
    )
    session.add(group)
    session.flush()
    return group.id


def _alike(session: Session, like: Likeness, keys: Keys) -> dict[int, str]:
    """Every group with a report like this one, and its state."""
    names = {keys.digest("fakes.key", name): name in like.strong for name in like.strong | like.bands}
    if not names:
        return {}
    rows = session.execute(
        select(FakeKey.strong, FakeReport.sketch, FakeGroup.id, FakeGroup.state)
        .join(FakeReport, FakeReport.id == FakeKey.report_id)
        .join(FakeGroup, FakeGroup.id == FakeReport.group_id)
        .where(FakeKey.key_digest.in_(names))
    ).all()
    none: frozenset[str] = frozenset()
    found: dict[int, str] = {}
    for strong, sketch, group_id, state in rows:
        if group_id not in found and (
            strong or alike(Likeness(none, like.sketch), Likeness(none, tuple(sketch)))
        ):
            found[group_id] = state
    return found


def _merge(session: Session, into: int, others: Iterable[int], now: datetime) -> None:
    """Bring open groups together that a new report joins. Their versions rise: who was deciding is told."""
    gone = list(others)
    if not gone:
        return
    rows = session.scalars(
        select(FakeGroup).where(FakeGroup.id.in_([into, *gone])).order_by(FakeGroup.id).with_for_update()
    ).all()
    kept = rows[0]
    for row in rows[1:]:
        row.state = GROUPS.after(GroupState(row.state), GroupAction.MERGE)
        row.version += 1
        kept.reports += row.reports
        kept.first_at, kept.last_at = min(kept.first_at, row.first_at), max(kept.last_at, row.last_at)
        row.reports = 0
        _record(session, "fakes.merged", row.id, audit.SYSTEM, now, into=into)
    kept.version += 1
    session.execute(quiet(update(FakeReport).where(FakeReport.group_id.in_(gone))).values(group_id=into))
    session.flush()


def _keys_of(like: Likeness, keys: Keys, report_id: int) -> list[dict[str, Any]]:
    return [
        {"key_digest": keys.digest("fakes.key", name), "report_id": report_id, "strong": name in like.strong}
        for name in sorted(like.strong | like.bands)
    ]


def quiet(statement: Any) -> Any:
    """A statement after which no loaded object is looked through."""
    return statement.execution_options(synchronize_session=False)


def _record(
    session: Session, event: str, group_id: int, actor: audit.Actor, now: datetime, **facts: object
) -> None:
    audit.record(
        session,
        actor=actor,
        event=event,
        subject_kind="fake_group",
        subject_ref=group_id,
        now=now,
        facts=facts,
    )
