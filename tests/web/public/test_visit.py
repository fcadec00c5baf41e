"""Is somebody at the door? Before signing in: the code alone tells nothing, five times a day, never genuine too long."""

from __future__ import annotations

import html
import itertools
import re
from datetime import date

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from portal.access.counters import forget_counters, seconds_left
from portal.access.limits import TAIL_WRONG
from portal.db import Database
from portal.keys import Keys
from portal.notices.faces import NoticeFace
from portal.notices.wording import forbidden_words_in
from portal.visits import changes
from portal.visits.models import Officer
from tests import people
from tests.conftest import StandingClock
from tests.visits.door import Announced, announced
from tests.web.borrower.test_balance import text_of

WHO = ("韩晨敏", "G10354", "汇信资产", "15:00")


@pytest.fixture
def visit(database: Database, keys: Keys, client: FlaskClient) -> Announced:
    client.set_cookie("language", "en")
    return database.write(lambda s: announced(s, keys, borrower_id=people.lin(s, keys)))


def ask(client: FlaskClient, visit: Announced, **given: str):  # type: ignore[no-untyped-def]
    return client.post("/visit", data={"code": visit.code, "tail": visit.tail, **given})


def words_on(page: str) -> list[str]:
    return re.findall(r'data-word="(?:visitor|answer)"><b class="said-word">([^<]+)</b>', page)


def test_code_and_end_of_the_mobile_show_who_comes(
    client: FlaskClient, visit: Announced, clock: StandingClock
) -> None:
    answer = ask(client, visit)
    assert answer.status_code == 303
    text = text_of(client, answer.location)
    for words in (
        *WHO,
        "We have announced this visit for today",
        "1 person",
        "Never give money to a visitor",
    ):
        assert words in text
    for never in ("林晓", "海湾路37号", "L-LIN-1", "0034"):
        assert never not in client.get(answer.location).text
    assert words_on(client.get(answer.location).text) == []

    clock.advance(hours=2, minutes=59)
    assert client.get(answer.location).status_code == 200
    clock.advance(minutes=2)
    assert client.get(answer.location).location == "/visit"


def test_both_sides_of_the_door_show_the_same_words_in_turn(
    client: FlaskClient, visit: Announced, clock: StandingClock
) -> None:
    clock.advance(hours=6)
    officer = client.application.test_client()
    people.sign_in_officer(officer)
    officer.set_cookie("language", "en")
    door = ask(client, visit).location
    borrower = client.application.test_client()
    people.sign_in(borrower, visit.borrower_id)
    borrower.set_cookie("language", "en")
    seen = []
    for _ in range(3):
        mine, theirs = client.get(door).text, officer.get("/visiting/V1").text
        assert len(words_on(mine)) == 2
        assert words_on(mine) == words_on(theirs) == words_on(borrower.get("/my/visits/V1").text)
        seen.append(tuple(words_on(mine)))
        clock.advance(minutes=5)
    assert all(a[0] != b[0] and a[1] != b[1] for a, b in itertools.pairwise(seen))


def test_which_to_listen_for_stands_before_which_to_say(
    client: FlaskClient, visit: Announced, clock: StandingClock
) -> None:
    clock.advance(hours=6)
    text = text_of(client, ask(client, visit).location)

    assert text.index("Listen: the visitor must say") < text.index("Only then you answer")
    assert "Never say yours first" in text


def test_the_code_alone_or_with_another_end_tells_nothing(client: FlaskClient, visit: Announced) -> None:
    for given in ({"tail": ""}, {"tail": "0035"}, {"tail": "34"}):
        answer = ask(client, visit, **given)
        assert answer.status_code == 422
        for words in WHO:
            assert words not in answer.text


def test_a_code_is_asked_about_five_times_a_day(
    client: FlaskClient, visit: Announced, clock: StandingClock
) -> None:
    for number in range(20):
        answer = ask(client, visit, tail=f"{number:04}" if number < 4 else visit.tail)
        assert (answer.status_code == 303) == (number == 4)
    assert "often enough for today" in text_of_answer(answer.text)
    clock.advance(days=1)
    assert ask(client, visit).status_code == 303


def test_the_end_of_the_mobile_is_not_found_day_by_day(
    client: FlaskClient, visit: Announced, clock: StandingClock, database: Database
) -> None:
    """Two of its four digits stand on the page of the code, so that a hundred tries would do."""
    database.write(lambda session: session.execute(update(NoticeFace).values(expires_on=date(2027, 12, 31))))
    clock.advance(seconds=seconds_left(TAIL_WRONG, clock.real_now()))  # a month begins
    refused = 0
    for number in range(40):
        if number % 4 == 0:
            clock.advance(days=1)
            database.write(lambda session: forget_counters(session, real_now=clock.real_now()))
        way = "/visit" if number % 2 else "/check/more"
        answer = client.post(way, data={"code": visit.code, "tail": f"{number + 35:02}34"})
        refused += answer.status_code == 422

    assert refused == TAIL_WRONG.most
    assert ask(client, visit).status_code == 200
    assert "often enough" in text_of_answer(ask(client, visit).text)
    clock.advance(days=20)
    assert ask(client, visit).status_code == 303


def text_of_answer(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"status": "withdrawn"}, "no longer counts"),
        ({"code_digest": "x" * 64}, "We have issued no such code"),
    ],
)
def test_only_a_live_code_speaks_for_anybody(
    client: FlaskClient, database: Database, visit: Announced, change: dict[str, str], says: str
) -> None:
    door = ask(client, visit).location
    database.write(lambda s: s.execute(update(NoticeFace).values(**change)))

    answer = ask(client, visit)
    assert says in answer.text
    assert not any(words in answer.text for words in WHO)
    if "status" in change:
        assert client.get(door).location == "/visit"


def test_the_scanned_code_of_another_visit_is_no_proof(client: FlaskClient, visit: Announced) -> None:
    assert ask(client, visit, of="V1").status_code == 303
    other = ask(client, visit, of="V2")
    assert "has not come to you" in other.text
    assert not any(words in other.text for words in WHO)


def test_what_happens_to_the_visit_is_seen_at_once(
    client: FlaskClient, database: Database, visit: Announced, clock: StandingClock
) -> None:
    clock.advance(hours=6)
    door = ask(client, visit).location
    assert words_on(client.get(door).text)
    database.write(lambda s: s.execute(update(Officer).values(status="left")))
    assert "may not visit for us" in text_of(client, door)
    assert words_on(client.get(door).text) == []
    database.write(
        lambda s: changes.refuse(s, borrower_id=visit.borrower_id, visit_ref="V1", now=clock.now())
    )
    assert "This visit is off" in text_of(client, door)


def test_a_made_up_address_leads_to_the_question(client: FlaskClient, visit: Announced) -> None:
    good = ask(client, visit).location.rsplit("/", 1)[1]
    for made_up in (
        "x",
        good[:9] + ("B" if good[9] == "A" else "A") + good[10:],
        good + "A",
        "A" * len(good),
        good + "é",
    ):
        assert client.get(f"/visit/{made_up}").location == "/visit"
        assert client.get(f"/visit/{made_up}/photo/1").status_code == 404
    assert client.get(f"/visit/{good}/photo/1").status_code == 404


@pytest.mark.parametrize("language", ["zh", "zh_Hant", "en"])
def test_every_page_about_a_visit_says_that_no_cash_is_taken(
    client: FlaskClient, visit: Announced, language: str
) -> None:
    """AC16, on every page a borrower has of a visit."""
    people.sign_in(client, visit.borrower_id)
    door = ask(client, visit).location
    client.set_cookie("language", language)
    no_cash = '<path d="M3.5 7h17v10h-17z"/>'
    for path in ("/visit", door, "/my/visits", "/my/visits/V1", "/my/visits/V1/change"):
        page = client.get(path).text
        assert no_cash in page, path
        assert language != "en" or "money to a visitor" in page or "Never pay a visitor" in page, path


@pytest.mark.parametrize("language", ["zh", "zh_Hant", "en"])
def test_nothing_reached_by_the_code_names_a_debt(
    client: FlaskClient, visit: Announced, language: str, clock: StandingClock
) -> None:
    clock.advance(hours=6)
    door = ask(client, visit).location
    client.set_cookie("language", language)
    pages = [client.get("/visit").text, client.get(door).text]
    pages += [ask(client, visit, **given).text for given in ({"tail": "1"}, {"of": "V2"}, {"code": "x"})]
    for page in pages:
        assert forbidden_words_in(text_of_answer(page[page.index("<main") : page.index("</main>")])) == ()


@pytest.mark.parametrize("language", ["zh", "zh_Hant", "en"])
def test_what_does_not_fit_at_the_door_is_reported_without_typing_the_visit(
    client: FlaskClient, visit: Announced, language: str
) -> None:
    people.sign_in(client, visit.borrower_id)
    door = ask(client, visit).location
    client.set_cookie("language", language)
    for path in (door, "/my/visits/V1"):
        page = client.get(path).text
        form = re.search(r'<form[^>]*action="/report/begin">(.*?)</form>', page, re.DOTALL)
        assert form is not None, path
        given = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form[1]))
        opened = client.post(
            "/report/begin", data={name: html.unescape(value) for name, value in given.items()}
        )
        assert opened.status_code == 200
        typed = re.search(r"<textarea[^>]*>(.*?)</textarea>", opened.text, re.DOTALL)
        assert typed is not None
        assert "V1" in typed[1]
        assert "<" not in html.unescape(typed[1])
