"""base64url without padding (RFC 7515), read strictly: one text for one value. Pure."""

from __future__ import annotations

import base64
import binascii


def encode(data: bytes) -> str:
    """`data` as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """What `encode` was given. ValueError for padding, foreign characters, or another text of the same value.

    >>> decode(encode(b"portal"))
    b'portal'
    """
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("not base64url") from None
    if encode(data) != text:
        raise ValueError("not the one text of its value")
    return data
