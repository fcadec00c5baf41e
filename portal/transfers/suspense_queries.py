"""What the desk reads of money without a place: whose, how much, since when, why, and what was done about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, func, select

from portal.access.models import Staff
from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.accounts.reconcile_core import PARKED
from portal.borrowers.models import Borrower
from portal.keys import Keys
from portal.money import EXPONENTS, Money
from portal.payments.models import Payment, SuspenseMove, UnplacedMoney
from portal.payments.queries import SETTLED
from portal.plans.models import Plan


@dataclass(frozen=True)
class MoveView:
    """What somebody wants done, or did."""

    reference: str
    kind: str
    state: str
    amount: Money
    note: str
    by: str
    human_ref: str
    second: str
    at: datetime
    done_at: datetime | None
    to: str
    payment_reference: str
    outcome: Mapping[str, Any]

    @property
    def steps(self) -> tuple[tuple[str, str, Money], ...]:
        """How it was placed: component (or suspense), product class and amount of each step."""
        placed = [
            (step["component"], loan["product_class"], step["amount_minor"])
            for loan in self.outcome.get("loans", ())
            for step in (*loan["steps"], {"component": "suspense", "amount_minor": loan["suspense_minor"]})
        ]
        return tuple(
            (name, kind, Money(minor, self.amount.currency)) for name, kind, minor in placed if minor
        )


@dataclass(frozen=True)
class SuspenseRow:
    """Money without a place. `amount` is None for a currency we do not keep; then `stated` has both.
    `reason`: that of `unplaced_money`, or for a loan "overpaid" or "posted_twice"."""

    source: str
    source_id: int
    amount: Money | None
    stated: tuple[int, str]
    since: date
    reason: str
    method: str
    borrower_id: int | None
    customer_ref: str
    name: str
    loan_ref: str
    payment_reference: str
    moves: tuple[MoveView, ...]

    @property
    def waiting(self) -> MoveView | None:
        """What waits for a second person or for the provider."""
        return next((move for move in self.moves if move.state in ("asked", "confirmed")), None)

    @property
    def kept(self) -> MoveView | None:
        """The last word on why it is kept."""
        return next((move for move in self.moves if move.kind == "keep" and move.state == "done"), None)

    @property
    def key(self) -> str:
        """Its address on the desk."""
        return f"{self.source}-{self.source_id}"


@dataclass(frozen=True)
class Place:
    """A loan the money could go to, with what is left there."""

    loan_ref: str
    product: str
    product_class: str
    left: Money


@dataclass(frozen=True)
class SuspenseDetail:
    """One row with where it could go; `plan_reference` is that of the plan in force, or ""."""

    row: SuspenseRow
    places: tuple[Place, ...]
    plan_reference: str


def suspense_rows(connection: Connection, keys: Keys, *, zone: str) -> tuple[SuspenseRow, ...]:
    """All money without a place, the oldest first."""
    rows = [*_unplaced(connection, keys, zone), *_overpaid(connection, keys, zone)]
    return tuple(sorted(rows, key=lambda row: (row.since, row.key)))


def suspense_of(
    connection: Connection, keys: Keys, source: str, source_id: int, *, zone: str
) -> SuspenseDetail | None:
    """One of them with its history, also after it found its place."""
    finder = {"unplaced": _unplaced, "loan": _overpaid}.get(source)
    found = list(finder(connection, keys, zone, only=source_id)) if finder else []
    if not found:
        return None
    row = found[0]
    currency = row.stated[1]
    places = _places(connection, row.borrower_id, currency) if row.borrower_id else ()
    plan = connection.scalar(
        select(Plan.reference)
        .where(Plan.borrower_id == row.borrower_id, Plan.ended_at.is_(None), Plan.currency == currency)
        .order_by(Plan.id.desc())
        .limit(1)
    )
    return SuspenseDetail(row, places, plan or "")


def suspense_count(connection: Connection) -> int:
    """How many there are."""
    unplaced = connection.scalar(
        select(func.count()).select_from(UnplacedMoney).where(UnplacedMoney.id.not_in(SETTLED))
    )
    overpaid = connection.scalar(
        select(func.count()).select_from(LoanBalance).where(LoanBalance.suspense_minor > 0)
    )
    return int(unplaced or 0) + int(overpaid or 0)


def _unplaced(
    connection: Connection, keys: Keys, zone: str, only: int | None = None
) -> Iterable[SuspenseRow]:
    statement = (
        select(
            UnplacedMoney.id,
            UnplacedMoney.created_at,
            UnplacedMoney.amount_minor,
            UnplacedMoney.currency,
            UnplacedMoney.reason,
            UnplacedMoney.method,
            Payment.reference,
            Borrower.id.label("borrower_id"),
            Borrower.customer_ref,
            Borrower.name_sealed,
            Loan.loan_ref,
        )
        .outerjoin(Payment, Payment.id == UnplacedMoney.payment_id)
        .outerjoin(Borrower, Borrower.id == Payment.borrower_id)
        .outerjoin(Loan, Loan.id == Payment.loan_id)
        .where(UnplacedMoney.id == only if only is not None else UnplacedMoney.id.not_in(SETTLED))
    )
    rows: Any = connection.execute(statement).all()
    moves = _moves(connection, SuspenseMove.unplaced_id, [row.id for row in rows])
    for row in rows:
        yield _row(
            keys,
            row,
            source="unplaced",
            since=row.created_at.astimezone(ZoneInfo(zone)).date(),
            reason=row.reason,
            method=row.method,
            payment_reference=row.reference or "",
            moves=moves,
        )


def _overpaid(
    connection: Connection, keys: Keys, zone: str, only: int | None = None
) -> Iterable[SuspenseRow]:
    statement = (
        select(
            Loan.id,
            LoanBalance.suspense_minor.label("amount_minor"),
            Loan.currency,
            Borrower.id.label("borrower_id"),
            Borrower.customer_ref,
            Borrower.name_sealed,
            Loan.loan_ref,
        )
        .join(LoanBalance, LoanBalance.loan_id == Loan.id)
        .join(Borrower, Borrower.id == Loan.borrower_id)
        .where(Loan.id == only if only is not None else LoanBalance.suspense_minor > 0)
    )
    rows: Any = connection.execute(statement).all()
    moves = _moves(connection, SuspenseMove.loan_id, [row.id for row in rows])
    begun = _begun(connection, [row.id for row in rows])
    for row in rows:
        line = begun.get(row.id)
        if line is None and not moves.get(row.id):
            continue
        is_parked = line is not None and line.line_ref.startswith(PARKED)
        yield _row(
            keys,
            row,
            source="loan",
            since=line.posted_on if line else moves[row.id][0].at.astimezone(ZoneInfo(zone)).date(),
            reason="posted_twice" if is_parked else "overpaid",
            method=line.method or "" if line else "",
            payment_reference=line.reference or "" if line else "",
            moves=moves,
        )


def _row(
    keys: Keys, row: Row[Any], *, source: str, moves: Mapping[int, tuple[MoveView, ...]], **more: Any
) -> SuspenseRow:
    return SuspenseRow(
        source=source,
        source_id=row.id,
        amount=Money(row.amount_minor, row.currency) if row.currency in EXPONENTS else None,
        stated=(row.amount_minor, row.currency),
        borrower_id=row.borrower_id,
        customer_ref=row.customer_ref or "",
        name=keys.unseal("borrower.name", row.name_sealed) if row.name_sealed else "",
        loan_ref=row.loan_ref or "",
        moves=moves.get(row.id, ()),
        **more,
    )


def _begun(connection: Connection, loan_ids: list[int]) -> dict[int, Row[Any]]:
    """By loan, the line with which its present suspense began: since then it never was nought."""
    statement = (
        select(
            LedgerLine.loan_id,
            LedgerLine.posted_on,
            LedgerLine.line_ref,
            LedgerLine.suspense_minor,
            Payment.reference,
            Payment.method,
        )
        .outerjoin(Payment, Payment.id == LedgerLine.payment_id)
        .where(LedgerLine.loan_id.in_(loan_ids), LedgerLine.suspense_minor != 0)
        .order_by(LedgerLine.loan_id, LedgerLine.posted_on, LedgerLine.id)
    )
    begun: dict[int, Row[Any]] = {}
    sums: dict[int, int] = {}
    line: Any
    for line in connection.execute(statement):
        sums[line.loan_id] = sums.get(line.loan_id, 0) - line.suspense_minor
        if sums[line.loan_id] <= 0:
            begun.pop(line.loan_id, None)
        else:
            begun.setdefault(line.loan_id, line)
    return begun


def _moves(connection: Connection, column: Any, ids: list[int]) -> dict[int, tuple[MoveView, ...]]:
    """By source, what was done about it, the newest first."""
    second = Staff.__table__.alias("second")
    to_loan = Loan.__table__.alias("to_loan")
    statement = (
        select(
            SuspenseMove.__table__,
            Staff.name.label("by"),
            second.c.name.label("second_name"),
            to_loan.c.loan_ref,
            Plan.reference.label("plan_reference"),
            Payment.reference.label("payment_reference"),
        )
        .join(Staff, Staff.id == SuspenseMove.staff_id)
        .outerjoin(second, second.c.id == SuspenseMove.second_staff_id)
        .outerjoin(to_loan, to_loan.c.id == SuspenseMove.to_loan_id)
        .outerjoin(Plan, Plan.id == SuspenseMove.to_plan_id)
        .outerjoin(Payment, Payment.id == SuspenseMove.payment_id)
        .where(column.in_(ids))
        .order_by(SuspenseMove.id.desc())
    )
    found: dict[int, list[MoveView]] = {}
    for row in connection.execute(statement):
        found.setdefault(getattr(row, column.key), []).append(_move(row))
    return {source: tuple(moves) for source, moves in found.items()}


def _move(row: Row[Any]) -> MoveView:
    return MoveView(
        reference=row.reference,
        kind=row.kind,
        state=row.state,
        amount=Money(row.amount_minor, row.currency),
        note=row.note,
        by=row.by,
        human_ref=row.human_ref,
        second=row.second_name or "",
        at=row.created_at,
        done_at=row.done_at,
        to=row.loan_ref or row.plan_reference or "",
        payment_reference=row.payment_reference or "",
        outcome=row.outcome or {},
    )


def _places(connection: Connection, borrower_id: int, currency: str) -> tuple[Place, ...]:
    rows = connection.execute(
        select(Loan.loan_ref, Loan.product, Loan.product_class, LoanBalance.left_minor)
        .join(LoanBalance, LoanBalance.loan_id == Loan.id)
        .where(Loan.borrower_id == borrower_id, Loan.currency == currency)
        .order_by(Loan.loan_ref)
    )
    return tuple(Place(row[0], row[1], row[2], Money(int(row[3]), currency)) for row in rows)
