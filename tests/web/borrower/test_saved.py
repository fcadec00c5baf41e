"""Keeping a way to pay for the plan, from the tick on the check page to the tap that stops it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select

from portal.db import Database
from portal.demo.stripe_sandbox import Sandbox
from portal.payments import checkout
from portal.payments.models import SavedMethod
from portal.settings import Settings
from portal.web.locale import LANGUAGE_COOKIE
from tests.conftest import StandingClock
from tests.payments.conftest import UNHEARD
from tests.plans.people import Story
from tests.web.borrower.plan_story import signed_in, story_of, text_of

pytestmark = pytest.mark.slow


@pytest.fixture
def sandbox(clock: StandingClock) -> Iterator[Sandbox]:
    made = Sandbox(webhook_url="http://127.0.0.1:9/none", secret="whsec_test")
    made.book.now = lambda: clock.real_now().timestamp()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def app_with_pay(
    settings: Settings, sqlite_database: Database, clock: StandingClock, sandbox: Sandbox
) -> Flask:
    from app import create_app

    over = replace(settings, stripe_api_base=sandbox.origin, stripe_checkout_origin=sandbox.origin)
    app = create_app(over, clock=clock, db=sqlite_database)
    app.testing = True
    return app


@pytest.fixture
def lin_story(app_with_pay: Flask) -> Story:
    return story_of(app_with_pay)


def test_what_is_ticked_is_kept_shown_and_stopped_in_one_tap(
    app_with_pay: Flask, lin_story: Story, sandbox: Sandbox, sqlite_database: Database
) -> None:
    made = lin_story.plan()
    client, csrf = signed_in(app_with_pay, lin_story)
    client.set_cookie(LANGUAGE_COOKIE, "en")
    check = text_of(client, "/my/pay/check?what=plan")
    (amount,) = re.findall(r'name="amount" value="([0-9.]+)"', check)

    data = {
        "csrf_token": csrf,
        "form_key": "k",
        "amount": amount,
        "loan": "",
        "currency": "CNY",
        "save": "yes",
    }
    begun = client.post("/my/pay/start", data=data).headers["Location"]
    offered = sandbox.book.session(begun.rpartition("/")[2])["payment_method_types"]
    sandbox.book.pay(begun.rpartition("/")[2], "alipay", "pay", UNHEARD)
    checkout.read_events(app_with_pay.extensions["portal"])
    plan = text_of(client, "/my/plan")
    again = text_of(client, "/my/pay/check?what=plan")
    (stop,) = re.findall(r'action="([^"]+/saved/stop)"', plan)
    stopped = client.post(stop, data={"csrf_token": csrf}, follow_redirects=True).get_data(as_text=True)

    assert "Keep this way to pay for my plan" in check
    assert f"takes each instalment of plan {made.reference} with it on its due day" in check
    assert sorted(offered) == ["alipay", "card"]
    assert "Each instalment is taken with your Alipay on its due day." in plan
    assert f"takes each instalment of plan {made.reference}" in plan
    assert "Nothing is taken automatically any more." in stopped
    assert "Stop paying automatically" not in stopped
    assert 'name="save"' not in again
    assert 'name="save"' in text_of(client, "/my/pay/check?what=plan")
    with sqlite_database.read() as connection:
        assert connection.scalar(select(SavedMethod.state)) == "revoked"


def test_without_the_tick_nothing_is_kept(
    app_with_pay: Flask, lin_story: Story, sandbox: Sandbox, sqlite_database: Database
) -> None:
    lin_story.plan()
    client, csrf = signed_in(app_with_pay, lin_story)

    data = {"csrf_token": csrf, "form_key": "k", "amount": "200.00", "loan": "", "currency": "CNY"}
    begun = client.post("/my/pay/start", data=data).headers["Location"]
    sandbox.book.pay(begun.rpartition("/")[2], "card", "pay", UNHEARD)
    checkout.read_events(app_with_pay.extensions["portal"])

    assert sandbox.book.listed("payment_method")[0] == []
    with sqlite_database.read() as connection:
        assert connection.scalar(select(SavedMethod.id)) is None


def test_where_the_bank_keeps_none_the_question_is_not_asked(app_with_pay: Flask, lin_story: Story) -> None:
    portal = app_with_pay.extensions["portal"]
    bank = replace(portal.settings.bank, policy={**portal.settings.bank.policy, "saved_methods": []})
    app_with_pay.extensions["portal"] = replace(portal, settings=replace(portal.settings, bank=bank))
    lin_story.plan()
    client, _csrf = signed_in(app_with_pay, lin_story)

    assert 'name="save"' not in text_of(client, "/my/pay/check?what=plan")
