"""What an intake needs to know of the batches and rows taken in before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select
from sqlalchemy.orm import Session, aliased

from portal.accounts.balance import COMPONENTS, LoanTerms, Totals
from portal.accounts.models import LedgerLine, Loan
from portal.borrowers.models import Borrower
from portal.contacts.models import Agency
from portal.intake.manifest import LastBatch
from portal.intake.models import IntakeBatch
from portal.notices.models import Notice
from portal.visits.models import Officer


@dataclass(frozen=True, slots=True)
class KnownLoan:
    """A loan as the checks need it; `line` is its row in the batch's loans file, None from before."""

    customer_ref: str
    currency: str
    terms: LoanTerms
    days_overdue: int
    line: int | None = None


@dataclass(frozen=True, slots=True)
class KnownLine:
    """A core line taken in before: what it said, and how its fees and costs were split."""

    content: tuple[object, ...]
    content_merged: tuple[object, ...]
    kind: str
    loan_ref: str
    amounts: Mapping[str, int]
    reversed: bool


def demonstration_batches(connection: Connection) -> Mapping[int, bool]:
    """Whether each batch, by sequence, is a demonstration."""
    rows = connection.execute(select(IntakeBatch.sequence, IntakeBatch.demonstration))
    return {sequence: demonstration for sequence, demonstration in rows}


def last_batch(connection: Connection | Session) -> LastBatch | None:
    """The last batch taken in; an installation serves one bank."""
    row = connection.execute(
        select(IntakeBatch.bank, IntakeBatch.sequence, IntakeBatch.business_date)
        .order_by(IntakeBatch.sequence.desc())
        .limit(1)
    ).first()
    return None if row is None else LastBatch(*row)


def sequence_of(connection: Connection | Session, *, digest: str) -> int | None:
    """The sequence under which this very manifest was taken in, None if it was not."""
    return connection.scalar(select(IntakeBatch.sequence).where(IntakeBatch.manifest_sha256 == digest))


def has_sequence(connection: Connection, *, sequence: int) -> bool:
    """Whether a batch of this sequence was taken in."""
    return connection.scalar(select(IntakeBatch.id).where(IntakeBatch.sequence == sequence)) is not None


def known_refs(connection: Connection) -> dict[str, set[str]]:
    """References taken in before, per file. Loans and lines have functions of their own."""
    columns = {
        "agencies": Agency.agency_ref,
        "officers": Officer.officer_ref,
        "customers": Borrower.customer_ref,
        "notices": Notice.notice_ref,
    }
    return {file: set(connection.scalars(select(column))) for file, column in columns.items()}


def known_loans(connection: Connection) -> dict[str, KnownLoan]:
    """Loans taken in before, by reference."""
    statement = select(Loan.__table__, Borrower.customer_ref).join(Borrower, Borrower.id == Loan.borrower_id)
    found = {}
    for row in connection.execute(statement):
        terms = LoanTerms(
            principal_minor=row.principal_minor,
            annual_rate=row.annual_rate,
            method=row.method,
            pay_day=row.pay_day,
            term_count=row.term_count,
            matures_on=row.matures_on,
        )
        found[row.loan_ref] = KnownLoan(row.customer_ref, row.currency, terms, row.bank_days_overdue)
    return found


def core_totals(connection: Connection) -> dict[str, Totals]:
    """The sums of the bank's own lines, by loan reference; lines posted by the portal are not in them."""
    original = aliased(LedgerLine)
    effect = case((LedgerLine.kind == "reversal", original.kind), else_=LedgerLine.kind)
    sums = [func.sum(getattr(LedgerLine, f"{name}_minor")) for name in COMPONENTS]
    statement = (
        select(Loan.loan_ref, effect, func.count(), *sums)
        .select_from(LedgerLine)
        .join(Loan, Loan.id == LedgerLine.loan_id)
        .outerjoin(original, original.id == LedgerLine.reverses_id)
        .where(LedgerLine.source == "core")
        .group_by(Loan.loan_ref, effect)
    )
    found: dict[str, Totals] = {}
    for loan_ref, kind, count, *amounts in connection.execute(statement):
        parts = {name: int(minor) for name, minor in zip(COMPONENTS, amounts, strict=True)}
        found.setdefault(loan_ref, Totals()).add(effect=kind, amounts=parts, lines=count)
    return found


def core_line_count(connection: Connection) -> int:
    """How many lines of the bank were taken in."""
    return connection.scalar(select(func.count()).where(LedgerLine.source == "core")) or 0


def core_line_refs(connection: Connection) -> Iterator[str]:
    """Their references, in order, a page at a time."""
    after = ""
    while True:
        statement = (
            select(LedgerLine.line_ref)
            .where(LedgerLine.source == "core", LedgerLine.line_ref > after)
            .order_by(LedgerLine.line_ref)
            .limit(1000)
        )
        page = connection.scalars(statement).all()
        yield from page
        if not page:
            return
        after = page[-1]


def known_lines(connection: Connection, line_refs: Sequence[str]) -> dict[str, KnownLine]:
    """Core lines taken in before, by reference."""
    original, undoing = aliased(LedgerLine), aliased(LedgerLine)
    statement = (
        select(LedgerLine.__table__, Loan.loan_ref, original.line_ref, undoing.id)
        .join(Loan, Loan.id == LedgerLine.loan_id)
        .outerjoin(original, original.id == LedgerLine.reverses_id)
        .outerjoin(undoing, undoing.reverses_id == LedgerLine.id)
        .where(LedgerLine.source == "core", LedgerLine.line_ref.in_(line_refs))
    )
    found = {}
    for row in connection.execute(statement):
        values = row._mapping
        amounts = {name: int(values[f"{name}_minor"]) for name in COMPONENTS}
        loan_ref, reverses_ref, undone_by = row[-3], row[-2], row[-1]
        others = tuple(amounts[name] for name in ("principal", "interest", "penalty_interest"))
        ends = (row.memo, reverses_ref, row.external_ref)
        head = (loan_ref, row.posted_on, row.kind, others)
        found[row.line_ref] = KnownLine(
            content=(*head, (amounts["fee"], amounts["cost"]), *ends),
            content_merged=(*head, amounts["fee"] + amounts["cost"], *ends),
            kind=row.kind,
            loan_ref=loan_ref,
            amounts=amounts,
            reversed=undone_by is not None,
        )
    return found
