"""The demonstration's own pages: a phone whose links can be tapped, and sign-ins whose codes work."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.db import Database
from portal.demo import pages, seed
from portal.gateways.sms import DemoSms, HttpSms
from portal.installation import Installation
from portal.keys import Keys
from portal.settings import BadSettings, Settings
from portal.web.context import Portal
from tests import people
from tests.conftest import StandingClock


@pytest.fixture
def phone(sqlite_database: Database, keys: Keys, clock: StandingClock) -> DemoSms:
    """Texts that reach Lin's phone."""
    sqlite_database.write(lambda session: people.lin(session, keys))
    return DemoSms(sqlite_database, keys, clock.real_now)


def bubbles(client: FlaskClient) -> list[str]:
    page = client.get("/demo/phone/C900001").get_data(as_text=True)
    return re.findall(r'<p class="bubble">(.*?)</p>', page, re.DOTALL)


def test_a_link_in_a_text_can_be_tapped_and_ends_where_the_words_go_on(
    sqlite_client: FlaskClient, phone: DemoSms
) -> None:
    phone.send(
        "13900000034", "【港湾银行】请核实：https://my.harbour.example/n/7KQF。如非本人请忽略", "1", True
    )

    (text,) = bubbles(sqlite_client)

    link = "https://my.harbour.example/n/7KQF"
    assert text == f'【港湾银行】请核实：<a href="{link}">{link}</a>。如非本人请忽略'


def test_texts_stand_in_order_on_the_phone_they_were_sent_to(
    sqlite_client: FlaskClient, phone: DemoSms
) -> None:
    phone.send("13900000034", "first", "1", True)
    phone.send("13900000078", "somebody else's", "2", True)
    phone.send("13900000034", "second", "3", True)

    assert bubbles(sqlite_client) == ["first", "second"]


def test_a_text_is_shown_as_text(sqlite_client: FlaskClient, phone: DemoSms) -> None:
    phone.send("13900000034", "<b>1 & 2</b> https://a.example/<i>", "1", True)

    (text,) = bubbles(sqlite_client)

    assert "<b>" not in text
    assert "<i>" not in text
    assert unescape(re.sub("</?a[^>]*>", "", text)) == "<b>1 & 2</b> https://a.example/<i>"


def test_the_phone_says_what_sign_in_will_ask_for(sqlite_client: FlaskClient, phone: DemoSms) -> None:
    page = sqlite_client.get("/demo/phone/C900001", headers={"Accept-Language": "en"}).get_data(as_text=True)

    assert "The last four of the ID number are 0001." in page
    assert sqlite_client.get("/demo/phone/C999999").status_code == 404


def test_every_sign_in_of_the_staff_page_opens_the_desk(
    sqlite_app: Flask, settings: Settings, sqlite_database: Database, keys: Keys, clock: StandingClock
) -> None:
    installation = Installation(settings=settings, db=sqlite_database, keys=keys, clock=clock)
    for account in seed.ACCOUNTS:
        seed.open_account(installation, account)
        seed.open_account(installation, account)

    page = sqlite_app.test_client().get("/demo/staff").get_data(as_text=True)

    facts = re.findall(r"<dd[^>]*>([^<]*)", page)
    shown = [facts[start : start + 3] for start in range(0, len(facts), 3)]
    assert [login for login, _, _ in shown] == ["hemin", "luoyan", "guoli"]
    for login, password, totp in shown:
        browser = sqlite_app.test_client()
        entered = browser.post("/desk/sign-in", data={"login": login, "password": password, "totp": totp})
        assert (entered.status_code, entered.location) == (303, "/desk"), login


def test_a_portal_in_production_has_none_of_these_pages(
    settings: Settings, sqlite_database: Database, clock: StandingClock
) -> None:
    from app import create_app

    production = replace(
        settings,
        environment="production",
        base_url="https://my.harbour.example",
        sms_gateway="http",
        sms_url="https://sms.example/send",
        sms_secret="an sms secret",
        stripe_api_base=None,
    )
    app = create_app(production, clock=clock, db=sqlite_database)
    portal: Portal = app.extensions["portal"]

    assert isinstance(portal.sms, HttpSms)
    for path in ("/demo/", "/demo/phone", "/demo/phone/C800138", "/demo/staff"):
        assert app.test_client().get(path, base_url=production.base_url).status_code == 404
    with pytest.raises(BadSettings):
        pages.init_app(app)
    with pytest.raises(BadSettings):
        seed.fill(production)
