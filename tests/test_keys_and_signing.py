"""Sealing opens only for its purpose; a signature fits only its content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.keys import Keys, Unsealable
from portal.signing import Signer, canonical

KEYS = Keys(pepper=bytes(range(32)), master=bytes(range(32, 64)))


@given(st.text(max_size=60))
def test_what_was_sealed_opens(text: str) -> None:
    assert KEYS.unseal("borrower.name", KEYS.seal("borrower.name", text)) == text


def test_another_purpose_or_key_does_not_open_it() -> None:
    sealed = KEYS.seal("borrower.name", "林晓")

    with pytest.raises(Unsealable):
        KEYS.unseal("borrower.phone", sealed)
    with pytest.raises(Unsealable):
        Keys(pepper=KEYS.pepper, master=bytes(32)).unseal("borrower.name", sealed)
    assert "林晓".encode() not in sealed


def test_digests_differ_by_purpose() -> None:
    assert KEYS.digest("code", "7KQF") != KEYS.digest("token", "7KQF")
    assert "7KQF" not in repr(KEYS)
    assert str(KEYS.pepper) not in repr(KEYS)


@given(st.lists(st.text(max_size=20), max_size=8))
def test_many_at_once_are_as_many_one_by_one(texts: list[str]) -> None:
    sealed = KEYS.seal_all("borrower.name", texts)

    assert [KEYS.unseal("borrower.name", one) for one in sealed] == texts
    assert len({one[:12] for one in sealed}) == len(texts)
    assert KEYS.digest_all("phone", texts) == [KEYS.digest("phone", text) for text in texts]


def test_a_signature_fits_one_content() -> None:
    signer = Signer.from_seed(bytes(range(32)))
    signature = signer.sign({"amount": 100, "to": "港湾银行"})

    assert signer.verify({"to": "港湾银行", "amount": 100}, signature)
    assert not signer.verify({"to": "港湾银行", "amount": 101}, signature)
    assert not signer.verify({"to": "港湾银行", "amount": 100}, "not base64!")


def test_floats_are_not_signed() -> None:
    with pytest.raises(TypeError):
        canonical({"rows": [{"amount": 1.5}]})
