"""Agreeing: nothing without the code, one plan with it, the six items of article 70, and only one's own."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.messages.models import Message
from portal.plans.models import Plan
from portal.plans.operations import Receipt
from portal.plans.queries import agreements_for, latest_plan_for
from tests import people
from tests.people import sign_in
from tests.plans.people import Story
from tests.web.borrower.plan_story import last_code, signed_in, story_of, text_of


@pytest.fixture
def lin_story(portal_app: Flask) -> Story:
    return story_of(portal_app)


@pytest.fixture
def approved(lin_story: Story) -> Receipt:
    receipt = lin_story.propose()
    lin_story.approve(receipt.proposal_id)
    return receipt


def plans(lin_story: Story) -> int:
    with lin_story.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(Plan)).scalar() or 0)


def test_from_reading_to_the_plan_in_force(portal_app: Flask, lin_story: Story, approved: Receipt) -> None:
    client, csrf = signed_in(portal_app, lin_story)
    address = f"/my/plan/accept/{approved.reference}"
    page = text_of(client, address)
    assert "12,120.00" in page
    assert "6,150.00" in page

    sent = client.post(f"{address}/code", data={"csrf_token": csrf})
    wrong = client.post(f"{address}/confirm", data={"csrf_token": csrf, "code": "not it"})
    done = client.post(f"{address}/confirm", data={"csrf_token": csrf, "code": last_code(lin_story)})
    again = client.post(f"{address}/confirm", data={"csrf_token": csrf, "code": last_code(lin_story)})

    assert sent.headers["Location"] == f"{address}/confirm"
    assert wrong.status_code == 422
    assert done.headers["Location"] == "/my/plan?made=1"
    assert again.headers["Location"] == "/my/plan"
    assert plans(lin_story) == 1
    with lin_story.database.read() as connection:
        kinds = list(connection.execute(select(Message.kind).order_by(Message.id)).scalars())
    assert kinds == ["one_time_code", "agreement"]


def test_the_kept_agreement_is_the_one_that_was_read(
    portal_app: Flask, lin_story: Story, approved: Receipt
) -> None:
    client, csrf = signed_in(portal_app, lin_story)
    address = f"/my/plan/accept/{approved.reference}"
    read_before = text_of(client, address)
    client.post(f"{address}/code", data={"csrf_token": csrf})
    client.post(f"{address}/confirm", data={"csrf_token": csrf, "code": last_code(lin_story)})

    with lin_story.database.read() as connection:
        plan = latest_plan_for(connection, lin_story.lin)
        assert plan is not None
        loan, card = agreements_for(connection, lin_story.lin, plan.plan_id)
    read_after = text_of(client, f"/my/plan/agreement/{plan.reference}")

    assert [item.code for item in card.items] == [
        "balance",
        "instalments",
        "charges",
        "no_new_card",
        "rights_and_breach",
        "other",
    ]
    assert "no_new_card" not in [item.code for item in loan.items]
    assert len(card.items[1].rows) == 13
    for item in (*loan.items, *card.items):
        for paragraph in item.paragraphs:
            assert paragraph in read_before
            assert paragraph in read_after


def test_no_name_is_kept_in_the_clear(portal_app: Flask, lin_story: Story, approved: Receipt) -> None:
    client, csrf = signed_in(portal_app, lin_story)
    address = f"/my/plan/accept/{approved.reference}"
    client.post(f"{address}/code", data={"csrf_token": csrf})
    client.post(f"{address}/confirm", data={"csrf_token": csrf, "code": last_code(lin_story)})

    with lin_story.database.read() as connection:
        plan = latest_plan_for(connection, lin_story.lin)
        assert plan is not None
        kept = agreements_for(connection, lin_story.lin, plan.plan_id)
    assert "林晓" not in str(kept)
    assert "林*" in str(kept)


def test_a_code_for_other_terms_does_not_count(
    portal_app: Flask, lin_story: Story, approved: Receipt
) -> None:
    client, csrf = signed_in(portal_app, lin_story)
    client.post(f"/my/plan/accept/{approved.reference}/code", data={"csrf_token": csrf})
    code = last_code(lin_story)
    second = lin_story.propose(form_key="second")
    lin_story.approve(second.proposal_id)
    offer = lin_story.terms(second.terms.as_request())
    assert offer == second.terms

    old = client.post(
        f"/my/plan/accept/{approved.reference}/confirm", data={"csrf_token": csrf, "code": code}
    )

    assert old.headers["Location"] == "/my/plan"
    assert plans(lin_story) == 0


def test_without_a_code_sent_nothing_is_agreed(
    portal_app: Flask, lin_story: Story, approved: Receipt
) -> None:
    client, csrf = signed_in(portal_app, lin_story)

    for code in ("", "000000", "123456"):
        answer = client.post(
            f"/my/plan/accept/{approved.reference}/confirm", data={"csrf_token": csrf, "code": code}
        )
        assert answer.status_code == 422
    assert plans(lin_story) == 0


def test_somebody_elses_offer_and_agreement_are_not_found(
    portal_app: Flask, lin_story: Story, approved: Receipt
) -> None:
    made = lin_story.accept(approved.proposal_id, approved.terms, version=2)
    zhao = lin_story.write(lambda s: people.zhao(s, lin_story.keys))
    client = portal_app.test_client()
    csrf = sign_in(client, zhao)
    address = f"/my/plan/accept/{approved.reference}"

    assert client.get(address).status_code == 404
    assert client.get(f"{address}/confirm").status_code == 404
    assert client.post(f"{address}/code", data={"csrf_token": csrf}).status_code == 404
    assert client.post(f"{address}/confirm", data={"csrf_token": csrf, "code": "1"}).status_code == 404
    assert client.get(f"/my/plan/agreement/{made.reference}").status_code == 404
