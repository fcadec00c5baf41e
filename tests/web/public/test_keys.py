"""What anybody may fetch: the keys, and who may contact you, verified as a third party does."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask.testing import FlaskClient
from sqlalchemy import update

from portal.contacts.models import Agency
from portal.db import Database
from portal.signing import encoding
from tests.conftest import StandingClock
from tests.notices import made

WHO = "/.well-known/who-may-contact-you"


def believed(client: FlaskClient, jws: str) -> dict[str, Any]:
    """The content of a compact JWS, as somebody reads it who knows nothing but the published keys."""
    head, body, signature = jws.split(".")
    header = json.loads(encoding.decode(head))
    assert header["alg"] == "Ed25519"
    assert header["typ"] == "who-may-contact-you"
    keys = json.loads(client.get("/.well-known/portal-keys.json").data)["keys"]
    (key,) = [key for key in keys if key["kid"] == header["kid"] and "revoked" not in key]
    public = Ed25519PublicKey.from_public_bytes(encoding.decode(key["x"]))
    public.verify(encoding.decode(signature), f"{head}.{body}".encode())
    content: dict[str, Any] = json.loads(encoding.decode(body))
    return content


def contractor(database: Database) -> int:
    def add(session: Any) -> int:
        made.agency(session)
        row = Agency(
            created_at=made.CREATED,
            agency_ref="A17",
            name="汇信资产服务有限公司",
            kind="agency",
            phone="02100000017",
            engaged_from=date(2025, 1, 1),
            engaged_until=date(2027, 12, 31),
        )
        session.add(row)
        session.flush()
        return int(row.id)

    return database.write(add)


def test_the_file_and_the_text_are_signed_and_say_the_same(
    sqlite_client: FlaskClient, sqlite_database: Database
) -> None:
    contractor(sqlite_database)
    plain = sqlite_client.get(f"{WHO}.json")
    head, _, signature = plain.headers["Portal-Jws"].split(".")
    content = believed(sqlite_client, f"{head}.{encoding.encode(plain.data)}.{signature}")

    assert content == believed(sqlite_client, sqlite_client.get(f"{WHO}.jws").get_data(as_text=True))
    assert content["iss"] == "my.harbour.example"
    assert (content["as_of"], content["until"]) == ("2026-11-20", "2026-11-22")
    assert content["bank"]["phones"] == ["4000000001"]
    assert content["bank"]["sms_senders"] == ["10690000000001"]
    assert content["bank"]["payee_accounts"][0]["account"] == "9999000011112222333"
    assert content["agencies"][0]["phones"] == ["02100000017"]
    changed = plain.data.replace(b"9999000011112222333", b"9999000011112222334")
    with pytest.raises(InvalidSignature):
        believed(sqlite_client, f"{head}.{encoding.encode(changed)}.{signature}")


def test_it_says_what_the_page_says(sqlite_client: FlaskClient, sqlite_database: Database) -> None:
    contractor(sqlite_database)
    content = json.loads(sqlite_client.get(f"{WHO}.json").data)
    page = sqlite_client.get("/who-may-contact-you").get_data(as_text=True).replace("<wbr>", "")

    bank = content["bank"]
    said = [bank["payee_accounts"][0]["account"], *bank["sms_signatures"], *bank["domains"]]
    called = [*bank["phones"], *bank["sms_senders"], *(n for a in content["agencies"] for n in a["phones"])]
    for text in (*said, *called, *(agency["name"] for agency in content["agencies"])):
        assert text in page, text


def test_a_change_of_an_agency_shows_at_once(
    sqlite_client: FlaskClient, sqlite_database: Database, clock: StandingClock
) -> None:
    agency_id = contractor(sqlite_database)
    first = sqlite_client.get(f"{WHO}.json")
    again = sqlite_client.get(f"{WHO}.json", headers={"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304
    assert not again.data
    assert first.headers["Cache-Control"] == "public, max-age=300"

    ended = update(Agency).where(Agency.id == agency_id).values(engaged_until=date(2026, 11, 19))
    sqlite_database.write(lambda session: session.execute(ended) and None)
    changed = sqlite_client.get(f"{WHO}.json", headers={"If-None-Match": first.headers["ETag"]})

    assert changed.status_code == 200
    (agency,) = json.loads(changed.data)["agencies"]
    assert (agency["acts"], agency["phones"], agency["engaged_until"]) == (False, [], "2026-11-19")


def test_the_key_set_is_kept_for_ten_minutes(sqlite_client: FlaskClient) -> None:
    answer = sqlite_client.get("/.well-known/portal-keys.json")

    assert answer.headers["Cache-Control"] == "public, max-age=600"
    kept = sqlite_client.get(
        "/.well-known/portal-keys.json", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert kept.status_code == 304
