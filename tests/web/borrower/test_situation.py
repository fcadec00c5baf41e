"""My situation as a borrower walks through it, without script, on both databases."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.hardship import queries
from tests import people
from tests.documents import corpus


class Walk:
    """Lin signed in."""

    def __init__(self, client: FlaskClient, *, language: str = "en") -> None:
        self.client = client
        client.application.config["PROPAGATE_EXCEPTIONS"] = True
        self.portal = client.application.extensions["portal"]
        self.lin = self.portal.db.write(
            lambda session: people.lin(session, self.portal.keys, language=language)
        )
        self.csrf = people.sign_in(client, self.lin)

    def get(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.status
        return answer.get_data(as_text=True)

    def post(self, path: str, **fields: object) -> TestResponse:
        return self.client.post(path, data={"csrf_token": self.csrf, **fields})

    def draft(self) -> queries.ReportView | None:
        with self.portal.db.read() as connection:
            return queries.draft_for(connection, self.portal.keys, self.lin)

    def fill_in(self) -> None:
        self.post("/my/situation/reason", reason="income_lost", story="The factory closed.")
        self.post("/my/situation/income", salary="6,200")
        self.post("/my/situation/spending", food="２５００", rent="900元")


@pytest.fixture
def walk(client: FlaskClient) -> Walk:
    return Walk(client)


def test_the_whole_way_from_the_first_page_to_the_reference(walk: Walk) -> None:
    assert 'href="/my/situation/reason"' in walk.get("/my/situation")

    reason = walk.post("/my/situation/reason", reason="income_lost", story="The factory closed.")
    income = walk.post("/my/situation/income", salary="6,200")
    spending = walk.post("/my/situation/spending", food="２５００", rent="900元")
    check = walk.get("/my/situation/check")
    sent = walk.post("/my/situation/check", form_key="k1")

    assert [answer.headers["Location"] for answer in (reason, income, spending)] == [
        "/my/situation/income",
        "/my/situation/spending",
        "/my/documents",
    ]
    for shown in ("The factory closed.", "6,200.00", "2,500.00", "900.00", "2,800.00"):
        assert shown in check
    assert "does not acknowledge the debt" in check
    receipt = walk.get(sent.headers["Location"])
    assert re.search(r"H-[0-9A-Z]{4}-[0-9A-Z]{5}", receipt)
    assert "Propose a plan" in receipt
    assert "Your last report" in walk.get("/my/situation")


def test_the_same_form_sent_twice_ends_at_the_same_receipt(walk: Walk) -> None:
    walk.fill_in()

    first = walk.post("/my/situation/check", form_key="k1")
    second = walk.post("/my/situation/check", form_key="k1")

    assert first.headers["Location"] == second.headers["Location"]
    assert first.headers["Location"].startswith("/my/situation/sent/")


def test_a_draft_is_still_there_on_another_day(walk: Walk) -> None:
    walk.post("/my/situation/reason", reason="illness", story="Long ill <b>")
    walk.post("/my/situation/income", salary="6200")

    assert "Long ill &lt;b&gt;" in walk.get("/my/situation/reason")
    assert 'value="6200.00"' in walk.get("/my/situation/income")
    assert 'href="/my/situation/spending"' in walk.get("/my/situation")


def test_a_card_number_in_the_story_is_refused_kept_nowhere_and_stays_on_the_page(
    walk: Walk, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = walk.post("/my/situation/reason", reason="other", story="4111 1111 1111 1111 please")

    text = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "looks like a card number" in text
    assert "4111 1111 1111 1111 please" in text
    assert walk.draft() is None
    captured = capfd.readouterr()
    assert "4111" not in captured.out + captured.err


def test_wrong_amounts_are_named_and_the_others_are_kept(walk: Walk) -> None:
    answer = walk.post("/my/situation/income", salary="6,200", pension="about 300", business="-5")

    text = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert 'value="about 300"' in text
    assert 'href="#pension"' in text
    assert 'href="#business"' in text
    assert 'href="#salary"' not in text
    draft = walk.draft()
    assert draft is not None
    assert [(line.label, line.amount.minor) for line in draft.lines] == [("salary", 620_000)]


def test_a_page_left_empty_is_asked_again_and_nought_is_an_answer(walk: Walk) -> None:
    assert "If there is none, enter 0" in walk.post("/my/situation/income").get_data(as_text=True)
    assert walk.post("/my/situation/income", salary="0").status_code == 303


def test_no_choice_is_said_at_the_field(walk: Walk) -> None:
    text = walk.post("/my/situation/reason", story="words stay").get_data(as_text=True)

    assert 'href="#reason"' in text
    assert "words stay" in text


def test_what_is_missing_is_listed_with_links_and_nothing_is_sent(walk: Walk) -> None:
    walk.post("/my/situation/reason", reason="income_lost")

    text = walk.post("/my/situation/check", form_key="k").get_data(as_text=True)

    assert 'href="/my/situation/income"' in text
    assert 'href="/my/situation/spending"' in text
    assert walk.draft() is not None


def test_health_is_sent_only_with_its_own_agreement(walk: Walk) -> None:
    walk.fill_in()
    walk.post("/my/situation/reason", reason="illness", story="In hospital since May.")
    assert 'name="consent"' in walk.get("/my/situation/check")

    without = walk.post("/my/situation/check", form_key="k")
    agreed = walk.post("/my/situation/check", form_key="k", consent="y")

    assert 'href="#consent"' in without.get_data(as_text=True)
    assert agreed.status_code == 303


def test_nothing_left_over_is_met_with_words_not_an_error(walk: Walk) -> None:
    walk.post("/my/situation/reason", reason="income_lost")
    walk.post("/my/situation/income", salary="0")
    walk.post("/my/situation/spending", food="1000")

    assert "Nothing is left over in a month" in walk.get("/my/situation/check")
    assert walk.post("/my/situation/check", form_key="k").status_code == 303


def test_the_pages_speak_chinese(client: FlaskClient) -> None:
    walk = Walk(client, language="zh")

    for path in ("/my/situation", "/my/situation/reason", "/my/situation/income", "/my/documents"):
        assert '<html lang="zh-CN"' in walk.get(path)


def test_another_borrowers_receipt_is_not_there(walk: Walk) -> None:
    walk.fill_in()
    receipt = walk.post("/my/situation/check", form_key="k").headers["Location"]
    zhao = walk.portal.db.write(lambda session: people.zhao(session, walk.portal.keys))
    people.sign_in(walk.client, zhao)

    assert walk.client.get(receipt).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/my/situation",
        "/my/situation/reason",
        "/my/situation/income",
        "/my/situation/spending",
        "/my/situation/check",
        "/my/documents",
    ],
)
def test_strangers_are_sent_to_sign_in(sqlite_client: FlaskClient, path: str) -> None:
    assert sqlite_client.get(path).status_code == 303
    assert sqlite_client.post(path).status_code in (303, 403, 405)


def test_the_check_page_lists_the_papers(walk: Walk) -> None:
    walk.fill_in()
    walk.client.post(
        "/my/documents",
        data={
            "csrf_token": walk.csrf,
            "form_key": "k",
            "kind": "income_proof",
            "files": (corpus.io.BytesIO(corpus.picture()), "slip.jpg"),
        },
    )

    text = walk.get("/my/situation/check")

    assert "slip.jpg" in text
    assert "Proof of income" in text
