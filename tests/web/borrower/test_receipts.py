"""The receipt of a payment as PDF: once, the same file, checked by anybody; a stranger has none."""

from __future__ import annotations

import base64
import hashlib
import json
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from portal.gateways.stripe import Report
from portal.notices.wording import amounts_in, forbidden_words_in
from portal.payments import papers
from portal.payments.models import PaymentPaper
from tests import people
from tests.papers.reading import read
from tests.payments.telling import begin, said, tell
from tests.plans.people import NOW, Story
from tests.plans.scene import TODAY
from tests.web.borrower.plan_story import signed_in, story_of, text_of
from tests.web.public.test_third_party import readable


@pytest.fixture
def lin_story(portal_app: Flask) -> Story:
    return story_of(portal_app)


def paid(story: Story, *, plan: bool = False) -> str:
    """A credited payment of 300.00; its reference."""
    if plan:
        story.plan()
    attempt = begin(story.database, story.lin, 30_000, loan_ref=None if plan else "L-LIN-1")
    tell(story.database, story.keys, said(attempt, Report.PAID))
    return attempt.reference


def issued(client: FlaskClient, csrf: str, payment: str) -> str:
    answer = client.post(f"/my/pay/{payment}/receipt", data={"csrf_token": csrf})
    assert answer.status_code == 303
    return str(answer.location)


@pytest.mark.parametrize("language", ["zh", "zh_Hant", "en"])
def test_it_says_what_arrived_and_how_it_was_placed_once_and_the_same(
    portal_app: Flask, lin_story: Story, language: str
) -> None:
    payment = paid(lin_story, plan=True)
    client, csrf = signed_in(portal_app, lin_story)
    client.set_cookie("language", language)
    assert f'action="/my/pay/{payment}/receipt"' in text_of(client, f"/my/pay/{payment}/receipt")

    address = issued(client, csrf, payment)
    again = issued(client, csrf, payment)

    assert again == address
    first = client.get(address).data
    assert client.get(address).data == first
    paper = read(first, scale=3)
    assert len(paper.pages) == 1
    for words in (payment, "300.00", "C-LIN-1" if "C-LIN-1" in paper.solid else "L-LIN-1"):
        assert words in paper.solid
    assert "12,120.00" not in paper.text
    reference = address.rsplit("/", 1)[1].removesuffix(".pdf")
    held = json.loads(paper.attached[f"receipt-{reference}.json"])
    assert sum(minor for one in held["content"]["placed"] for _, minor in one["steps"]) == 30_000
    assert sum(minor for _, minor in held["content"]["counted"]) == 30_000
    assert paper.codes == [f"http://localhost/paper/{reference}?digest={held['signed']['digest']}"]
    with lin_story.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(PaymentPaper)) == 1


def test_a_stranger_verifies_it_from_the_file_alone(portal_app: Flask, lin_story: Story) -> None:
    client, csrf = signed_in(portal_app, lin_story)
    address = issued(client, csrf, paid(lin_story))
    (text,) = read(client.get(address).data).attached.values()
    held = json.loads(text)
    stranger = portal_app.test_client()
    keys = json.loads(stranger.get("/.well-known/portal-keys.json").data)["keys"]
    (key,) = [one for one in keys if one["kid"] == held["key_id"]]

    content = json.dumps(held["content"], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    signed = json.dumps(held["signed"], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(content.encode()).hexdigest() == held["signed"]["digest"]
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
    public.verify(base64.urlsafe_b64decode(held["signature"] + "=="), signed.encode())
    stranger.set_cookie("language", "en")
    page = stranger.get(f"/paper/{held['signed']['reference']}?digest={held['signed']['digest']}")
    text = readable(page)
    assert held["signed"]["reference"] in text
    assert not forbidden_words_in(text)
    assert not amounts_in(text)


def test_there_is_none_before_it_is_credited_and_none_for_somebody_else(
    portal_app: Flask, lin_story: Story
) -> None:
    client, csrf = signed_in(portal_app, lin_story)
    open_one = begin(lin_story.database, lin_story.lin, 40_000, form_key="open", session_id="cs_2")
    address = issued(client, csrf, paid(lin_story))
    zhao = lin_story.write(lambda session: people.zhao(session, lin_story.keys))
    stranger = portal_app.test_client()
    token = people.sign_in(stranger, zhao)

    refused = client.post(f"/my/pay/{open_one.reference}/receipt", data={"csrf_token": csrf})
    assert refused.status_code == 404
    assert stranger.get(address).status_code == 404
    own = client.post(f"/my/pay/{paid_reference(lin_story)}/receipt", data={"csrf_token": csrf})
    assert own.location == address
    theirs = stranger.post(f"/my/pay/{paid_reference(lin_story)}/receipt", data={"csrf_token": token})
    assert theirs.status_code == 404


def paid_reference(story: Story) -> str:
    with story.database.read() as connection:
        return connection.scalar(select(PaymentPaper.content))["payment"]  # type: ignore[index]


def test_the_database_keeps_it_as_it_was_issued(portal_app: Flask, lin_story: Story) -> None:
    client, csrf = signed_in(portal_app, lin_story)
    issued(client, csrf, paid(lin_story))

    with pytest.raises(DBAPIError), lin_story.database.writer.begin() as connection:
        connection.exec_driver_sql("UPDATE payment_paper SET digest = ''")


@pytest.mark.slow
def test_six_askings_at_once_issue_one(portal_app: Flask, lin_story: Story) -> None:
    payment, portal = paid(lin_story), portal_app.extensions["portal"]
    issuer, barrier = papers.Issuer("HARBOUR", portal.signer, portal.clock.local), threading.Barrier(6)
    found: list[str | None] = []

    def ask() -> None:
        barrier.wait(10)
        found.append(
            lin_story.write(
                lambda session: papers.issue_for(
                    session,
                    issuer=issuer,
                    borrower_id=lin_story.lin,
                    reference=payment,
                    today=TODAY,
                    now=NOW,
                )
            )
        )

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)

    assert len(found) == 6
    assert len(set(found)) == 1
