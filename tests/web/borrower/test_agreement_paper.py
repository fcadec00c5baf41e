"""The agreement as PDF: every word that was agreed, in its language, the same file again, its digest kept."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.plans.models import AgreementPaper
from portal.plans.queries import AgreementView, agreements_for, latest_plan_for
from portal.plans.terms import TermsRequest
from portal.settings import Settings
from portal.signing import KeyRing, PublishedKey, Signer, canonical
from portal.signing.signer import signed_by
from tests import people
from tests.papers.reading import read
from tests.plans.people import Story
from tests.web.borrower.plan_story import last_code, signed_in, story_of, text_of

LANGUAGES = ("zh", "zh_Hant", "en")


@pytest.fixture
def lin_story(sqlite_app: Flask) -> Story:
    return story_of(sqlite_app)


def agreed(app: Flask, story: Story, language: str, count: int = 24) -> tuple[FlaskClient, str]:
    """Lin's browser after she agreed in `language`, and the plan's reference."""
    receipt = story.propose(TermsRequest(count=count))
    story.approve(receipt.proposal_id)
    client, csrf = signed_in(app, story)
    client.set_cookie("language", language)
    address = f"/my/plan/accept/{receipt.reference}"
    client.post(f"{address}/code", data={"csrf_token": csrf})
    done = client.post(f"{address}/confirm", data={"csrf_token": csrf, "code": last_code(story)})
    assert done.headers["Location"] == "/my/plan?made=1"
    with story.database.read() as connection:
        plan = latest_plan_for(connection, story.lin)
    assert plan is not None
    return client, plan.reference


def kept(story: Story) -> tuple[AgreementView, ...]:
    with story.database.read() as connection:
        plan = latest_plan_for(connection, story.lin)
        assert plan is not None
        return agreements_for(connection, story.lin, plan.plan_id)


def digests(story: Story) -> list[str]:
    with story.database.read() as connection:
        return list(connection.execute(select(AgreementPaper.digest).order_by(AgreementPaper.id)).scalars())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_that_was_agreed_is_on_it(sqlite_app: Flask, lin_story: Story, language: str) -> None:
    client, plan = agreed(sqlite_app, lin_story, language)
    loan, card = kept(lin_story)
    client.set_cookie("language", "en" if language != "en" else "zh")

    for one in (loan, card):
        paper = read(client.get(f"/my/plan/agreement/{plan}/{one.reference}.pdf").data, scale=3)
        solid = paper.solid
        for item in one.items:
            for words in (item.title, *item.paragraphs, *(cell for row in item.rows for cell in row)):
                assert "".join(words.split()) in solid, words
        assert one.content_hash in solid
        assert one.signature in solid
        assert f"1 / {len(paper.pages)}" in paper.text
        (address,) = paper.codes
        assert address == f"http://localhost/paper/{one.reference}?digest={one.content_hash}"


def test_made_again_it_is_the_same_file_and_its_digest_was_kept_when_it_was_agreed(
    sqlite_app: Flask, lin_story: Story
) -> None:
    client, plan = agreed(sqlite_app, lin_story, "zh")
    before = digests(lin_story)
    files = [client.get(f"/my/plan/agreement/{plan}/{one.reference}.pdf").data for one in kept(lin_story)]
    sqlite_app.extensions["portal"].clock.advance(days=3)
    people.sign_in(client, lin_story.lin)
    client.set_cookie("language", "en")
    again = [client.get(f"/my/plan/agreement/{plan}/{one.reference}.pdf").data for one in kept(lin_story)]

    assert files == again
    assert before == digests(lin_story) == [hashlib.sha256(file).hexdigest() for file in files]
    assert before[0] in text_of(client, f"/my/plan/agreement/{plan}")


def test_a_stranger_verifies_it_from_the_file_alone(sqlite_app: Flask, lin_story: Story) -> None:
    client, plan = agreed(sqlite_app, lin_story, "en", count=3)
    one = kept(lin_story)[0]
    file = client.get(f"/my/plan/agreement/{plan}/{one.reference}.pdf").data
    stranger = sqlite_app.test_client()
    held = json.loads(read(file).attached[f"agreement-{one.reference}.json"])
    keys = json.loads(stranger.get("/.well-known/portal-keys.json").data)["keys"]
    (key,) = [known for known in keys if known["kid"] == held["key_id"]]

    text = json.dumps(held["content"], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    signed = json.dumps(held["signed"], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == held["signed"]["content_hash"] == one.content_hash
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
    public.verify(base64.urlsafe_b64decode(held["signature"] + "=="), signed.encode())
    page = text_of(stranger, f"/paper/{one.reference}?digest={one.content_hash}")
    assert one.reference in page


def test_after_the_key_was_changed_an_old_agreement_names_the_one_that_signed_it(
    sqlite_app: Flask, settings: Settings, lin_story: Story
) -> None:
    from app import create_app

    client, plan = agreed(sqlite_app, lin_story, "zh", count=3)
    one = kept(lin_story)[0]
    address = f"/my/plan/agreement/{plan}/{one.reference}.pdf"
    before = client.get(address).data
    portal = sqlite_app.extensions["portal"]
    newer = Signer.from_seed(bytes(range(96, 128)))
    ring = KeyRing.of(settings.bank.host, {}, portal.signer).rotated(
        PublishedKey(newer.key_id, newer.public), at=portal.clock.now()
    )
    rotated = replace(settings, signing_seed=bytes(range(96, 128)), signing_keys=ring.as_jwks())
    later = create_app(rotated, clock=portal.clock, db=portal.db)
    later.testing = True
    browser, _ = signed_in(later, lin_story)

    after = browser.get(address).data

    assert after == before
    held = json.loads(read(after).attached[f"agreement-{one.reference}.json"])
    published = KeyRing.of("", json.loads(browser.get("/.well-known/portal-keys.json").data))
    key = published.find(held["key_id"])
    assert key is not None
    assert held["key_id"] == portal.signer.key_id != newer.key_id
    assert signed_by(key.public, canonical(held["signed"]), held["signature"])
    assert held["key_id"] in read(after).solid


def test_only_its_owner_gets_it(sqlite_app: Flask, lin_story: Story) -> None:
    client, plan = agreed(sqlite_app, lin_story, "zh", count=3)
    one = kept(lin_story)[0]
    address = f"/my/plan/agreement/{plan}/{one.reference}.pdf"
    assert sqlite_app.test_client().get(address).status_code == 303
    stranger = sqlite_app.test_client()
    zhao = lin_story.write(
        lambda session: people.borrower(
            session, lin_story.keys, customer_ref="C900077", name="赵", phone="13900000077"
        )
    )
    people.sign_in(stranger, zhao)

    assert stranger.get(address).status_code == 404
    assert client.get(f"/my/plan/agreement/{plan}/A-0000-00000.pdf").status_code == 404
    assert f'href="{address}"' in text_of(client, f"/my/plan/agreement/{plan}")
