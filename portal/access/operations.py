"""How a borrower comes in: a reference, a one-time code with the ID number's last four, a session.

Every unit here flushes and never commits. A wrong answer is a return value, not an exception: raising
would roll the counted try back.
"""

from __future__ import annotations

import hmac
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Update, column, func, select, table, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal import audit
from portal.access import codes, limits
from portal.access.counters import count_towards, counted, seconds_left
from portal.access.models import AccessNumber, Challenge
from portal.access.sessions import OpenedSession, open_session
from portal.borrowers.models import Borrower
from portal.keys import Keys

#: What a challenge is answered for.
SIGN_IN = "sign_in"
ACCEPT = "accept"

#: Notices live above this layer; signing in needs only whose a code is and whether it was withdrawn.
_NOTICE = table(
    "notice",
    column("id"),
    column("borrower_id"),
    column("status"),
    column("code_digest"),
    column("token_digest"),
)


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
class Started:
    """A challenge stands, or nothing does: the answer is the same for a known and an unknown reference."""


@dataclass(frozen=True)
class TryLater:
    """This network has tried too often; nothing was looked up. Wait `seconds`."""

    seconds: int


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
class SignedIn:
    """A session is open; `is_first` when the access number was issued with it and must be shown."""

    opened: OpenedSession
    is_first: bool


@dataclass(frozen=True)
class _Holder:
    """Whose reference it is."""

    borrower_id: int
    notice_id: int | None


def start_sign_in(
    session: Session,
    *,
    keys: Keys,
    reference: str,
    browser: str,
    network: str,
    real_now: datetime,
    sender: CodeSender,
) -> Started | TryLater:
    """Send a code to the number on file when `reference` is somebody's; answer the same when it is not.

    `reference` is a notice code (an expired one still does, a withdrawn one does not), a link token or
    an access number, however it was typed. `browser` is the random value of the browser's cookie.
    """
    wrong = counted(session, keys=keys, limit=limits.WRONG_CODES_NETWORK, key=network, real_now=real_now)
    if wrong >= limits.WRONG_CODES_NETWORK.most:
        return TryLater(seconds_left(limits.WRONG_CODES_NETWORK, real_now))
    holder = _holder_of(session, keys, codes.normalise(reference))
    if holder is None:
        _count_wrong_reference(session, keys, network, real_now)
    _issue(
        session,
        keys=keys,
        holder=holder,
        purpose=SIGN_IN,
        subject="",
        browser=browser,
        real_now=real_now,
        sender=sender,
    )
    return Started()


def start_again(
    session: Session, *, keys: Keys, browser: str, real_now: datetime, sender: CodeSender
) -> Started:
    """Send another code for the reference this browser named last; the reference itself is not kept."""
    found = session.execute(
        select(Challenge.borrower_id, Challenge.notice_id)
        .where(Challenge.browser_digest == keys.digest("browser", browser), Challenge.purpose == SIGN_IN)
        .where(Challenge.created_at > real_now - limits.BROWSER_LIFE)
        .order_by(Challenge.id.desc())
        .limit(1)
    ).one_or_none()
    holder = _Holder(found.borrower_id, found.notice_id) if found and found.borrower_id else None
    _issue(
        session,
        keys=keys,
        holder=holder,
        purpose=SIGN_IN,
        subject="",
        browser=browser,
        real_now=real_now,
        sender=sender,
    )
    return Started()


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
    holder = _Holder(borrower_id, notice_id)
    return _issue(
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
        taken.code_digest, _code_digest(keys, taken.id, browser, plain_digits(code))
    )
    is_person = _tail_matches(session, keys, taken.borrower_id, id_tail, needed=purpose == SIGN_IN)
    if not (is_code and is_person and taken.borrower_id is not None):
        _count_wrong_answer(session, keys, real_now)
        return Refused("wrong")
    session.execute(_quiet(update(Challenge).where(Challenge.id == taken.id).values(used_at=real_now)))
    return Accepted(int(taken.borrower_id), int(taken.id))


def finish_sign_in(
    session: Session,
    *,
    keys: Keys,
    browser: str,
    code: str,
    id_tail: str,
    real_now: datetime,
    replaces: str | None,
) -> SignedIn | Refused:
    """Answer the sign-in challenge and open a session; the first one also issues the access number.

    `replaces` is the digest of the session this browser had before, if any; it ends here.
    """
    answer = answer_challenge(
        session, keys=keys, browser=browser, purpose=SIGN_IN, code=code, id_tail=id_tail, real_now=real_now
    )
    if isinstance(answer, Refused):
        return answer
    _number, is_first = access_number_of(
        session, keys=keys, borrower_id=answer.borrower_id, real_now=real_now
    )
    opened = open_session(
        session, keys=keys, borrower_id=answer.borrower_id, real_now=real_now, replaces=replaces
    )
    return SignedIn(opened, is_first)


def access_number_of(
    session: Session, *, keys: Keys, borrower_id: int, real_now: datetime
) -> tuple[str, bool]:
    """The borrower's lasting access number, and whether this call issued it."""
    number = codes.new_access_number()
    made = session.execute(
        insert(AccessNumber)
        .values(
            created_at=real_now,
            borrower_id=borrower_id,
            number_digest=codes.digest_of(keys, number),
            number_sealed=keys.seal("access.number", number),
        )
        .on_conflict_do_nothing(index_elements=[AccessNumber.borrower_id])
        .returning(AccessNumber.id)
    ).scalar_one_or_none()
    if made is not None:
        _record(session, "access.number_issued", borrower_id, real_now)
        return number, True
    sealed = session.execute(
        select(AccessNumber.number_sealed).where(AccessNumber.borrower_id == borrower_id)
    )
    return keys.unseal("access.number", sealed.scalar_one()), False


def keep_language(session: Session, *, borrower_id: int, language: str, real_now: datetime) -> None:
    """Write the borrower to in `language` from now on: pages and messages."""
    session.execute(_quiet(update(Borrower).where(Borrower.id == borrower_id).values(language=language)))
    _record(session, "access.language_changed", borrower_id, real_now, language=language)


def forget_challenges(session: Session, *, real_now: datetime) -> None:
    """Delete challenges older than two days; their tries are long counted."""
    session.execute(
        Challenge.__table__.delete().where(Challenge.created_at < real_now - timedelta(days=2))  # type: ignore[attr-defined]
    )


def plain_digits(text_typed: str) -> str:
    """A code as it was typed or pasted, full-width and with spaces, as plain characters.

    >>> plain_digits(" ４８2 913")
    '482913'
    """
    return "".join(unicodedata.normalize("NFKC", text_typed).split()).replace("-", "")


def plain_tail(text_typed: str) -> str:
    """The end of an ID number as it was typed; its last character may be an X.

    >>> plain_tail("01２x")
    '012X'
    """
    return plain_digits(text_typed).upper()


def _holder_of(session: Session, keys: Keys, reference: str) -> _Holder | None:
    kind = codes.kind_of(reference)
    digest = codes.digest_of(keys, reference)
    if kind == "access":
        found = session.execute(
            select(AccessNumber.borrower_id).where(AccessNumber.number_digest == digest)
        ).scalar_one_or_none()
        return _Holder(found, None) if found else None
    if not kind:
        return None
    held = _NOTICE.c.code_digest if kind == "code" else _NOTICE.c.token_digest
    row = session.execute(
        select(_NOTICE.c.id, _NOTICE.c.borrower_id).where(held == digest, _NOTICE.c.status != "withdrawn")
    ).one_or_none()
    return _Holder(row.borrower_id, row.id) if row else None


def _issue(
    session: Session,
    *,
    keys: Keys,
    holder: _Holder | None,
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
    _record(
        session, "access.code_sent", borrower_id, real_now, purpose=challenge.purpose, challenge=challenge.id
    )


def _supersede(
    session: Session, holder: _Holder | None, purpose: str, browser_digest: str, real_now: datetime
) -> None:
    """End this borrower's and this browser's earlier codes of the same purpose."""
    whose: ColumnElement[bool] = Challenge.browser_digest == browser_digest
    if holder is not None:
        whose = whose | (Challenge.borrower_id == holder.borrower_id)
    session.execute(
        _quiet(
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
    return _quiet(statement).returning(
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
    return hmac.compare_digest(on_file.upper().encode(), plain_tail(id_tail).encode())


def _code_digest(keys: Keys, challenge_id: int, browser: str, code: str) -> str:
    return keys.digest("one_time_code", f"{challenge_id}\0{browser}\0{code}")


def _count_wrong_reference(session: Session, keys: Keys, network: str, real_now: datetime) -> None:
    count_towards(session, keys=keys, limit=limits.WRONG_CODES_NETWORK, key=network, real_now=real_now)
    count = count_towards(session, keys=keys, limit=limits.WRONG_CODES_ALL, key="", real_now=real_now)
    if count == limits.WRONG_CODES_ALL.most:
        _alarm(session, limits.WRONG_CODES_ALL, real_now)


def _count_wrong_answer(session: Session, keys: Keys, real_now: datetime) -> None:
    count = count_towards(session, keys=keys, limit=limits.WRONG_ANSWERS_ALL, key="", real_now=real_now)
    if count == limits.WRONG_ANSWERS_ALL.most:
        _alarm(session, limits.WRONG_ANSWERS_ALL, real_now)


def _alarm(session: Session, limit: limits.Limit, real_now: datetime) -> None:
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


def _record(session: Session, event: str, borrower_id: int, real_now: datetime, **facts: Any) -> None:
    audit.record(
        session,
        actor=audit.Actor("borrower", str(borrower_id)),
        event=event,
        subject_kind="borrower",
        subject_ref=borrower_id,
        now=real_now,
        facts=facts,
    )


def _quiet(statement: Update) -> Update:
    """The statement speaks to rows only; no loaded object is kept in step with it."""
    return statement.execution_options(synchronize_session=False)
