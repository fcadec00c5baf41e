"""Loan accounts, their ledger lines and the balance row derived from them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Date, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.ext.hybrid import hybrid_method, hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from portal.accounts.balance import COMPONENTS
from portal.db import Base, ExactDecimal, Row, append_only, triggers


class Loan(Row):
    """One contract. Amounts in minor units of `currency`; rates are yearly fractions (0.088)."""

    __tablename__ = "loan"
    loan_ref: Mapped[str] = mapped_column(String(32), unique=True)
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"), index=True)
    product: Mapped[str] = mapped_column(String(64))
    #: "loan" or "card": the product class of the jurisdiction pack
    product_class: Mapped[str] = mapped_column(String(8))
    currency: Mapped[str] = mapped_column(String(3))
    opened_on: Mapped[date] = mapped_column(Date)
    matures_on: Mapped[date] = mapped_column(Date)
    principal_minor: Mapped[int]
    annual_rate: Mapped[Decimal] = mapped_column(ExactDecimal)
    penalty_multiple: Mapped[Decimal] = mapped_column(ExactDecimal)
    #: "actual/360", "actual/365", "actual/actual", "30/360"
    day_count: Mapped[str] = mapped_column(String(16))
    #: "equal_principal", "equal_instalments"
    method: Mapped[str] = mapped_column(String(24))
    pay_day: Mapped[int] = mapped_column(Integer)
    term_count: Mapped[int] = mapped_column(Integer)
    #: how interest is rounded at posting: "half_up", "half_even", "floor", to so many minor units
    rounding: Mapped[str] = mapped_column(String(12), default="half_up")
    unit_minor: Mapped[int] = mapped_column(default=1)
    #: "simple" or "compound": whether posted and unpaid interest bears interest
    compounding: Mapped[str] = mapped_column(String(12), default="simple")
    #: what the bank's own file said at the last intake; ours is in loan_balance
    bank_days_overdue: Mapped[int] = mapped_column(Integer)
    #: "current" or "overdue"
    status: Mapped[str] = mapped_column(String(16))
    #: intake_batch.sequence that last wrote this row
    batch_sequence: Mapped[int]


class LoanRate(Row):
    """From `from_on` on (that day included) the loan's yearly rates are these. The rate before the first
    change is the loan's own; a penalty rate of none is the annual rate times the loan's multiple."""

    __tablename__ = "loan_rate"
    loan_id: Mapped[int] = mapped_column(ForeignKey("loan.id"))
    from_on: Mapped[date] = mapped_column(Date)
    annual_rate: Mapped[Decimal] = mapped_column(ExactDecimal)
    penalty_rate: Mapped[Decimal | None] = mapped_column(ExactDecimal)
    #: intake_batch.sequence that last wrote this row
    batch_sequence: Mapped[int] = mapped_column(default=0)
    __table_args__ = (UniqueConstraint("loan_id", "from_on"),)


class LedgerLine(Row):
    """A posted line: charges positive, payments negative, what is taken back of one positive. Never
    changed; a `reversal` points at the line it undoes, a correction at the line it corrects."""

    __tablename__ = "ledger_line"
    loan_id: Mapped[int] = mapped_column(ForeignKey("loan.id"))
    #: the bank's line number, or ours for lines posted here
    line_ref: Mapped[str] = mapped_column(String(48))
    #: "core" (the bank's file) or "portal"
    source: Mapped[str] = mapped_column(String(8))
    posted_on: Mapped[date] = mapped_column(Date)
    #: accounts.balance.KINDS
    kind: Mapped[str] = mapped_column(String(24))
    cost_minor: Mapped[int] = mapped_column(default=0)
    fee_minor: Mapped[int] = mapped_column(default=0)
    penalty_interest_minor: Mapped[int] = mapped_column(default=0)
    interest_minor: Mapped[int] = mapped_column(default=0)
    principal_minor: Mapped[int] = mapped_column(default=0)
    #: money received that no component could take (overpaid): negative like any payment
    suspense_minor: Mapped[int] = mapped_column(default=0)
    memo: Mapped[str] = mapped_column(String(200), default="")
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_line.id"))
    #: of a charge-back or refund: the payment line whose money it is; of a transfer's second line: the first
    of_line_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_line.id"))
    external_ref: Mapped[str] = mapped_column(String(64), default="")
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"))
    __table_args__ = (
        UniqueConstraint("source", "line_ref"),
        # each line reversed at most once (M8)
        Index(
            "uq_ledger_line_reverses_id",
            "reverses_id",
            unique=True,
            sqlite_where=text("reverses_id IS NOT NULL"),
            postgresql_where=text("reverses_id IS NOT NULL"),
        ),
        # one credit per payment and loan, whatever is delivered twice (P1)
        Index(
            "uq_ledger_line_payment",
            "payment_id",
            "loan_id",
            "kind",
            unique=True,
            sqlite_where=text("payment_id IS NOT NULL"),
            postgresql_where=text("payment_id IS NOT NULL"),
        ),
        # what was taken back of a payment
        Index(
            "ix_ledger_line_of_line_id",
            "of_line_id",
            sqlite_where=text("of_line_id IS NOT NULL"),
            postgresql_where=text("of_line_id IS NOT NULL"),
        ),
        # the bank's lines that name one of ours
        Index(
            "ix_ledger_line_external_ref",
            "external_ref",
            sqlite_where=text("external_ref <> ''"),
            postgresql_where=text("external_ref <> ''"),
        ),
        # covering: a loan's lines in order without touching the table
        Index("ix_ledger_line_loan", "loan_id", "posted_on", "id"),
    )


class LoanBalance(Base):
    """What the lines of one loan add up to, as of a business date. One row per loan, rewritten in the
    transaction that posts a line and re-proved by `accounts.operations.self_check`."""

    __tablename__ = "loan_balance"
    loan_id: Mapped[int] = mapped_column(ForeignKey("loan.id"), primary_key=True)
    as_of: Mapped[date] = mapped_column(Date)
    #: rises with every posting: an optimistic version, and the key of cached fragments
    version: Mapped[int]
    cost_owed_minor: Mapped[int] = mapped_column(default=0)
    cost_paid_minor: Mapped[int] = mapped_column(default=0)
    cost_forgiven_minor: Mapped[int] = mapped_column(default=0)
    fee_owed_minor: Mapped[int] = mapped_column(default=0)
    fee_paid_minor: Mapped[int] = mapped_column(default=0)
    fee_forgiven_minor: Mapped[int] = mapped_column(default=0)
    penalty_interest_owed_minor: Mapped[int] = mapped_column(default=0)
    penalty_interest_paid_minor: Mapped[int] = mapped_column(default=0)
    penalty_interest_forgiven_minor: Mapped[int] = mapped_column(default=0)
    interest_owed_minor: Mapped[int] = mapped_column(default=0)
    interest_paid_minor: Mapped[int] = mapped_column(default=0)
    interest_forgiven_minor: Mapped[int] = mapped_column(default=0)
    principal_owed_minor: Mapped[int] = mapped_column(default=0)
    principal_paid_minor: Mapped[int] = mapped_column(default=0)
    principal_forgiven_minor: Mapped[int] = mapped_column(default=0)
    suspense_minor: Mapped[int] = mapped_column(default=0)
    principal_due_minor: Mapped[int] = mapped_column(default=0)
    due_now_minor: Mapped[int] = mapped_column(default=0)
    days_overdue: Mapped[int] = mapped_column(Integer, default=0)
    line_count: Mapped[int] = mapped_column(Integer, default=0)

    @hybrid_method
    def left_of(self, component: str) -> int:
        """What is left of one component, minor units; of the class, the expression for it."""
        owed: int = getattr(self, f"{component}_owed_minor")
        settled: int = getattr(self, f"{component}_paid_minor") + getattr(self, f"{component}_forgiven_minor")
        return owed - settled

    @hybrid_property
    def left_minor(self) -> int:
        """What is left of all components, minor units; of the class, the expression for it."""
        return sum(self.left_of(name) for name in COMPONENTS)

    __table_args__ = (
        *(
            CheckConstraint(
                f"{name}_owed_minor >= {name}_paid_minor + {name}_forgiven_minor", name=f"{name}_left"
            )
            for name in COMPONENTS
        ),
        # never more taken back than was paid, whatever line took it (M3, M11)
        *(
            CheckConstraint(f"{name}_paid_minor >= 0 AND {name}_forgiven_minor >= 0", name=f"{name}_paid")
            for name in COMPONENTS
        ),
        CheckConstraint("suspense_minor >= 0", name="suspense"),
    )


class IssuedStatement(Row):
    """A statement as it was issued and signed: never changed, whatever the ledger says later."""

    __tablename__ = "statement"
    reference: Mapped[str] = mapped_column(String(16), unique=True)
    borrower_id: Mapped[int] = mapped_column(ForeignKey("borrower.id"))
    #: the bank's calendar date of issue, and the last day whose lines are in it
    issued_on: Mapped[date] = mapped_column(Date)
    as_of: Mapped[date] = mapped_column(Date)
    #: SHA-256 of the canonical content, hexadecimal
    digest: Mapped[str] = mapped_column(String(64))
    #: accounts.statement.content_of: texts and whole numbers
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    key_id: Mapped[str] = mapped_column(String(16))
    #: over accounts.issuing.signed_facts, base64url
    signature: Mapped[str] = mapped_column(String(128))
    __table_args__ = (
        # the same statement is issued once, and a borrower's are found by it
        UniqueConstraint("borrower_id", "digest"),
    )


def taken_sql() -> list[dict[str, str]]:
    """The trigger that keeps charge-backs and refunds of a payment line within it, component by component,
    per dialect; migrations use the same text. Those that were reversed do not count; those that gave
    way to the bank's own line do: the bank took the money."""
    parts = [f"{name}_minor" for name in (*COMPONENTS, "suspense")]
    within = f"""
        SELECT 1 FROM ledger_line AS p
        LEFT JOIN ledger_line AS t ON t.of_line_id = p.id AND t.kind IN ('charge_back', 'refund')
            AND NOT EXISTS (SELECT 1 FROM ledger_line AS r
                WHERE r.reverses_id = t.id AND NOT (r.line_ref LIKE 'back-%' AND r.external_ref <> ''))
        WHERE p.id = NEW.of_line_id AND p.loan_id = NEW.loan_id AND p.kind = 'payment'
        GROUP BY p.id, {", ".join(f"p.{part}" for part in parts)}
        HAVING {" AND ".join(f"coalesce(sum(t.{part}), 0) + NEW.{part} <= -p.{part}" for part in parts)}
            AND {" AND ".join(f"NEW.{part} >= 0" for part in parts)}"""  # noqa: S608 - our own columns
    said = "more taken back than was paid"
    return [
        {
            "dialect": "sqlite",
            "sql": "CREATE TRIGGER ledger_line_taken BEFORE INSERT ON ledger_line "
            f"WHEN NEW.kind IN ('charge_back', 'refund') BEGIN SELECT RAISE(ABORT, '{said}') "
            f"WHERE NOT EXISTS ({within}); END",
        },
        {
            "dialect": "postgresql",
            "sql": "CREATE FUNCTION ledger_line_taken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            # those who take at once follow each other, and each counts the ones before
            "PERFORM 1 FROM loan_balance WHERE loan_id = NEW.loan_id FOR UPDATE; "
            f"IF NOT EXISTS ({within}) THEN RAISE EXCEPTION '{said}' USING ERRCODE = '23514'; END IF; "
            "RETURN NEW; END $$",
        },
        {
            "dialect": "postgresql",
            "sql": "CREATE TRIGGER ledger_line_taken BEFORE INSERT ON ledger_line FOR EACH ROW "
            "WHEN (NEW.kind IN ('charge_back', 'refund')) EXECUTE FUNCTION ledger_line_taken()",
        },
    ]


class WithdrawnLine(Row):
    """A line of the bank that left the ledger with the batch that had brought it, when that was undone. Kept
    for ever: every line there ever was stands in the ledger or here."""

    __tablename__ = "withdrawn_line"
    #: the id it had in the ledger
    line_id: Mapped[int] = mapped_column(index=True)
    #: intake_batch.id
    batch_id: Mapped[int] = mapped_column(ForeignKey("intake_batch.id"), index=True)
    withdrawn_at: Mapped[datetime]
    loan_id: Mapped[int]
    line_ref: Mapped[str] = mapped_column(String(48))
    source: Mapped[str] = mapped_column(String(8))
    posted_on: Mapped[date] = mapped_column(Date)
    kind: Mapped[str] = mapped_column(String(24))
    cost_minor: Mapped[int]
    fee_minor: Mapped[int]
    penalty_interest_minor: Mapped[int]
    interest_minor: Mapped[int]
    principal_minor: Mapped[int]
    suspense_minor: Mapped[int]
    memo: Mapped[str] = mapped_column(String(200))
    reverses_id: Mapped[int | None]
    of_line_id: Mapped[int | None]
    external_ref: Mapped[str] = mapped_column(String(64))
    payment_id: Mapped[int | None]


#: A line may leave the ledger only while its batch is being undone, and only when it stands among the
#: withdrawn ones already.
LEAVES = """EXISTS (SELECT 1 FROM withdrawn_line w JOIN intake_batch b ON b.id = w.batch_id
    WHERE w.line_id = OLD.id AND b.state = 'undoing')"""

append_only(LedgerLine.__table__, leaves=LEAVES)  # type: ignore[arg-type]
append_only(WithdrawnLine.__table__)  # type: ignore[arg-type]
triggers(LedgerLine.__table__, taken_sql())  # type: ignore[arg-type]
append_only(IssuedStatement.__table__)  # type: ignore[arg-type]
