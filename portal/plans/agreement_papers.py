"""The PDFs that were made of agreements: their digests are kept, so that a file can be told from another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Table, select
from sqlalchemy.orm import Session

from portal import audit
from portal.db import upsert
from portal.plans.models import Agreement, AgreementPaper, Plan

_PAPER: Table = AgreementPaper.__table__  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class KeptPaper:
    """A file that was made of an agreement: SHA-256 of its bytes, what made it, when it was first made."""

    agreement_id: int
    digest: str
    maker: str
    made_at: datetime


def papers_of(connection: Connection, borrower_id: int, plan_id: int) -> tuple[KeptPaper, ...]:
    """The files made of the agreements of the borrower's own plan, the oldest first."""
    rows = connection.execute(
        select(
            AgreementPaper.agreement_id,
            AgreementPaper.digest,
            AgreementPaper.maker,
            AgreementPaper.created_at,
        )
        .join(Agreement, Agreement.id == AgreementPaper.agreement_id)
        .join(Plan, Plan.id == Agreement.plan_id)
        .where(Plan.id == plan_id, Plan.borrower_id == borrower_id)
        .order_by(AgreementPaper.id)
    )
    return tuple(KeptPaper(*row) for row in rows)


def file_digest(content: bytes) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def keep(session: Session, *, papers: Iterable[tuple[int, str, str]], maker: str, now: datetime) -> None:
    """Remember that these agreements (id, reference, digest of the file) were made as files by `maker`.

    The same file again changes nothing. Another file of the same agreement means that the maker of PDFs or
    the bank's name changed: the agreement's own text did not, and its signature stands in both.
    """
    for agreement_id, reference, digest in papers:
        made = session.execute(
            upsert(_PAPER)
            .values(created_at=now, agreement_id=agreement_id, digest=digest, maker=maker)
            .on_conflict_do_nothing()
            .returning(_PAPER.c.id)
        ).scalar()
        if made is not None:
            audit.record(
                session,
                actor=audit.SYSTEM,
                event="plans.agreement_paper_made",
                subject_kind="agreement",
                subject_ref=reference,
                now=now,
                facts={"digest": digest, "maker": maker},
            )
