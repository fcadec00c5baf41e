"""Changing the plan at its pages: seen before it counts, once, and shown everywhere afterwards."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.dates import Frequency
from portal.messages.models import Message
from portal.plans.terms import TermsRequest
from tests import people
from tests.people import sign_in, sign_in_staff
from tests.plans.people import Story
from tests.plans.test_extra import pay, plan_of
from tests.web.borrower.plan_story import signed_in, story_of, text_of


@pytest.fixture
def lin_story(portal_app: Flask) -> Story:
    return story_of(portal_app)


@pytest.fixture
def door(portal_app: Flask, lin_story: Story) -> tuple[FlaskClient, str]:
    client, csrf = signed_in(portal_app, lin_story)
    client.set_cookie("language", "en")
    return client, csrf


def fields_of(page: str) -> dict[str, str]:
    form = page.split('method="post" action="/my/plan/change"')[1].split("</form>")[0]
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))


def confirm(client: FlaskClient, query: str) -> str:
    """Look at a change and confirm it; where the answer leads."""
    answer = client.post("/my/plan/change", data=fields_of(text_of(client, f"/my/plan/change/check?{query}")))
    assert answer.status_code == 303
    return str(answer.location)


def test_a_skip_is_shown_before_it_counts_and_everywhere_afterwards(
    lin_story: Story, door: tuple[FlaskClient, str]
) -> None:
    client, _ = door
    made = lin_story.plan()
    assert "/my/plan/change/check" in text_of(client, "/my/plan/change")

    check = text_of(client, "/my/plan/change/check?what=skip")
    assert plan_of(lin_story).changes == ()
    assert "18 December 2026" in check
    assert "18 January 2027" in check
    place = confirm(client, "what=skip")

    (change,) = plan_of(lin_story).changes
    assert place == f"/my/plan/change/{change.reference}"
    receipt = text_of(client, place)
    assert change.signature in receipt
    assert change.revision.digest() in receipt
    page = text_of(client, "/my/plan")
    assert "2026-12-18" not in page
    assert "2027-01-18" in page
    assert change.reference in page
    assert change.reference in text_of(client, f"/my/plan/agreement/{made.reference}")
    public = text_of(client, f"/paper/{change.reference}?digest={change.revision.digest()}")
    assert "18,270" not in public
    with lin_story.database.read() as connection:
        kinds = connection.scalars(select(Message.dedupe_key)).all()
    assert f"plan-change:{change.reference}" in kinds


def test_the_check_page_leads_to_the_plan_it_showed(lin_story: Story, door: tuple[FlaskClient, str]) -> None:
    client, _ = door
    made = lin_story.plan()
    fields = fields_of(text_of(client, "/my/plan/change/check?what=pay_day&pay_day=5"))
    pay(lin_story, made.plan_id, 152_250, 1)

    answer = client.post("/my/plan/change", data=fields)

    assert answer.status_code == 409
    assert "5 February 2027" in answer.text or "11 February 2027" in answer.text
    assert plan_of(lin_story).changes == ()
    assert client.post("/my/plan/change", data=fields_of(answer.text)).status_code == 303
    assert plan_of(lin_story).pay_day == 5


def test_the_same_form_twice_is_one_change(lin_story: Story, door: tuple[FlaskClient, str]) -> None:
    client, _ = door
    lin_story.plan()
    fields = fields_of(text_of(client, "/my/plan/change/check?what=skip"))

    first, again = (client.post("/my/plan/change", data=fields) for _ in range(2))

    assert first.location == again.location
    assert len(plan_of(lin_story).changes) == 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("what=pay_day&pay_day=18", "That is your pay day already."),
        ("what=pay_day&pay_day=31", "Choose a day from 1 to 28."),
        ("what=pay_day", "Choose a day from 1 to 28."),
        ("what=pay_day&pay_day=", "Choose a day from 1 to 28."),
    ],
)
def test_what_the_rules_do_not_allow_is_said_in_words(
    lin_story: Story, door: tuple[FlaskClient, str], query: str, words: str
) -> None:
    client, _ = door
    lin_story.plan()

    answer = client.get(f"/my/plan/change/check?{query}")

    assert answer.status_code == 422
    assert words in answer.text
    assert "What comes of it" not in answer.text


def test_what_is_due_is_paid_first(lin_story: Story, door: tuple[FlaskClient, str], clock: object) -> None:
    client, _ = door
    lin_story.plan()
    clock.advance(days=28)  # type: ignore[attr-defined]
    sign_in(client, lin_story.lin)
    client.set_cookie("language", "en")

    page = text_of(client, "/my/plan/change")

    assert page.count("Pay it first; then the days to come can be changed.") == 2
    assert "/my/plan/change/check" not in page
    assert client.get("/my/plan/change/check?what=skip").status_code == 422


def test_every_other_refusal_has_words_and_a_next_step(
    lin_story: Story, door: tuple[FlaskClient, str]
) -> None:
    client, _ = door
    lin_story.plan(TermsRequest(count=60))

    answer = client.get("/my/plan/change/check?what=skip")

    assert answer.status_code == 422
    assert "20 November 2031" in answer.text
    assert "/my/situation" in answer.text


def test_a_weekly_plan_offers_no_day_of_the_month(lin_story: Story, door: tuple[FlaskClient, str]) -> None:
    client, _ = door
    lin_story.plan(TermsRequest(count=30, frequency=Frequency.WEEKLY))

    page = text_of(client, "/my/plan/change")

    assert "You can put one off instead." in page
    assert "one week later" in page


def test_used_up_is_said_with_the_number(lin_story: Story, door: tuple[FlaskClient, str]) -> None:
    client, _ = door
    lin_story.plan()
    assert "You can do this 2 more times in this plan." in text_of(client, "/my/plan/change")
    for _ in range(2):
        confirm(client, "what=skip")

    assert "You have used the 2 changes of this kind" in text_of(client, "/my/plan/change")


def test_a_stranger_and_no_plan_find_nothing(
    portal_app: Flask, lin_story: Story, door: tuple[FlaskClient, str]
) -> None:
    client, _ = door
    assert client.get("/my/plan/change").status_code == 404
    lin_story.plan()
    place = confirm(client, "what=skip")
    zhao = lin_story.write(lambda session: people.zhao(session, lin_story.keys))
    stranger = portal_app.test_client()
    sign_in(stranger, zhao)

    assert stranger.get(place).status_code == 404
    assert client.get("/my/plan/change/M-0000-00000").status_code == 404
    assert client.get("/my/plan/change/check?what=all").status_code == 400


def test_the_desk_sees_the_days_that_count_now(
    portal_app: Flask, lin_story: Story, door: tuple[FlaskClient, str]
) -> None:
    client, _ = door
    lin_story.plan()
    confirm(client, "what=skip")
    mei = lin_story.write(lambda session: people.mei(session, lin_story.keys))
    desk = portal_app.test_client()
    sign_in_staff(desk, mei)
    desk.set_cookie("language", "en")
    with lin_story.database.read() as connection:
        from portal.plans.models import Negotiation

        reference = connection.scalar(select(Negotiation.reference))

    page = text_of(desk, f"/desk/cases/{reference}")

    assert "Instalment put off by the customer" in page
    assert "2027-01-18" in page
    assert "2026-12-18" not in page
    assert "Instalment put off by the customer" in text_of(desk, f"/desk/cases/{reference}/history")
