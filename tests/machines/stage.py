"""The portal's own operations over one transaction that is taken back: every example of a machine begins empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import Connection, RowMapping, func, insert, select
from sqlalchemy.orm import Session

from portal.accounts.balance import COMPONENTS
from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.accounts.operations import rebalance, self_check
from portal.accounts.reconcile_core import PostedBack, give_way, park_overpaid
from portal.db import Database
from portal.gateways.stripe import Checkout, PaymentReport, ProviderEventSeen, Report
from portal.gateways.stripe_reports import NOTHING, DisputeReport, DisputeWord, RefundReport, RefundWord
from portal.jurisdictions import pack
from portal.keys import Keys
from portal.money import Money
from portal.payments import operations, receipts
from portal.payments.counter import count_postings
from portal.payments.models import Payment
from portal.payments.receipts import Books
from portal.plans.models import PlanReceipt
from portal.plans.operations import UnableToPropose, propose
from portal.plans.queries import ground_for
from portal.plans.terms import TermsRequest
from portal.signing import Signer
from tests import people
from tests.machines.model import Account
from tests.plans.people import Story
from tests.plans.scene import DAYS, POLICY

T = TypeVar("T")

FIRST_DAY = date(2026, 11, 20)
MORNING = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
OFFERED = {"methods": ["card"], "locale": "zh", "title": "港湾银行"}
LINES: Any = LedgerLine.__table__
BALANCES: Any = LoanBalance.__table__


@dataclass
class OneTransaction:
    """The two doors of a Database over one connection: units are savepoints, nothing is ever committed."""

    connection: Connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """The same connection."""
        yield self.connection

    def write(self, unit: Callable[[Session], T]) -> T:
        """One unit, kept or taken back as a whole."""
        with Session(
            self.connection, join_transaction_mode="create_savepoint", expire_on_commit=False
        ) as session:
            answer = unit(session)
            session.commit()
            return answer


class Stage:
    """One borrower with the accounts of a model, and what can be done to them, through the portal."""

    def __init__(self, database: Database, keys: Keys, signer: Signer, accounts: Sequence[Account]) -> None:
        self.keys, self.signer = keys, signer
        self.connection = database.writer.connect()
        self.outer = self.connection.begin()
        self.db = OneTransaction(self.connection)
        self.today, self.now = FIRST_DAY, MORNING
        self.loans: dict[str, int] = {}
        self.lines = self.cases = 0
        self.borrower_id = self.db.write(lambda session: self._people(session, accounts))

    def close(self) -> None:
        """Take everything back."""
        self.outer.rollback()
        self.connection.close()

    def _people(self, session: Session, accounts: Sequence[Account]) -> int:
        borrower_id = people.borrower(
            session, self.keys, customer_ref="C900001", name="林晓", phone="13900000034"
        )
        for account in accounts:
            loan_id = _loan(session, borrower_id, account)
            self.loans[account.ref] = loan_id
            self._line(session, account.ref, "disbursement", {"principal": account.owed["principal"]})
        session.flush()
        rebalance(session, loan_ids=list(self.loans.values()), as_of=self.today, now=self.now)
        return borrower_id

    def _line(
        self,
        session: Session,
        ref: str,
        kind: str,
        parts: Mapping[str, int],
        *,
        reverses: int | None = None,
        external: str = "",
    ) -> int:
        """A line of the bank's file; `parts` as they are stored."""
        self.lines += 1
        values = {
            "created_at": self.now,
            "loan_id": self.loans[ref],
            "line_ref": f"T{self.lines}",
            "source": "core",
            "posted_on": self.today,
            "kind": kind,
            "reverses_id": reverses,
            "external_ref": external,
            **{f"{name}_minor": minor for name, minor in parts.items()},
        }
        found: int = session.scalars(insert(LedgerLine).returning(LedgerLine.id), [values]).one()
        return found

    def batch(
        self,
        lines: Sequence[tuple[str, str, Mapping[str, int], int | None, str]],
        *,
        back: Sequence[int] = (),
    ) -> list[int]:
        """What an intake does with the bank's new lines: they are added, lines of ours that the bank has posted
        itself give way, what exceeds the charges is parked, every loan moves to the day, and what was paid at
        a counter counts for the plan."""

        def unit(session: Session) -> list[int]:
            mark = int(session.scalar(select(func.max(LINES.c.id))) or 0)
            made = [
                self._line(session, ref, kind, parts, reverses=undone, external=external)
                for ref, kind, parts, undone, external in lines
            ]
            given = [PostedBack(line_id, f"T{self.lines}", self.today) for line_id in back]
            give_way(session, posted_back=given, now=self.now)
            loan_ids = list(self.loans.values())
            label = str(self.lines)
            park_overpaid(session, loan_ids=loan_ids, posted_on=self.today, label=label, now=self.now)
            rebalance(session, loan_ids=loan_ids, as_of=self.today, now=self.now)
            count_postings(session, after_line_id=mark, day_of=lambda at: at.date(), now=self.now)
            return made

        return self.db.write(unit)

    def begin(self, ref: str | None, minor: int, currency: str, form_key: str) -> operations.Attempt:
        """A payment begun and its checkout opened."""

        def unit(session: Session) -> operations.Attempt:
            attempt = operations.create_attempt(
                session,
                borrower_id=self.borrower_id,
                loan_ref=ref,
                amount=Money(minor, currency),
                form_key=form_key,
                offered=OFFERED,
                now=self.now,
                real_now=self.now,
            )
            checkout = Checkout(f"cs_{attempt.reference}", "http://pay.example/", None)
            operations.opened(
                session, payment_id=attempt.payment_id, checkout=checkout, real_now=self.now, now=self.now
            )
            return attempt

        return self.db.write(unit)

    def plan(self, count: int) -> tuple[dict[str, int], list[int]] | None:
        """A plan proposed, approved and accepted, as (what it covers by loan, its instalments); None when the
        bank's rules refuse it."""
        story = Story(self.db, self.keys, self.signer, self.borrower_id)  # type: ignore[arg-type]
        with self.db.read() as connection:
            ground = ground_for(
                connection, self.keys, self.borrower_id, policy=POLICY, working_days=DAYS, today=self.today
            )
        self.cases += 1
        try:
            receipt = self.db.write(
                lambda session: propose(
                    session,
                    borrower_id=self.borrower_id,
                    request=TermsRequest(count=count),
                    comment="",
                    form_key=f"case-{self.cases}",
                    ground=ground,
                    report_id=None,
                    signer=self.signer,
                    now=self.now,
                )
            )
        except UnableToPropose:
            return None
        story.approve(receipt.proposal_id, now=self.now)
        story.accept(receipt.proposal_id, receipt.terms, version=2, now=self.now)
        covered = {loan.loan_ref: loan.covered.minor for loan in receipt.terms.loans}
        return covered, [part.amount.minor for part in receipt.terms.payments]

    def receipts(self) -> list[list[int]]:
        """What was counted towards each plan, by payment or line of the bank's."""
        statement = (
            select(PlanReceipt.plan_id, PlanReceipt.payment_id, func.sum(PlanReceipt.amount_minor))
            .group_by(PlanReceipt.plan_id, PlanReceipt.payment_id, PlanReceipt.line_id)
            .order_by(PlanReceipt.plan_id, func.min(PlanReceipt.id))
        )
        found: dict[int, list[int]] = {}
        for plan_id, _, minor in self.connection.execute(statement):
            found.setdefault(plan_id, []).append(int(minor))
        return list(found.values())

    def tell(
        self, event_id: str, attempt: operations.Attempt, report: Report, key: str, **changes: Any
    ) -> receipts.Outcome:
        """One event of the provider."""
        facts = {
            "report": report,
            "reference": attempt.reference,
            "session_id": None,
            "intent_id": key,
            "amount_minor": attempt.amount.minor,
            "currency": attempt.amount.currency,
        }
        event = ProviderEventSeen(event_id, f"told.{report}", key, PaymentReport(**{**facts, **changes}))
        return self.db.write(lambda session: receipts.receive(session, event=event, books=self.books()))

    def tell_of_refund(
        self, name: str, attempt: operations.Attempt, key: str, word: str, minor: int
    ) -> receipts.Outcome:
        """A word of a refund begun at the provider."""
        currency = attempt.amount.currency
        report = RefundReport(
            RefundWord(word), f"re_{name}", "", key, minor, currency, created=self._age(name)
        )
        event = ProviderEventSeen(f"{name}-{word}", f"refund.{word}", f"re_{name}", NOTHING, refund=report)
        return self.db.write(lambda session: receipts.receive(session, event=event, books=self.books()))

    def tell_of_dispute(
        self, name: str, attempt: operations.Attempt, key: str, word: str, minor: int
    ) -> receipts.Outcome:
        """A word of a dispute: the money is withdrawn, comes back, or is lost for good."""
        words = {
            "withdrawn": DisputeWord.NEEDS_ANSWER,
            "reinstated": DisputeWord.WON,
            "lost": DisputeWord.LOST,
        }
        report = DisputeReport(
            word=words[word],
            dispute_id=f"dp_{name}",
            intent_id=key,
            amount_minor=minor,
            currency=attempt.amount.currency,
            reason="fraudulent",
            created=self._age(name),
            due=None,
            withdrawn=word != "reinstated",
            reinstated=word == "reinstated",
        )
        event = ProviderEventSeen(f"{name}-{word}", f"dispute.{word}", f"dp_{name}", NOTHING, dispute=report)
        return self.db.write(lambda session: receipts.receive(session, event=event, books=self.books()))

    @staticmethod
    def _age(name: str) -> int:
        return int(name.rpartition("-")[2]) + 1

    def books(self) -> Books:
        """The installation and the moment."""
        return Books(
            keys=self.keys,
            pack=pack("cn"),
            host="my.harbour.example",
            today=self.today,
            now=self.now,
            real_now=self.now,
        )

    def pass_days(self, days: int) -> None:
        """The business date moves on, as the next file says."""
        self.today += timedelta(days=days)
        self.now += timedelta(days=days)
        loan_ids = list(self.loans.values())
        self.db.write(lambda session: rebalance(session, loan_ids=loan_ids, as_of=self.today, now=self.now))

    def balances(self) -> dict[int, RowMapping]:
        """Every balance row by loan."""
        return {row["loan_id"]: row for row in self.connection.execute(select(BALANCES)).mappings()}

    def lines_since(self, line_id: int) -> Sequence[Any]:
        """Lines later than `line_id`, in order."""
        return self.connection.execute(select(LINES).where(LINES.c.id > line_id).order_by(LINES.c.id)).all()

    def total(self) -> dict[str, int]:
        """What all lines add up to, per currency."""
        amount = sum(LINES.c[f"{name}_minor"] for name in (*COMPONENTS, "suspense"))
        statement = (
            select(Loan.currency, func.sum(amount))
            .join(Loan, Loan.id == LINES.c.loan_id)
            .group_by(Loan.currency)
        )
        return {currency: int(minor) for currency, minor in self.connection.execute(statement)}

    def states(self) -> dict[int, str]:
        """Every payment's state."""
        return dict(self.connection.execute(select(Payment.id, Payment.state)).all())

    def faults(self) -> list[str]:
        """The portal's own proof."""
        return self_check(self.connection)


def _loan(session: Session, borrower_id: int, account: Account) -> int:
    days = [day for day, _ in account.instalments]
    loan = Loan(
        created_at=MORNING,
        loan_ref=account.ref,
        borrower_id=borrower_id,
        product="信用卡分期" if account.product_class == "card" else "消费贷",
        product_class=account.product_class,
        currency=account.currency,
        opened_on=min(days[0], FIRST_DAY) - timedelta(days=31),
        matures_on=days[-1],
        principal_minor=account.owed["principal"],
        annual_rate=Decimal(account.rate).scaleb(-4),
        penalty_multiple=Decimal("1.5"),
        day_count="actual/360",
        method="equal_principal" if len(days) > 1 else "bullet",
        pay_day=days[0].day,
        term_count=len(days),
        bank_days_overdue=0,
        status="overdue",
        batch_sequence=1,
    )
    session.add(loan)
    session.flush()
    return loan.id
