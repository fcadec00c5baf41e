"""How a borrower comes in: a reference, a one-time code with the ID number's last four, a session.

Every unit here flushes and never commits. A wrong answer is a return value, not an exception: raising
would roll the counted try back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import column, select, table, update
from sqlalchemy.orm import Session

from portal.access import codes, limits
from portal.access.challenges import ACCEPT as ACCEPT  # the verbs of this feature are found here
from portal.access.challenges import SIGN_IN, CodeSender, Holder, alarm, issue, quiet, record
from portal.access.challenges import Accepted as Accepted
from portal.access.challenges import Refused as Refused
from portal.access.challenges import answer_challenge as answer_challenge
from portal.access.challenges import start_challenge as start_challenge
from portal.access.counters import count_towards, counted, seconds_left
from portal.access.models import AccessNumber, Challenge
from portal.access.sessions import OpenedSession, open_session
from portal.borrowers.models import Borrower
from portal.db import upsert
from portal.keys import Keys

#: Notices live above this layer; signing in needs only whose a code is and whether it was withdrawn.
_NOTICE = table(
    "notice",
    column("id"),
    column("borrower_id"),
    column("status"),
    column("code_digest"),
    column("token_digest"),
)


@dataclass(frozen=True)
class Started:
    """A challenge stands, or nothing does: the answer is the same for a known and an unknown reference."""


@dataclass(frozen=True)
class TryLater:
    """This network has tried too often; nothing was looked up. Wait `seconds`."""

    seconds: int


@dataclass(frozen=True)
class SignedIn:
    """A session is open; `is_first` when the access number was issued with it and must be shown."""

    opened: OpenedSession
    is_first: bool


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
    issue(
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
    """Send another code for the reference this browser named last; the reference itself is not kept.

    For an unknown reference as many challenges are written as a number gets codes, and none for a browser
    that named nothing: asking costs us no more than it would for somebody.
    """
    browser_digest = keys.digest("browser", browser)
    found = session.execute(
        select(Challenge.borrower_id, Challenge.notice_id)
        .where(Challenge.browser_digest == browser_digest, Challenge.purpose == SIGN_IN)
        .where(Challenge.created_at > real_now - limits.BROWSER_LIFE)
        .order_by(Challenge.id.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        return Started()
    holder = Holder(found.borrower_id, found.notice_id) if found.borrower_id else None
    if holder is None:
        asked = count_towards(
            session, keys=keys, limit=limits.CODES_HOUR, key=browser_digest, real_now=real_now
        )
        if asked > limits.CODES_HOUR.most:
            return Started()
    issue(
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
        upsert(AccessNumber)
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
        record(session, "access.number_issued", borrower_id, real_now)
        return number, True
    sealed = session.execute(
        select(AccessNumber.number_sealed).where(AccessNumber.borrower_id == borrower_id)
    )
    return keys.unseal("access.number", sealed.scalar_one()), False


def keep_language(session: Session, *, borrower_id: int, language: str, real_now: datetime) -> None:
    """Write the borrower to in `language` from now on: pages and messages."""
    session.execute(quiet(update(Borrower).where(Borrower.id == borrower_id).values(language=language)))
    record(session, "access.language_changed", borrower_id, real_now, language=language)


def _holder_of(session: Session, keys: Keys, reference: str) -> Holder | None:
    kind = codes.kind_of(reference)
    digest = codes.digest_of(keys, reference)
    if kind == "access":
        found = session.execute(
            select(AccessNumber.borrower_id).where(AccessNumber.number_digest == digest)
        ).scalar_one_or_none()
        return Holder(found, None) if found else None
    if not kind:
        return None
    held = _NOTICE.c.code_digest if kind == "code" else _NOTICE.c.token_digest
    row = session.execute(
        select(_NOTICE.c.id, _NOTICE.c.borrower_id).where(held == digest, _NOTICE.c.status != "withdrawn")
    ).one_or_none()
    return Holder(row.borrower_id, row.id) if row else None


def _count_wrong_reference(session: Session, keys: Keys, network: str, real_now: datetime) -> None:
    count_towards(session, keys=keys, limit=limits.WRONG_CODES_NETWORK, key=network, real_now=real_now)
    count = count_towards(session, keys=keys, limit=limits.WRONG_CODES_ALL, key="", real_now=real_now)
    if count == limits.WRONG_CODES_ALL.most:
        alarm(session, limits.WRONG_CODES_ALL, real_now)
