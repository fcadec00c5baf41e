"""The same money twice, by two ways, or once here and once by the core: paid never exceeds owed, nothing is lost (AC39)."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.accounts.operations import rebalance, self_check
from portal.accounts.reconcile_core import PostedBack, give_way, park_overpaid
from portal.db import Database
from portal.gateways.stripe import Report
from portal.keys import Keys
from portal.money import Money
from portal.payments import operations, receipts
from portal.payments.models import UnplacedMoney
from portal.transfers.suspense_queries import suspense_rows
from tests import people
from tests.payments.telling import NOW, OFFERED, books, said

#: Overlaps of one run: a slice in every run, the thousand of the paper in a soak.
OVERLAPS = 1000 if os.environ.get("PORTAL_TEST_PROFILE") == "soak" else 30
#: What Lin's loan owes in all: 12,000.00 + 100.00 + 20.00.
OWED = 1_212_000


@dataclass
class Overlap:
    """One borrower who pays `parts` online, some of them twice, while the core posts some of them too."""

    session: Session
    keys: Keys
    number: int
    chooser: random.Random

    def play(self) -> int:
        """Everything that came for the loan, minor units: each amount that somebody really sent."""
        borrower_id = people.borrower(
            self.session,
            self.keys,
            customer_ref=f"C{self.number:06d}",
            name="林晓",
            phone=f"139{self.number:08d}",
        )
        loan_ref = f"L-{self.number}"
        self.loan_id = people.loan(self.session, borrower_id=borrower_id, loan_ref=loan_ref)
        rebalance(self.session, loan_ids=[self.loan_id], as_of=people.BUSINESS_DATE, now=NOW)
        came = 0
        for turn in range(self.chooser.randint(1, 4)):
            came += self._pay(borrower_id, loan_ref, turn)
        return came + self._core_posts()

    def _pay(self, borrower_id: int, loan_ref: str, turn: int) -> int:
        left = operations.target_for
        try:
            most = left(self.session, borrower_id=borrower_id, loan_ref=loan_ref).left.minor
        except operations.UnableToPay:
            return 0
        minor = self.chooser.choice([most, max(1, most // 2), min(most, 30_000)])
        attempt = operations.create_attempt(
            self.session,
            borrower_id=borrower_id,
            loan_ref=loan_ref,
            amount=Money(minor, "CNY"),
            form_key=f"f{turn}",
            offered=OFFERED,
            now=NOW,
            real_now=NOW,
        )
        came = 0
        for copy in range(self.chooser.choice([1, 1, 2])):  # a second way pays the same
            name = f"{self.number}-{turn}-{copy}"
            event = said(attempt, Report.PAID, event_id=f"e{name}", intent_id=f"pi_{name}")
            receipts.receive(self.session, event=event, books=books(self.keys))
            came += minor
        return came

    def _core_posts(self) -> int:
        """The core's file: some payments of ours posted back, some of them once more, some transfers."""
        came = 0
        lines = self.session.execute(
            select(LedgerLine).where(LedgerLine.loan_id == self.loan_id, LedgerLine.kind == "payment")
        ).scalars()
        day = people.BUSINESS_DATE + timedelta(days=1)
        back: list[PostedBack] = []
        for line in lines.all():
            posted = self.chooser.choice(["not", "back", "again"])
            if posted == "not":
                continue
            ref = f"c{line.id}"
            parts = {
                f"{name}_minor": getattr(line, f"{name}_minor")
                for name in ("interest", "penalty_interest", "principal")
            }
            core = LedgerLine(
                created_at=NOW,
                loan_id=self.loan_id,
                line_ref=ref,
                source="core",
                posted_on=day,
                kind="payment",
                external_ref=line.memo if posted == "back" else "",
                **parts,
            )
            self.session.add(core)
            self.session.flush()
            if posted == "back":
                back.append(PostedBack(line.id, ref, day))
            else:
                came += -sum(parts.values())  # the same money again, by a transfer of its own
        give_way(self.session, posted_back=back, now=NOW)
        park_overpaid(self.session, loan_ids={self.loan_id}, posted_on=day, label=str(self.number), now=NOW)
        rebalance(self.session, loan_ids=[self.loan_id], as_of=day, now=NOW)
        return came


@pytest.mark.slow
def test_overlaps_never_pay_more_than_is_owed_and_lose_nothing(database: Database, keys: Keys) -> None:
    chooser = random.Random(20261124)
    came: dict[int, int] = {}

    def unit(session: Session) -> None:
        for number in range(OVERLAPS):
            overlap = Overlap(session, keys, number, chooser)
            total = overlap.play()
            came[overlap.loan_id] = total

    with Session(database.writer) as session:
        unit(session)
        session.commit()

    with database.read() as connection:
        rows = connection.execute(
            select(
                LoanBalance.loan_id,
                LoanBalance.left_minor.label("left"),
                LoanBalance.suspense_minor,
                LoanBalance.principal_paid_minor
                + LoanBalance.interest_paid_minor
                + LoanBalance.penalty_interest_paid_minor,
            )
        ).all()
        aside = dict(
            connection.execute(
                select(Loan.id, func.sum(UnplacedMoney.amount_minor))
                .select_from(UnplacedMoney)
                .join(operations.Payment, operations.Payment.id == UnplacedMoney.payment_id)
                .join(Loan, Loan.id == operations.Payment.loan_id)
                .group_by(Loan.id)
            ).all()  # type: ignore[arg-type]
        )
        listed = suspense_rows(connection, keys, zone="Asia/Shanghai")
        assert self_check(connection) == []
    assert len(rows) == OVERLAPS
    for loan_id, left, suspense, paid in rows:
        assert 0 <= paid <= OWED
        assert paid + left == OWED
        assert paid + suspense + int(aside.get(loan_id, 0)) == came[loan_id]
    assert sum(suspense for _, _, suspense, _ in rows) > 0
    assert sum(row.amount.minor for row in listed if row.amount) == sum(
        suspense for _, _, suspense, _ in rows
    ) + sum(map(int, aside.values()))
