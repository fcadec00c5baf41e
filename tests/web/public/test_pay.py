"""The page behind a pay link and the payer's receipt: all of it, in every language, without a word of debt."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from portal.access.limits import PAYMENTS_BEGUN
from portal.access.models import Counter
from portal.accounts.balance import COMPONENTS
from portal.accounts.models import LoanBalance
from portal.db import Database
from portal.gateways.stripe import Checkout, Report
from portal.keys import Keys
from portal.money import Money
from portal.notices.wording import amounts_in, forbidden_words_in
from portal.payments import operations, payers
from portal.payments.models import Payment
from portal.payments.payers import LinkWish
from tests import people
from tests.papers.reading import read
from tests.payments.telling import NOW, OFFERED, lin, said, tell
from tests.web.public.test_third_party import FIELDS, LANGUAGES, readable


@dataclass
class Helper:
    """Somebody with links of Lin's, without any session."""

    client: FlaskClient
    database: Database
    keys: Keys
    borrower_id: int
    made: int = 0

    def link(self, **changes: Any) -> payers.LinkView:
        self.made += 1
        wish = LinkWish("L-LIN-1", "fixed", Money(30_000, "CNY"), 14, "姐姐", f"form-{self.made}")
        wish = replace(wish, **changes)
        reference = self.database.write(
            lambda session: payers.make_link(
                session,
                keys=self.keys,
                borrower_id=self.borrower_id,
                wish=wish,
                today=people.BUSINESS_DATE,
                now=NOW,
            )
        )
        with self.database.read() as connection:
            links = payers.links_for(connection, self.keys, self.borrower_id, today=people.BUSINESS_DATE)
        return next(link for link in links if link.reference == reference)

    def begun(self, link: payers.LinkView) -> operations.Attempt:
        def unit(session: Any) -> operations.Attempt:
            attempt = payers.begin(
                session,
                keys=self.keys,
                token=link.token,
                amount=None,
                form_key="k",
                offered=OFFERED,
                today=people.BUSINESS_DATE,
                now=NOW,
                real_now=NOW,
            )
            checkout = Checkout("cs_1", "http://localhost:9999/c/cs_1", None)
            operations.opened(
                session, payment_id=attempt.payment_id, checkout=checkout, real_now=NOW, now=NOW
            )
            return attempt

        return self.database.write(unit)

    def receipt(self, reference: str, query: str = "") -> TestResponse:
        return self.client.get(payers.receipt_path(self.keys, reference) + query)


@pytest.fixture
def helper(sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys) -> Helper:
    return Helper(sqlite_client, sqlite_database, keys, lin(sqlite_database, keys))


def surfaces(helper: Helper) -> list[TestResponse]:
    """Every page a helper can come to, in every state."""
    fixed, up_to, closed = helper.link(), helper.link(kind="up_to"), helper.link()
    helper.database.write(
        lambda session: payers.revoke(
            session, borrower_id=helper.borrower_id, reference=closed.reference, now=NOW
        )
    )
    pages = [helper.client.get(f"/pay/{one.token}") for one in (fixed, up_to, closed)]
    pages += [helper.client.get("/pay/x"), helper.client.get("/pay/" + "0" * 26)]
    pages.append(helper.client.post(f"/pay/{up_to.token}", data={"how_much": "x", "form_key": "a"}))
    pages.append(helper.client.post(f"/pay/{up_to.token}", data={"how_much": "300.01", "form_key": "b"}))
    pages.append(helper.client.post(f"/pay/{closed.token}", data={"form_key": "c"}))
    attempt = helper.begun(fixed)
    pages += [helper.receipt(attempt.reference), helper.receipt(attempt.reference, "?back=1")]
    tell(helper.database, helper.keys, said(attempt, Report.PAID))
    pages.append(helper.receipt(attempt.reference))
    for state in ("part_refund", "refunded", "disputed"):
        helper.database.write(lambda session, to=state: session.execute(update(Payment).values(state=to)))
        pages.append(helper.receipt(attempt.reference))
    helper.database.write(
        lambda session: session.execute(update(Payment).values(state="failed", succeeded_at=None))
    )
    pages.append(helper.receipt(attempt.reference))
    return pages


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_helper_reads_no_word_of_debt_no_field_and_no_other_sum(helper: Helper, language: str) -> None:
    helper.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = language
    for page in surfaces(helper):
        text = re.sub(r"/[0-9A-HJKMNP-TV-Z]{26}|[0-9a-f]{26}|P-[0-9A-Z-]{10}", "", readable(page))
        text = text.replace('<span class="dec">', "")
        assert forbidden_words_in(text) == (), page.request.path
        for own in ("300.00", "300.01", "850.50"):  # what to pay, what was typed, the example of the error
            text = text.replace(own, "")
        assert amounts_in(text) == (), page.request.path
        assert [field for field in FIELDS if field in text] == [], page.request.path
        assert "姐姐" not in text
        assert "Set-Cookie" not in page.headers


def test_a_closed_link_and_one_that_never_was_are_the_same_page(helper: Helper) -> None:
    link = helper.link()
    helper.database.write(
        lambda session: payers.revoke(
            session, borrower_id=helper.borrower_id, reference=link.reference, now=NOW
        )
    )

    closed, never = helper.client.get(f"/pay/{link.token}"), helper.client.get("/pay/" + "0" * 26)

    assert (closed.status_code, closed.text.replace(link.token, "0" * 26)) == (200, never.text)


def test_what_is_too_much_or_no_amount_is_said_at_the_field(helper: Helper) -> None:
    helper.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    link = helper.link(kind="up_to")

    much = helper.client.post(f"/pay/{link.token}", data={"how_much": "300.01", "form_key": "b"})
    none = helper.client.post(f"/pay/{link.token}", data={"how_much": "", "form_key": "b"})

    assert (much.status_code, none.status_code) == (422, 422)
    assert "At most ¥300.00 can be paid with this link." in much.text
    with helper.database.read() as connection:
        assert connection.scalars(select(Payment.id)).all() == []


@pytest.mark.parametrize("kind", ["up_to", "fixed"])
def test_what_is_left_of_the_loan_is_not_told_to_whoever_holds_a_link(helper: Helper, kind: str) -> None:
    helper.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    link = helper.link(kind=kind)
    parts = {f"{name}_{what}_minor": 0 for name in COMPONENTS for what in ("owed", "paid", "forgiven")}
    left = {**parts, "principal_owed_minor": 12_345, "principal_due_minor": 0, "due_now_minor": 0}
    helper.database.write(lambda session: session.execute(update(LoanBalance).values(left)))

    page = helper.client.post(f"/pay/{link.token}", data={"how_much": "299.00", "form_key": "b"})

    assert page.status_code == 422
    assert "cannot be paid with the link any more" in page.text
    assert "123.45" not in readable(page)


def test_a_provider_that_does_not_answer_is_said_and_the_same_form_goes_on_later(helper: Helper) -> None:
    link = helper.link()

    answer = helper.client.post(f"/pay/{link.token}", data={"form_key": "b"})
    again = helper.client.post(f"/pay/{link.token}", data={"form_key": "b"})

    assert (answer.status_code, again.status_code) == (503, 503)
    with helper.database.read() as connection:
        assert connection.scalars(select(Payment.amount_minor)).all() == [30_000]


def test_five_hundred_beginnings_from_one_network_end_at_ten(helper: Helper) -> None:
    link = helper.link()
    answers = [
        helper.client.post(f"/pay/{link.token}", data={"form_key": f"k{number}"}).status_code
        for number in range(PAYMENTS_BEGUN.most + 5)
    ]

    assert answers.count(429) == 5
    assert answers[: PAYMENTS_BEGUN.most].count(429) == 0


def test_invented_links_are_counted_by_their_network_alone(helper: Helper) -> None:
    for number in range(PAYMENTS_BEGUN.most + 30):
        helper.client.post(f"/pay/{number:026d}", data={"form_key": "k"})

    with helper.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(Counter)) == PAYMENTS_BEGUN.most + 1


def test_many_networks_begin_no_more_with_one_link_than_one_does(helper: Helper) -> None:
    link = helper.link()
    answers = [
        helper.client.post(
            f"/pay/{link.token}",
            data={"form_key": f"k{number}"},
            environ_base={"REMOTE_ADDR": f"203.0.113.{number}"},
        ).status_code
        for number in range(PAYMENTS_BEGUN.most + 5)
    ]

    assert answers.count(429) == 5


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_receipt_on_paper_says_the_sum_and_the_day_and_nothing_of_a_debt(
    helper: Helper, language: str
) -> None:
    attempt = helper.begun(helper.link())
    address = payers.receipt_path(helper.keys, attempt.reference)
    assert helper.client.post(f"{address}/paper").status_code == 404
    tell(helper.database, helper.keys, said(attempt, Report.PAID))
    helper.client.set_cookie("language", language)
    assert f'action="{address}/paper"' in helper.receipt(attempt.reference).text

    places = [helper.client.post(f"{address}/paper").location for _ in range(2)]

    assert places == [f"{address}/paper.pdf"] * 2
    made = helper.client.get(places[0]).data
    assert helper.client.get(places[0]).data == made
    paper = read(made)
    assert len(paper.pages) == 1
    assert attempt.reference in paper.solid
    assert not forbidden_words_in(paper.text)
    assert {one[-6:] for one in re.findall(r"[0-9][0-9,]*\.[0-9]{2}", paper.solid)} == {"300.00"}
    assert "L-LIN" not in paper.text
    (held,) = paper.attached.values()
    assert b"L-LIN" not in held
    content = json.loads(held)["content"]
    assert set(content) == {"kind", "version", "issuer", "payment", "currency", "amount", "received_on"}
    assert helper.client.get(f"{address[:-1]}x/paper.pdf").status_code == 404


def test_the_receipt_needs_its_key(helper: Helper) -> None:
    attempt = helper.begun(helper.link())

    assert helper.receipt(attempt.reference).status_code == 200
    assert helper.client.get(f"/pay/receipt/{attempt.reference}/{'0' * 26}").status_code == 404
    assert helper.client.post(f"/pay/receipt/{attempt.reference}/{'0' * 26}").status_code == 404
