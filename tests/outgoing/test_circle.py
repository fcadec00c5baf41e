"""The whole circle: paid here, told to the core, posted there, taken in again - and counted once (M20)."""

from __future__ import annotations

import json
import os
import random
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.accounts.balance import COMPONENTS
from portal.accounts.corrections import post_charge_back, post_refund, taken_of
from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.accounts.operations import UnableToPost, post_waiver, self_check
from portal.bank_files.mapping import load_mapping
from portal.db import Database
from portal.intake.operations import Applied, apply_batch
from portal.keys import Keys
from portal.outgoing import proof
from portal.outgoing.acknowledging import apply_answer, read_answer
from portal.outgoing.contents import is_internal
from portal.outgoing.mapping import outgoing_of
from portal.outgoing.operations import send_again
from tests.conftest import BANK_MORNING
from tests.intake.book import BUSINESS_DATE
from tests.outgoing.core import Core
from tests.outgoing.told import make, pay, states, times_told

NAMES = outgoing_of(load_mapping("portal")).answer
LOANS = ("L1", "L2")
SEEDS = {"quick": 1, "portal": 2, "soak": 60}[os.environ.get("PORTAL_TEST_PROFILE", "portal")]
DAYS = 5


class Bank:
    """The portal and the core, day after day, and chance."""

    def __init__(self, database: Database, keys: Keys, folder: Path, seed: int) -> None:
        self.database, self.keys, self.folder = database, keys, folder
        self.core, self.chance = Core(), random.Random(seed)
        self.day, self.count = 0, 0

    @property
    def now(self) -> datetime:
        return BANK_MORNING + timedelta(days=self.day)

    def take_in(self) -> None:
        """The core's next day comes in, and everything adds up."""
        day = BUSINESS_DATE + timedelta(days=self.day)
        batch = self.core.export(day, self.folder / f"in-{self.day}")
        answer = apply_batch(
            self.database,
            directory=batch,
            mapping="portal",
            keys=self.keys,
            now=self.now + timedelta(hours=1),
        )
        assert isinstance(answer, Applied), [one.en for one in answer.rejections]
        self.adds_up()

    def adds_up(self) -> None:
        """M20, from the core's side: its ledger + our entries it has not posted = what the portal shows."""
        with self.database.read() as connection:
            assert self_check(connection) == []
            assert proof.faults(connection, settled_too=True) == []
            shown = dict(
                connection.execute(
                    select(Loan.loan_ref, LoanBalance.left_minor - LoanBalance.suspense_minor).join(
                        Loan, Loan.id == LoanBalance.loan_id
                    )
                ).all()
            )
            parts = [getattr(LedgerLine, f"{name}_minor") for name in (*COMPONENTS, "suspense")]
            ours = connection.execute(
                select(Loan.loan_ref, LedgerLine.line_ref, sum(parts[1:], parts[0]))
                .join(Loan, Loan.id == LedgerLine.loan_id)
                .where(LedgerLine.source == "portal", ~is_internal(LedgerLine))
            ).all()
        for loan_ref in LOANS:
            waiting = sum(
                minor for ref, line, minor in ours if ref == loan_ref and line not in self.core.posted
            )
            assert shown[loan_ref] == self.core.left(loan_ref) + waiting, loan_ref

    def something_happens(self) -> None:
        """A payment, a part of one taken back, a waiver; at the core a counter payment or interest."""
        loan_ref, what = self.chance.choice(LOANS), self.chance.randrange(8)
        self.count += 1
        day = self.now.date()
        if what <= 2:
            self._pay(loan_ref)
        elif what <= 4:
            self._take_back()
        elif what == 5:
            self._waive(loan_ref)
        elif what == 6:
            self.core.pay_at_the_counter(loan_ref, self.chance.randint(1, 30_000), day)
        else:
            self.core.charge(loan_ref, self.chance.randint(1, 900), day)

    def tell(self) -> None:
        """A batch goes out; the core refuses a row now and then, and what it refused is sent again."""
        refused = [ref for ref, state in states(self.database).items() if state == "refused"]
        for ref in refused:
            self.database.write(lambda session, ref=ref: send_again(session, entry_ref=ref, now=self.now))
        for made in make(self.database, self.folder / "out", mapping="portal", now=self.now):
            said = self.core.receive(made.folder, lambda ref: self.chance.random() < 0.2)
            read = read_answer(json.dumps(said).encode(), NAMES)
            self.database.write(lambda session, read=read: apply_answer(session, answer=read, now=self.now))
        assert set(times_told(self.database).values()) <= {0, 1}
        accepted = {ref for ref, state in states(self.database).items() if state == "accepted"}
        assert accepted == self.core.posted

    def _pay(self, loan_ref: str) -> None:
        with self.database.read() as connection:
            row = connection.execute(
                select(LoanBalance.__table__)
                .join(Loan, Loan.id == LoanBalance.loan_id)
                .where(Loan.loan_ref == loan_ref)
            ).one()
        parts = {}
        for name in COMPONENTS:
            left = row._mapping[f"{name}_owed_minor"] - row._mapping[f"{name}_paid_minor"]
            left -= row._mapping[f"{name}_forgiven_minor"]
            parts[name] = self.chance.randint(0, min(left, 9_000))
        if any(parts.values()):
            reference = f"P-{self.day}{self.count:04d}-AAAAA"
            pay(self.database, reference, parts, loan_ref=loan_ref, at=self.now)

    def _take_back(self) -> None:
        def unit(session: Session) -> None:
            lines = session.scalars(
                select(LedgerLine)
                .where(LedgerLine.source == "portal", LedgerLine.kind == "payment")
                .where(LedgerLine.line_ref.startswith("P-"))
                .order_by(LedgerLine.id)
            ).all()
            if not lines:
                return
            one = self.chance.choice(lines)
            taken = taken_of(session, one.id)
            still = {name: -getattr(one, f"{name}_minor") - taken[name] for name in COMPONENTS}
            whole = self.chance.random() < 0.5
            parts = {name: minor if whole else self.chance.randint(0, minor) for name, minor in still.items()}
            post = self.chance.choice([post_refund, post_charge_back])
            if any(parts.values()):
                post(
                    session,
                    line_id=one.id,
                    parts=parts,
                    suspense_minor=0,
                    posted_on=self.now.date(),
                    line_ref=f"R-{self.day}-{self.count}",
                    memo="",
                    now=self.now,
                )

        try:
            self.database.write(unit)
        except UnableToPost as error:
            assert error.reason in ("moved", "taken", "reversed")  # noqa: PT017 - its money is elsewhere now

    def _waive(self, loan_ref: str) -> None:
        def unit(session: Session) -> None:
            loan_id = session.scalars(select(Loan.id).where(Loan.loan_ref == loan_ref)).one()
            post_waiver(
                session,
                loan_id=loan_id,
                parts={"interest": self.chance.randint(1, 50)},
                posted_on=self.now.date(),
                line_ref=f"W-{self.day}-{self.count}",
                memo="",
                now=self.now,
            )

        try:
            self.database.write(unit)
        except UnableToPost as error:
            assert error.reason == "overpaid"  # noqa: PT017 - nothing is left to waive


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_is_paid_here_is_counted_once_on_every_day(
    database: Database, keys: Keys, tmp_path: Path, seed: int
) -> None:
    bank = Bank(database, keys, tmp_path, seed)
    bank.take_in()

    for _ in range(DAYS):
        for _ in range(bank.chance.randint(1, 4)):
            bank.something_happens()
        bank.tell()
        bank.day += 1
        bank.take_in()


def test_a_payment_is_shown_at_once_told_once_and_stands_once_when_the_core_posts_it(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    bank = Bank(database, keys, tmp_path, 0)
    bank.take_in()
    before = bank.core.left("L1")

    line_id = pay(database, "P-1111-11111", {"principal": 10_000}, loan_ref="L1")
    bank.adds_up()
    bank.chance.random = lambda: 1.0  # type: ignore[method-assign] # refuse nothing
    bank.tell()
    bank.day += 1
    bank.take_in()

    assert bank.core.left("L1") == before - 10_000
    with database.read() as connection:
        undone = connection.scalar(select(LedgerLine.id).where(LedgerLine.reverses_id == line_id))
    assert undone is not None
    assert make(database, tmp_path / "out", mapping="portal", now=bank.now) == []
