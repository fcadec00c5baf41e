"""Paying more than the instalment on the pay pages: the choice with its effect, kept with the payment, told after."""

from __future__ import annotations

from datetime import date

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.gateways.stripe import Report
from portal.money import Money
from portal.payments import operations, queries
from portal.payments.models import Payment
from portal.plans.models import Plan
from portal.schedules.extra import ExtraChoice
from tests.payments.telling import begin, said, tell
from tests.plans.people import Story
from tests.web.borrower.plan_story import signed_in, story_of, text_of

CHECK = "/my/pay/check?what=other&loan={loan}&amount={amount}"


@pytest.fixture
def lin_story(sqlite_app: Flask) -> Story:
    found = story_of(sqlite_app)
    found.plan()
    return found


def check(client: FlaskClient, amount: str, loan: str = "plan") -> str:
    return text_of(client, CHECK.format(loan=loan, amount=amount))


def attempt(
    story: Story, minor: int, extra: ExtraChoice | None, form_key: str = "form-1"
) -> operations.Attempt:
    def unit(session: object) -> operations.Attempt:
        from tests.payments.telling import NOW, OFFERED

        return operations.create_attempt(
            session,  # type: ignore[arg-type]
            borrower_id=story.lin, loan_ref=None, amount=Money(minor, "CNY"), form_key=form_key,
            offered=OFFERED, now=NOW, real_now=NOW, extra=extra,
        )  # fmt: skip

    return story.write(unit)


def test_the_three_choices_say_what_they_would_do(sqlite_app: Flask, lin_story: Story) -> None:
    client, _ = signed_in(sqlite_app, lin_story)

    page = check(client, "4000.00")

    assert page.count('name="extra"') == 3
    assert 'value="next" checked' in page
    assert "2,477.50" in page  # more than the next instalment
    assert "567.50" in page  # what is left of no. 3
    assert "1,297.28" in page  # the largest of the lower ones


@pytest.mark.parametrize("amount", ["1522.50", "100.00", "18270.00"])
def test_there_is_no_choice_where_nothing_is_to_choose(
    sqlite_app: Flask, lin_story: Story, amount: str
) -> None:
    client, _ = signed_in(sqlite_app, lin_story)

    assert 'name="extra"' not in check(client, amount)


def test_money_for_a_loan_of_the_plan_counts_for_it_too(sqlite_app: Flask, lin_story: Story) -> None:
    client, _ = signed_in(sqlite_app, lin_story)
    with lin_story.database.read() as connection:
        due = queries.next_instalment_for(connection, lin_story.lin)
    assert due is not None

    assert 'name="extra"' in check(client, "4000.00", due.loan_refs[0])


def test_the_payment_keeps_the_choice_and_the_newer_one_wins_while_it_is_open(lin_story: Story) -> None:
    first = attempt(lin_story, 400_000, ExtraChoice.LAST)
    again = attempt(lin_story, 400_000, ExtraChoice.SPREAD, form_key="form-2")

    assert again.reference == first.reference
    with lin_story.database.read() as connection:
        assert connection.scalar(select(Payment.extra_choice)) == "spread"


def test_a_choice_that_is_none_is_a_bad_request(sqlite_app: Flask, lin_story: Story) -> None:
    client, csrf = signed_in(sqlite_app, lin_story)
    data = {
        "csrf_token": csrf,
        "form_key": "k",
        "amount": "4000.00",
        "currency": "CNY",
        "loan": "",
        "extra": "all",
    }

    assert client.post("/my/pay/start", data=data).status_code == 400


def test_the_receipt_the_plan_and_the_next_check_tell_of_it(sqlite_app: Flask, lin_story: Story) -> None:
    client, _ = signed_in(sqlite_app, lin_story)
    made = attempt(lin_story, 400_000, ExtraChoice.LAST)

    tell(lin_story.database, lin_story.keys, said(made, Report.PAID))

    receipt = text_of(client, f"/my/pay/{made.reference}")
    rows = receipt.split('aria-labelledby="counted"')[1].split("</section>")[0]
    assert rows.count("<tr>") == 5  # the head, three instalments, their sum
    assert [amount in rows for amount in ("1,522.50", "955.00")] == [True, True]
    with lin_story.database.read() as connection:
        assert connection.scalar(select(Plan.extra_choice)) == "last"
        view = queries.payment_for(connection, lin_story.lin, made.reference)
    assert view is not None
    assert [(part.number, part.amount.plain()) for part in view.counted] == [
        (1, "1522.50"), (11, "955.00"), (12, "1522.50"),
    ]  # fmt: skip
    assert view.went_beyond(date(2026, 11, 20))
    assert "567.50" in text_of(client, "/my/plan?all=1")
    assert 'value="last" checked' in check(client, "4000.00")


def test_a_payment_that_chose_nothing_follows_the_plan(lin_story: Story) -> None:
    lin_story.write(lambda session: session.query(Plan).update({"extra_choice": "last"}))
    made = attempt(lin_story, 200_000, None)

    tell(lin_story.database, lin_story.keys, said(made, Report.PAID))

    with lin_story.database.read() as connection:
        view = queries.payment_for(connection, lin_story.lin, made.reference)
    assert view is not None
    assert view.extra_choice is ExtraChoice.LAST
    assert [part.number for part in view.counted] == [1, 12]


def test_an_ordinary_payment_says_nothing_of_a_choice(sqlite_app: Flask, lin_story: Story) -> None:
    client, _ = signed_in(sqlite_app, lin_story)
    made = begin(lin_story.database, lin_story.lin, 152_250, loan_ref=None)

    tell(lin_story.database, lin_story.keys, said(made, Report.PAID))

    page = text_of(client, f"/my/pay/{made.reference}")
    assert 'aria-labelledby="counted"' in page
    with lin_story.database.read() as connection:
        view = queries.payment_for(connection, lin_story.lin, made.reference)
    assert view is not None
    assert not view.went_beyond(date(2026, 11, 20))
