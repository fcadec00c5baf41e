"""Complaints from the borrower's side: a number and a clock at once, nothing typed lost, nobody else's shown."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from portal.disputes.lifecycle import Action
from portal.disputes.models import Complaint
from portal.keys import Keys
from portal.signing import Signer
from tests import people
from tests.contacts.logged import log
from tests.disputes.scene import Scene
from tests.web.borrower.test_balance import text_of


@pytest.fixture
def scene(portal_app: Flask, keys: Keys, signer: Signer) -> Scene:
    portal_app.extensions["portal"].clock.advance(hours=6, minutes=40)
    return Scene.of(portal_app.extensions["portal"].db, keys, signer)


@pytest.fixture
def lin(client: FlaskClient, scene: Scene) -> FlaskClient:
    client.csrf = people.sign_in(client, scene.lin)  # type: ignore[attr-defined]
    client.set_cookie("language", "en")
    return client


def send(client: FlaskClient, **fields: object):  # type: ignore[no-untyped-def]
    data = {"csrf_token": client.csrf, "form_key": "k", **fields}  # type: ignore[attr-defined]
    return client.post("/my/complaints/new", data=data)


def count(scene: Scene) -> int:
    with scene.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(Complaint)) or 0


@pytest.mark.parametrize("about", ["visit", "stranger", "call", "message", "figure", "other"])
def test_every_kind_has_its_form(lin: FlaskClient, about: str) -> None:
    assert f"about={about}" in lin.get("/my/complaints/new").text
    assert lin.get(f"/my/complaints/new?about={about}").status_code == 200


def test_sent_it_has_a_number_a_last_day_and_a_way_outside(lin: FlaskClient, scene: Scene) -> None:
    answer = send(lin, about="other", text="等了很久没有人接电话。")

    assert answer.status_code == 303
    page = text_of(lin, answer.location)
    for words in (
        "等了很久没有人接电话。",
        "Answer by 5 December 2026 at the latest.",
        "15 days left.",
        "12378",
    ):
        assert words in page
    assert send(lin, about="other", text="等了很久没有人接电话。").location == answer.location
    assert count(scene) == 1
    assert answer.location.rsplit("/", 1)[1] in text_of(lin, "/my/complaints")


def test_what_is_missing_is_named_and_nothing_typed_is_lost(lin: FlaskClient, scene: Scene) -> None:
    answer = send(lin, about="stranger", text="6222 0212 3456 7894", conduct=["pressed"])

    assert answer.status_code == 422
    for words in (
        "Write roughly when it was.",
        "This looks like a card number",
        "6222 0212 3456 7894",
        'value="pressed" checked',
    ):
        assert words in answer.text
    assert count(scene) == 0


def test_a_visit_is_complained_about_with_a_press_and_no_word(lin: FlaskClient, scene: Scene) -> None:
    assert 'value="V1"' in lin.get("/my/complaints/new?about=visit").text
    answer = send(lin, about="visit", of="V1", conduct=["no_identity", "told_others"], text="")

    page = text_of(lin, answer.location)
    assert "Card not shown" in page
    assert "Others learned of it" in page
    assert "V1" in page


def test_a_call_is_chosen_from_the_log(lin: FlaskClient, scene: Scene, keys: Keys) -> None:
    contact_id = log(scene.database, keys, scene.lin, "a call")
    assert f'value="{contact_id}"' in lin.get("/my/complaints/new?about=call").text

    answer = send(lin, about="call", of=str(contact_id), conduct=["too_often"])

    assert "Too often" in text_of(lin, answer.location)


def test_of_a_call_nothing_is_asked_that_takes_a_door(lin: FlaskClient, scene: Scene) -> None:
    asked = text_of(lin, "/my/complaints/new?about=call")
    at_the_door = text_of(lin, "/my/complaints/new?about=stranger")

    for words in ("Card not shown", "Came in without being asked", "Which one?"):
        assert words not in asked
    assert "Too often" in asked
    assert "Card not shown" in at_the_door
    assert send(lin, about="call", conduct=["no_identity"]).status_code == 422, "it was not offered"
    assert send(lin, about="call", conduct=["too_often"]).status_code == 303


def test_a_figure_is_disputed_from_its_explanation_and_its_entries_are_marked(
    lin: FlaskClient, scene: Scene
) -> None:
    explained = lin.get("/my/loans/C-LIN-1/fee").text
    link = "/my/complaints/new?about=figure&amp;of=C-LIN-1&amp;component=fee"
    assert link in explained
    assert "C-LIN-1-2" in lin.get(link.replace("&amp;", "&")).text
    answer = send(
        lin, about="figure", of="C-LIN-1", component="fee", lines=["C-LIN-1-2"], text="没有约定过。"
    )

    explained = text_of(lin, "/my/loans/C-LIN-1/fee")
    assert "You dispute this figure" in explained
    assert explained.count("disputed") == 1
    assert "disputed" in text_of(lin, "/my/loans/C-LIN-1/lines")
    assert "You dispute this figure" not in text_of(lin, "/my/loans/C-LIN-1/interest")
    assert "C-LIN-1-2" in text_of(lin, answer.location)
    reference = answer.location.rsplit("/", 1)[1]
    scene.act(reference, Action.TAKE, 1)
    scene.act(reference, Action.ANSWER, 2, text="违约金已冲销。", outcome="corrected")
    page = text_of(lin, answer.location)
    assert "You are right: the figure is put right" in page
    assert "违约金已冲销。" in page
    assert "You disputed this figure; the bank has answered." in text_of(lin, "/my/loans/C-LIN-1/fee")


def test_an_answer_can_settle_it(lin: FlaskClient, scene: Scene) -> None:
    address = send(lin, about="other", text="x").location
    reference = address.rsplit("/", 1)[1]
    csrf = {"csrf_token": lin.csrf}  # type: ignore[attr-defined]
    lin.post(f"{address}/settle", data=csrf)
    assert "That settles it" not in text_of(lin, address), "nothing is settled before it is answered"
    scene.act(reference, Action.TAKE, 1)
    scene.act(reference, Action.ANSWER, 2, text="已改进。", outcome="upheld")
    assert "That settles it" in text_of(lin, address)

    lin.post(f"{address}/settle", data=csrf)

    assert "Closed" in text_of(lin, address)


def test_somebody_elses_is_not_there(lin: FlaskClient, scene: Scene, portal_app: Flask, keys: Keys) -> None:
    address = send(lin, about="other", text="x").location
    zhao = portal_app.test_client()
    zhao.csrf = people.sign_in(zhao, scene.database.write(lambda s: people.zhao(s, keys)))  # type: ignore[attr-defined]

    assert zhao.get(address).status_code == 404
    assert zhao.post(f"{address}/settle", data={"csrf_token": zhao.csrf}).status_code == 404  # type: ignore[attr-defined]
    assert zhao.get("/my/complaints/new?about=figure&of=L-LIN-1&component=fee").status_code == 404
    assert send(zhao, about="figure", of="C-LIN-1", component="fee", text="x").status_code == 404
    assert send(zhao, about="visit", of="V1", text="x").status_code == 422
    assert count(scene) == 1
