"""A complaint: received once, its clock from the pack, each step once, and more time only by a second person."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from portal import jurisdictions
from portal.contacts.models import Hold
from portal.db import Database
from portal.disputes import operations
from portal.disputes.complaining import UnableToComplain, Wish
from portal.disputes.complaint_queries import (
    complaint_at_desk,
    complaint_for,
    complaints_for,
    counts,
    desk_rows,
    disputed_for,
)
from portal.disputes.deadlines import times_of
from portal.disputes.lifecycle import LIFECYCLE, Action, State
from portal.disputes.models import Complaint, ComplaintStep
from portal.disputes.operations import Staff, UnableToAct
from portal.keys import Keys
from portal.messages.models import Message
from portal.signing import Signer
from portal.states import NotAllowed
from portal.visits.models import Visit
from tests import people
from tests.conftest import BANK_MORNING
from tests.disputes.scene import GUO, MEI, NOW, Scene, at_once

OTHER = Wish("other", "等了很久没有人接电话。")
FIGURE = Wish(
    "figure", "这笔违约金没有约定过。", of="C-LIN-1", component="fee", lines=("C-LIN-1-2", "L-LIN-1-1")
)


@pytest.fixture
def scene(database: Database, keys: Keys, signer: Signer) -> Scene:
    return Scene.of(database, keys, signer)


def view(scene: Scene, reference: str):  # type: ignore[no-untyped-def]
    with scene.database.read() as connection:
        return complaint_at_desk(connection, scene.keys, reference)


def test_it_is_received_with_a_number_and_a_last_day(scene: Scene) -> None:
    reference = scene.complain(OTHER)

    found = view(scene, reference)
    assert (found.state, found.track, found.due_on) == ("received", "simple", date(2026, 12, 5))
    assert found.steps[0].text == OTHER.text
    assert (found.customer_ref, found.name) == ("C900001", "林晓")
    assert reference.startswith("C-")


def test_the_same_form_twice_is_one_complaint(scene: Scene) -> None:
    given = at_once(*[lambda: scene.complain(OTHER)] * 4)

    assert len(set(given)) == 1
    assert (scene.count(Complaint), scene.count(ComplaintStep)) == (1, 1)


def test_the_whole_way_with_more_time(scene: Scene) -> None:
    reference = scene.complain(OTHER)
    scene.act(reference, Action.TAKE, 1)
    scene.act(reference, Action.WIDEN, 2, text="要调取通话录音。")
    assert view(scene, reference).due_on == date(2026, 12, 20)
    scene.act(reference, Action.ASK_TIME, 3, text="录音在外地。")
    scene.act(reference, Action.APPROVE, 4, staff=GUO)
    assert view(scene, reference).due_on == date(2027, 1, 19)
    scene.act(reference, Action.ANSWER, 5, text="您说得对，已增加人手。", outcome="upheld")

    found = view(scene, reference)
    assert (found.state, found.outcome, found.answer.text) == ("answered", "upheld", "您说得对，已增加人手。")
    assert [step.action for step in found.steps] == ["send", "take", "widen", "ask_time", "approve", "answer"]
    assert [step.staff_ref for step in found.steps] == ["", "B2107", "B2107", "B2107", "B3001", "B2107"]
    assert scene.count(Message, kind="news") == 3
    scene.database.write(
        lambda s: operations.settle(s, keys=scene.keys, borrower_id=scene.lin, reference=reference, now=NOW)
    )
    assert view(scene, reference).state == "closed"


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (Staff(2, "B2107", "H-B2107", "supervisor"), "same_person"),
        (Staff(9, "B9", "H-B9", "reviewer"), "same_person"),
    ],
)
def test_more_time_is_approved_by_another_human_who_may(scene: Scene, who: Staff, why: str) -> None:
    reference = scene.complain(OTHER)
    scene.act(reference, Action.TAKE, 1)
    scene.act(reference, Action.ASK_TIME, 2, text="录音在外地。")

    for action in (Action.APPROVE, Action.REFUSE):
        with pytest.raises(UnableToAct) as caught:
            scene.act(reference, action, 3, staff=who, text="不")
        assert caught.value.reason == why
    assert view(scene, reference).due_on == date(2026, 12, 5)


def test_of_two_who_answer_at_once_one_has_and_the_other_is_told(scene: Scene) -> None:
    reference = scene.complain(OTHER)
    scene.act(reference, Action.TAKE, 1)

    given = at_once(
        lambda: scene.act(reference, Action.ANSWER, 2, text="成立", outcome="upheld"),
        lambda: scene.act(reference, Action.ANSWER, 2, staff=GUO, text="不成立", outcome="not_upheld"),
    )

    assert sorted(str(one) for one in given) == ["None", "meanwhile"]
    assert scene.count(ComplaintStep, action="answer") == 1
    assert scene.count(Message, kind="news") == 1
    found = view(scene, reference)
    assert (found.outcome == "upheld") == (found.answer.text == "成立")


@pytest.mark.parametrize(
    ("action", "text", "outcome", "why"),
    [
        (Action.ANSWER, "", "upheld", "words"),
        (Action.ANSWER, "好", "", "outcome"),
        (Action.ANSWER, "好", "corrected", "outcome"),
        (Action.ANSWER, "6222021234567894", "upheld", "card_number"),
        (Action.ANSWER, "长" * 4001, "upheld", "long"),
        (Action.WIDEN, "", "", "words"),
        (Action.TAKE, "", "", "meanwhile"),
    ],
)
def test_a_step_that_cannot_be_taken_is_named(
    scene: Scene, action: Action, text: str, outcome: str, why: str
) -> None:
    reference = scene.complain(OTHER)
    scene.act(reference, Action.TAKE, 1)

    with pytest.raises(UnableToAct) as caught:
        scene.act(reference, action, 2, text=text, outcome=outcome)
    assert caught.value.reason == why
    assert scene.count(ComplaintStep) == 2


@pytest.mark.parametrize(
    ("wish", "problems"),
    [
        (Wish("nothing", "x"), {"about": "missing"}),
        (Wish("other", "  "), {"text": "missing"}),
        (Wish("other", "6222 0212 3456 7894"), {"text": "card_number"}),
        (Wish("visit", "x"), {"of": "missing"}),
        (Wish("visit", "x", of="V9"), {"of": "gone"}),
        (Wish("call", "x", of="77"), {"of": "gone"}),
        (Wish("stranger", "x"), {"when": "missing"}),
        (Wish("figure", "x", of="L-ZHAO-1", component="fee"), {"of": "gone"}),
        (Wish("figure", "x", of="L-LIN-1"), {"component": "missing"}),
    ],
)
def test_what_is_missing_keeps_nothing(
    scene: Scene, keys: Keys, wish: Wish, problems: dict[str, str]
) -> None:
    scene.database.write(lambda s: people.zhao(s, keys))

    with pytest.raises(UnableToComplain) as caught:
        scene.complain(wish)
    assert dict(caught.value.problems) == problems
    assert scene.count(Complaint) == 0


def test_a_visit_nobody_announced_is_a_matter_of_conduct(scene: Scene) -> None:
    scene.complain(Wish("stranger", "有人说是银行的。", when="11月18日晚上"))

    with scene.database.read() as connection:
        (row,) = desk_rows(
            connection, scene.keys, state="open", about="", conduct=True, before=None, limit=9, offset=0
        )
    assert row.about == "stranger"


def test_the_borrower_sees_their_own_and_nobody_elses(scene: Scene, keys: Keys) -> None:
    zhao = scene.database.write(lambda s: people.zhao(s, keys))
    reference = scene.complain(OTHER)

    with scene.database.read() as connection:
        assert [one.reference for one in complaints_for(connection, scene.lin)] == [reference]
        assert complaints_for(connection, zhao) == ()
        assert complaint_for(connection, keys, zhao, reference) is None
    with pytest.raises(UnableToAct, match="gone"):
        scene.database.write(
            lambda s: operations.settle(s, keys=keys, borrower_id=zhao, reference=reference, now=NOW)
        )


def test_a_disputed_figure_marks_its_entries_and_in_china_stops_nothing(scene: Scene, keys: Keys) -> None:
    zhao = scene.database.write(lambda s: people.zhao(s, keys))
    reference = scene.complain(FIGURE)

    with scene.database.read() as connection:
        (one,) = disputed_for(connection, scene.lin, "C-LIN-1")
        assert disputed_for(connection, scene.lin, "L-LIN-1") == ()
        assert disputed_for(connection, zhao, "C-LIN-1") == ()
    assert (one.reference, one.component, one.lines, one.is_open) == (reference, "fee", ("C-LIN-1-2",), True)
    assert scene.count(Hold) == 0
    assert scene.count(Visit, state="planned") == 1


def test_where_the_pack_says_so_contacts_rest_until_the_answer(
    database: Database, keys: Keys, signer: Signer
) -> None:
    scene = Scene.of(database, keys, signer, pack="us")
    reference = scene.complain(FIGURE)
    assert (scene.count(Hold, lifted_at=None), scene.count(Visit, state="paused")) == (1, 1)

    scene.act(reference, Action.TAKE, 1)
    scene.act(reference, Action.ANSWER, 2, text="已更正。", outcome="corrected")

    assert (scene.count(Hold, lifted_at=None), scene.count(Visit, state="planned")) == (0, 1)
    assert view(scene, reference).outcome == "corrected"


def test_a_place_without_longer_times_has_none(database: Database, keys: Keys, signer: Signer) -> None:
    scene = Scene.of(database, keys, signer, pack="gb")
    reference = scene.complain(OTHER)
    scene.act(reference, Action.TAKE, 1)

    assert view(scene, reference).due_on == date(2027, 1, 15)
    for action in (Action.WIDEN, Action.ASK_TIME):
        with pytest.raises(UnableToAct, match="no_time"):
            scene.act(reference, action, 2, text="x")


def test_what_is_late_is_counted_and_found(scene: Scene) -> None:
    scene.complain(OTHER)

    with scene.database.read() as connection:
        last, after = date(2026, 12, 5), date(2026, 12, 6)
        assert [counts(connection, today=day)["late"] for day in (last, after)] == [0, 1]
        common = {"state": "", "about": "", "conduct": False, "limit": 9, "offset": 0}
        assert not desk_rows(connection, scene.keys, before=last, **common)
        assert len(desk_rows(connection, scene.keys, before=after, **common)) == 1


def test_nothing_changes_or_deletes_a_step(scene: Scene) -> None:
    scene.complain(OTHER)

    for statement in (update(ComplaintStep).values(action="x"), delete(ComplaintStep)):
        with pytest.raises(DBAPIError, match="append-only"):
            scene.database.write(lambda s, statement=statement: s.execute(statement))


def test_words_lie_sealed(scene: Scene) -> None:
    scene.complain(FIGURE)

    with scene.database.read() as connection:
        sealed = connection.scalar(select(ComplaintStep.words_sealed))
        row = connection.execute(select(Complaint.__table__)).one()
    assert "违约金".encode() not in sealed
    assert "违约金" not in str(tuple(row))


ALLOWED = {
    ("received", "take"): "looking",
    ("looking", "widen"): "looking",
    ("looking", "ask_time"): "time_asked",
    ("time_asked", "approve"): "extended",
    ("time_asked", "refuse"): "looking",
    ("looking", "answer"): "answered",
    ("extended", "answer"): "answered",
    ("answered", "close"): "closed",
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", Action)
def test_every_move(state: State, action: Action) -> None:
    expected = ALLOWED.get((state.value, action.value))

    if expected is None:
        with pytest.raises(NotAllowed):
            LIFECYCLE.after(state, action)
    else:
        assert LIFECYCLE.after(state, action) == expected


@settings(max_examples=25)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(Action), st.sampled_from([GUO, MEI]), st.integers(-1, 0)), max_size=9
    )
)
def test_whatever_is_tried_the_table_holds(steps: list[tuple[Action, Staff, int]]) -> None:
    """A plain model beside the database: state, version and last day after any steps by anybody."""
    scene = _SCENES[0]
    reference = scene.complain(OTHER, form_key=str(len(_TRIED)))
    _TRIED.append(reference)
    state, version, track, asked, extended = State.RECEIVED, 1, "simple", "", False
    for action, staff, behind in steps:
        allowed = LIFECYCLE.allows(state, action) and behind == 0
        allowed &= not (action is Action.WIDEN and track == "complex")
        if action in (Action.APPROVE, Action.REFUSE):
            allowed &= staff.role == "supervisor" and asked != staff.human_ref
        try:
            scene.act(reference, action, version + behind, staff=staff, text="x", outcome="upheld")
            done = True
        except UnableToAct:
            done = False
        assert done == allowed, (state, action)
        if done:
            state, version = LIFECYCLE.after(state, action), version + 1
            track = "complex" if action is Action.WIDEN else track
            asked = staff.human_ref if action is Action.ASK_TIME else asked
            extended |= action is Action.APPROVE
    found = view(scene, reference)
    assert (found.state, found.version, found.track) == (state, version, track)
    times = times_of(jurisdictions.pack("cn"))
    assert found.due_on == times.due_on(date(2026, 11, 20), track, extended=extended)
    assert [step.due_on for step in found.steps][-1] == found.due_on


_SCENES: list[Scene] = []
_TRIED: list[str] = []


@pytest.fixture(autouse=True)
def one_scene(request: pytest.FixtureRequest) -> None:
    """The generated steps share a database; each example is a complaint of its own."""
    if request.node.originalname == "test_whatever_is_tried_the_table_holds":
        _SCENES[:] = [
            Scene.of(
                request.getfixturevalue("sqlite_database"),
                request.getfixturevalue("keys"),
                request.getfixturevalue("signer"),
            )
        ]


@given(days=st.integers(0, 4000), track=st.sampled_from(["simple", "complex"]))
def test_more_time_is_never_less(days: int, track: str) -> None:
    for place in ("cn", "gb", "us"):
        times = times_of(jurisdictions.pack(place))
        received = BANK_MORNING.date() + timedelta(days=days)

        assert received < times.due_on(received, "simple") <= times.due_on(received, track)
        assert times.due_on(received, track) <= times.due_on(received, track, extended=True)
