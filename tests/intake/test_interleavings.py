"""Payments made while the bank's file of the same morning goes in (AC64): whatever the order, none vanishes and none
counts twice. Some interleavings on every run, 10,000 on a soak."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.accounts.balance import COMPONENTS
from portal.accounts.models import Loan
from portal.accounts.operations import post_payment
from portal.bank_files.mapping import Mapping
from portal.db import Database
from portal.intake.operations import Applied, apply_batch
from portal.keys import Keys
from portal.payments.models import Payment
from tests.conftest import BANK_MORNING
from tests.intake.book import BUSINESS_DATE, Book, Rows, line, small_book, write_book
from tests.intake.conftest import balances, proved

pytestmark = pytest.mark.slow

SOAK = os.environ.get("PORTAL_TEST_PROFILE") == "soak"
#: Interleavings over one database; databases of each kind.
ROUNDS = 25 if SOAK else 10
SEEDS = range(400 if SOAK else 1)
#: When a payment is made beside the intake: as soon as it tells of this step.
STEPS = ("check ledger.csv", "check balances.csv", "check balances", "apply ledger.csv", "balances")
LOANS = ("L1", "L2")


@dataclass
class Morning:
    """The bank's book and the payments made here, as they should count."""

    database: Database
    keys: Keys
    mapping: Mapping
    folder: Path
    chance: random.Random
    book: Book = field(default_factory=small_book)
    #: loan -> what was settled by the bank's own lines, minor units
    core: dict[str, int] = field(default_factory=dict)
    #: payments made here that the bank has not posted: reference -> (loan, amount)
    ours: dict[str, tuple[str, int]] = field(default_factory=dict)
    made: int = 0

    def first(self) -> None:
        """The first batch is in."""
        write_book(self.book, self.mapping, self.folder / "first")
        self.take(self.folder / "first", lambda *_: None)
        self.core = {ref: settled(row) for ref, row in balances(self.database).items()}

    def take(self, directory: Path, progress: Callable[[str, int, int], None]) -> None:
        answer = apply_batch(
            self.database,
            directory=directory,
            mapping=self.mapping,
            keys=self.keys,
            now=BANK_MORNING,
            progress=progress,
        )
        assert isinstance(answer, Applied), [one.en for one in answer.rejections]  # type: ignore[union-attr]

    def draw(self) -> tuple[str, str, int]:
        """A payment to be made: (reference, loan, amount)."""
        self.made += 1
        return f"PAY{self.made}", self.chance.choice(LOANS), self.chance.randrange(1, 400)

    def pay(self, reference: str, loan_ref: str, amount: int) -> None:
        """Make it, and know of it once it is acknowledged."""
        self.database.write(lambda session: _pay(session, reference, loan_ref, amount))
        self.ours[reference] = (loan_ref, amount)

    def delta(self) -> Path:
        """Today's next file: the bank's own payments, and some of ours that it has posted."""
        lines: Rows = []
        for number in range(self.chance.randrange(2)):
            lines.append(
                self._line(
                    f"B{self.book.sequence}-{number}",
                    self.chance.choice(LOANS),
                    self.chance.randrange(1, 400),
                )
            )
        for reference in [one for one in self.ours if self.chance.random() < 0.4]:
            loan_ref, amount = self.ours.pop(reference)
            lines.append(self._line(f"B-{reference}", loan_ref, amount, external_ref=reference))
        self.chance.shuffle(lines)
        self.book.sequence, self.book.mode = self.book.sequence + 1, "delta"
        self.book.rows["ledger"] += lines
        self.book.settle()
        moved = {one["loan_ref"] for one in lines}
        stated = [
            one
            for one in self.book.rows["balances"]
            if one["loan_ref"] in moved or self.chance.random() < 0.5
        ]
        sent = Book(self.book.sequence, BUSINESS_DATE, "delta", {"ledger": lines, "balances": stated})
        return write_book(sent, self.mapping, self.folder / f"{self.book.sequence}")

    def _line(self, ref: str, loan_ref: str, amount: int, **more: Any) -> dict[str, Any]:
        self.core[loan_ref] += amount
        return line(ref, loan_ref, BUSINESS_DATE, "payment", principal=-amount, **more)

    def round(self) -> None:
        """One interleaving: payments before, beside and after one file."""
        for _ in range(self.chance.randrange(3)):
            self.pay(*self.draw())
        directory = self.delta()
        beside = {self.chance.choice(STEPS): self.draw() for _ in range(self.chance.randrange(1, 4))}
        payers: list[threading.Thread] = []

        def progress(step: str, done: int, total: int) -> None:
            payment = beside.pop(step, None)
            if payment is not None:
                payers.append(threading.Thread(target=self.pay, args=payment))
                payers[-1].start()
                if self.chance.random() < 0.5 and step.startswith("check"):
                    payers[-1].join()

        self.take(directory, progress)
        for payer in payers:
            payer.join()
        if self.chance.random() < 0.5:
            self.pay(*self.draw())

    def check(self) -> None:
        """Each loan has settled what the bank posted and what was paid here, each once."""
        paid = dict.fromkeys(LOANS, 0)
        for loan_ref, amount in self.ours.values():
            paid[loan_ref] += amount
        found = {ref: settled(row) for ref, row in balances(self.database).items()}
        assert found == {ref: self.core[ref] + paid[ref] for ref in LOANS}
        proved(self.database)


def settled(row: Any) -> int:
    """All that was paid on a loan, minor units."""
    return sum(getattr(row, f"{name}_paid_minor") for name in COMPONENTS) + int(row.suspense_minor)


def _pay(session: Session, reference: str, loan_ref: str, amount: int) -> None:
    loan = session.execute(select(Loan).where(Loan.loan_ref == loan_ref)).scalar_one()
    payment = Payment(
        created_at=BANK_MORNING,
        reference=reference,
        borrower_id=loan.borrower_id,
        loan_id=loan.id,
        target=f"loan:{loan.id}",
        amount_minor=amount,
        currency="CNY",
        method="stripe",
        state="posted",
        offered={},
        expires_at=BANK_MORNING,
        asked_at=BANK_MORNING,
        form_key=reference,
        idempotency_key=reference,
    )
    session.add(payment)
    session.flush()
    post_payment(
        session,
        loan_id=loan.id,
        parts={"principal": amount},
        suspense_minor=0,
        posted_on=BUSINESS_DATE,
        payment_id=payment.id,
        line_ref=f"P-{reference}",
        memo="",
        now=BANK_MORNING,
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_no_payment_vanishes_and_none_counts_twice(
    database: Database, keys: Keys, portal_mapping: Mapping, tmp_path: Path, seed: int
) -> None:
    morning = Morning(database, keys, portal_mapping, tmp_path, random.Random(seed))
    morning.first()

    for _ in range(ROUNDS):
        morning.round()
        morning.check()

    assert morning.made >= ROUNDS
