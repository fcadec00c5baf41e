"""Where a borrower stands: the notice at hand, what was posted since, visits, holds, an open proposal.

One statement for the balance page: each part is a SELECT of the same columns, joined by UNION ALL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Connection,
    Date,
    FromClause,
    Select,
    String,
    Table,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
    union_all,
)

from portal.access.models import Challenge
from portal.accounts.explanation import Since, fallen_due, itemised
from portal.accounts.models import LedgerLine, Loan
from portal.accounts.queries import READING_ORDER, BorrowerBalance, LineView, LoanView, line_view
from portal.contacts.ground import NO_WISHES, wishes_of
from portal.contacts.models import ContactWish, Hold
from portal.contacts.rule import MayContact, Rest, Wishes, decide
from portal.dates import add_months
from portal.db import UtcDateTime
from portal.jurisdictions import Jurisdiction
from portal.money import Money
from portal.notices.models import Notice, NoticeLoan
from portal.plans.lifecycle import OPEN, PlanState
from portal.plans.models import Negotiation, Plan, Proposal
from portal.ready import Ready
from portal.visits.models import Visit


@dataclass(frozen=True, slots=True)
class NoticeStanding:
    """One notice as its borrower may see it. `is_at_hand`: the one that the page compares with."""

    notice_ref: str
    channel: str
    purpose: str
    status: str
    issued_at: datetime
    stated_on: date
    stated: Money
    is_at_hand: bool


@dataclass(frozen=True, slots=True)
class VisitStanding:
    """One announced visit: its window and whether it is still to come."""

    visit_ref: str
    state: str
    off_reason: str | None
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class OpenProposal:
    """The open round of a negotiation and the day the bank answers by."""

    negotiation_ref: str
    state: str
    made_by: str
    answer_due_on: date


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything around the balance, as of the caller's instant."""

    notices: tuple[NoticeStanding, ...]
    at_hand: NoticeStanding | None
    #: the loans the notice at hand is about, and the lines posted on them since its day
    named_loan_ids: frozenset[int]
    lines: tuple[LineView, ...]
    visits: tuple[VisitStanding, ...]
    holds: Mapping[str, str] = field(default_factory=dict)
    proposal: OpenProposal | None = None
    plan_ref: str | None = None
    #: the same holds with their time, and how the borrower wants to be contacted: what the rule looks at
    rests: tuple[Rest, ...] = ()
    wishes: Wishes = NO_WISHES


def standing_for(
    connection: Connection, borrower_id: int, *, now: datetime, notice_ref: str = ""
) -> Standing:
    """Where the borrower stands at `now`; one statement.

    The notice at hand is `notice_ref` where it is the borrower's, else the one last signed in with,
    else the latest; withdrawn ones only when named.
    """
    return standing_of(standing_rows(connection, borrower_id, now=now, notice_ref=notice_ref))


def standing_rows(
    connection: Connection, borrower_id: int, *, now: datetime, notice_ref: str = ""
) -> tuple[tuple[Any, ...], ...]:
    """What `standing_of` is made from; equal rows make an equal standing."""
    given = {"borrower_id": borrower_id, "now": now, "notice_ref": notice_ref}
    return tuple(_STANDING.rows(connection, given))


def standing_of(rows: Iterable[tuple[Any, ...]]) -> Standing:
    """The standing that these rows of `standing_rows` hold."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        parts.setdefault(row[0], []).append(dict(zip(_COLUMNS, row)))
    notices = tuple(_notice(fact) for fact in parts.get("notice", ()))
    proposal = parts.get("proposal")
    plan = parts.get("plan")
    return Standing(
        notices=tuple(sorted(notices, key=lambda notice: notice.issued_at)),
        at_hand=next((notice for notice in notices if notice.is_at_hand), None),
        named_loan_ids=frozenset(fact["loan_id"] for fact in parts.get("named", ())),
        lines=tuple(sorted((line_view(_line(fact)) for fact in parts.get("line", ())), key=_posted)),
        visits=tuple(sorted((_visit(fact) for fact in parts.get("visit", ())), key=lambda v: v.starts_at)),
        holds={fact["code"]: fact["state"] for fact in parts.get("hold", ())},
        proposal=_proposal(proposal[0]) if proposal else None,
        plan_ref=plan[0]["ref"] if plan else None,
        rests=tuple(Rest(fact["code"], fact["starts_at"], fact["ends_at"]) for fact in parts.get("hold", ())),
        wishes=_wishes(parts.get("wish", [])),
    )


def since_of(standing: Standing, balance: BorrowerBalance) -> Since | None:
    """From the figure of the notice at hand to what is due now on the same loans; both must be there."""
    notice = standing.at_hand
    if notice is None:
        return None
    currency = notice.stated.currency
    named = [loan for loan in balance.loans if loan.loan_id in standing.named_loan_ids]
    if not named or any(loan.currency != currency for loan in named):
        return None
    fallen = (
        fallen_due(loan.terms, after=notice.stated_on, until=loan.as_of, currency=currency) for loan in named
    )
    return itemised(
        standing.lines,
        then=notice.stated,
        fallen_due=Money.sum(fallen, currency),
        now=Money.sum((loan.due_now for loan in named), currency),
    )


@dataclass(frozen=True, slots=True)
class Ladder:
    """Reminder, visit, legal: `here` is the furthest step the bank has taken, "" for none yet."""

    here: str
    reminded_since: date | None
    channels: tuple[str, ...]
    next_visit: VisitStanding | None
    paused_visit: VisitStanding | None
    legal_since: date | None


def ladder_of(standing: Standing, *, now: datetime, local: Callable[[datetime], datetime]) -> Ladder:
    """Where the bank's contacts have got to; withdrawn notices do not count. `local` reads an instant
    on the bank's wall clock."""
    live = [notice for notice in standing.notices if notice.status != "withdrawn"]
    reminders = [notice for notice in live if notice.purpose in ("reminder", "notification")]
    legal = [notice for notice in live if notice.purpose == "legal"]
    coming = [visit for visit in standing.visits if visit.ends_at > now]
    visited = any(notice.purpose == "visit" for notice in live) or bool(coming)
    here = "legal" if legal else "visit" if visited else "reminder" if reminders else ""
    return Ladder(
        here=here,
        reminded_since=local(reminders[0].issued_at).date() if reminders else None,
        channels=tuple(dict.fromkeys(notice.channel for notice in reminders)),
        next_visit=next((visit for visit in coming if visit.state == "planned"), None),
        paused_visit=next((visit for visit in coming if visit.state == "paused"), None),
        legal_since=local(legal[0].issued_at).date() if legal else None,
    )


@dataclass(frozen=True, slots=True)
class NextStep:
    """The step after the furthest one taken: ``sms``, ``visit`` or ``lawyer_letter``. `may` says whether it
    could be taken now, and else from when on and what stands against it."""

    step: str
    may: MayContact


def next_step_of(
    ladder: Ladder,
    standing: Standing,
    *,
    now: datetime,
    local: Callable[[datetime], datetime],
    pack: Jurisdiction,
) -> NextStep | None:
    """What could come next and when at the earliest; None where every step of the ladder was taken."""
    step = {"": "sms", "reminder": "visit", "visit": "lawyer_letter"}.get(ladder.here)
    if step is None:
        return None
    may = decide(
        (), at_local=local(now), channel=step, pack=pack, holds=standing.rests, wishes=standing.wishes
    )
    return NextStep(step, may)


def _wishes(facts: list[dict[str, Any]]) -> Wishes:
    if not facts:
        return NO_WISHES
    fact = facts[0]
    bits = fact["mark"]
    return wishes_of(bool(bits & 1), bool(bits & 2), bool(bits & 4), fact["loan_id"], fact["minor"])


def _posted(line: LineView) -> tuple[date, int]:
    return line.posted_on, line.line_id


def _notice(fact: Mapping[str, Any]) -> NoticeStanding:
    return NoticeStanding(
        notice_ref=fact["ref"],
        channel=fact["code"],
        purpose=fact["memo"],
        status=fact["state"],
        issued_at=fact["starts_at"],
        stated_on=fact["day"],
        stated=Money(fact["minor"], fact["currency"]),
        is_at_hand=bool(fact["mark"]),
    )


def _visit(fact: Mapping[str, Any]) -> VisitStanding:
    return VisitStanding(fact["ref"], fact["state"], fact["code"], fact["starts_at"], fact["ends_at"])


def _proposal(fact: Mapping[str, Any]) -> OpenProposal:
    return OpenProposal(fact["ref"], fact["state"], fact["code"], fact["day"])


def _line(fact: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **fact,
        "line_ref": fact["ref"],
        "posted_on": fact["day"],
        "kind": fact["code"],
        "source": fact["state"],
        "reverses_ref": None,
        "reverses_kind": fact["undone"],
    }


_COLUMNS: dict[str, Any] = {
    "part": String,
    "id": BigInteger,
    "loan_id": BigInteger,
    "ref": String,
    "code": String,
    "state": String,
    "undone": String,
    "memo": String,
    "currency": String,
    "day": Date,
    "starts_at": UtcDateTime,
    "ends_at": UtcDateTime,
    "mark": BigInteger,
    "minor": BigInteger,
    **{f"{name}_minor": BigInteger for name in (*READING_ORDER, "suspense")},
}
_BORROWER: ColumnElement[int] = bindparam("borrower_id", type_=BigInteger)
_NOW: ColumnElement[datetime] = bindparam("now", type_=UtcDateTime)


def _part(name: str, source: FromClause, **columns: ColumnElement[Any]) -> Select[Any]:
    """One part: the given columns where they belong, typed nothing everywhere else."""
    given = {"part": _settled(name), **columns}
    return select(
        *(given.get(key, cast(null(), kind)).label(key) for key, kind in _COLUMNS.items())
    ).select_from(source)


def _settled(word: str) -> ColumnElement[str]:
    """A word of ours as part of the statement; a value beside it would be bound again for every page."""
    if not word.replace("_", "").isalpha():
        raise ValueError(f"not a word: {word!r}")
    return literal_column(f"'{word}'", String)


def _table(model: type) -> Table:
    return model.__table__  # type: ignore[no-any-return,attr-defined]


_CHALLENGES, _HOLDS, _NOTICES, _NAMED = map(_table, (Challenge, Hold, Notice, NoticeLoan))
_WISHES = _table(ContactWish)
_LEDGER, _LOANS, _VISITS = map(_table, (LedgerLine, Loan, Visit))
_NEGOTIATIONS, _PROPOSALS, _PLANS = map(_table, (Negotiation, Proposal, Plan))
_UNDONE = _LEDGER.alias("undone")
_THEIRS = (_NOTICES.c.borrower_id == _BORROWER, _NOTICES.c.issued_at <= _NOW)


def _hand() -> CTE:
    """The notice at hand: the one asked for, the one last signed in with, the latest."""
    asked = select(_NOTICES.c.id).where(
        *_THEIRS, _NOTICES.c.notice_ref == bindparam("notice_ref", type_=String)
    )
    signed_in = (
        select(_CHALLENGES.c.notice_id)
        .join(_NOTICES, _NOTICES.c.id == _CHALLENGES.c.notice_id)
        .where(
            _CHALLENGES.c.borrower_id == _BORROWER,
            _CHALLENGES.c.purpose == _settled("sign_in"),
            _CHALLENGES.c.used_at.is_not(None),
            _NOTICES.c.status != _settled("withdrawn"),
            *_THEIRS,
        )
        .order_by(_CHALLENGES.c.created_at.desc())
        .limit(1)
    )
    latest = (
        select(_NOTICES.c.id)
        .where(*_THEIRS, _NOTICES.c.status != _settled("withdrawn"))
        .order_by(_NOTICES.c.issued_at.desc(), _NOTICES.c.id.desc())
        .limit(1)
    )
    chosen = func.coalesce(asked.scalar_subquery(), signed_in.scalar_subquery(), latest.scalar_subquery())
    return select(_NOTICES.c.id, _NOTICES.c.stated_on).where(_NOTICES.c.id == chosen).cte("hand")


def _notice_parts(hand: CTE) -> tuple[Select[Any], ...]:
    """Every notice so far, the loans of the one at hand, and the lines posted on them since its day."""
    every = _part(
        "notice",
        _NOTICES.outerjoin(hand, hand.c.id == _NOTICES.c.id),
        id=_NOTICES.c.id,
        ref=_NOTICES.c.notice_ref,
        code=_NOTICES.c.channel,
        memo=_NOTICES.c.purpose,
        state=_NOTICES.c.status,
        starts_at=_NOTICES.c.issued_at,
        day=_NOTICES.c.stated_on,
        minor=_NOTICES.c.stated_minor,
        currency=_NOTICES.c.currency,
        mark=hand.c.id,
    ).where(*_THEIRS)
    named = _part("named", _NAMED.join(hand, hand.c.id == _NAMED.c.notice_id), loan_id=_NAMED.c.loan_id)
    lines = _part(
        "line",
        _LEDGER.join(_NAMED, _NAMED.c.loan_id == _LEDGER.c.loan_id)
        .join(hand, hand.c.id == _NAMED.c.notice_id)
        .join(_LOANS, _LOANS.c.id == _LEDGER.c.loan_id)
        .outerjoin(_UNDONE, _UNDONE.c.id == _LEDGER.c.reverses_id),
        id=_LEDGER.c.id,
        loan_id=_LEDGER.c.loan_id,
        ref=_LEDGER.c.line_ref,
        code=_LEDGER.c.kind,
        state=_LEDGER.c.source,
        undone=_UNDONE.c.kind,
        memo=_LEDGER.c.memo,
        day=_LEDGER.c.posted_on,
        currency=_LOANS.c.currency,
        **{f"{name}_minor": _LEDGER.c[f"{name}_minor"] for name in (*READING_ORDER, "suspense")},
    ).where(_LEDGER.c.posted_on > hand.c.stated_on)
    return every, named, lines


def _contact_parts() -> tuple[Select[Any], ...]:
    """Announced visits, and the holds in force."""
    visits = _part(
        "visit",
        _VISITS,
        ref=_VISITS.c.visit_ref,
        state=_VISITS.c.state,
        code=_VISITS.c.off_reason,
        starts_at=_VISITS.c.starts_at,
        ends_at=_VISITS.c.ends_at,
    ).where(_VISITS.c.borrower_id == _BORROWER)
    holds = _part(
        "hold",
        _HOLDS,
        code=_HOLDS.c.reason,
        state=_HOLDS.c.kind,
        starts_at=_HOLDS.c.created_at,
        ends_at=_HOLDS.c.ends_at,
    ).where(
        _HOLDS.c.borrower_id == _BORROWER,
        _HOLDS.c.lifted_at.is_(None),
        or_(_HOLDS.c.ends_at.is_(None), _HOLDS.c.ends_at > _NOW),
    )
    latest = select(func.max(_WISHES.c.id)).where(_WISHES.c.borrower_id == _BORROWER).scalar_subquery()
    bits = (
        case((_WISHES.c.no_calls, 1), else_=0)
        + case((_WISHES.c.no_messages, 2), else_=0)
        + case((_WISHES.c.no_visits, 4), else_=0)
    )
    # the hours stand in columns of whole numbers that this part has no other use for
    wishes = _part(
        "wish", _WISHES, mark=bits, loan_id=_WISHES.c.opens_minute, minor=_WISHES.c.closes_minute
    ).where(_WISHES.c.id == latest)
    return visits, holds, wishes


def _plan_parts() -> tuple[Select[Any], ...]:
    """The open round of the open negotiation, and the plan in force."""
    proposals = _part(
        "proposal",
        _NEGOTIATIONS.join(_PROPOSALS, _PROPOSALS.c.negotiation_id == _NEGOTIATIONS.c.id),
        ref=_NEGOTIATIONS.c.reference,
        state=_PROPOSALS.c.state,
        code=_PROPOSALS.c.made_by,
        day=_NEGOTIATIONS.c.answer_due_on,
    ).where(
        _NEGOTIATIONS.c.borrower_id == _BORROWER,
        _NEGOTIATIONS.c.closed_at.is_(None),
        or_(*(_PROPOSALS.c.state == _settled(state.value) for state in OPEN)),
    )
    plans = _part("plan", _PLANS, ref=_PLANS.c.reference).where(
        _PLANS.c.borrower_id == _BORROWER, _PLANS.c.state == _settled(PlanState.ACTIVE.value)
    )
    return proposals, plans


_STANDING = Ready(union_all(*_notice_parts(_hand()), *_contact_parts(), *_plan_parts()))


def past_limitation(loans: Iterable[LoanView], *, years: int | None, today: date) -> tuple[LoanView, ...]:
    """The loans whose last instalment was due longer ago than the period of limitation; none where the
    jurisdiction has no single period. Whether it was interrupted since, only the bank's file says."""
    if years is None:
        return ()
    return tuple(loan for loan in loans if add_months(loan.matures_on, 12 * years) < today)
