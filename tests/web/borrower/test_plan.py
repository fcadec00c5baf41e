"""The plan page: how to begin, the certificate for the door, the instalments, and what stands late."""

from __future__ import annotations

import pytest
from flask import Flask

from portal.plans.terms import TermsRequest
from tests.people import sign_in
from tests.plans.people import Story
from tests.plans.scene import yuan
from tests.plans.test_operations import payment, receive
from tests.web.borrower.plan_story import signed_in, story_of, text_of


@pytest.fixture
def lin_story(sqlite_app: Flask) -> Story:
    return story_of(sqlite_app)


def test_without_a_plan_it_says_how_to_begin(sqlite_app: Flask, lin_story: Story) -> None:
    client, _ = signed_in(sqlite_app, lin_story)

    assert "/my/plan/propose" in text_of(client, "/my/plan")


def test_the_certificate_names_nobody_and_says_what_has_stopped(sqlite_app: Flask, lin_story: Story) -> None:
    made = lin_story.plan()
    client, _ = signed_in(sqlite_app, lin_story)

    page = text_of(client, "/my/plan")

    assert made.reference in page
    assert "林*" in page
    assert "林晓" not in page
    assert "13900000034" not in page


def test_the_table_shows_paid_next_and_left(sqlite_app: Flask, lin_story: Story) -> None:
    made = lin_story.plan(TermsRequest(count=24))
    paid = payment(lin_story, made.plan_id, 80_000, 1)
    receive(lin_story, made.plan_id, paid, 80_000)
    client, _ = signed_in(sqlite_app, lin_story)

    page = text_of(client, "/my/plan")
    everything = text_of(client, "/my/plan?all=1")

    assert "800.00" in page
    assert "17,470.00" in page
    assert page.count('<th scope="row"') < 12
    assert everything.count('<th scope="row"') == 24


def test_late_is_said_after_the_days_of_grace(sqlite_app: Flask, lin_story: Story, clock: object) -> None:
    lin_story.plan()
    client, _ = signed_in(sqlite_app, lin_story)
    assert "note warn" not in text_of(client, "/my/plan")

    clock.advance(days=32)  # type: ignore[attr-defined]
    sign_in(client, lin_story.lin)

    assert "note warn" in text_of(client, "/my/plan")


def test_a_finished_plan_says_so(sqlite_app: Flask, lin_story: Story) -> None:
    made = lin_story.plan()
    paid = payment(lin_story, made.plan_id, 1_827_000, 1)
    receive(lin_story, made.plan_id, paid, 1_827_000)
    client, _ = signed_in(sqlite_app, lin_story)

    page = text_of(client, "/my/plan")

    assert "18,270.00" in page
    assert "/my/pay" not in page.split("<main")[1].split("</main>")[0]


def test_an_upfront_payment_comes_first(sqlite_app: Flask, lin_story: Story) -> None:
    lin_story.plan(TermsRequest(count=10, upfront=yuan("3000.00")))
    client, _ = signed_in(sqlite_app, lin_story)

    assert "3,000" in text_of(client, "/my/plan").split('class="figure')[1][:400]


def test_signed_out_it_leads_to_sign_in(sqlite_app: Flask) -> None:
    assert sqlite_app.test_client().get("/my/plan").status_code == 303
