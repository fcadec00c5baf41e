"""The borrower's answer stands beside the record, signed, once, and nobody changes it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from portal.contacts.models import ContactBreach
from portal.db import Database
from portal.disputes.answering import Meanwhile, NoSuchRecord, NotReady, Read, Said
from portal.disputes.complaining import UnableToComplain
from portal.disputes.complaint_queries import complaint_for
from portal.disputes.desk import counts, officer_sums, record_rows
from portal.disputes.models import Complaint, VisitAnswer
from portal.disputes.record_queries import story_for
from portal.keys import Keys
from portal.signing import Signer
from tests import people
from tests.disputes.scene import DIFFERENT, MET, NEXT_DAY, NOW, Scene, at_once, without
from tests.visits.door import AFTERNOON, announced


@pytest.fixture
def scene(database: Database, keys: Keys, signer: Signer) -> Scene:
    made = Scene.of(database, keys, signer)
    made.record()
    return made


def story(scene: Scene):  # type: ignore[no-untyped-def]
    with scene.database.read() as connection:
        return story_for(connection, scene.keys, scene.ring, scene.lin, "V1")


def test_what_was_different_stands_item_by_item_and_signed(scene: Scene) -> None:
    reference = scene.answer()

    (answer,) = story(scene).answers
    assert (answer.reference, answer.version, answer.record_version) == (reference, 1, 1)
    assert answer.is_signed
    assert answer.contradicted == ("identity_shown",)
    assert answer.item_words == {"identity_shown": "没有出示任何证件。"}
    assert answer.own_words == "他站在门口大声说话。"
    assert answer.ratings == {"polite": "no", "pressed": "yes", "overall": "2"}
    assert story(scene).is_answered


def test_a_record_can_be_confirmed_as_a_whole(scene: Scene) -> None:
    scene.answer(Said(confirms=True, items={"identity_shown": "different"}, ratings={"overall": "5"}))

    (answer,) = story(scene).answers
    assert (answer.confirms, answer.items, answer.breaches) == (True, {}, ())
    assert scene.count(ContactBreach) == 0


def test_who_says_the_same_twice_has_said_it_once(scene: Scene) -> None:
    given = at_once(*[scene.answer] * 4)

    assert len(set(given)) == 1
    assert isinstance(given[0], str)
    assert scene.count(VisitAnswer) == 1


def test_of_two_different_answers_at_once_one_is_kept_and_the_other_told(scene: Scene) -> None:
    given = at_once(
        lambda: scene.answer(form_key="one"), lambda: scene.answer(Said(confirms=True), form_key="two")
    )

    assert sorted(type(one).__name__ for one in given) == ["Meanwhile", "str"]
    assert scene.count(VisitAnswer) == 1


def test_a_further_answer_is_a_further_version(scene: Scene) -> None:
    scene.answer()
    scene.answer(Said(confirms=True), read=Read(1, 1), form_key="later")

    assert [(answer.version, answer.confirms) for answer in story(scene).answers] == [(2, True), (1, False)]


def test_nothing_changes_or_deletes_an_answer(scene: Scene) -> None:
    scene.answer()

    for statement in (update(VisitAnswer).values(confirms=True), delete(VisitAnswer)):
        with pytest.raises(DBAPIError, match="append-only"):
            scene.database.write(lambda s, statement=statement: s.execute(statement))


def test_an_answer_is_to_the_version_that_was_read(scene: Scene) -> None:
    scene.record(without(MET, identity_shown=("no",)), after=1, form_key="second")

    with pytest.raises(Meanwhile):
        scene.answer()
    scene.answer(read=Read(2, 0))
    assert story(scene).is_answered
    assert story(scene).answers[0].record_version == 2


@pytest.mark.parametrize(
    ("said", "problems"),
    [
        (replace(DIFFERENT, confirms=None), {"confirms": "missing"}),
        (Said(confirms=False), {"items": "missing"}),
        (replace(DIFFERENT, own_words="6222 0212 3456 7894"), {"own_words": "card_number"}),
        (replace(DIFFERENT, item_words={"identity_shown": "长" * 501}), {"words_identity_shown": "long"}),
    ],
)
def test_what_cannot_be_kept_is_named(scene: Scene, said: Said, problems: dict[str, str]) -> None:
    with pytest.raises(NotReady) as caught:
        scene.answer(said)

    assert dict(caught.value.problems) == problems
    assert scene.count(VisitAnswer) == 0


def test_nobody_answers_for_somebody_else(scene: Scene, keys: Keys) -> None:
    zhao = scene.database.write(lambda s: people.zhao(s, keys))

    with pytest.raises(NoSuchRecord):
        scene.answer(borrower=zhao)
    reference = scene.answer()
    with pytest.raises(UnableToComplain):
        scene.complain_of(reference, borrower=zhao)


def test_what_the_borrower_says_of_conduct_reaches_the_supervisor(scene: Scene) -> None:
    scene.answer()

    with scene.database.read() as connection:
        found = connection.execute(select(ContactBreach.kind, ContactBreach.detail)).all()
    assert sorted(tuple(row) for row in found) == [
        ("no_identity", "borrower"),
        ("not_polite", "borrower"),
        ("pressed", "borrower"),
    ]


def test_a_complaint_is_made_of_an_answer_in_one_step_and_once(scene: Scene) -> None:
    answer = scene.answer()

    given = at_once(*[lambda: scene.complain_of(answer)] * 4)

    assert len(set(given)) == 1
    assert scene.count(Complaint) == 1
    with scene.database.read() as connection:
        view = complaint_for(connection, scene.keys, scene.lin, str(given[0]))
    assert view is not None
    assert (view.about, view.visit_ref, view.answer_ref, view.is_conduct) == ("visit", "V1", answer, True)
    assert view.points["conduct"] == ["no_identity", "pressed", "not_polite"]
    assert view.steps[0].text == "他站在门口大声说话。"
    assert story(scene).answers[0].complaint == view.reference


def test_the_desk_sees_what_is_missing_late_and_contradicted(scene: Scene, keys: Keys) -> None:
    scene.answer()
    for visit_ref in ("V2", "V3"):
        scene.database.write(
            lambda s, visit_ref=visit_ref: announced(
                s, keys, borrower_id=scene.lin, visit_ref=visit_ref, officer_id=scene.officer
            )
        )
    scene.record(visit_ref="V3", form_key="v3", now=NEXT_DAY)

    with scene.database.read() as connection:

        def shown(show: str, now=NEXT_DAY) -> list[str]:  # type: ignore[no-untyped-def]
            return [row.visit_ref for row in record_rows(connection, keys, show=show, now=now)]

        assert (shown("contradicted"), shown("missing"), shown("late")) == (["V1"], ["V2"], ["V3"])
        assert shown("all") == ["V3", "V2", "V1"]
        assert "V2" not in shown("all", now=NOW), "its hour is not over yet"
        assert dict(counts(connection, now=NEXT_DAY)) == {
            "contradicted": 1,
            "missing": 1,
            "late": 1,
            "all": 3,
        }
        (row,) = record_rows(connection, keys, show="contradicted", now=NEXT_DAY)
        assert (row.contradicted, row.overall, row.name) == (("identity_shown",), "2", "林晓")
        (one,) = officer_sums(connection, since=AFTERNOON, now=NEXT_DAY)
        assert (one.officer_ref, one.records, one.late, one.missing, one.answers, one.differing) == (
            "G10354", 2, 1, 1, 1, 1,
        )  # fmt: skip
        assert (one.tenths, one.bad["pressed"], one.bad["polite"], one.bad["private"]) == (20, 1, 1, 0)
