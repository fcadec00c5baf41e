"""Issuing a statement: its content is kept, hashed and signed, once, and the public can check it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from portal import audit
from portal.access import counters
from portal.access.codes import new_reference
from portal.access.limits import STATEMENTS_HOUR
from portal.accounts.models import IssuedStatement
from portal.db import upsert
from portal.keys import Keys
from portal.signing import Signer
from portal.statements.faces import StatementFace
from portal.statements.queries import Choice, statement_for
from portal.statements.sheet import Statement, content_of, digest_of

#: Of a statement's reference; other papers have other letters.
PREFIX = "S"
#: How often a reference is drawn again that stands already: 40 random bits make one draw enough.
DRAWS = 4

_ISSUED: Table = IssuedStatement.__table__  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Wait:
    """Too many statements in a short time: no other for so many seconds."""

    seconds: int


def signed_facts(*, issuer: str, reference: str, issued_on: date, as_of: date, digest: str) -> dict[str, str]:
    """What the signature covers. With the content's digest in it, it covers the content."""
    return {
        "kind": "statement",
        "issuer": issuer,
        "reference": reference,
        "issued_on": issued_on.isoformat(),
        "as_of": as_of.isoformat(),
        "digest": digest,
    }


def issue(
    session: Session,
    *,
    keys: Keys,
    signer: Signer,
    issuer: str,
    borrower_id: int,
    choice: Choice,
    today: date,
    now: datetime,
    real_now: datetime,
) -> str | Wait | None:
    """Issue the statement of `choice`; its reference, or None when no loan of the borrower is in it.

    The same statement again (same loans, days and ledger) is the one already issued: its content is the
    key, and the database keeps it unique.
    """
    limit = STATEMENTS_HOUR
    count = counters.count_towards(session, keys=keys, limit=limit, key=str(borrower_id), real_now=real_now)
    if count > limit.most:
        return Wait(counters.seconds_left(limit, real_now))
    statement = statement_for(session.connection(), borrower_id, choice, issuer=issuer)
    if statement is None:
        return None
    return _keep(session, signer, borrower_id, statement, today=today, now=now)


def _keep(
    session: Session, signer: Signer, borrower_id: int, statement: Statement, *, today: date, now: datetime
) -> str:
    content = content_of(statement)
    digest = digest_of(content)
    values: dict[str, Any] = {
        "created_at": now,
        "borrower_id": borrower_id,
        "issued_on": today,
        "as_of": statement.as_of,
        "digest": digest,
        "content": content,
        "key_id": signer.key_id,
    }
    for _ in range(DRAWS):
        reference = new_reference(PREFIX)
        facts = signed_facts(
            issuer=statement.issuer,
            reference=reference,
            issued_on=today,
            as_of=statement.as_of,
            digest=digest,
        )
        made = session.execute(
            upsert(_ISSUED)
            .values(**values, reference=reference, signature=signer.sign(facts))
            .on_conflict_do_nothing()
            .returning(_ISSUED.c.reference)
        ).scalar()
        if made is not None:
            _publish(session, borrower_id, made, digest, statement, today=today, now=now)
            return str(made)
        known = session.scalar(
            select(_ISSUED.c.reference).where(
                _ISSUED.c.borrower_id == borrower_id, _ISSUED.c.digest == digest
            )
        )
        if known is not None:
            return str(known)
    raise RuntimeError("no free reference")


def _publish(
    session: Session,
    borrower_id: int,
    reference: str,
    digest: str,
    statement: Statement,
    *,
    today: date,
    now: datetime,
) -> None:
    """The face that anybody may ask, and the record."""
    session.add(StatementFace(reference=reference, issued_on=today, digest=digest))
    audit.record(
        session,
        actor=audit.Actor("borrower", str(borrower_id)),
        event="accounts.statement_issued",
        subject_kind="statement",
        subject_ref=reference,
        now=now,
        facts={
            "digest": digest,
            "as_of": statement.as_of.isoformat(),
            "loans": [loan.facts.loan_ref for loan in statement.loans],
        },
    )
    session.flush()
