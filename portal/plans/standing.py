"""Where a borrower stands: the notice at hand, what was posted since, visits, holds, an open proposal.

One statement for the balance page: each part is a SELECT of the same columns, joined by UNION ALL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Date,
    FromClause,
    Select,
    String,
    Table,
    bindparam,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)

from portal.access.models import Challenge
from portal.accounts.explanation import SinceNotice, fallen_due, since_notice
from portal.accounts.models import LedgerLine, Loan
from portal.accounts.queries import READING_ORDER, BorrowerBalance, LineView, LoanView, line_view
from portal.contacts.models import Hold
from portal.dates import add_months
from portal.db import UtcDateTime
from portal.money import Money
from portal.notices.models import Notice, NoticeLoan
from portal.plans.models import Negotiation, Plan, Proposal
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


def standing_for(
    connection: Connection, borrower_id: int, *, now: datetime, notice_ref: str = ""
) -> Standing:
    """Where the borrower stands at `now`; one statement.

    The notice at hand is `notice_ref` where it is the borrower's, else the one last signed in with,
    else the latest; withdrawn ones only when named.
    """
    given = {"borrower_id": borrower_id, "now": now, "notice_ref": notice_ref}
    parts: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(_STANDING, given):
        parts.setdefault(row.part, []).append(row._asdict())
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
    )


def since_of(standing: Standing, balance: BorrowerBalance) -> SinceNotice | None:
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
    return since_notice(
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
    }


_COLUMNS: dict[str, Any] = {
    "part": String,
    "id": BigInteger,
    "loan_id": BigInteger,
    "ref": String,
    "code": String,
    "state": String,
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
    given = {"part": literal(name, String), **columns}
    return select(
        *(given.get(key, cast(null(), kind)).label(key) for key, kind in _COLUMNS.items())
    ).select_from(source)


def _tables() -> dict[type, Table]:
    models = (Challenge, Hold, LedgerLine, Loan, Negotiation, Notice, NoticeLoan, Plan, Proposal, Visit)
    return {model: model.__table__ for model in models}  # type: ignore[misc]


def _statement() -> Any:
    table = _tables()
    notice, named, line, loan = table[Notice], table[NoticeLoan], table[LedgerLine], table[Loan]
    challenge, visit, hold = table[Challenge], table[Visit], table[Hold]
    negotiation, proposal, plan = table[Negotiation], table[Proposal], table[Plan]
    theirs = (notice.c.borrower_id == _BORROWER, notice.c.issued_at <= _NOW)
    asked = select(notice.c.id).where(*theirs, notice.c.notice_ref == bindparam("notice_ref", type_=String))
    signed_in = (
        select(challenge.c.notice_id)
        .join(notice, notice.c.id == challenge.c.notice_id)
        .where(
            challenge.c.borrower_id == _BORROWER,
            challenge.c.purpose == "sign_in",
            challenge.c.used_at.is_not(None),
            notice.c.status != "withdrawn",
            *theirs,
        )
        .order_by(challenge.c.created_at.desc())
        .limit(1)
    )
    latest = (
        select(notice.c.id)
        .where(*theirs, notice.c.status != "withdrawn")
        .order_by(notice.c.issued_at.desc(), notice.c.id.desc())
        .limit(1)
    )
    chosen = func.coalesce(asked.scalar_subquery(), signed_in.scalar_subquery(), latest.scalar_subquery())
    hand = select(notice.c.id, notice.c.stated_on).where(notice.c.id == chosen).cte("hand")
    parts = [
        _part(
            "notice",
            notice.outerjoin(hand, hand.c.id == notice.c.id),
            id=notice.c.id,
            ref=notice.c.notice_ref,
            code=notice.c.channel,
            memo=notice.c.purpose,
            state=notice.c.status,
            starts_at=notice.c.issued_at,
            day=notice.c.stated_on,
            minor=notice.c.stated_minor,
            currency=notice.c.currency,
            mark=hand.c.id,
        ).where(*theirs),
        _part("named", named.join(hand, hand.c.id == named.c.notice_id), loan_id=named.c.loan_id),
        _part(
            "line",
            line.join(named, named.c.loan_id == line.c.loan_id)
            .join(hand, hand.c.id == named.c.notice_id)
            .join(loan, loan.c.id == line.c.loan_id),
            id=line.c.id,
            loan_id=line.c.loan_id,
            ref=line.c.line_ref,
            code=line.c.kind,
            state=line.c.source,
            memo=line.c.memo,
            day=line.c.posted_on,
            currency=loan.c.currency,
            **{f"{name}_minor": line.c[f"{name}_minor"] for name in (*READING_ORDER, "suspense")},
        ).where(line.c.posted_on > hand.c.stated_on),
        _part(
            "visit",
            visit,
            ref=visit.c.visit_ref,
            state=visit.c.state,
            code=visit.c.off_reason,
            starts_at=visit.c.starts_at,
            ends_at=visit.c.ends_at,
        ).where(visit.c.borrower_id == _BORROWER),
        _part("hold", hold, code=hold.c.reason, state=hold.c.kind).where(
            hold.c.borrower_id == _BORROWER,
            hold.c.lifted_at.is_(None),
            func.coalesce(hold.c.ends_at, _NOW) >= _NOW,
        ),
        _part(
            "proposal",
            negotiation.join(proposal, proposal.c.negotiation_id == negotiation.c.id),
            ref=negotiation.c.reference,
            state=proposal.c.state,
            code=proposal.c.made_by,
            day=negotiation.c.answer_due_on,
        ).where(
            negotiation.c.borrower_id == _BORROWER,
            negotiation.c.closed_at.is_(None),
            proposal.c.state.in_(("submitted", "second_approval", "more_asked", "approved", "countered")),
        ),
        _part("plan", plan, ref=plan.c.reference).where(
            plan.c.borrower_id == _BORROWER, plan.c.state == "active"
        ),
    ]
    return union_all(*parts)


_STANDING = _statement()


def past_limitation(loans: Iterable[LoanView], *, years: int | None, today: date) -> tuple[LoanView, ...]:
    """The loans whose last instalment was due longer ago than the period of limitation; none where the
    jurisdiction has no single period. Whether it was interrupted since, only the bank's file says."""
    if years is None:
        return ()
    return tuple(loan for loan in loans if add_months(loan.matures_on, 12 * years) < today)
