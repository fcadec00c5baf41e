"""The borrower reads the record, confirms it or says what was different, and complains without typing again."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.disputes.models import Complaint, VisitAnswer
from portal.keys import Keys
from portal.signing import Signer
from tests import people
from tests.disputes.scene import MET, Scene, without
from tests.web.borrower.test_balance import text_of

PAGE = "/my/visits/V1/record"


@pytest.fixture
def scene(portal_app: Flask, keys: Keys, signer: Signer) -> Scene:
    portal_app.extensions["portal"].clock.advance(hours=7, minutes=40)
    return Scene.of(portal_app.extensions["portal"].db, keys, signer)


@pytest.fixture
def lin(client: FlaskClient, scene: Scene) -> FlaskClient:
    client.csrf = people.sign_in(client, scene.lin)  # type: ignore[attr-defined]
    client.set_cookie("language", "en")
    return client


def answer(client: FlaskClient, **fields: object):  # type: ignore[no-untyped-def]
    data = {"csrf_token": client.csrf, "form_key": "k", "record_version": "1", "answers": "0", **fields}  # type: ignore[attr-defined]
    return client.post(PAGE, data=data)


DIFFERENT = {
    "confirms": "no",
    "item_identity_shown": "different",
    "words_identity_shown": "没有看到任何证件。",
    "item_place": "right",
    "own_words": "在楼道里大声说话。",
    "rate_pressed": "yes",
    "rate_overall": "2",
}


def test_before_there_is_a_record_somebody_who_came_can_be_reported(lin: FlaskClient) -> None:
    assert "Nothing is written down yet" in text_of(lin, PAGE)
    assert "/my/complaints/new?about=visit&amp;of=V1" in lin.get(PAGE).text


def test_the_record_is_announced_read_and_confirmed(lin: FlaskClient, scene: Scene) -> None:
    scene.record()
    assert "A record is there to read" in text_of(lin, "/my/visits")
    page = text_of(lin, PAGE)
    for words in (
        "谈了目前的收入情况。",
        "The visitor's card was shown yes",
        "Signed by the bank, unchanged since",
    ):
        assert words in page

    assert answer(lin, confirms="yes", rate_overall="5").status_code == 303

    page = text_of(lin, PAGE)
    assert "Your answer is kept beside the record" in page
    assert "very good" in page
    assert "Make it a complaint" not in page
    assert "A record is there to read" not in text_of(lin, "/my/visits")


def test_what_was_different_stands_beside_and_becomes_a_complaint_in_one_step(
    lin: FlaskClient, scene: Scene
) -> None:
    scene.record()
    answer(lin, **DIFFERENT)
    page = lin.get(PAGE).text
    assert 'class="is-marked"' in page
    for words in ("没有看到任何证件。", "在楼道里大声说话。", "谈了目前的收入情况。"):
        assert words in page

    made = [lin.post(f"{PAGE}/complain", data={"csrf_token": lin.csrf}) for _ in range(2)]  # type: ignore[attr-defined]

    assert made[0].location == made[1].location
    assert scene.count(Complaint) == 1
    complaint = text_of(lin, made[0].location)
    for words in ("Card not shown", "Pressed, threatened or shouted at", "在楼道里大声说话。"):
        assert words in complaint
    assert "Make it a complaint" not in text_of(lin, PAGE)


def test_what_is_wrong_is_named_and_nothing_typed_is_lost(lin: FlaskClient, scene: Scene) -> None:
    scene.record()
    refused = answer(lin, **DIFFERENT | {"own_words": "6222 0212 3456 7894"})

    assert refused.status_code == 422
    for words in (
        "This looks like a card number",
        "6222 0212 3456 7894",
        "没有看到任何证件。",
        'name="item_identity_shown" value="different" checked',
        'name="rate_overall" value="2" checked',
    ):
        assert words in refused.text
    assert answer(lin).status_code == 422
    assert scene.count(VisitAnswer) == 0


def test_an_answer_to_what_changed_meanwhile_is_kept_on_the_page(lin: FlaskClient, scene: Scene) -> None:
    scene.record()
    scene.record(without(MET, identity_shown=("no",)), after=1, form_key="second")

    told = answer(lin, **DIFFERENT)

    assert told.status_code == 409
    assert "在楼道里大声说话。" in told.text
    assert answer(lin, **DIFFERENT, **{"record_version": "2"}).status_code == 303


def test_a_correction_after_the_answer_is_told_and_both_stay(lin: FlaskClient, scene: Scene) -> None:
    scene.record()
    answer(lin, confirms="yes")
    scene.record(without(MET, identity_shown=("no",)), after=1, form_key="second")

    page = text_of(lin, PAGE)
    assert "The record was corrected after your answer" in page
    assert answer(lin, form_key="k2", record_version="2", answers="1", **DIFFERENT).status_code == 303
    assert scene.count(VisitAnswer) == 2


def test_somebody_elses_record_is_not_there(
    lin: FlaskClient, scene: Scene, portal_app: Flask, keys: Keys
) -> None:
    scene.record()
    zhao = portal_app.test_client()
    zhao.csrf = people.sign_in(zhao, scene.database.write(lambda s: people.zhao(s, keys)))  # type: ignore[attr-defined]

    assert zhao.get(PAGE).status_code == 404
    assert answer(zhao, confirms="yes").status_code == 404
    assert zhao.post(f"{PAGE}/complain", data={"csrf_token": zhao.csrf}).status_code == 404  # type: ignore[attr-defined]
    assert scene.count(VisitAnswer) == 0
