"""Keys that live outside the database: keyed digests of codes, and sealing of personal data at rest."""

from __future__ import annotations

import functools
import hmac
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Unsealable(Exception):
    """A sealed value that this key, or this purpose, does not open."""


@dataclass(frozen=True)
class Keys:
    """`pepper` makes digests, `master` seals; 32 bytes each. Neither is ever written to the database."""

    pepper: bytes = field(repr=False)
    master: bytes = field(repr=False)

    @functools.cached_property
    def _cipher(self) -> AESGCM:
        # made once: setting the key up costs more than sealing a name
        return AESGCM(self.master)

    def digest(self, purpose: str, text: str) -> str:
        """HMAC-SHA-256 of `text`, separated by `purpose`, as 64 hex digits."""
        return hmac.digest(self.pepper, f"{purpose}\0{text}".encode(), "sha256").hex()

    def digest_all(self, purpose: str, texts: Iterable[str]) -> list[str]:
        """`digest` of many texts, for half of what they cost one by one."""
        begun = hmac.new(self.pepper, f"{purpose}\0".encode(), "sha256")
        found = []
        for text in texts:
            one = begun.copy()
            one.update(text.encode())
            found.append(one.hexdigest())
        return found

    def seal(self, purpose: str, text: str) -> bytes:
        """`text` encrypted with AES-256-GCM; only `unseal` with the same purpose opens it."""
        return self.seal_bytes(purpose, text.encode())

    def seal_all(self, purpose: str, texts: Sequence[str]) -> list[bytes]:
        """`seal` of many texts, for half of what they cost one by one: each has a nonce of its own, but all of
        them are asked for at once."""
        nonces, bound, encrypt = os.urandom(12 * len(texts)), purpose.encode(), self._cipher.encrypt
        sealed = []
        for place, text in enumerate(texts):
            nonce = nonces[12 * place : 12 * place + 12]
            sealed.append(nonce + encrypt(nonce, text.encode(), bound))
        return sealed

    def unseal(self, purpose: str, sealed: bytes) -> str:
        """The text that `seal` was given. Raises Unsealable."""
        return self.unseal_bytes(purpose, sealed).decode()

    def seal_bytes(self, purpose: str, data: bytes) -> bytes:
        """As `seal`, for bytes."""
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, data, purpose.encode())

    def unseal_bytes(self, purpose: str, sealed: bytes) -> bytes:
        """As `unseal`, for bytes. Raises Unsealable."""
        try:
            return self._cipher.decrypt(sealed[:12], sealed[12:], purpose.encode())
        except InvalidTag:
            raise Unsealable(purpose) from None
