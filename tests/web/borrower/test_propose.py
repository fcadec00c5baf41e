"""Proposing: offers, one's own plan, the rules' words, errors at fields, and one receipt per form."""

from __future__ import annotations

import re
import threading
from datetime import date
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from portal.accounts.models import Loan, LoanBalance
from portal.contacts.queries import holds_in_force
from portal.db import Database
from portal.hardship.models import BudgetLine, HardshipReport
from portal.keys import Keys
from portal.plans.models import Negotiation, Plan, PlanLoan, Proposal
from portal.plans.terms import Terms
from tests import people
from tests.conftest import BANK_MORNING
from tests.web.borrower.test_balance import statements, text_of

#: Lin's own plan of 1,000.00 a month, as the first page sends it on
WISH = {
    "sent": "1",
    "plan": "own",
    "amount": "1,000",
    "day": "18",
    "frequency": "monthly",
    "loans": ["L-LIN-1", "C-LIN-1"],
    "currency": "CNY",
}


def month(session: Session, borrower_id: int, *, income: int, spending: int) -> None:
    """A report that was sent, with a month in minor units."""
    report = HardshipReport(
        created_at=BANK_MORNING,
        reference=f"H-{borrower_id}",
        borrower_id=borrower_id,
        reason="income_less",
        updated_at=BANK_MORNING,
        submitted_at=BANK_MORNING,
    )
    session.add(report)
    session.flush()
    for place, (label, kind, minor) in enumerate(
        (("salary", "income", income), ("food", "spending", spending))
    ):
        session.add(
            BudgetLine(
                report_id=report.id,
                label=label,
                kind=kind,
                position=place,
                amount_minor=minor,
                currency="CNY",
            )
        )


@pytest.fixture
def lin(database: Database, keys: Keys) -> int:
    """Lin, 18,270.00 due now, 2,800.00 left each month."""

    def unit(session: Session) -> int:
        borrower_id = people.lin(session, keys, language="en")
        people.zhao(session, keys)
        month(session, borrower_id, income=620_000, spending=340_000)
        return borrower_id

    return database.write(unit)


def get(client: FlaskClient, page: str = "", **changed: Any) -> TestResponse:
    """The first page (or its preview or check) with Lin's wish, changed."""
    wish = {name: value for name, value in {**WISH, **changed}.items() if value is not None}
    return client.get(f"/my/plan/propose{page}", query_string=wish)


def words(answer: TestResponse) -> str:
    """What a reader reads."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"</?(span|b)[^>]*>", "", answer.text)))


def send(client: FlaskClient, token: str, form_key: str = "k1", **changed: Any) -> TestResponse:
    """Send Lin's wish, changed."""
    wish = {name: value for name, value in {**WISH, **changed}.items() if value is not None}
    return client.post("/my/plan/propose/send", data={**wish, "csrf_token": token, "form_key": form_key})


def test_three_offers_pass_and_say_their_share(client: FlaskClient, lin: int) -> None:
    people.sign_in(client, lin)
    page = client.get("/my/plan/propose")
    assert page.status_code == 200
    text = words(page)
    assert "¥304.50 × 60 instalments Last one ¥304.50" in text
    assert text.count("can pass") == 3
    assert "11% of what is left" in text
    assert 'value="60" checked' in page.text


def test_an_own_amount_decides_the_count_and_the_answer_says_it_passes(client: FlaskClient, lin: int) -> None:
    people.sign_in(client, lin)
    text = words(get(client))
    assert "¥1,000.00 each time, 19 instalments" in text
    assert "It meets the bank's rules." in text
    assert "36%" in text
    assert "19 2028-06-19 18 Jun is a Sunday: moved 270.00 0.00" in text


@pytest.mark.parametrize("typed", ["1000", "１，０００", "1,000.00", " ¥1 000 ", "1000元"])
def test_amounts_are_understood_as_people_type_them(client: FlaskClient, lin: int, typed: str) -> None:
    people.sign_in(client, lin)
    answer = get(client, amount=typed)
    assert "¥1,000.00 each time, 19 instalments" in words(answer)


def test_what_breaks_the_rules_is_said_all_at_once_with_the_nearest_plans(
    client: FlaskClient, lin: int
) -> None:
    people.sign_in(client, lin)
    answer = get(client, amount="99")
    text = words(answer)
    assert "¥99.00 each time, 185 instalments" in text
    for said in (
        "at most 60 instalments, this is 125 more",
        "must be at least ¥100.00; here it is ¥99.00",
        "it must end by",
    ):
        assert said in text
    near = re.findall(r'<a class="btn near[^"]*" href="([^"]+)"', answer.text)
    assert near
    for address in near:
        mended = words(client.get(address.replace("&amp;", "&")))
        assert "It meets the bank's rules." in mended


def test_more_than_half_asks_for_a_comment_and_keeps_everything_typed(
    client: FlaskClient, database: Database, lin: int
) -> None:
    token = people.sign_in(client, lin)
    assert "more than 50%" in words(get(client, amount="2000"))
    checked = get(client, "/check", amount="2000")
    assert "How will you manage this payment?" in checked.text
    refused = send(client, token, amount="2000", comment="  ")
    assert refused.status_code == 422
    assert "Say in a sentence or two how you will manage this payment." in refused.text
    assert 'name="amount" value="2000.00"' in refused.text
    assert 'name="form_key" value="k1"' in refused.text
    sent = send(client, token, amount="2000", comment="My brother helps.")
    assert sent.status_code == 303
    with database.read() as connection:
        assert connection.scalar(select(Proposal.comment)) == "My brother helps."


def test_errors_stand_at_their_fields_and_nothing_typed_is_lost(client: FlaskClient, lin: int) -> None:
    people.sign_in(client, lin)
    answer = get(client, amount="12,34", day="31", upfront="-5")
    page = answer.text
    for field, words_ in (
        ("amount", "Enter the amount as digits with at most two decimals"),
        ("day", "Choose a day from 1 to 28: every month has these."),
        ("upfront", "Enter an amount above zero."),
    ):
        assert re.search(rf'id="{field}-error">{re.escape(words_)}', page), field
        assert f'<a href="#{field}">' in page
    assert 'value="12,34"' in page
    assert 'value="31"' in page


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"amount": ""}, "Enter an amount, or the number of instalments."),
        ({"count": "12"}, "Enter either an amount or a number of instalments, not both."),
        (
            {"amount": "", "count": "twelve"},
            "Enter the number of instalments as a whole number, for example 24.",
        ),
        ({"amount": "", "count": "0"}, "Enter the number of instalments as a whole number, for example 24."),
        (
            {"amount": "", "count": "12", "step_count": "3"},
            "Enter both: how many instalments, and how much each.",
        ),
        ({"loans": []}, "Choose at least one loan account."),
    ],
)
def test_each_mistake_has_its_words(
    client: FlaskClient, lin: int, changed: dict[str, Any], said: str
) -> None:
    people.sign_in(client, lin)
    answer = get(client, **changed)
    assert answer.status_code == 200
    assert said in answer.text
    refused = get(client, "/check", **changed)
    assert refused.status_code == 422
    assert said in refused.text


def test_lower_instalments_first_and_an_upfront_payment(client: FlaskClient, lin: int) -> None:
    people.sign_in(client, lin)
    stepped = words(get(client, "/check", amount=None, count="24", step_count="6", step_amount="200"))
    assert "First 6 instalments of ¥200.00 then 18 of ¥948.33" in stepped
    upfront = words(get(client, amount="1000", upfront="270"))
    assert "¥270.00 first, then ¥1,000.00, 18 instalments" in upfront


def test_waived_fees_lower_what_is_paid_and_two_people_decide(client: FlaskClient, lin: int) -> None:
    people.sign_in(client, lin)
    text = words(get(client, waive=["fee"]))
    assert "In all ¥18,220.00" in text
    assert "Asked to be waived: ¥50.00." in text
    assert "two people decide on it" in text


def test_the_check_page_says_what_sending_means_and_offers_to_ask_without(
    client: FlaskClient, lin: int
) -> None:
    people.sign_in(client, lin)
    text = words(get(client, "/check"))
    assert "Sending a proposal acknowledges the debt." in text
    assert "3 years" in text
    assert "Ask without acknowledging" in text


def test_the_check_page_names_a_loan_that_may_be_too_old_to_claim(
    client: FlaskClient, database: Database, lin: int
) -> None:
    ended = update(Loan).where(Loan.loan_ref == "L-LIN-1").values(matures_on=date(2020, 1, 15))
    database.write(lambda session: session.execute(ended))
    people.sign_in(client, lin)

    text = words(get(client, "/check"))

    assert "L-LIN-1 was due in full on 15 January 2020, longer ago than that." in text
    assert "C-LIN-1 was due in full" not in text


def test_a_wish_that_cannot_be_sent_says_why_and_keeps_everything_typed(
    client: FlaskClient, lin: int
) -> None:
    people.sign_in(client, lin)
    answer = get(client, "/check", amount="99")
    assert answer.status_code == 422
    assert "The bank cannot agree to this plan" in answer.text
    assert 'name="amount" value="99"' in answer.text
    assert len(re.findall(r'name="loans"[^>]* checked', answer.text)) == 2


def test_the_preview_says_what_is_wrong_with_what_was_typed(client: FlaskClient, lin: int) -> None:
    people.sign_in(client, lin)
    assert "at most two decimals" in get(client, "/preview", amount="abc").text
    assert "Choose a day from 1 to 28" in get(client, "/preview", day="31").text
    assert "Enter an amount, or" not in get(client, "/preview", amount="").text


def test_the_receipt_tells_the_lower_instalments_from_the_later_ones(client: FlaskClient, lin: int) -> None:
    token = people.sign_in(client, lin)
    sent = send(client, token, amount="", count="24", step_count="6", step_amount="200")
    for address in (sent.location, "/my/plan"):
        text = words(client.get(address, follow_redirects=True))
        assert "First 6 instalments of ¥200.00 then 18 of ¥948.33" in text


def test_sending_gives_a_signed_receipt_and_pauses_collection(
    portal_app: Flask, client: FlaskClient, database: Database, lin: int
) -> None:
    token = people.sign_in(client, lin)
    answer = send(client, token)
    assert answer.status_code == 303
    with database.read() as connection:
        row = connection.execute(
            select(Proposal.reference, Proposal.terms_text, Proposal.receipt_signature)
        ).one()
        holds = holds_in_force(connection, lin, now=BANK_MORNING)
    assert answer.location.endswith(f"/my/plan/receipt/{row.reference}")
    assert Terms.parse(row.terms_text).payable.plain() == "18270.00"
    assert row.receipt_signature
    assert [hold.reason for hold in holds] == ["proposal_open"]
    text = text_of(client, answer.location)
    assert f"Reference {row.reference}" in text
    assert "Answer by 27 November 2026 at the latest. 5 working days left." in text
    assert "You already have a proposal with the bank." in client.get("/my/plan/propose").text
    assert "Your proposal is with the bank." in client.get("/my/balance").text


def test_the_same_form_sent_twice_gives_the_same_receipt(
    client: FlaskClient, database: Database, lin: int
) -> None:
    token = people.sign_in(client, lin)
    first, second = send(client, token), send(client, token, amount="900")
    assert first.location == second.location
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(Proposal)) == 1


def test_a_double_click_at_the_same_moment_sends_once(
    portal_app: Flask, database: Database, lin: int
) -> None:
    barrier = threading.Barrier(4)
    answers: list[TestResponse] = []

    def click(browser: FlaskClient, token: str) -> None:
        barrier.wait()
        answers.append(send(browser, token))

    browsers = [portal_app.test_client() for _ in range(4)]
    tokens = [people.sign_in(browser, lin) for browser in browsers]
    threads = [threading.Thread(target=click, args=pair) for pair in zip(browsers, tokens, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [303] * 4
    assert len({answer.location for answer in answers}) == 1
    assert "/my/plan/receipt/" in answers[0].location
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(Proposal)) == 1
        assert connection.scalar(select(func.count()).select_from(Negotiation)) == 1


def test_a_form_without_a_key_or_token_sends_nothing(
    client: FlaskClient, database: Database, lin: int
) -> None:
    token = people.sign_in(client, lin)
    assert send(client, token, form_key="").status_code == 400
    assert send(client, "wrong").status_code == 403
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(Proposal)) == 0


def test_a_tampered_loan_is_not_taken_in(client: FlaskClient, database: Database, lin: int) -> None:
    token = people.sign_in(client, lin)
    answer = send(client, token, loans=["L-LIN-1", "L-ZHAO-1"])
    assert answer.status_code == 422
    assert "One of the loan accounts is not yours." in words(answer)
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(Proposal)) == 0


def test_the_terms_are_those_of_the_moment_of_sending(
    client: FlaskClient, database: Database, lin: int
) -> None:
    token = people.sign_in(client, lin)
    get(client, "/check")

    def pay(session: Session) -> None:
        row = session.query(LoanBalance).join(Loan, Loan.id == LoanBalance.loan_id)
        balance = row.filter(Loan.loan_ref == "L-LIN-1").one()
        balance.interest_paid_minor, balance.due_now_minor = 10_000, balance.due_now_minor - 10_000

    database.write(pay)
    send(client, token)
    with database.read() as connection:
        text = connection.scalar(select(Proposal.terms_text))
    assert text is not None
    assert Terms.parse(text).payable.plain() == "18170.00"


def test_somebody_elses_receipt_is_not_found(
    portal_app: Flask, client: FlaskClient, database: Database, keys: Keys, lin: int
) -> None:
    token = people.sign_in(client, lin)
    address = send(client, token).location
    other = portal_app.test_client()
    stranger = database.write(
        lambda session: people.borrower(session, keys, customer_ref="C900008", name="别", phone="13900000088")
    )
    people.sign_in(other, stranger)
    assert other.get(address).status_code == 404


def test_nothing_left_over_is_met_with_help_and_never_an_error(
    client: FlaskClient, database: Database, keys: Keys
) -> None:
    def unit(session: Session) -> int:
        borrower_id = people.lin(session, keys, language="en")
        month(session, borrower_id, income=300_000, spending=340_000)
        return borrower_id

    token = people.sign_in(client, database.write(unit))
    answer = client.get("/my/plan/propose")
    assert answer.status_code == 200
    assert "Nothing is left over in a month" in answer.text
    assert "field-error" not in answer.text
    address = re.search(r'href="(/my/plan/propose\?[^"]+)"', answer.text)
    assert address is not None
    small = client.get(address.group(1).replace("&amp;", "&")).text
    assert "How would you like to pay?" in small
    assert "The bank cannot agree" not in small
    assert send(client, token, comment="A small amount is all I can do.").status_code == 303


def test_without_a_stated_month_the_page_asks_for_it_and_still_lets_one_propose(
    client: FlaskClient, database: Database, keys: Keys
) -> None:
    lin = database.write(lambda session: people.lin(session, keys, language="en"))
    token = people.sign_in(client, lin)
    assert "Tell us your month first" in client.get("/my/plan/propose").text
    assert send(client, token).status_code == 303


def test_nothing_due_needs_no_plan(client: FlaskClient, database: Database, lin: int) -> None:
    def unit(session: Session) -> None:
        session.query(LoanBalance).update({"due_now_minor": 0, "principal_due_minor": 0})

    database.write(unit)
    people.sign_in(client, lin)
    assert "No plan is needed now" in client.get("/my/plan/propose").text


def test_loans_under_a_plan_are_not_offered_again(client: FlaskClient, database: Database, lin: int) -> None:
    token = people.sign_in(client, lin)
    send(client, token, loans=["C-LIN-1"])

    def agree(session: Session) -> None:
        proposal = session.query(Proposal).one()
        plan = Plan(
            created_at=BANK_MORNING,
            reference="P-1",
            borrower_id=lin,
            proposal_id=proposal.id,
            terms_hash=proposal.terms_hash,
            currency="CNY",
            state="active",
        )
        session.add(plan)
        session.flush()
        card = session.query(Loan).filter_by(loan_ref="C-LIN-1").one()
        session.add(PlanLoan(plan_id=plan.id, loan_id=card.id, covered_minor=615_000))

    database.write(agree)
    page = client.get("/my/plan/propose").text
    assert 'name="loans" value="L-LIN-1"' in page
    assert 'name="loans" value="C-LIN-1"' not in page


def test_the_preview_is_the_same_answer_as_the_page(client: FlaskClient, lin: int) -> None:
    people.sign_in(client, lin)
    fragment = get(client, "/preview").text
    page = re.sub(r"\s+", "", get(client).text)
    assert "<html" not in fragment
    for part in ("answer", "schedule", "onward"):
        inner = re.search(rf'<div id="{part}">(.*?)</div>\s*(?=<div id=|$)', fragment, re.DOTALL)
        assert inner is not None
        assert re.sub(r"\s+", "", inner.group(1)) in page


def test_all_rows_are_one_tap_away(client: FlaskClient, lin: int) -> None:
    people.sign_in(client, lin)
    short, full = get(client).text, get(client, all="1").text
    assert short.count("<time ") == 6
    assert full.count("<time ") == 19


@pytest.mark.parametrize("page", ["", "/preview"])
def test_statements_of_the_page_do_not_grow_with_the_plan(
    client: FlaskClient, database: Database, lin: int, page: str
) -> None:
    people.sign_in(client, lin)
    with statements(database) as few:
        get(client, page)
    with statements(database) as many:
        get(client, page, amount="310")
    assert len(few) == len(many) <= 9


def test_first_instalment_of_the_export_day_is_18_december(
    client: FlaskClient, database: Database, lin: int
) -> None:
    token = people.sign_in(client, lin)
    send(client, token)
    with database.read() as connection:
        text = connection.scalar(select(Proposal.terms_text))
    assert text is not None
    assert Terms.parse(text).first.due_on == date(2026, 12, 18)


def test_a_change_of_language_comes_back_with_the_wishes(client: FlaskClient, lin: int) -> None:
    people.sign_in(client, lin)
    back = re.findall(r'name="back" value="([^"]+)"', get(client, amount="800").text)
    assert len(back) == 2
    assert all("amount=800" in address for address in back)
    assert client.get("/my/plan/propose/send").location == "/my/plan/propose"
