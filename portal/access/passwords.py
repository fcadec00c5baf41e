"""What staff prove themselves with: an Argon2id password and a TOTP step. Pure; no clock, no database."""

from __future__ import annotations

import hmac
import secrets
import unicodedata
from datetime import datetime

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

#: 19 MiB, two passes, one lane: OWASP's first Argon2id setting, about 27 ms a check.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
#: What an unknown login is compared with, so that it takes as long as a known one.
NOBODY = _HASHER.hash(secrets.token_urlsafe(24))
SHORTEST = 12
STEP_SECONDS = 30


class TooShort(ValueError):
    """A password below the shortest allowed length."""


def hash_password(password: str) -> str:
    """The stored form of a new password. Raises TooShort below 12 characters."""
    if len(_plain(password)) < SHORTEST:
        raise TooShort(f"at least {SHORTEST} characters")
    return _HASHER.hash(_plain(password))


def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password is right; None (nobody of that login) takes as long and is never right."""
    try:
        right = _HASHER.verify(password_hash or NOBODY, _plain(password))
    except (VerifyMismatchError, InvalidHashError):
        return False
    return right and password_hash is not None


def new_totp_secret() -> str:
    """160 random bits in the base 32 that authenticator apps read."""
    return pyotp.random_base32()


def totp_address(secret: str, *, login: str, issuer: str) -> str:
    """The otpauth: address an authenticator app takes in, as text or as a QR code."""
    return str(pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=issuer))


def totp_at(secret: str, instant: datetime) -> str:
    """The six digits an authenticator app shows at `instant`."""
    return str(pyotp.TOTP(secret).at(int(instant.timestamp())))


def totp_step(secret: str, code: str, real_now: datetime) -> int | None:
    """The 30-second step whose code this is, the present one or one to either side; else None."""
    present = int(real_now.timestamp()) // STEP_SECONDS
    found = None
    for step in (present - 1, present, present + 1):
        expected = str(pyotp.TOTP(secret).at(step * STEP_SECONDS))
        if hmac.compare_digest(expected.encode(), code.encode()):
            found = step
    return found


def _plain(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
