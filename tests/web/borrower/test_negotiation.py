"""The negotiation pages: each state its page, the terms side by side, and leaving only what was looked at."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from portal.plans.operations import mark_declined, mark_more_asked
from portal.plans.terms import TermsRequest
from tests import people
from tests.people import sign_in
from tests.plans.people import MEI, NOW, Story
from tests.plans.scene import POLICY, yuan
from tests.web.borrower.plan_story import signed_in, story_of, text_of

PAGE = "/my/plan/negotiation"


@pytest.fixture
def lin_story(sqlite_app: Flask) -> Story:
    return story_of(sqlite_app)


def offered(lin_story: Story) -> str:
    """A counter-offer to Lin's proposal; its reference."""
    receipt = lin_story.propose(TermsRequest(count=12, freeze_interest=True))
    offer = lin_story.terms(
        TermsRequest(count=10, upfront=yuan("3000.00"), waive=("fee",), freeze_interest=True)
    )
    lin_story.counter(receipt.proposal_id, offer)
    with lin_story.database.read() as connection:
        from portal.plans.queries import open_negotiation_for

        negotiation = open_negotiation_for(connection, lin_story.lin)
    assert negotiation is not None
    return negotiation.current.reference


def test_without_a_case_it_leads_to_the_plan_page(sqlite_app: Flask, lin_story: Story) -> None:
    client, _ = signed_in(sqlite_app, lin_story)

    assert client.get(PAGE).headers["Location"] == "/my/plan"


def test_waiting_shows_the_clock_and_how_to_take_it_back(sqlite_app: Flask, lin_story: Story) -> None:
    receipt = lin_story.propose()
    client, _ = signed_in(sqlite_app, lin_story)

    page = text_of(client, "/my/plan")

    assert "2026年11月27日" in page
    assert receipt.negotiation_ref in page
    assert f"/my/plan/negotiation/withdraw/{receipt.reference}" in page


def test_an_offer_is_shown_term_by_term_the_unchanged_ones_too(sqlite_app: Flask, lin_story: Story) -> None:
    reference = offered(lin_story)
    client, _ = signed_in(sqlite_app, lin_story)

    page = text_of(client, "/my/plan")

    rows = re.findall(r"<tr[^>]*><th scope=\"row\">", page)
    assert len(rows) == 11
    assert "1,522.00" in page
    assert "18,220.00" in page
    assert f"/my/plan/accept/{reference}" in page
    assert "count=10" in page


def test_withdrawing_asks_once_more_and_then_does_it_once(sqlite_app: Flask, lin_story: Story) -> None:
    receipt = lin_story.propose()
    client, csrf = signed_in(sqlite_app, lin_story)
    address = f"/my/plan/negotiation/withdraw/{receipt.reference}"

    assert 'name="version" value="1"' in text_of(client, address)
    done = client.post(address, data={"csrf_token": csrf, "version": "1"})
    again = client.post(address, data={"csrf_token": csrf, "version": "1"})

    assert done.headers["Location"] == "/my/plan?done=withdraw"
    assert again.headers["Location"] == "/my/plan?moved=1"
    assert lin_story.current_state() is None
    text_of(client, "/my/plan?done=withdraw")


def test_an_answer_that_came_meanwhile_is_not_undone(sqlite_app: Flask, lin_story: Story) -> None:
    receipt = lin_story.propose()
    client, csrf = signed_in(sqlite_app, lin_story)
    lin_story.approve(receipt.proposal_id)

    answer = client.post(
        f"/my/plan/negotiation/withdraw/{receipt.reference}", data={"csrf_token": csrf, "version": "1"}
    )

    assert answer.headers["Location"] == "/my/plan?moved=1"
    assert lin_story.current_state() == "approved"
    assert 'role="status"' in text_of(client, "/my/plan?moved=1")


def test_declining_an_offer_closes_the_case(sqlite_app: Flask, lin_story: Story) -> None:
    reference = offered(lin_story)
    client, csrf = signed_in(sqlite_app, lin_story)
    address = f"/my/plan/negotiation/decline/{reference}"

    text_of(client, address)
    answer = client.post(address, data={"csrf_token": csrf, "version": "1"})

    assert answer.headers["Location"] == "/my/plan?done=decline"
    assert lin_story.current_state() is None


def test_sending_what_was_asked_for_starts_the_clock_again(sqlite_app: Flask, lin_story: Story) -> None:
    receipt = lin_story.propose()
    lin_story.write(
        lambda s: mark_more_asked(s, proposal_id=receipt.proposal_id, version=1, actor=MEI, now=NOW)
    )
    client, csrf = signed_in(sqlite_app, lin_story)
    assert "/my/plan/negotiation/supplied" in text_of(client, "/my/plan")

    client.post("/my/plan/negotiation/supplied", data={"csrf_token": csrf})
    again = client.post("/my/plan/negotiation/supplied", data={"csrf_token": csrf})

    assert lin_story.current_state() == "submitted"
    assert again.headers["Location"].endswith("moved=1")


def test_a_refusal_says_why_and_that_the_pause_goes_on(sqlite_app: Flask, lin_story: Story) -> None:
    receipt = lin_story.propose()
    lin_story.write(
        lambda s: mark_declined(
            s, proposal_id=receipt.proposal_id, version=1, policy=POLICY, actor=MEI, now=NOW
        )
    )
    client, _ = signed_in(sqlite_app, lin_story)

    page = text_of(client, "/my/plan")

    assert "2026年12月5日之前" in page
    assert "12378" in page


def test_an_offer_past_its_day_is_lapsed_before_anybody_records_it(
    sqlite_app: Flask, lin_story: Story, clock: object
) -> None:
    receipt = lin_story.propose()
    lin_story.approve(receipt.proposal_id)
    clock.advance(days=15)  # type: ignore[attr-defined]
    client, _ = signed_in(sqlite_app, lin_story)

    page = text_of(client, "/my/plan")

    assert "/my/plan/accept/" not in page
    assert client.get(f"/my/plan/accept/{receipt.reference}").headers["Location"] == "/my/plan"


@pytest.mark.parametrize("address", ["withdraw", "decline"])
def test_somebody_elses_round_is_not_found(sqlite_app: Flask, lin_story: Story, address: str) -> None:
    receipt = lin_story.propose()
    zhao = lin_story.write(lambda s: people.zhao(s, lin_story.keys))
    client = sqlite_app.test_client()
    csrf = sign_in(client, zhao)

    url = f"/my/plan/negotiation/{address}/{receipt.reference}"

    assert client.get(url).status_code == 404
    assert client.post(url, data={"csrf_token": csrf, "version": "1"}).status_code == 404
    assert lin_story.current_state() == "submitted"


def test_a_verb_there_is_not(sqlite_app: Flask, lin_story: Story) -> None:
    receipt = lin_story.propose()
    client, _ = signed_in(sqlite_app, lin_story)

    assert client.get(f"/my/plan/negotiation/approve/{receipt.reference}").status_code == 404
