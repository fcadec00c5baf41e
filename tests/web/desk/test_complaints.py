"""The desk's queue of complaints: by its clock, answered once, more time only by a second human; roles hold."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.disputes.complaining import Wish
from portal.disputes.models import ComplaintStep
from portal.keys import Keys
from portal.signing import Signer
from tests import people
from tests.disputes.scene import Scene
from tests.web.borrower.test_balance import text_of

STRANGER = Wish("stranger", "有人说是银行的。", when="11月18日晚上", conduct=("pressed",))


@pytest.fixture
def scene(portal_app: Flask, keys: Keys, signer: Signer) -> Scene:
    return Scene.of(portal_app.extensions["portal"].db, keys, signer)


def desk(app: Flask, scene: Scene, who) -> FlaskClient:  # type: ignore[no-untyped-def]
    client = app.test_client()
    client.csrf = people.sign_in_staff(client, scene.database.write(lambda s: who(s, scene.keys)))  # type: ignore[attr-defined]
    client.set_cookie("language", "en")
    return client


@pytest.fixture
def mei(portal_app: Flask, scene: Scene) -> FlaskClient:
    return desk(portal_app, scene, people.mei)


@pytest.fixture
def guo(portal_app: Flask, scene: Scene) -> FlaskClient:
    return desk(portal_app, scene, people.guo)


def act(client: FlaskClient, reference: str, action: str, version: int, **fields: str):  # type: ignore[no-untyped-def]
    data = {"csrf_token": client.csrf, "action": action, "version": str(version), **fields}  # type: ignore[attr-defined]
    return client.post(f"/desk/complaints/{reference}", data=data)


def test_the_queue_shows_whose_it_is_and_when_it_is_due(mei: FlaskClient, scene: Scene) -> None:
    reference = scene.complain(STRANGER)
    scene.complain(Wish("other", "别的事"), form_key="other")

    page = text_of(mei, "/desk/complaints")
    for words in (reference, "林晓", "C900001", "2026-12-05", "15 days left", "conduct"):
        assert words in page
    only = mei.get("/desk/complaints?conduct=1").text
    assert only.count("/desk/complaints/C-") == 1
    assert reference in only
    assert "No complaint waits" in text_of(mei, "/desk/complaints?state=late")
    assert "No complaint waits" in text_of(mei, "/desk/complaints?about=figure")


def test_taken_answered_and_read_by_the_borrower(mei: FlaskClient, scene: Scene, portal_app: Flask) -> None:
    reference = scene.complain(STRANGER)
    page = text_of(mei, f"/desk/complaints/{reference}")
    for words in ("有人说是银行的。", "11月18日晚上", "Pressed, threatened or shouted at"):
        assert words in page
    assert act(mei, reference, "take", 1).status_code == 303
    assert act(mei, reference, "answer", 2, outcome="upheld", text="该人员并非本行人员。").status_code == 303

    lin = portal_app.test_client()
    people.sign_in(lin, scene.lin)
    lin.set_cookie("language", "en")
    read = text_of(lin, f"/my/complaints/{reference}")
    assert "You are right" in read
    assert "该人员并非本行人员。" in read


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": "没有方式"}, "Choose how it is answered."),
        ({"outcome": "upheld"}, "Write the reason or the answer"),
        (
            {"outcome": "upheld", "text": "卡号 6222 0212 3456 7894"},
            "A card number must not be written here.",
        ),
    ],
)
def test_what_cannot_be_sent_is_named_and_the_words_stay(
    mei: FlaskClient, scene: Scene, fields: dict[str, str], words: str
) -> None:
    reference = scene.complain(STRANGER)
    act(mei, reference, "take", 1)

    answer = act(mei, reference, "answer", 2, **fields)

    assert answer.status_code == 422
    assert words in answer.text
    assert fields.get("text", "") in answer.text
    assert scene.count(ComplaintStep) == 2


def test_who_was_slower_is_told_and_keeps_the_words(mei: FlaskClient, guo: FlaskClient, scene: Scene) -> None:
    reference = scene.complain(STRANGER)
    act(mei, reference, "take", 1)
    act(guo, reference, "answer", 2, outcome="upheld", text="第一个答复")

    answer = act(mei, reference, "answer", 2, outcome="not_upheld", text="第二个答复")

    assert answer.status_code == 409
    assert "somebody was faster" in answer.text
    assert scene.count(ComplaintStep, action="answer") == 1


def test_more_time_needs_a_supervisor_who_did_not_ask(
    mei: FlaskClient, guo: FlaskClient, scene: Scene
) -> None:
    reference = scene.complain(STRANGER)
    act(guo, reference, "take", 1)
    act(guo, reference, "ask_time", 2, text="要等外地的录像。")
    for asker in (mei, guo):
        assert 'value="approve"' not in asker.get(f"/desk/complaints/{reference}").text
        assert act(asker, reference, "approve", 3).status_code == 403

    def another(session, keys):  # type: ignore[no-untyped-def]
        return people.staff(session, keys, staff_ref="B3002", name="高远", role="supervisor")

    second = desk(mei.application, scene, another)
    assert 'value="approve"' in second.get(f"/desk/complaints/{reference}").text
    assert act(second, reference, "approve", 3).status_code == 303
    assert "2027-01-04" in text_of(mei, f"/desk/complaints/{reference}")


def test_the_same_human_with_another_account_is_the_same_person(guo: FlaskClient, scene: Scene) -> None:
    reference = scene.complain(STRANGER)
    act(guo, reference, "take", 1)
    act(guo, reference, "ask_time", 2, text="要等外地的录像。")

    def twin(session, keys):  # type: ignore[no-untyped-def]
        return people.staff(
            session, keys, staff_ref="B3009", name="郭立", role="supervisor", human_ref="H-B3001"
        )

    assert act(desk(guo.application, scene, twin), reference, "approve", 3).status_code == 403


def test_others_stay_outside(portal_app: Flask, scene: Scene, mei: FlaskClient) -> None:
    reference = scene.complain(STRANGER)
    paths = ("/desk/complaints", f"/desk/complaints/{reference}", "/desk/records", "/desk/records/V1")

    def operator(session, keys):  # type: ignore[no-untyped-def]
        return people.staff(session, keys, staff_ref="O1", name="运维", role="operator")

    stranger, operating = portal_app.test_client(), desk(portal_app, scene, operator)
    for path in paths:
        assert stranger.get(path).status_code == 303
        assert operating.get(path).status_code == 403
        assert mei.get(path).status_code == 200
    assert act(operating, reference, "take", 1).status_code == 403
    assert mei.get("/desk/complaints/C-0000-00000").status_code == 404
    assert act(mei, "C-0000-00000", "take", 1).status_code == 404
    assert act(mei, reference, "burn", 1).status_code == 400
