"""What the public may be told of an issued statement: no model with a person in it, and no amount."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection, Date, String, bindparam, select
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import Base, append_only
from portal.papers.faces import IssuedFace


class StatementFace(Base):
    """One row per issued statement, beside the statement itself. Nothing here leads to a person."""

    __tablename__ = "statement_face"
    reference: Mapped[str] = mapped_column(String(16), primary_key=True)
    issued_on: Mapped[date] = mapped_column(Date)
    #: SHA-256 of the statement's content, hexadecimal
    digest: Mapped[str] = mapped_column(String(64))


append_only(StatementFace.__table__)  # type: ignore[arg-type]


_BY_REFERENCE = select(StatementFace.reference, StatementFace.issued_on, StatementFace.digest).where(
    StatementFace.reference == bindparam("reference")
)


def face_of(connection: Connection, reference: str) -> IssuedFace | None:
    """The face of a reference in the form it is printed in; nothing for one that was never issued."""
    row = connection.execute(_BY_REFERENCE, {"reference": reference}).one_or_none()
    return IssuedFace(*row) if row else None
