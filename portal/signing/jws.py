"""Reading a compact JWS: its parts, strictly in the form we write them, before any key is asked. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.signing import encoding
from portal.signing.signer import canonical, signed_by

#: Longer than anything of ours; a reader stops here.
LONGEST = 65_536


class BadJws(ValueError):
    """A text that is no compact JWS of the form we write."""


@dataclass(frozen=True, slots=True)
class Jws:
    """A JWS as read: nothing of it is to be believed before `is_signed_by` says yes."""

    header: Mapping[str, Any]
    payload: bytes
    signed: bytes
    signature: str

    def is_signed_by(self, public: bytes) -> bool:
        """Whether the key with this public half signed it."""
        return signed_by(public, self.signed, self.signature)

    def claims(self) -> dict[str, Any]:
        """The payload as canonical JSON. Raises BadJws."""
        return _canonical_object(self.payload)


def read_jws(text: str) -> Jws:
    """The parts of a compact JWS. Raises BadJws for anything we would have written otherwise."""
    parts = text.split(".")
    if len(text) > LONGEST or len(parts) != 3:
        raise BadJws("not three parts")
    try:
        header, payload, _ = (encoding.decode(part) for part in parts)
    except ValueError as error:
        raise BadJws(str(error)) from None
    return Jws(_canonical_object(header), payload, f"{parts[0]}.{parts[1]}".encode(), parts[2])


def _canonical_object(data: bytes) -> dict[str, Any]:
    """A JSON object that is its own canonical text: no name twice, no spaces, no floats."""
    try:
        value = json.loads(data)
        if isinstance(value, dict) and canonical(value) == data:
            return value
    except (ValueError, TypeError, RecursionError):
        pass
    raise BadJws("not canonical JSON")
