"""The record is written once, signed, and stays; what follows from it happens exactly once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from portal.contacts.models import Contact, ContactBreach
from portal.db import Database
from portal.disputes import recording
from portal.disputes.models import VisitDraft, VisitRecord
from portal.disputes.record_queries import draft_of, story_for
from portal.disputes.recording import Meanwhile, NoSuchVisit, NotReady
from portal.disputes.words import RECORD, seal
from portal.keys import Keys
from portal.messages.models import Message
from portal.signing import Signer
from portal.visits import changes
from portal.visits.models import Visit
from tests import people
from tests.disputes.scene import MET, NEXT_DAY, NOBODY, NOW, Scene, at_once, without
from tests.visits.door import AFTERNOON, announced


@pytest.fixture
def scene(database: Database, keys: Keys, signer: Signer) -> Scene:
    return Scene.of(database, keys, signer)


def story(scene: Scene, borrower: int | None = None):  # type: ignore[no-untyped-def]
    with scene.database.read() as connection:
        return story_for(connection, scene.keys, scene.ring, borrower or scene.lin, "V1")


def contact(scene: Scene) -> tuple[str, str]:
    with scene.database.read() as connection:
        return tuple(connection.execute(select(Contact.outcome, Contact.officer_ref)).one())  # type: ignore[return-value]


def test_a_record_is_signed_logged_told_and_moves_the_visit_on(scene: Scene) -> None:
    reference = scene.record()

    record = story(scene).latest
    assert (record.reference, record.version, record.is_late, record.is_signed) == (reference, 1, False, True)
    assert record.texts["said"] == "谈了目前的收入情况。"
    assert contact(scene) == ("answered", "G10354")
    assert scene.count(Visit, state="done") == 1
    assert scene.count(Message, kind="news", borrower_id=scene.lin) == 1


@pytest.mark.parametrize(
    ("draft", "outcome"),
    [
        (MET, "answered"),
        (NOBODY, "no_answer"),
        (without(MET, outcome="entry_refused"), "refused"),
        (without(MET, outcome="other_person", handed=("envelope",)), "third_party"),
        (without(MET, outcome="called_off"), "made"),
    ],
)
def test_each_way_a_visit_ends_is_a_contact_of_its_own_kind(scene: Scene, draft, outcome: str) -> None:  # type: ignore[no-untyped-def]
    scene.record(draft)

    assert contact(scene)[0] == outcome
    assert scene.count(ContactBreach) == 0


def test_what_was_changed_afterwards_is_no_longer_signed(scene: Scene) -> None:
    scene.record()
    with scene.database.read() as connection:
        row = dict(connection.execute(select(VisitRecord.__table__)).one()._mapping)
    del row["id"]
    changes = (
        {"outcome": "nobody"},
        {"choices": {**row["choices"], "identity_shown": ["no"]}},
        {"is_late": True},
        {"ended_at": row["ended_at"] + timedelta(minutes=1)},
        {"words_sealed": seal(scene.keys, RECORD, {"said": "别的话", "salt": "x"})},
    )
    for version, change in enumerate(changes, start=2):
        forged = row | change | {"version": version, "reference": f"V-{version}", "form_digest": str(version)}
        scene.database.write(lambda s, forged=forged: s.execute(insert(VisitRecord).values(forged)))

    assert [record.is_signed for record in story(scene).records] == [False] * len(changes) + [True]


def test_a_signature_of_a_key_that_is_not_ours_or_was_revoked_does_not_hold(scene: Scene) -> None:
    scene.record()
    stranger = type(scene.ring).of("my.harbour.example", {}, Signer.from_seed(bytes(32)))
    revoked = scene.ring.revoked(scene.signer.key_id, at=NOW, reason="seen")

    with scene.database.read() as connection:
        for ring in (stranger, revoked):
            found = story_for(connection, scene.keys, ring, scene.lin, "V1")
            assert found is not None
            assert found.latest is not None
            assert not found.latest.is_signed


def test_a_record_of_another_day_is_late_and_says_so(scene: Scene) -> None:
    scene.record(now=NEXT_DAY)

    assert story(scene).latest.is_late


def test_the_banks_midnight_and_no_other_makes_it_late(scene: Scene) -> None:
    scene.record(now=AFTERNOON + timedelta(hours=8, minutes=59))  # 23:59 in Shanghai
    scene.record(after=1, form_key="later", now=AFTERNOON + timedelta(hours=9))

    assert [record.is_late for record in story(scene).records] == [True, False]


def test_a_correction_stands_beside_what_was_written_first(scene: Scene) -> None:
    scene.record()
    scene.record(without(MET, identity_shown=("no",)), after=1, form_key="second")

    records = story(scene).records
    assert [record.version for record in records] == [2, 1]
    assert [record.choices["identity_shown"] for record in records] == [["no"], ["yes"]]
    assert all(record.is_signed for record in records)
    assert scene.count(Contact) == 1, "a correction is no second contact"
    assert scene.count(Message, kind="news") == 2


def test_nothing_changes_or_deletes_a_record(scene: Scene) -> None:
    scene.record()

    for statement in (update(VisitRecord).values(outcome="nobody"), delete(VisitRecord)):
        with pytest.raises(DBAPIError, match="append-only"):
            scene.database.write(lambda s, statement=statement: s.execute(statement))


def test_an_officer_who_sends_twice_has_written_once(scene: Scene) -> None:
    given = at_once(*[scene.record] * 4)

    assert len(set(given)) == 1
    assert isinstance(given[0], str)
    assert (scene.count(VisitRecord), scene.count(Contact), scene.count(Message, kind="news")) == (1, 1, 1)


def test_of_two_officers_who_write_at_once_one_has_and_the_other_is_told(
    database: Database, keys: Keys, signer: Signer
) -> None:
    scene = Scene.of(database, keys, signer)
    second = database.write(lambda s: people.officer(s, keys, officer_ref="G10058"))
    database.write(lambda s: s.execute(update(Visit).values(second_officer_id=second)))

    given = at_once(
        lambda: scene.record(form_key="one"), lambda: scene.record(form_key="two", officer=second)
    )

    assert sorted(type(one) for one in given if not isinstance(one, str)) == [Meanwhile]
    assert (scene.count(VisitRecord), scene.count(Contact)) == (1, 1)


def test_a_version_that_nobody_has_seen_is_not_corrected(scene: Scene) -> None:
    scene.record()
    scene.record(after=1, form_key="two")

    for after in (0, 1, 7):
        with pytest.raises(Meanwhile):
            scene.record(after=after, form_key=f"from {after}")


def test_what_the_record_admits_reaches_the_supervisor_once(scene: Scene) -> None:
    scene.record(without(MET, identity_shown=("no",), told_others=("yes",)))
    scene.record(without(MET, identity_shown=("no",)), after=1, form_key="again")

    with scene.database.read() as connection:
        found = connection.execute(
            select(ContactBreach.kind, ContactBreach.detail, ContactBreach.state)
        ).all()
    assert sorted(tuple(row) for row in found) == [
        ("no_identity", "record", "open"),
        ("told_others", "record", "open"),
    ]


def test_a_visit_that_was_called_off_before_stays_off(scene: Scene) -> None:
    scene.database.write(lambda s: changes.refuse(s, borrower_id=scene.lin, visit_ref="V1", now=AFTERNOON))

    scene.record(without(MET, outcome="called_off"))

    assert scene.count(Visit, state="refused") == 1
    assert scene.count(Contact) == 1


def test_nobody_writes_about_a_visit_that_is_not_theirs_or_has_not_begun(scene: Scene, keys: Keys) -> None:
    other = scene.database.write(lambda s: people.officer(s, keys, officer_ref="G10058"))
    scene.database.write(
        lambda s: announced(
            s,
            keys,
            borrower_id=scene.lin,
            visit_ref="V2",
            officer_id=scene.officer,
            starts_at=AFTERNOON + timedelta(days=1),
        )
    )

    for who, visit_ref in ((other, "V1"), (scene.officer, "V2"), (scene.officer, "V9")):
        with pytest.raises(NoSuchVisit):
            scene.record(officer=who, visit_ref=visit_ref)
    assert scene.count(VisitRecord) == 0


def test_what_is_missing_keeps_nothing(scene: Scene) -> None:
    with pytest.raises(NotReady) as caught:
        scene.record(without(MET, identity_shown=(), texts={"said": "6222021234567894"}))

    assert dict(caught.value.problems) == {"identity_shown": "missing", "said": "card_number"}
    assert (scene.count(VisitRecord), scene.count(Contact), scene.count(Message)) == (0, 0, 0)
    assert scene.count(Visit, state="planned") == 1


def test_a_draft_survives_until_the_record_is_sent(scene: Scene) -> None:
    def save(draft) -> None:  # type: ignore[no-untyped-def]
        scene.database.write(
            lambda s: recording.save_draft(
                s, keys=scene.keys, officer_id=scene.officer, visit_ref="V1", draft=draft, now=NOW
            )
        )

    save(NOBODY)
    save(MET)

    with scene.database.read() as connection:
        visit_id = connection.scalar(select(Visit.id))
        assert draft_of(connection, scene.keys, scene.officer, visit_id) == MET
        assert draft_of(connection, scene.keys, scene.officer + 1, visit_id) is None
        sealed = connection.scalar(select(VisitDraft.content_sealed))
    assert "收入".encode() not in sealed
    scene.record()
    assert scene.count(VisitDraft) == 0


def test_words_lie_sealed(scene: Scene) -> None:
    scene.record()

    with scene.database.read() as connection:
        row = connection.execute(select(VisitRecord.__table__)).one()
    assert "收入" not in str(tuple(value for value in row if not isinstance(value, bytes)))
    assert "收入".encode() not in row.words_sealed
