"""Verify offline: nothing foreign, altered, expired or differently signed is believed; nothing of a person is in it."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import segno
from hypothesis import example, given
from hypothesis import settings as trying
from hypothesis import strategies as st

from portal.access import codes
from portal.notices import offline
from portal.notices.offline import Reason, Verdict
from portal.notices.wording import may_be_seen
from portal.signing import KeyRing, PublishedKey, Signer, canonical, encoding

HOST = "my.harbour.example"
SIGNER, FOREIGN = Signer.from_seed(bytes(range(64, 96))), Signer.from_seed(bytes(range(1, 33)))
RING = KeyRing.of(HOST, {}, SIGNER)
CODE = codes.with_check("7KQF3MWD01AB")
TEXT = "蒋曦静：截至 2026年11月10日，到期未还合计 ¥64,187.71。请到 my.harbour.example 核实，还到 9999 0000 1111 2222 333。"
ISSUED = datetime(2026, 11, 10, 8, 3, tzinfo=UTC)
EXPIRES = datetime(2027, 1, 9, 16, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
DAY = timedelta(days=1)

JWS = offline.sign(SIGNER, issuer=HOST, code=CODE, text=TEXT, issued=ISSUED, expires=EXPIRES)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def verdict(
    jws: str = JWS,
    ring: KeyRing = RING,
    *,
    code: str | None = CODE,
    text: str | None = TEXT,
    now: datetime = NOW,
) -> Verdict:
    return offline.verify(jws, ring, code=code, text=text, now=now)


def claims(**change: object) -> bytes:
    read = json.loads(encoding.decode(JWS.split(".")[1])) | change
    return canonical({name: value for name, value in read.items() if value is not None})


def test_the_letter_s_own_is_genuine_however_its_words_are_copied() -> None:
    assert verdict() == Verdict((), ISSUED, EXPIRES, True, True)
    assert verdict(code=codes.grouped(CODE).lower().replace("-", " ")).is_genuine
    copied = (
        TEXT.replace("，", "\n").replace("：", ": ").replace("￥", "¥").replace("64,187", "64187").upper()
    )
    assert verdict(text=copied).is_genuine
    bare = verdict(code=None, text=None)
    assert bare.is_genuine
    assert not bare.code_compared
    assert not bare.text_compared


def test_nothing_in_it_is_of_a_person_or_of_a_debt() -> None:
    head, body, _ = JWS.split(".")

    assert set(json.loads(encoding.decode(head))) == {"alg", "kid"}
    read = json.loads(encoding.decode(body))
    assert set(read) == {"iss", "iat", "exp", "cd", "td"}
    assert CODE not in JWS
    assert may_be_seen(encoding.decode(body).decode())
    assert read["cd"] != offline.code_digest(CODE, issuer=HOST, td=offline.text_digest(TEXT + "0"))


def test_it_fits_a_code_that_a_printer_draws_and_a_phone_reads() -> None:
    made = segno.make(JWS, error="m", micro=False, boost_error=False)

    assert len(JWS) <= 362, len(JWS)
    assert int(made.version) <= 14  # 73 modules: 0.54 mm each at 44 mm


@given(at=st.integers(0, len(JWS) - 1), put=st.sampled_from("ABCxyz019-_.=+/ \n中"))
def test_no_altered_character_passes(at: int, put: str) -> None:
    altered = JWS[:at] + put + JWS[at + 1 :]

    assert altered.strip() == JWS or not verdict(altered, code=None, text=None).is_genuine


@given(
    st.text(max_size=400)
    | st.from_regex(r"\A[A-Za-z0-9_-]{0,80}\.[A-Za-z0-9_-]{0,80}\.[A-Za-z0-9_-]{0,90}\Z")
)
@example("..")
@example(JWS[:-1])
@example(JWS + ".")
@example("." * 100_000)
def test_what_is_not_ours_is_refused_without_a_fault(text: str) -> None:
    assert not verdict(text, code=None, text=None).is_genuine


@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "jwk", "crit", "b64", "x5u"]), ANY_JSON, max_size=4)
)
def test_no_header_talks_us_into_anything(header: dict[str, object]) -> None:
    """Signed by our own key even: only the one header is ours."""
    head = encoding.encode(canonical(header))
    body = JWS.split(".")[1]
    made = f"{head}.{body}.{encoding.encode(SIGNER.private.sign(f'{head}.{body}'.encode()))}"

    assert not verdict(made, code=None, text=None).is_genuine


def test_other_algorithms_are_refused() -> None:
    body = JWS.split(".")[1]
    for algorithm in ("none", "None", "HS256", "EdDSA", "ES256", "ed25519", "", None):
        head = encoding.encode(canonical({"alg": algorithm, "kid": SIGNER.key_id}))
        secret = hmac.new(SIGNER.public, f"{head}.{body}".encode(), hashlib.sha256).digest()
        right = SIGNER.private.sign(f"{head}.{body}".encode())
        for signature in (b"", secret, right):
            made = f"{head}.{body}.{encoding.encode(signature)}"
            assert verdict(made).reasons == (Reason.OTHER_ALGORITHM,)


def test_a_foreign_key_is_refused_under_its_name_and_under_ours() -> None:
    foreign = FOREIGN.jws(claims())
    borrowed = Signer(SIGNER.key_id, FOREIGN.private).jws(claims())

    assert verdict(foreign).reasons == (Reason.UNKNOWN_KEY,)
    assert verdict(borrowed).reasons == (Reason.FORGED,)


def test_a_revoked_key_is_refused_whatever_the_date_and_an_earlier_one_is_not() -> None:
    revoked = RING.revoked(SIGNER.key_id, at=NOW, reason="stolen")
    later = RING.rotated(PublishedKey(FOREIGN.key_id, FOREIGN.public, since=NOW), at=NOW)
    ended = RING.rotated(PublishedKey(FOREIGN.key_id, FOREIGN.public, since=NOW), at=ISSUED - DAY)
    new = FOREIGN.jws(claims(iat=int(NOW.timestamp())))

    assert verdict(ring=revoked).reasons == (Reason.REVOKED_KEY,)
    assert verdict(ring=later).is_genuine
    assert verdict(ring=ended).reasons == (Reason.KEY_NOT_IN_FORCE,)
    assert verdict(new, later).is_genuine
    assert verdict(new, later, now=NOW - DAY).reasons == (Reason.KEY_NOT_IN_FORCE, Reason.NOT_YET)


@trying(max_examples=30)
@given(after=st.integers(0, 10**9))
def test_an_expired_one_is_never_genuine_again(after: int) -> None:
    assert verdict(code=None, text=None, now=EXPIRES + timedelta(seconds=after)).reasons == (Reason.EXPIRED,)
    assert verdict(code=None, text=None, now=EXPIRES - timedelta(seconds=1)).is_genuine


def test_dates_issuer_and_form_are_looked_at() -> None:
    assert verdict(now=ISSUED - DAY).reasons == (Reason.NOT_YET,)
    assert Reason.OTHER_ISSUER in verdict(SIGNER.jws(claims(iss="my.harbour.example.evil.example"))).reasons
    assert verdict(ring=KeyRing.of("other.example", {}, SIGNER)).reasons == (Reason.OTHER_ISSUER,)
    for change in (
        {"exp": True},
        {"exp": "1"},
        {"td": None},
        {"more": 1},
        {"iat": -1},
        {"exp": 10**18},
        {"exp": 1},
    ):
        assert verdict(SIGNER.jws(claims(**change))).reasons == (Reason.UNREADABLE,), change
    assert verdict(SIGNER.jws(b"[]")).reasons == (Reason.UNREADABLE,)
    assert verdict(SIGNER.jws(b'{"a": 1}')).reasons == (Reason.UNREADABLE,)


@trying(max_examples=20)
@given(st.text(codes.ALPHABET, min_size=12, max_size=12))
def test_another_code_does_not_fit(body: str) -> None:
    other = codes.with_check(body)

    assert other == CODE or verdict(code=other).reasons == (Reason.OTHER_CODE,)
    assert verdict(code="").reasons == (Reason.OTHER_CODE,)


@given(at=st.integers(0, len(TEXT) - 1), put=st.sampled_from("一0123456789abк¥$%.港"))
def test_another_word_figure_or_address_does_not_fit(at: int, put: str) -> None:
    altered = TEXT[:at] + put + TEXT[at + 1 :]

    same = offline.folded(altered) == offline.folded(TEXT)
    assert verdict(text=altered, code=None).is_genuine == same


def test_what_folding_keeps_apart() -> None:
    pairs = [
        ("64,187.71", "6,418,771"),
        ("¥5", "$5"),
        ("5%", "5"),
        ("my.harbour", "myharbour"),
        ("my.harbour-bank", "my.harbourbank"),
        ("a/b", "ab"),
        ("10:30", "1030"),
        ("а", "a"),
        ("1.5", "15"),
        ("1,5", "15"),
        ("1,234", "1,2345"),
    ]
    for left, right in pairs:
        assert offline.folded(left) != offline.folded(right), (left, right)
