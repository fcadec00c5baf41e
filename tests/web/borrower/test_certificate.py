"""The certificate that all is paid: only of a finished plan, once, the same file, checked by anybody."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import date

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.accounts.models import Loan
from portal.accounts.operations import post_payment
from portal.notices.wording import amounts_in, forbidden_words_in
from portal.plans.models import Certificate
from tests import people
from tests.papers.reading import read
from tests.plans.people import Story
from tests.plans.test_operations import payment, receive
from tests.web.borrower.plan_story import signed_in, story_of, text_of
from tests.web.public.test_third_party import readable

LANGUAGES = ("zh", "zh_Hant", "en")
LEFT = {"C-LIN-1": {"fee": 5_000, "interest": 10_000, "principal": 600_000}}
LEFT["L-LIN-1"] = {"penalty_interest": 2_000, "interest": 10_000, "principal": 1_200_000}


@pytest.fixture
def lin_story(portal_app: Flask) -> Story:
    return story_of(portal_app)


def finished(story: Story, *, settled: bool = True) -> str:
    """A plan that is paid, on its loans too where `settled`."""
    made = story.plan()
    paid = payment(story, made.plan_id, 1_827_000, 1)
    receive(story, made.plan_id, paid, 1_827_000)

    def unit(session: Session) -> None:
        for ref, parts in LEFT.items():
            loan_id = session.scalars(select(Loan.id).where(Loan.loan_ref == ref)).one()
            post_payment(
                session,
                loan_id=loan_id,
                parts=parts,
                suspense_minor=0,
                posted_on=date(2026, 11, 20),
                payment_id=None,
                line_ref=f"PAID-{ref}",
                memo="",
                now=people.CREATED,
            )

    if settled:
        story.write(unit)
    return made.reference


def certified(client: FlaskClient, csrf: str, plan: str) -> str:
    answer = client.post(f"/my/plan/certificate/{plan}", data={"csrf_token": csrf})
    assert answer.status_code == 303
    return answer.location


def test_a_finished_plan_is_certified_once(portal_app: Flask, lin_story: Story) -> None:
    plan = finished(lin_story)
    client, csrf = signed_in(portal_app, lin_story)
    client.set_cookie("language", "en")
    assert f'action="/my/plan/certificate/{plan}"' in text_of(client, "/my/plan")

    address = certified(client, csrf, plan)
    portal_app.extensions["portal"].clock.advance(days=2)
    csrf = people.sign_in(client, lin_story.lin)

    assert certified(client, csrf, plan) == address
    first = client.get(address).data
    assert client.get(address).data == first
    paper = read(first)
    assert len(paper.pages) == 1
    for words in (
        "Certificate of settlement",
        plan,
        "¥18,270.00",
        "林*",
        "They are settled in full.",
        "0.00",
    ):
        assert words in paper.text
    with lin_story.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(Certificate)) == 1


def test_what_is_left_beside_the_plan_is_said(portal_app: Flask, lin_story: Story) -> None:
    plan = finished(lin_story, settled=False)
    client, csrf = signed_in(portal_app, lin_story)
    client.set_cookie("language", "en")
    paper = read(client.get(certified(client, csrf, plan)).data)

    assert "Certificate of completion" in paper.text
    assert "settled" not in paper.text
    assert "12,120.00 12,120.00" in paper.text


def test_there_is_none_for_a_plan_in_force_or_somebody_elses(portal_app: Flask, lin_story: Story) -> None:
    plan = lin_story.plan().reference
    client, csrf = signed_in(portal_app, lin_story)

    assert client.post(f"/my/plan/certificate/{plan}", data={"csrf_token": csrf}).status_code == 404
    assert client.get("/my/plan/certificate/C-0000-00000.pdf").status_code == 404


def test_somebody_else_neither_makes_nor_reads_it(portal_app: Flask, lin_story: Story) -> None:
    plan = finished(lin_story)
    client, csrf = signed_in(portal_app, lin_story)
    address = certified(client, csrf, plan)
    stranger = portal_app.test_client()
    assert stranger.get(address).status_code == 303
    zhao = lin_story.write(
        lambda session: people.borrower(
            session, lin_story.keys, customer_ref="C900077", name="赵", phone="13900000077"
        )
    )
    token = people.sign_in(stranger, zhao)

    assert stranger.get(address).status_code == 404
    assert stranger.post(f"/my/plan/certificate/{plan}", data={"csrf_token": token}).status_code == 404


@pytest.mark.parametrize("language", LANGUAGES)
def test_anybody_checks_it_and_learns_nothing_else(sqlite_app: Flask, language: str) -> None:
    story = story_of(sqlite_app)
    plan = finished(story)
    client, csrf = signed_in(sqlite_app, story)
    client.set_cookie("language", language)
    paper = read(client.get(certified(client, csrf, plan)).data, scale=3)
    assert len(paper.pages) == 1
    (address,) = paper.codes
    held = json.loads(next(iter(paper.attached.values())))
    stranger = sqlite_app.test_client()
    stranger.set_cookie("language", language)

    path = address.removeprefix("http://localhost")
    answer = stranger.get(path)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    reference, digest = held["signed"]["reference"], held["signed"]["digest"]
    text = readable(answer).replace(reference, "").replace(digest, "")
    assert forbidden_words_in(text) == ()
    assert amounts_in(text) == ()
    assert "verdict ok" in answer.text
    assert "verdict bad" in stranger.get(path[:-4] + "0000").text
    assert "verdict na" in stranger.get(f"/paper/{reference}").text
    assert "verdict na" in stranger.get("/paper/C-0000-00000").text
    content = json.dumps(held["content"], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(content.encode()).hexdigest() == digest
    (key,) = json.loads(stranger.get("/.well-known/portal-keys.json").data)["keys"]
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
    signed = json.dumps(held["signed"], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    public.verify(base64.urlsafe_b64decode(held["signature"] + "=="), signed.encode())


def test_its_number_may_be_typed_where_anything_is_checked(sqlite_app: Flask) -> None:
    client = sqlite_app.test_client()
    headers = {"Sec-Fetch-Site": "same-origin"}
    story = story_of(sqlite_app)
    browser, csrf = signed_in(sqlite_app, story)
    reference = certified(browser, csrf, finished(story)).rpartition("/")[2].removesuffix(".pdf")

    sent = client.post("/check", data={"code": reference.lower()}, headers=headers)
    assert sent.location == f"/paper/{reference}"
    asked = client.get("/paper", query_string={"reference": reference, "digest": "12"})
    assert asked.location == f"/paper/{reference}?digest=12"
    assert client.get("/paper").status_code == 200
