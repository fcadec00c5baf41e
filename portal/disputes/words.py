"""Free words sealed as one text, and what the bank signs of a record or an answer."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from portal.keys import Keys
from portal.signing import KeyRing, Signer, canonical
from portal.signing.signer import signed_by

#: What the words of a room are sealed for.
RECORD, COMPLAINT = "visit.record", "complaint.text"
#: In every signed text: nobody tries out by the signature alone what a few words might have been.
SALT = "salt"


@dataclass(frozen=True)
class Signed:
    """A signed text: its words sealed, and the signature over all of it."""

    words_sealed: bytes
    key_id: str
    signature: str


def seal(keys: Keys, purpose: str, words: Mapping[str, str]) -> bytes:
    """The words as one sealed text."""
    return keys.seal(purpose, json.dumps(dict(words), ensure_ascii=False))


def unseal(keys: Keys, purpose: str, sealed: bytes) -> dict[str, str]:
    """The words as they were sealed."""
    return {str(name): str(text) for name, text in json.loads(keys.unseal(purpose, sealed)).items()}


def sign(signer: Signer, keys: Keys, *, facts: Mapping[str, Any], words: Mapping[str, str]) -> Signed:
    """Sign the facts together with the words; instants are ISO texts in UTC."""
    salted = {**words, SALT: secrets.token_urlsafe(12)}
    signature = signer.sign(_content(facts, salted))
    return Signed(seal(keys, RECORD, salted), signer.key_id, signature)


def is_signed(
    ring: KeyRing, *, key_id: str, signature: str, facts: Mapping[str, Any], words: Mapping[str, str]
) -> bool:
    """Whether the bank's key signed exactly this and has not been revoked."""
    key = ring.find(key_id)
    if key is None or key.revoked_at is not None:
        return False
    return signed_by(key.public, canonical(_content(facts, words)), signature)


def instant(at: datetime) -> str:
    """An instant as a signed text holds it.

    >>> instant(datetime(2026, 11, 20, 7, tzinfo=UTC))
    '2026-11-20T07:00:00+00:00'
    """
    return at.astimezone(UTC).isoformat()


def _content(facts: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, Any]:
    return {**facts, "words": dict(words)}
