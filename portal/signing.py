"""Signatures anybody can check: receipts for what a borrower sent, with the bank's Ed25519 key."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


@dataclass(frozen=True)
class Signer:
    """Signs canonical JSON with one Ed25519 key, named by `key_id`."""

    key_id: str
    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> Signer:
        """The signer of a 32-byte seed; its key id is the first 16 characters of the public key."""
        private = Ed25519PrivateKey.from_private_bytes(seed)
        return cls(key_id=_text(_raw(private.public_key()))[:16], private=private)

    def sign(self, content: Mapping[str, Any]) -> str:
        """The signature over `canonical(content)`, base64url without padding."""
        return _text(self.private.sign(canonical(content)))

    def public_key(self) -> dict[str, str]:
        """The public half as a JSON Web Key (RFC 8037), for whoever checks a signature without us."""
        x = _text(_raw(self.private.public_key()))
        return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.key_id, "x": x}

    def verify(self, content: Mapping[str, Any], signature: str) -> bool:
        """Whether `signature` is this key's over `content`."""
        try:
            padded = signature + "=" * (-len(signature) % 4)
            self.private.public_key().verify(base64.urlsafe_b64decode(padded), canonical(content))
        except (InvalidSignature, ValueError):
            return False
        return True


def canonical(content: Mapping[str, Any]) -> bytes:
    """One text for one meaning: sorted keys, no spaces, UTF-8. Floats are refused (TypeError)."""
    _refuse_floats(content)
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError("a signed text holds no floats")
    if isinstance(value, Mapping):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)


def _raw(public: Ed25519PublicKey) -> bytes:
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
