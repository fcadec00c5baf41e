"""What kind of message it is, and a visit's hour: after the end of the mobile only, and never whether a code is known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from portal.access import codes
from portal.db import Database
from portal.keys import Keys
from portal.notices.faces import NoticeFace
from portal.notices.operations import MintedCode
from portal.notices.wording import amounts_in, forbidden_words_in
from portal.settings import Checks
from portal.visits.models import Visit
from tests import people
from tests.conftest import StandingClock
from tests.notices.made import minted, notice
from tests.visits.door import Announced, announced
from tests.web.public.test_check import statements

UNKNOWN = codes.with_check("7KQF3MWD2A9R")
UNKNOWN_TOKEN = "Z" * 26
KINDS = {
    "sms": "A text message",
    "call": "A phone call",
    "letter": "A letter on paper",
    "lawyer_letter": "A letter written by a lawyer for us",
}


@pytest.fixture
def lin(database: Database, keys: Keys, client: FlaskClient) -> int:
    client.set_cookie("language", "en")
    return database.write(lambda session: people.lin(session, keys))


@pytest.fixture
def visit(database: Database, keys: Keys, lin: int) -> Announced:
    return database.write(lambda s: announced(s, keys, borrower_id=lin))


def of(database: Database, keys: Keys, borrower_id: int, channel: str) -> MintedCode:
    number = database.write(
        lambda s: notice(s, borrower_id=borrower_id, notice_ref=f"N-{channel}", channel=channel)
    )
    return minted(database, keys, number)


def ask(client: FlaskClient, code: str, tail: str = "0034"):  # type: ignore[no-untyped-def]
    return client.post("/check/more", data={"code": code, "tail": tail})


@pytest.mark.parametrize("channel", sorted(KINDS))
def test_the_kind_is_told_by_code_and_by_link(
    client: FlaskClient, database: Database, keys: Keys, lin: int, channel: str
) -> None:
    made = of(database, keys, lin, channel)

    for page in (
        ask(client, codes.grouped(made.code).lower(), " 00 34 "),
        client.post(f"/n/{made.token}/more", data={"tail": "0034"}),
    ):
        assert page.status_code == 200
        assert f'id="kind">{KINDS[channel]}<' in page.text
        for never in ("林晓", "0034", "L-LIN-1", "20,704", "海湾路"):
            assert never not in page.text


def test_of_a_visit_the_day_and_hour_too(client: FlaskClient, database: Database, visit: Announced) -> None:
    page = ask(client, visit.code).text
    assert "An announced visit" in page
    assert "15:00" in page
    assert "韩晨敏" not in page

    database.write(lambda s: s.execute(update(Visit).values(state="cancelled")))
    off = ask(client, visit.code).text
    assert "This visit is off" in off
    assert "15:00" not in off


def test_the_wrong_end_and_an_unknown_code_get_the_same_answer(
    client: FlaskClient, database: Database, keys: Keys, lin: int
) -> None:
    made = of(database, keys, lin, "letter")

    def shape(code: str, tail: str) -> tuple[int, str]:
        page = ask(client, code, tail)
        return page.status_code, page.text.replace(code, "CODE")

    assert shape(made.code, "0035") == shape(UNKNOWN, "0035") == shape(UNKNOWN, "0034")
    link = client.post(f"/n/{made.token}/more", data={"tail": "0035"})
    unknown = client.post(f"/n/{UNKNOWN_TOKEN}/more", data={"tail": "0034"})
    assert link.status_code == unknown.status_code == 422
    assert link.text.replace(made.token, "T") == unknown.text.replace(UNKNOWN_TOKEN, "T")
    assert "Letter" not in shape(made.code, "0035")[1].replace("Letter, text", "")


def test_known_and_unknown_cost_the_same_statements(
    client: FlaskClient, database: Database, keys: Keys, lin: int
) -> None:
    made = of(database, keys, lin, "letter")
    found = []
    for code, tail in ((made.code, "0035"), (UNKNOWN, "0035"), (made.code, "0034")):
        with statements(database) as run:
            ask(client, code, tail)
        found.append(list(run))

    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("change", [{"status": "withdrawn"}, {"expires_on": "2026-11-19"}])
def test_only_a_code_in_force_tells_its_kind(
    client: FlaskClient, database: Database, keys: Keys, lin: int, change: dict[str, object]
) -> None:
    made = of(database, keys, lin, "letter")
    values = {name: date.fromisoformat(str(v)) if name == "expires_on" else v for name, v in change.items()}
    database.write(lambda s: s.execute(update(NoticeFace).values(**values)))

    assert ask(client, made.code).status_code == 422


def test_a_code_is_asked_about_five_times_a_day_from_wherever(
    client: FlaskClient, database: Database, keys: Keys, lin: int, clock: StandingClock
) -> None:
    made = of(database, keys, lin, "letter")
    for n in range(5):
        client.environ_base["REMOTE_ADDR"] = f"203.0.113.{n}"
        assert ask(client, made.code, f"{n:04}").status_code == 422
    assert "often enough for today" in ask(client, made.code).text
    clock.advance(days=1)
    assert ask(client, made.code).status_code == 200


def test_wrong_ends_count_for_the_network_too(client: FlaskClient, lin: int) -> None:
    pages = [
        ask(client, codes.with_check(f"{n:012}".replace("O", "0")), "1234").status_code for n in range(31)
    ]

    assert pages == [422] * 30 + [429]


@pytest.mark.parametrize("language", ["zh", "zh_Hant", "en"])
def test_no_word_of_debt_even_then(
    client: FlaskClient, database: Database, keys: Keys, lin: int, language: str
) -> None:
    client.set_cookie("language", language)
    shown = [ask(client, of(database, keys, lin, channel).code).text for channel in KINDS]
    visit = database.write(lambda s: announced(s, keys, borrower_id=lin))
    shown += [ask(client, visit.code).text, client.get("/check/more").text, ask(client, UNKNOWN).text]
    for page in shown:
        text = re.sub(r"<[^>]+>", " ", page)
        assert forbidden_words_in(text) == ()
        assert amounts_in(text) == ()


@contextmanager
def lines(client: FlaskClient, checks: Checks) -> Iterator[None]:
    """The bank draws its lines otherwise for a while."""
    app = client.application
    before = app.extensions["portal"]
    bank = replace(before.settings.bank, checks=checks)
    app.extensions["portal"] = replace(before, settings=replace(before.settings, bank=bank))
    try:
        yield
    finally:
        app.extensions["portal"] = before


@pytest.mark.parametrize("way", ["typed", "text", "number", "visitor", "not_me"])
def test_behind_a_shared_address_every_door_asks_for_the_mobiles_end_and_then_answers(
    client: FlaskClient, database: Database, keys: Keys, lin: int, way: str
) -> None:
    """AC17 where many people have one address: whoever has only a list learns nothing, the holder is answered."""
    made = [
        minted(database, keys, database.write(lambda s, n=n: notice(s, borrower_id=lin, notice_ref=f"S{n}")))
        for n in range(5)
    ]
    forms = {
        "typed": ("/check", lambda code: {"code": code}),
        "text": (
            "/check/text",
            lambda code: {"text": f"您有一份服务通知，查询码{code}。请自行输入my.harbour.example核实。"},
        ),
        "number": ("/check/number", lambda code: {"number": "4000000001", "time": "14:30", "code": code}),
        "visitor": ("/check/visitor", lambda code: {"staff": "G1", "code": code}),
        "not_me": ("/not-me", lambda code: {"reference": code}),
    }
    path, form = forms[way]
    with lines(client, Checks(real_codes_per_network=3)):
        for one in made[:3]:
            client.post("/check", data={"code": one.code})
        asked = client.post(path, data=form(made[3].code))
        unknown = client.post(path, data=form(UNKNOWN))
        assert "One more thing" in asked.text
        assert asked.status_code == 200
        assert asked.text.replace(made[3].code, "C") == unknown.text.replace(UNKNOWN, "C")
        wrong = client.post(path, data={**form(made[3].code), "tail": "0035"})
        guess = client.post(path, data={**form(UNKNOWN), "tail": "0034"})
        assert wrong.status_code == guess.status_code == 422
        assert wrong.text.replace(made[3].code, "C") == guess.text.replace(UNKNOWN, "C")
        told = client.post(path, data={**form(made[3].code), "tail": "0034"})
        assert told.status_code == 200
        assert "One more thing" not in told.text


def test_the_page_that_asks_keeps_what_was_typed(
    client: FlaskClient, database: Database, keys: Keys, lin: int
) -> None:
    made = of(database, keys, lin, "letter")
    with lines(client, Checks(real_codes_per_network=3)):
        for n in range(4):
            one = database.write(lambda s, n=n: notice(s, borrower_id=lin, notice_ref=f"S{n}"))
            client.post("/check", data={"code": minted(database, keys, one).code})
        page = client.post(
            "/check/visitor", data={"staff": "G10354", "agency": "汇信", "code": made.code}
        ).text

    for name, value in (("staff", "G10354"), ("agency", "汇信"), ("code", made.code)):
        assert f'name="{name}" value="{value}"' in page
