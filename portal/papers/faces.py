"""What the public may be told of a paper we issued: that we did and when, and whether a fingerprint is its own.

No model with a person in it, no amount, and not what kind of paper it is.
"""

from __future__ import annotations

import string
import unicodedata
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import Connection, Date, String, bindparam, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, append_only

#: Typing the first sixteen of the digest's 64 characters is enough; fewer say nothing.
SHORTEST = 16


class PaperFace(Base):
    """One row per issued agreement and certificate, beside the paper itself. Nothing here leads to a person."""

    __tablename__ = "paper_face"
    reference: Mapped[str] = mapped_column(String(20), primary_key=True)
    issued_on: Mapped[date] = mapped_column(Date)
    #: SHA-256 of the paper's content, hexadecimal
    digest: Mapped[str] = mapped_column(String(64))


append_only(PaperFace.__table__)  # type: ignore[arg-type]


class Comparison(StrEnum):
    """How a digest that somebody holds compares with the one on record."""

    NOT_ASKED = "not_asked"
    TOO_SHORT = "too_short"
    SAME = "same"
    DIFFERENT = "different"


@dataclass(frozen=True)
class IssuedFace:
    """That the bank issued a paper of that reference, and when."""

    reference: str
    issued_on: date
    digest: str

    def compare(self, typed: str) -> Comparison:
        """Whether `typed` is this paper's digest, or at least its first SHORTEST characters.

        >>> face = IssuedFace("S-0000-00000", date(2026, 11, 20), "0123456789abcdef" * 4)
        >>> face.compare(" 0123 4567 89AB CDEF"), face.compare("0123"), face.compare("f" * 64)
        (<Comparison.SAME: 'same'>, <Comparison.TOO_SHORT: 'too_short'>, <Comparison.DIFFERENT: 'different'>)
        """
        text = "".join(unicodedata.normalize("NFKC", typed).split()).replace("-", "").lower()
        if not text:
            return Comparison.NOT_ASKED
        if any(character not in string.hexdigits for character in text) or len(text) > len(self.digest):
            return Comparison.DIFFERENT
        if not self.digest.startswith(text):
            return Comparison.DIFFERENT if len(text) >= SHORTEST else Comparison.TOO_SHORT
        return Comparison.SAME if len(text) >= SHORTEST else Comparison.TOO_SHORT


_BY_REFERENCE = select(PaperFace.reference, PaperFace.issued_on, PaperFace.digest).where(
    PaperFace.reference == bindparam("reference")
)


def face_of(connection: Connection, reference: str) -> IssuedFace | None:
    """The face of a reference in the form it is printed in; nothing for one that was never issued."""
    row = connection.execute(_BY_REFERENCE, {"reference": reference}).one_or_none()
    return IssuedFace(*row) if row else None
