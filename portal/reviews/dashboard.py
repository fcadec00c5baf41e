"""The supervisor's figures: the loan book by days overdue, the work done, notices and visits. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, and_, case, func, select

from portal.accounts.models import Loan, LoanBalance
from portal.dates import WorkingDays
from portal.money import Money
from portal.notices.models import Notice
from portal.plans.models import Negotiation, Proposal
from portal.reviews.models import Decision
from portal.reviews.queries import is_newest_round
from portal.visits.models import Visit

#: Days overdue, from and to, of each bucket; nothing after the last.
BUCKETS: Mapping[str, tuple[int, int | None]] = {
    "current": (0, 0),
    "to_30": (1, 30),
    "to_90": (31, 90),
    "to_180": (91, 180),
    "to_365": (181, 365),
    "beyond": (366, None),
}
CHANNELS = ("sms", "call", "letter", "visit", "lawyer_letter")
#: How far back answers are counted, and how far ahead visits.
ANSWER_DAYS = 30
VISIT_DAYS = 20


@dataclass(frozen=True)
class Bucket:
    """The loans of one span of days overdue and what is left of them."""

    code: str
    loans: int
    left: Money


@dataclass(frozen=True)
class Figures:
    """Everything the dashboard shows, in one currency."""

    as_of: date | None
    buckets: tuple[Bucket, ...]
    borrowers: int
    #: open cases by proposal state
    cases: Mapping[str, int]
    #: waiting for the bank with the clock at its last day, or past it
    due_today: int
    late: int
    #: answers of the last 30 days by working days taken; 6 stands for later than promised
    answers: Mapping[int, int]
    promised_days: int
    notices: Mapping[str, int]
    visits: tuple[tuple[date, int], ...]

    @property
    def loans(self) -> int:
        """How many loans there are."""
        return sum(bucket.loans for bucket in self.buckets)

    @property
    def overdue(self) -> int:
        """How many of them are overdue."""
        return sum(bucket.loans for bucket in self.buckets if bucket.code != "current")

    @property
    def left(self) -> Money:
        """What is left on all of them."""
        return Money.sum((bucket.left for bucket in self.buckets), self.buckets[0].left.currency)

    @property
    def answered(self) -> int:
        """How many answers were given."""
        return sum(self.answers.values())

    @property
    def in_time(self) -> int:
        """How many of them within the promised working days."""
        return sum(number for days, number in self.answers.items() if days <= self.promised_days)


def figures(
    connection: Connection,
    *,
    now: datetime,
    today: date,
    currency: str,
    working_days: WorkingDays,
    local: Callable[[datetime], datetime],
    promised_days: int = 5,
) -> Figures:
    """The figures as of `now`; five statements."""
    as_of, borrowers, buckets = _book(connection, currency)
    states = _open_cases(connection)
    ours: Counter[date] = Counter()
    for (state, due), number in states.items():
        ours[due] += number if state in ("submitted", "second_approval") else 0
    return Figures(
        as_of=as_of,
        buckets=buckets,
        borrowers=borrowers,
        cases=_by_state(states),
        due_today=ours[today],
        late=sum(number for due, number in ours.items() if due < today),
        answers=_answers(connection, now, working_days, local, promised_days),
        promised_days=promised_days,
        notices=_notices(connection),
        visits=_visits(connection, now, today, local),
    )


def _book(connection: Connection, currency: str) -> tuple[date | None, int, tuple[Bucket, ...]]:
    overdue = LoanBalance.days_overdue
    bucket = case(
        *((overdue <= upper, code) for code, (_, upper) in BUCKETS.items() if upper is not None),
        else_="beyond",
    )
    rows = connection.execute(
        select(
            bucket.label("bucket"),
            func.count().label("loans"),
            func.sum(LoanBalance.left_minor).label("left"),
            func.max(LoanBalance.as_of).label("as_of"),
        )
        .join(Loan, and_(Loan.id == LoanBalance.loan_id, Loan.currency == currency))
        .group_by(bucket)
    ).all()
    found = {row.bucket: row for row in rows}
    buckets = tuple(
        Bucket(code, found[code].loans, Money(int(found[code].left), currency))
        if code in found
        else Bucket(code, 0, Money.zero(currency))
        for code in BUCKETS
    )
    borrowers = connection.execute(
        select(func.count(Loan.borrower_id.distinct())).where(Loan.currency == currency)
    ).scalar_one()
    return max((row.as_of for row in rows), default=None), borrowers, buckets


def _open_cases(connection: Connection) -> Mapping[tuple[str, date], int]:
    rows = connection.execute(
        select(Proposal.state, Negotiation.answer_due_on, func.count().label("number"))
        .select_from(Negotiation)
        .join(Proposal, is_newest_round())
        .where(Negotiation.closed_at.is_(None))
        .group_by(Proposal.state, Negotiation.answer_due_on)
    )
    return {(row.state, row.answer_due_on): row.number for row in rows}


def _by_state(states: Mapping[tuple[str, date], int]) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for (state, _), number in states.items():
        total[state] += number
    return dict(total)


def _answers(
    connection: Connection,
    now: datetime,
    working_days: WorkingDays,
    local: Callable[[datetime], datetime],
    promised_days: int,
) -> Mapping[int, int]:
    rows = connection.execute(
        select(Proposal.created_at, Decision.created_at.label("decided_at"))
        .join(Decision, Decision.proposal_id == Proposal.id)
        .where(Decision.effective, Decision.created_at > now - timedelta(days=ANSWER_DAYS))
    )
    spans = ((local(row.created_at).date(), local(row.decided_at).date()) for row in rows)
    taken = Counter(min(working_days.between(*span), promised_days + 1) for span in spans)
    return {days: taken.get(days, 0) for days in range(promised_days + 2)}


def _notices(connection: Connection) -> Mapping[str, int]:
    rows = connection.execute(select(Notice.channel, func.count().label("number")).group_by(Notice.channel))
    found = {row.channel: row.number for row in rows}
    return {channel: found.get(channel, 0) for channel in CHANNELS}


def _visits(
    connection: Connection, now: datetime, today: date, local: Callable[[datetime], datetime]
) -> tuple[tuple[date, int], ...]:
    until = now + timedelta(days=VISIT_DAYS + 1)
    planned = (Visit.state == "planned", Visit.starts_at >= now, Visit.starts_at < until)
    rows = connection.execute(select(Visit.starts_at).where(*planned))
    by_day = Counter(local(row.starts_at).date() for row in rows)
    days = (today + timedelta(days=number) for number in range(1, VISIT_DAYS + 1))
    return tuple((day, by_day.get(day, 0)) for day in days)
