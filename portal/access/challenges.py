"""One-time codes: made, sent, and compared at most five times, for signing in and for single acts.

A wrong answer is a return value, not an exception: raising would roll the counted try back.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Update, delete, func, select, text, update
from sqlalchemy.orm import Session

from portal import audit
from portal.access import codes, limits
from portal.access.counters import count_towards, counted
from portal.access.models import Challenge
from portal.borrowers.models import Borrower
from portal.keys import Keys

#: What a challenge is answered for.
SIGN_IN = "sign_in"
ACCEPT = "accept"


class Queue(Protocol):
    """`portal.messages.operations.queue`, handed in because messages lie above this layer."""

    def __call__(
        self,
        session: Session,
        *,
        keys: Keys,
        borrower_id: int,
        kind: str,
        params: Mapping[str, str],
        dedupe_key: str,
        asked_for: bool,
        real_now: datetime,
        expires_at: datetime | None = None,
        demonstration: bool = False,
    ) -> Any:
        """Write one message to the outbox."""


@dataclass(frozen=True)
class CodeSender:
    """How one-time codes leave: the outbox, and the host their text names."""

    queue: Queue
    host: str
    demonstration: bool


@dataclass(frozen=True)
class Accepted:
    """The code and what went with it were right; the challenge is used."""

    borrower_id: int
    challenge_id: int


@dataclass(frozen=True)
class Refused:
    """`reason` is "wrong" (compared and not right) or "spent" (nothing was compared: no live code of this
    browser, five tries used, or the day's budget used). People before proof see one wording for both."""

    reason: str


@dataclass(frozen=True)
class Holder:
    """Whose reference it is."""

    borrower_id: int
    notice_id: int | None


def start_challenge(
    session: Session,
    *,
    keys: Keys,
    borrower_id: int,
    notice_id: int | None,
    purpose: str,
    subject: str,
    browser: str,
    real_now: datetime,
    sender: CodeSender,
) -> bool:
    """Send a signed-in borrower a code for one act, such as accepting the terms whose hash is `subject`.

    False when the number has had its codes of this hour or day; an earlier code then stays good.
    """
    holder = Holder(borrower_id, notice_id)
    return issue(
        session,
        keys=keys,
        holder=holder,
        purpose=purpose,
        subject=subject,
        browser=browser,
        real_now=real_now,
        sender=sender,
    )


def answer_challenge(
    session: Session,
    *,
    keys: Keys,
    browser: str,
    purpose: str,
    subject: str = "",
    code: str,
    id_tail: str | None,
    real_now: datetime,
) -> Accepted | Refused:
    """Compare one answer with this browser's newest challenge of `purpose` and `subject`.

    The try is taken by one conditional UPDATE before anything is compared, so no concurrency gives a
    sixth. To sign in, the last four of the ID number are compared in the same step and give the same
    answer; for other purposes `id_tail` may be None.
    """
    taken = session.execute(_take_try(session, keys, browser, purpose, subject, real_now)).one_or_none()
    if taken is None:
        return Refused("spent")
    if not _within_budget(session, keys, taken.id, taken.borrower_id, taken.notice_id, real_now):
        return Refused("spent")
    is_code = hmac.compare_digest(
        taken.code_digest, _code_digest(keys, taken.id, browser, codes.plain_digits(code))
    )
    is_person = _tail_matches(session, keys, taken.borrower_id, id_tail, needed=purpose == SIGN_IN)
    if not (is_code and is_person and taken.borrower_id is not None):
        _count_wrong_answer(session, keys, real_now)
        return Refused("wrong")
    session.execute(quiet(update(Challenge).where(Challenge.id == taken.id).values(used_at=real_now)))
    return Accepted(int(taken.borrower_id), int(taken.id))


def forget_challenges(session: Session, *, real_now: datetime) -> None:
    """Delete challenges older than two days; their tries are long counted."""
    session.execute(
        delete(Challenge)
        .where(Challenge.created_at < real_now - timedelta(days=2))
        .execution_options(synchronize_session=False)
    )


def issue(
    session: Session,
    *,
    keys: Keys,
    holder: Holder | None,
    purpose: str,
    subject: str,
    browser: str,
    real_now: datetime,
    sender: CodeSender,
) -> bool:
    """Make a challenge unless the number has had enough; one without a holder can never be answered."""
    if holder is not None and not _may_send(session, keys, holder.borrower_id, real_now):
        return False
    browser_digest = keys.digest("browser", browser)
    _supersede(session, holder, purpose, browser_digest, real_now)
    challenge = Challenge(
        created_at=real_now,
        borrower_id=holder.borrower_id if holder else None,
        notice_id=holder.notice_id if holder else None,
        purpose=purpose,
        subject=subject,
        code_digest="",
        browser_digest=browser_digest,
        expires_at=real_now + limits.CODE_LIFE,
    )
    session.add(challenge)
    session.flush()
    code = f"{secrets.randbelow(10**6):06d}"
    challenge.code_digest = _code_digest(keys, challenge.id, browser, code)
    session.flush()
    if holder is not None:
        _send(session, keys, sender, holder.borrower_id, challenge, code, real_now)
    return True


def _send(
    session: Session,
    keys: Keys,
    sender: CodeSender,
    borrower_id: int,
    challenge: Challenge,
    code: str,
    real_now: datetime,
) -> None:
    minutes = int(limits.CODE_LIFE.total_seconds()) // 60
    sender.queue(
        session,
        keys=keys,
        borrower_id=borrower_id,
        kind="one_time_code",
        params={"code": code, "host": sender.host, "minutes": str(minutes), "purpose": challenge.purpose},
        dedupe_key=f"otp:{challenge.id}",
        asked_for=True,
        real_now=real_now,
        expires_at=challenge.expires_at,
        demonstration=sender.demonstration,
    )
    record(
        session, "access.code_sent", borrower_id, real_now, purpose=challenge.purpose, challenge=challenge.id
    )


def _supersede(
    session: Session, holder: Holder | None, purpose: str, browser_digest: str, real_now: datetime
) -> None:
    """End this borrower's and this browser's earlier codes of the same purpose."""
    whose: ColumnElement[bool] = Challenge.browser_digest == browser_digest
    if holder is not None:
        whose = whose | (Challenge.borrower_id == holder.borrower_id)
    session.execute(
        quiet(
            update(Challenge)
            .where(whose, Challenge.purpose == purpose)
            .where(Challenge.used_at.is_(None), Challenge.superseded_at.is_(None))
            .values(superseded_at=real_now)
        )
    )


def _may_send(session: Session, keys: Keys, borrower_id: int, real_now: datetime) -> bool:
    """Count one more code to the borrower's number; whether every cap still allows it."""
    number = session.execute(select(Borrower.phone_digest).where(Borrower.id == borrower_id)).scalar_one()
    for limit in (limits.CODES_HOUR, limits.CODES_DAY):
        if counted(session, keys=keys, limit=limit, key=number, real_now=real_now) >= limit.most:
            return False
    raised = [
        count_towards(session, keys=keys, limit=limit, key=key, real_now=real_now) <= limit.most
        for limit, key in ((limits.CODES_HOUR, number), (limits.CODES_DAY, number), (limits.CODES_ALL, ""))
    ]
    return all(raised)


def _take_try(
    session: Session, keys: Keys, browser: str, purpose: str, subject: str, real_now: datetime
) -> Any:
    newest = (
        select(func.max(Challenge.id))
        .where(Challenge.browser_digest == keys.digest("browser", browser))
        .where(Challenge.purpose == purpose, Challenge.subject == subject)
        .scalar_subquery()
    )
    statement = (
        update(Challenge)
        .where(Challenge.id == newest, Challenge.tries < limits.TRIES)
        .where(Challenge.used_at.is_(None), Challenge.superseded_at.is_(None))
        .where(Challenge.created_at <= real_now, Challenge.expires_at > real_now)
        .values(tries=Challenge.tries + 1)
    )
    if session.get_bind().dialect.name == "postgresql":
        life = text(f"clock_timestamp() - interval '{int(limits.CODE_LIFE.total_seconds())} seconds'")
        statement = statement.where(Challenge.stamped_at > life)
    return quiet(statement).returning(
        Challenge.id, Challenge.borrower_id, Challenge.notice_id, Challenge.code_digest
    )


def _within_budget(
    session: Session,
    keys: Keys,
    challenge_id: int,
    borrower_id: int | None,
    notice_id: int | None,
    real_now: datetime,
) -> bool:
    """The day's comparisons: per notice, per borrower without one, and for show where nobody is behind."""
    owner = f"notice:{notice_id}" if notice_id else f"borrower:{borrower_id}"
    key = owner if borrower_id else f"challenge:{challenge_id}"
    count = count_towards(session, keys=keys, limit=limits.TRIES_DAY, key=key, real_now=real_now)
    return count <= limits.TRIES_DAY.most


def _tail_matches(
    session: Session, keys: Keys, borrower_id: int | None, id_tail: str | None, *, needed: bool
) -> bool:
    if id_tail is None:
        return not needed
    sealed = session.execute(
        select(Borrower.id_tail_sealed).where(Borrower.id == borrower_id)
    ).scalar_one_or_none()
    on_file = keys.unseal("borrower.id_tail", sealed) if sealed else "\0"
    return hmac.compare_digest(on_file.upper().encode(), codes.plain_tail(id_tail).encode())


def _code_digest(keys: Keys, challenge_id: int, browser: str, code: str) -> str:
    return keys.digest("one_time_code", f"{challenge_id}\0{browser}\0{code}")


def _count_wrong_answer(session: Session, keys: Keys, real_now: datetime) -> None:
    count = count_towards(session, keys=keys, limit=limits.WRONG_ANSWERS_ALL, key="", real_now=real_now)
    if count == limits.WRONG_ANSWERS_ALL.most:
        alarm(session, limits.WRONG_ANSWERS_ALL, real_now)


def alarm(session: Session, limit: limits.Limit, real_now: datetime) -> None:
    """One record per window, on the count that reaches the limit."""
    audit.record(
        session,
        actor=audit.SYSTEM,
        event="access.alarm",
        subject_kind="counter",
        subject_ref=limit.scope,
        now=real_now,
        facts={"most": limit.most, "seconds": limit.seconds},
    )


def record(session: Session, event: str, borrower_id: int, real_now: datetime, **facts: Any) -> None:
    """One audit row of a borrower's own doing."""
    audit.record(
        session,
        actor=audit.Actor("borrower", str(borrower_id)),
        event=event,
        subject_kind="borrower",
        subject_ref=borrower_id,
        now=real_now,
        facts=facts,
    )


def quiet(statement: Update) -> Update:
    """The statement speaks to rows only; no loaded object is kept in step with it."""
    return statement.execution_options(synchronize_session=False)
