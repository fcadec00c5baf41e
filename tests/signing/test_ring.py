"""The key set: what rotation and revocation publish, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal.signing import BadJws, BadKeyRing, KeyRing, PublishedKey, Signer, encoding, read_jws

OLD, NEW = Signer.from_seed(bytes(range(32))), Signer.from_seed(bytes(range(32, 64)))
HOST = "my.harbour.example"
AT = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


def published(signer: Signer) -> PublishedKey:
    return PublishedKey(signer.key_id, signer.public, since=AT)


def test_a_signer_alone_is_a_ring_of_one() -> None:
    assert KeyRing.of(HOST, {}, OLD).as_jwks() == {"keys": [OLD.public_key()]}


def test_rotation_ends_the_key_before_and_the_set_reads_back() -> None:
    ring = KeyRing.of(HOST, {}, OLD).rotated(published(NEW), at=AT + timedelta(hours=2))
    again = KeyRing.of(HOST, ring.as_jwks(), NEW)

    assert again == ring
    assert [key.key_id for key in again.keys] == [NEW.key_id, OLD.key_id]
    before = again.find(OLD.key_id)
    assert before is not None
    assert before.may_sign(AT)
    assert not before.may_sign(AT + timedelta(hours=2))
    third = Signer.from_seed(bytes(range(96, 128)))
    later = again.rotated(published(third), at=AT + timedelta(days=400)).find(OLD.key_id)
    assert later == before


def test_a_revoked_key_is_published_as_such_and_signs_no_more() -> None:
    ring = KeyRing.of(HOST, {}, OLD).revoked(OLD.key_id, at=AT, reason="stolen")

    assert ring.as_jwks()["keys"][0]["revoked"] == {"revoked_at": int(AT.timestamp()), "reason": "stolen"}
    assert not ring.keys[0].may_sign(AT - timedelta(days=100))
    assert ring.revoked(OLD.key_id, at=AT + timedelta(days=1), reason="again") == ring
    assert KeyRing.of(HOST, ring.as_jwks(), OLD) == ring
    with pytest.raises(KeyError):
        ring.revoked("nobody", at=AT, reason="x")


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "RSA"},
        {"crv": "X25519"},
        {"alg": "HS256"},
        {"x": "AA"},
        {"x": "!"},
        {"kid": None},
        {"nbf": "soon"},
    ],
)
def test_a_key_of_another_kind_is_refused(change: dict[str, object]) -> None:
    key = {name: value for name, value in (OLD.public_key() | change).items() if value is not None}
    with pytest.raises(BadKeyRing):
        KeyRing.of(HOST, {"keys": [key]})


def test_no_kid_stands_twice_and_no_kid_is_of_two_keys() -> None:
    with pytest.raises(BadKeyRing):
        KeyRing.of(HOST, {"keys": [OLD.public_key(), OLD.public_key()]})
    with pytest.raises(BadKeyRing):
        KeyRing.of(HOST, {"keys": [NEW.public_key() | {"kid": OLD.key_id}]}, OLD)


def test_a_jws_has_one_text() -> None:
    text = OLD.jws(b'{"a":1}')
    head, body, signature = text.split(".")

    assert read_jws(text).is_signed_by(OLD.public)
    assert not read_jws(text).is_signed_by(NEW.public)
    spaced = encoding.encode(b'{"alg": "Ed25519"}')
    for other in (
        "",
        "a.b",
        f"{text}.",
        f"{head}=.{body}.{signature}",
        f"{spaced}.{body}.{signature}",
        "ä.b.c",
    ):
        with pytest.raises(BadJws):
            read_jws(other)
    last = signature[-1]
    twin = next(
        c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c != last and c not in "AQgw"
    )
    with pytest.raises(BadJws):
        read_jws(f"{head}.{body}.{signature[:-1]}{twin}")
