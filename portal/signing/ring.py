"""The bank's public keys: the one that signs now, those that signed before, and those that must not be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from portal.signing import encoding
from portal.signing.signer import ALGORITHM, Signer, jwk


class BadKeyRing(ValueError):
    """A key file that must not be served from; the message says which key and why."""


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A public key with its time. It signs from `since` to `until`; either may be open. What a key signed in
    its time stays good after `until`; of a revoked key nothing is good any more, whenever it was signed,
    because whoever holds it may write any date."""

    key_id: str
    public: bytes
    since: datetime | None = None
    until: datetime | None = None
    revoked_at: datetime | None = None
    reason: str = ""

    @classmethod
    def from_jwk(cls, key: Mapping[str, Any]) -> PublishedKey:
        """A key as the set has it. Raises BadKeyRing."""
        name = str(key.get("kid", "without a kid"))
        try:
            public = encoding.decode(key["x"])
            if (key["kty"], key["crv"], key["alg"]) != ("OKP", "Ed25519", ALGORITHM) or len(public) != 32:
                raise BadKeyRing(f"key {name} is no Ed25519 key")
            revoked = key.get("revoked")
            return cls(
                key_id=key["kid"],
                public=public,
                since=_instant(key.get("nbf")),
                until=_instant(key.get("exp")),
                revoked_at=_instant(revoked["revoked_at"]) if revoked else None,
                reason=str(revoked.get("reason", "")) if revoked else "",
            )
        except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
            if isinstance(error, BadKeyRing):
                raise
            raise BadKeyRing(f"key {name} cannot be read") from None

    def as_jwk(self) -> dict[str, Any]:
        """As a JSON Web Key with nbf, exp and revoked where they are set (seconds since 1970)."""
        made: dict[str, Any] = jwk(self.key_id, self.public)
        if self.since:
            made["nbf"] = int(self.since.timestamp())
        if self.until:
            made["exp"] = int(self.until.timestamp())
        if self.revoked_at:
            made["revoked"] = {"revoked_at": int(self.revoked_at.timestamp()), "reason": self.reason}
        return made

    def may_sign(self, at: datetime) -> bool:
        """Whether this key signs at `at`."""
        begun = self.since is None or self.since <= at
        return begun and (self.until is None or at < self.until) and self.revoked_at is None


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of `issuer` (the portal's host), the newest first."""

    issuer: str
    keys: tuple[PublishedKey, ...]

    @classmethod
    def of(cls, issuer: str, published: Mapping[str, Any], signer: Signer | None = None) -> KeyRing:
        """The ring of a key set (RFC 7517); a signer that is not in it stands at its head. Raises BadKeyRing."""
        listed = [PublishedKey.from_jwk(key) for key in published.get("keys", ())]
        if signer and all(key.key_id != signer.key_id for key in listed):
            listed.insert(0, PublishedKey(signer.key_id, signer.public))
        if len({key.key_id for key in listed}) != len(listed):
            raise BadKeyRing("a kid stands twice")
        if signer and any(k.key_id == signer.key_id and k.public != signer.public for k in listed):
            raise BadKeyRing(f"key {signer.key_id} is another key than the one that signs")
        return cls(issuer, tuple(listed))

    def find(self, key_id: str) -> PublishedKey | None:
        """The key of that id."""
        return next((key for key in self.keys if key.key_id == key_id), None)

    def as_jwks(self) -> dict[str, Any]:
        """The set as it is published."""
        return {"keys": [key.as_jwk() for key in self.keys]}

    def rotated(self, new: PublishedKey, *, at: datetime) -> KeyRing:
        """With `new` in front from `at` on; the keys that still signed, sign until then."""
        before = [
            PublishedKey(k.key_id, k.public, k.since, k.until or at, k.revoked_at, k.reason)
            for k in self.keys
        ]
        return KeyRing(self.issuer, (new, *before))

    def revoked(self, key_id: str, *, at: datetime, reason: str) -> KeyRing:
        """With that key revoked; the first revocation stays. KeyError for a key that is not in the ring."""
        if self.find(key_id) is None:
            raise KeyError(key_id)
        return KeyRing(
            self.issuer,
            tuple(
                PublishedKey(k.key_id, k.public, k.since, k.until, at, reason)
                if k.key_id == key_id and k.revoked_at is None
                else k
                for k in self.keys
            ),
        )


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
