"""Posting to the ledger, and keeping each loan's balance row equal to its lines.

A line is only ever added. Every posting takes the loan's balance row first (SELECT ... FOR UPDATE),
so two postings to one loan follow each other, and rewrites that row in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, bindparam, case, func, insert, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.accounts.balance import COMPONENTS, LoanFigures, LoanTerms, Totals
from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.accounts.reconcile import faults

#: Loans whose sums are taken with one statement.
CHUNK = 500

_LINES: Table = LedgerLine.__table__  # type: ignore[assignment]
_BALANCES: Table = LoanBalance.__table__  # type: ignore[assignment]


def _totals_statement() -> Select[Any]:
    """Sums by loan and effect. Built once: every posting asks for it, and building it costs more than
    answering it."""
    original = _LINES.alias("original")
    effect = case((_LINES.c.kind == "reversal", original.c.kind), else_=_LINES.c.kind)
    return (
        select(
            _LINES.c.loan_id,
            effect,
            func.count(),
            func.sum(_LINES.c.suspense_minor),
            *(func.sum(_LINES.c[f"{name}_minor"]) for name in COMPONENTS),
        )
        .outerjoin(original, original.c.id == _LINES.c.reverses_id)
        .where(_LINES.c.loan_id.in_(bindparam("loan_ids", expanding=True)))
        .group_by(_LINES.c.loan_id, effect)
    )


_TOTALS = _totals_statement()
_HELD = (
    select(_BALANCES)
    .where(_BALANCES.c.loan_id.in_(bindparam("loan_ids", expanding=True)))
    .order_by(_BALANCES.c.loan_id)
    .with_for_update()
)
_TERMS = select(
    *(
        Loan.__table__.c[name]
        for name in (
            "id",
            "principal_minor",
            "annual_rate",
            "method",
            "pay_day",
            "term_count",
            "matures_on",
        )
    )
).where(Loan.__table__.c.id.in_(bindparam("loan_ids", expanding=True)))


class UnableToPost(ValueError):
    """A line the ledger refuses. `reason`: ``negative`` (a part below nought), ``nothing`` (all nought),
    ``component`` (unknown), ``overpaid`` (more than is left of `component`), ``loan`` (no such loan),
    ``line`` (no such line), ``line_ref`` (the reference was used for something else, or is too long),
    ``reversed`` (the line is itself a reversal, or was reversed), ``taken`` (more than is left of the
    payment after what was taken back of it), ``moved`` (the money is no longer there: it was moved on),
    ``currency`` (the loans have two), ``sum`` (what is taken is not what is given)."""

    def __init__(self, reason: str, component: str = "") -> None:
        super().__init__(f"{reason} {component}".strip())
        self.reason = reason
        self.component = component


@dataclass(frozen=True, slots=True)
class Posted:
    """The line that stands in the ledger; `repeated` when an earlier call had put it there."""

    line_id: int
    repeated: bool


def post_payment(
    session: Session,
    *,
    loan_id: int,
    parts: Mapping[str, int],
    suspense_minor: int,
    posted_on: date,
    payment_id: int | None,
    line_ref: str,
    memo: str,
    now: datetime,
) -> Posted:
    """Credit a payment: `parts` (component -> minor units, not negative) and what no component could
    take as `suspense_minor`. One line per payment and loan, however often it is called (M9).

    Raises UnableToPost: negative, nothing, component, overpaid, loan, line_ref.
    """
    check_parts(parts, suspense_minor)
    held = hold_balance(session, loan_id)
    known = _line_of_payment(session, loan_id, payment_id) or line_of_ref(session, line_ref)
    if known is not None:
        return repeated_line(known, loan_id=loan_id, kind="payment")
    check_left(held, parts)
    values = line_values(loan_id, "payment", parts, posted_on, line_ref, memo, now)
    values |= {"suspense_minor": -suspense_minor, "payment_id": payment_id}
    return add_line(session, values)


def post_waiver(
    session: Session,
    *,
    loan_id: int,
    parts: Mapping[str, int],
    posted_on: date,
    line_ref: str,
    memo: str,
    now: datetime,
) -> Posted:
    """Forgive `parts` (component -> minor units). The same `line_ref` again changes nothing.

    Raises UnableToPost: negative, nothing, component, overpaid, loan, line_ref.
    """
    return forgive(session, line_values(loan_id, "waiver", parts, posted_on, line_ref, memo, now), parts)


def forgive(session: Session, values: Mapping[str, Any], parts: Mapping[str, int]) -> Posted:
    """Add a line that takes `parts` off without a payment: a waiver or a write-down."""
    check_parts(parts, 0)
    held = hold_balance(session, values["loan_id"])
    known = line_of_ref(session, values["line_ref"])
    if known is not None:
        return repeated_line(known, loan_id=values["loan_id"], kind=values["kind"])
    check_left(held, parts)
    return add_line(session, values)


def rebalance(session: Session, *, loan_ids: Collection[int], as_of: date, now: datetime) -> int:
    """Rewrite the balance rows of `loan_ids` from their lines and return how many changed.

    A row's `as_of` never goes back; its version rises only when a figure or the date changes.
    """
    session.flush()
    return sum(_rebalance(session, part, as_of, now) for part in _chunks(sorted(loan_ids)))


def self_check(connection: Connection) -> list[str]:
    """Re-prove from the lines what the balance rows say: an empty list, or one sentence per fault.

    M1 (owed = paid + forgiven + left, none negative), every summary equal to its lines, every
    reversal the exact opposite of its line, due now equal to what the contract gives.
    """
    return list(faults(connection))


def figures_of(
    connection: Connection | Session, *, loan_ids: Sequence[int], as_of: Mapping[int, date]
) -> Iterator[tuple[int, LoanFigures]]:
    """Each loan's figures as its lines give them, `as_of` the loan's own date."""
    totals = totals_of(connection, loan_ids)
    for loan_id, terms in terms_of(connection, loan_ids=loan_ids).items():
        yield loan_id, totals.get(loan_id, Totals()).figures(terms, as_of=as_of[loan_id])


def terms_of(connection: Connection | Session, *, loan_ids: Collection[int]) -> dict[int, LoanTerms]:
    """The contract terms of loans, by id."""
    rows = connection.execute(_TERMS, {"loan_ids": list(loan_ids)})
    return {row[0]: LoanTerms(*row[1:]) for row in rows}


def check_parts(parts: Mapping[str, int], suspense_minor: int) -> None:
    """Refuse parts that no line can have. Raises UnableToPost: component, negative, nothing."""
    for name, minor in parts.items():
        if name not in COMPONENTS:
            raise UnableToPost("component", name)
        if minor < 0:
            raise UnableToPost("negative", name)
    if suspense_minor < 0:
        raise UnableToPost("negative", "suspense")
    if suspense_minor == 0 and not any(parts.values()):
        raise UnableToPost("nothing")


def check_left(held: LoanBalance, parts: Mapping[str, int]) -> None:
    """Refuse more than is left of a component. Raises UnableToPost: overpaid."""
    for name, minor in parts.items():
        if minor > held.left_of(name):
            raise UnableToPost("overpaid", name)


def hold_balance(session: Session, loan_id: int) -> LoanBalance:
    """The loan's balance row, locked until the transaction ends, as the database has it now."""
    held = session.scalar(
        select(LoanBalance)
        .where(LoanBalance.loan_id == loan_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if held is None:
        raise UnableToPost("loan")
    return held


def _line_of_payment(session: Session, loan_id: int, payment_id: int | None) -> LedgerLine | None:
    if payment_id is None:
        return None
    return session.scalar(
        select(LedgerLine).where(
            LedgerLine.payment_id == payment_id,
            LedgerLine.loan_id == loan_id,
            LedgerLine.kind == "payment",
        )
    )


def line_of_ref(session: Session, line_ref: str) -> LedgerLine | None:
    """The line posted here under a reference of ours."""
    return session.scalar(
        select(LedgerLine).where(LedgerLine.source == "portal", LedgerLine.line_ref == line_ref)
    )


def repeated_line(known: LedgerLine, *, loan_id: int, kind: str) -> Posted:
    """The first answer again. Raises UnableToPost: line_ref, when the reference was another line's."""
    if (known.loan_id, known.kind) != (loan_id, kind):
        raise UnableToPost("line_ref")
    return Posted(known.id, repeated=True)


def line_values(
    loan_id: int,
    kind: str,
    parts: Mapping[str, int],
    posted_on: date,
    line_ref: str,
    memo: str,
    now: datetime,
) -> dict[str, Any]:
    """The columns of a line posted here; `parts` are what it takes off, so they are stored negated."""
    return {
        "created_at": now,
        "loan_id": loan_id,
        "line_ref": line_ref,
        "source": "portal",
        "posted_on": posted_on,
        "kind": kind,
        "memo": memo,
        "external_ref": "",
        "payment_id": None,
        "reverses_id": None,
        "of_line_id": None,
        "suspense_minor": 0,
        **{f"{name}_minor": -parts.get(name, 0) for name in COMPONENTS},
    }


def add_line(session: Session, values: Mapping[str, Any]) -> Posted:
    """Add the line and rewrite the balance. The balance row is locked and the line was looked for
    under that lock; the unique indexes are what makes "once" true all the same."""
    line_id = insert_line(session, values)
    rebalance(session, loan_ids=[values["loan_id"]], as_of=values["posted_on"], now=values["created_at"])
    return Posted(line_id, repeated=False)


def insert_line(session: Session, values: Mapping[str, Any]) -> int:
    """Add the line and its entry in the record; the caller rewrites the balance."""
    line_id: int = session.scalars(insert(LedgerLine).returning(LedgerLine.id), [dict(values)]).one()
    audit.record(
        session,
        actor=audit.SYSTEM,
        event="ledger.posted",
        subject_kind="loan",
        subject_ref=values["loan_id"],
        now=values["created_at"],
        facts={"line": line_id, "kind": values["kind"], "payment": values["payment_id"]},
    )
    return line_id


def _chunks(loan_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(loan_ids), CHUNK):
        yield loan_ids[start : start + CHUNK]


def _rebalance(session: Session, loan_ids: Sequence[int], as_of: date, now: datetime) -> int:
    held = {row.loan_id: row for row in session.execute(_HELD, {"loan_ids": list(loan_ids)})}
    dates = {loan_id: max(as_of, held[loan_id].as_of) if loan_id in held else as_of for loan_id in loan_ids}
    fresh, changed = [], []
    for loan_id, figures in figures_of(session, loan_ids=loan_ids, as_of=dates):
        values = {"loan_id": loan_id, "as_of": dates[loan_id], **balance_values(figures)}
        old = held.get(loan_id)
        if old is None:
            fresh.append({**values, "version": 1})
        elif any(getattr(old, name) != value for name, value in values.items()):
            changed.append({**values, "version": old.version + 1})
    if fresh:
        session.execute(insert(_BALANCES), fresh)
    for values in changed:
        session.execute(update(_BALANCES).where(_BALANCES.c.loan_id == values["loan_id"]).values(**values))
    for row in session.identity_map.values():
        if isinstance(row, LoanBalance):
            session.expire(row)
    return len(fresh) + len(changed)


def balance_values(figures: LoanFigures) -> dict[str, int]:
    """The columns of a balance row that `figures` fill."""
    values = {
        "suspense_minor": figures.suspense,
        "principal_due_minor": figures.principal_due,
        "due_now_minor": figures.due_now,
        "days_overdue": figures.days_overdue,
        "line_count": figures.line_count,
    }
    for name, sums in figures.components.items():
        values[f"{name}_owed_minor"] = sums.owed
        values[f"{name}_paid_minor"] = sums.paid
        values[f"{name}_forgiven_minor"] = sums.forgiven
    return values


def totals_of(
    connection: Connection | Session, loan_ids: Sequence[int], *, until: date | None = None
) -> dict[int, Totals]:
    """The running sums of loans, from one grouped statement; of the lines posted up to and including
    `until`, where it is given."""
    statement = _TOTALS if until is None else _TOTALS.where(LedgerLine.posted_on <= until)
    totals: dict[int, Totals] = {}
    for loan_id, kind, count, suspense, *sums in connection.execute(statement, {"loan_ids": list(loan_ids)}):
        amounts = {name: int(minor) for name, minor in zip(COMPONENTS, sums, strict=True)}
        totals.setdefault(loan_id, Totals()).add(
            effect=kind, amounts=amounts, suspense_minor=int(suspense), lines=count
        )
    return totals
