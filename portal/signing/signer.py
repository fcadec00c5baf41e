"""Signing with the bank's Ed25519 key: canonical JSON, and compact JWS (RFC 7515, RFC 9864)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from portal.signing import encoding

#: The one algorithm there is (RFC 9864). What names another is refused before any key is looked at.
ALGORITHM = "Ed25519"


@dataclass(frozen=True)
class Signer:
    """Signs canonical JSON with one Ed25519 key, named by `key_id`."""

    key_id: str
    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> Signer:
        """The signer of a 32-byte seed; its key id is the first 16 characters of the public key."""
        private = Ed25519PrivateKey.from_private_bytes(seed)
        return cls(key_id=encoding.encode(_raw(private.public_key()))[:16], private=private)

    @property
    def public(self) -> bytes:
        """The public half, 32 bytes."""
        return _raw(self.private.public_key())

    def sign(self, content: Mapping[str, Any]) -> str:
        """The signature over `canonical(content)`, base64url without padding."""
        return encoding.encode(self.private.sign(canonical(content)))

    def jws(self, payload: bytes, **header: str) -> str:
        """The compact JWS over `payload`; `header` adds to alg and kid.

        What it signs begins with the encoded header, and what `sign` signs with a brace: neither can
        be taken for the other.
        """
        protected = encoding.encode(canonical({"alg": ALGORITHM, "kid": self.key_id, **header}))
        signed = f"{protected}.{encoding.encode(payload)}"
        return f"{signed}.{encoding.encode(self.private.sign(signed.encode()))}"

    def public_key(self) -> dict[str, str]:
        """The public half as a JSON Web Key (RFC 8037), for whoever checks a signature without us."""
        return jwk(self.key_id, self.public)

    def verify(self, content: Mapping[str, Any], signature: str) -> bool:
        """Whether `signature` is this key's over `content`."""
        return signed_by(self.public, canonical(content), signature)


def jwk(key_id: str, public: bytes) -> dict[str, str]:
    """A public key as a JSON Web Key of ours."""
    x = encoding.encode(public)
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": ALGORITHM, "kid": key_id, "x": x}


def signed_by(public: bytes, data: bytes, signature: str) -> bool:
    """Whether `signature` (base64url without padding) is that of the key `public` over `data`."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(encoding.decode(signature), data)
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
