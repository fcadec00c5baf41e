"""What the core posts by itself counts for a plan in force: once, from the plan's first day on, and not twice over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from portal.accounts.models import LedgerLine, Loan
from portal.audit import AuditEntry
from portal.bank_files.mapping import Mapping as BankMapping
from portal.borrowers.models import Borrower
from portal.db import Database
from portal.intake.operations import Applied, apply_batch, undo
from portal.intake.undo import CannotUndo, Undone
from portal.keys import Keys
from portal.money import Money
from portal.payments.counter import count_postings
from portal.payments.models import IncomingTransfer, Payment
from portal.payments.references import transfer_reference
from portal.plans.models import PlanReceipt
from portal.plans.receipts import recount_posting
from portal.plans.terms import TermsRequest
from portal.signing import Signer
from tests.conftest import BANK_MORNING
from tests.intake.book import Book, line, small_book, write_book
from tests.intake.conftest import contents, proved
from tests.plans.people import NOW, TWELVE, Story
from tests.plans.scene import TODAY
from tests.plans.test_extra import paid_of, plan_of
from tests.plans.test_operations import payment
from tests.plans.test_races import at_once
from tests.transfers.test_transfers import take, transfer

DAY = timedelta(days=1)


class Core:
    """The core's new lines of Lin's loans, and what an intake then does with them."""

    def __init__(self, story: Story) -> None:
        self.story, self.count = story, 0
        with story.database.read() as connection:
            self.mark = int(connection.scalar(select(func.max(LedgerLine.id))) or 0)
            self.loans = dict(connection.execute(select(Loan.loan_ref, Loan.id)).all())

    def posts(
        self,
        minor: int,
        *,
        loan: str = "L-LIN-1",
        on: date = TODAY,
        kind: str = "payment",
        names: str = "",
        undoes: int | None = None,
    ) -> int:
        """A line; `minor` is money in. Its id."""
        self.count += 1
        values = {
            "created_at": NOW,
            "loan_id": self.loans[loan],
            "line_ref": f"T{self.count}",
            "source": "core",
            "posted_on": on,
            "kind": kind,
            "principal_minor": -minor,
            "external_ref": names,
            "reverses_id": undoes,
        }
        return self.story.write(
            lambda session: session.scalars(insert(LedgerLine).returning(LedgerLine.id), [values]).one()
        )

    def taken_in(self) -> int:
        """The batch with the lines since the last one; how many counted."""
        mark = self.mark
        counted = self.story.write(
            lambda session: count_postings(session, after_line_id=mark, day_of=lambda at: at.date(), now=NOW)
        )
        with self.story.database.read() as connection:
            self.mark = int(connection.scalar(select(func.max(LedgerLine.id))) or 0)
        return counted


@pytest.fixture
def lin_story(database: Database, keys: Keys, signer: Signer) -> Story:
    from tests.plans.people import story

    return story(database, keys, signer)


@pytest.fixture
def core(lin_story: Story) -> Core:
    lin_story.plan(TWELVE)
    return Core(lin_story)


def test_cash_at_the_counter_counts_once_for_the_oldest_instalment(core: Core) -> None:
    core.posts(200_000)
    mark = core.mark
    assert core.taken_in() == 1
    core.mark = mark
    core.taken_in()

    assert paid_of(plan_of(core.story)) == {1: "1522.50", 2: "477.50"}
    with core.story.database.read() as connection:
        facts = connection.scalars(
            select(AuditEntry.facts).where(AuditEntry.event == "plans.receipt_applied")
        ).all()
    assert [one["counted_minor"] for one in facts] == [200_000]


@pytest.mark.parametrize(
    "how",
    [
        {"on": TODAY - DAY},
        {"kind": "waiver"},
        {"minor": -5_000},
    ],
)
def test_what_is_no_payment_since_the_plan_began_does_not_count(core: Core, how: dict[str, Any]) -> None:
    core.posts(**{"minor": 5_000, **how})

    assert core.taken_in() == 0
    assert paid_of(plan_of(core.story)) == {}


def test_a_loan_without_a_plan_and_a_plan_that_ended_take_nothing(core: Core) -> None:
    core.posts(1_827_000)
    assert core.taken_in() == 1
    assert plan_of(core.story).state == "completed"

    core.posts(5_000)

    assert core.taken_in() == 0


def test_what_the_core_posts_of_a_payment_of_ours_is_counted_already(core: Core) -> None:
    made = plan_of(core.story)
    paid = payment(core.story, made.plan_id, 30_000, 1)
    with core.story.database.read() as connection:
        reference = connection.scalar(select(Payment.reference).where(Payment.id == paid)) or ""
    core.posts(30_000, names=reference)
    core.posts(7_000, names="a name of the core's own")

    assert core.taken_in() == 1
    assert paid_of(plan_of(core.story)) == {1: "70.00"}


def test_what_stays_of_a_payment_of_ours_and_is_posted_anew_is_no_new_money(core: Core) -> None:
    """docs/bank-integration.md: a part that went back is a reversal of the whole and a payment of the rest."""
    made = plan_of(core.story)
    paid = payment(core.story, made.plan_id, 30_000, 1)
    with core.story.database.read() as connection:
        reference = connection.scalar(select(Payment.reference).where(Payment.id == paid)) or ""
    whole = core.posts(30_000, names=reference)
    core.taken_in()
    core.posts(-30_000, kind="reversal", undoes=whole, names="R-1", on=TODAY + DAY)
    core.posts(20_000, on=TODAY + DAY)
    core.posts(1_000, on=TODAY + DAY)

    assert core.taken_in() == 1
    assert paid_of(plan_of(core.story)) == {1: "10.00"}


def test_what_the_core_undoes_counts_no_more_and_what_it_posts_instead_does(core: Core) -> None:
    first = core.posts(200_000)
    core.taken_in()
    core.posts(-200_000, kind="reversal", undoes=first)
    core.posts(160_000)

    assert core.taken_in() == 1

    assert paid_of(plan_of(core.story)) == {1: "1522.50", 2: "77.50"}
    with core.story.database.read() as connection:
        rows = connection.execute(
            select(PlanReceipt.turn, func.sum(PlanReceipt.amount_minor))
            .where(PlanReceipt.line_id == first)
            .group_by(PlanReceipt.turn)
            .order_by(PlanReceipt.turn)
        ).all()
    assert [tuple(row) for row in rows] == [(0, 200_000), (1, -200_000)]


def test_what_is_posted_and_undone_in_one_batch_never_counts(core: Core) -> None:
    core.posts(-200_000, kind="reversal", undoes=core.posts(200_000))

    assert core.taken_in() == 0


def test_a_transfer_the_bank_tells_of_in_the_same_file_is_counted_by_its_payment(core: Core) -> None:
    def told(session: Session) -> None:
        session.add(
            IncomingTransfer(
                created_at=NOW,
                transfer_ref="X-1",
                value_on=TODAY,
                amount_minor=5_000,
                currency="CNY",
                text_sealed=b"",
                payer_sealed=b"",
                content_digest="0" * 64,
                batch_sequence=2,
                outcome="waiting",
                reason="",
            )
        )

    core.posts(5_000, names="X-1")
    core.story.write(told)

    assert core.taken_in() == 0


def test_a_transfer_the_bank_tells_of_later_takes_the_place_of_its_line(core: Core, keys: Keys) -> None:
    core.posts(30_000, names="X-1")
    assert core.taken_in() == 1
    assert paid_of(plan_of(core.story)) == {1: "300.00"}

    outcomes = take(core.story.database, keys, transfer("X-1", transfer_reference(keys, "L-LIN-1")))

    assert outcomes == {"core_posted": 1}
    assert paid_of(plan_of(core.story)) == {1: "300.00"}
    with core.story.database.read() as connection:
        by_payment = connection.scalar(
            select(func.sum(PlanReceipt.amount_minor)).where(PlanReceipt.payment_id.is_not(None))
        )
    assert by_payment == 30_000


@pytest.mark.slow
def test_the_same_lines_taken_in_by_two_at_once_count_once(core: Core) -> None:
    core.posts(200_000)
    mark = core.mark

    def unit(session: Session) -> int:
        return count_postings(session, after_line_id=mark, day_of=lambda at: at.date(), now=NOW)

    at_once([lambda: core.story.write(unit)] * 6)

    assert paid_of(plan_of(core.story)) == {1: "1522.50", 2: "477.50"}


def test_a_line_that_is_taken_off_twice_is_taken_off_once(core: Core) -> None:
    line_id = core.posts(200_000)
    core.taken_in()
    for _ in range(2):
        core.story.write(
            lambda session: recount_posting(session, line_id=line_id, net=Money.zero("CNY"), now=NOW)
        )

    assert paid_of(plan_of(core.story)) == {}


# through whole batches


def next_day(*lines: dict[str, Any], sequence: int = 2) -> Book:
    """The small book a day later with further lines."""
    book = small_book()
    book.sequence, book.business_date = sequence, TODAY + DAY * (sequence - 1)
    book.rows["ledger"] += lines
    book.settle()
    return book


@pytest.fixture
def bank(database: Database, keys: Keys, signer: Signer, harbour_form: BankMapping, tmp_path: Path) -> Any:
    """The small book taken in, and a plan of the first customer; (story, take the next book)."""

    def take(book: Book, *, days: int) -> Any:
        folder = write_book(
            book, harbour_form, tmp_path / f"{book.sequence}-{days}-{len(book.rows['ledger'])}"
        )
        return apply_batch(
            database, directory=folder, mapping="harbour", keys=keys, now=BANK_MORNING + DAY * days
        )

    assert isinstance(take(small_book(), days=0), Applied)
    with database.read() as connection:
        borrower = connection.scalar(
            select(Borrower.id).join(Loan, Loan.borrower_id == Borrower.id).where(Loan.loan_ref == "L1")
        )
    story = Story(database, keys, signer, borrower or 0)
    story.plan(TermsRequest(count=3))
    return story, take


@pytest.fixture(scope="session")
def harbour_form() -> BankMapping:
    from portal.bank_files.mapping import load_mapping

    return load_mapping("harbour")


def test_a_batch_counts_what_was_paid_at_the_counter_and_its_undoing_takes_it_off(
    bank: tuple[Story, Any],
) -> None:
    story, take = bank
    before = contents(story.database)["plan_receipt"]
    book = next_day(line("T90", "L1", TODAY + DAY, "payment", principal=-20_000))
    assert isinstance(take(book, days=1), Applied)
    assert plan_of(story).paid == Money(20_000, "CNY")
    assert isinstance(take(book, days=1), Applied)
    assert plan_of(story).paid == Money(20_000, "CNY")

    answer = undo(story.database, by="P1", now=BANK_MORNING + DAY)

    assert isinstance(answer, Undone), answer
    assert plan_of(story).paid == Money(0, "CNY")
    assert contents(story.database)["plan_receipt"] == before
    proved(story.database)
    corrected = next_day(line("T90", "L1", TODAY + DAY, "payment", principal=-15_000))
    assert isinstance(take(corrected, days=2), Applied)
    assert plan_of(story).paid == Money(15_000, "CNY")


def test_a_line_undone_by_a_batch_counts_again_when_that_batch_is_undone(bank: tuple[Story, Any]) -> None:
    story, take = bank
    paid = line("T90", "L1", TODAY + DAY, "payment", principal=-20_000)
    take(next_day(paid), days=1)
    back = line("T91", "L1", TODAY + 2 * DAY, "reversal", principal=20_000, reverses_ref="T90")
    take(next_day(paid, back, sequence=3), days=2)
    assert plan_of(story).paid == Money(0, "CNY")

    assert isinstance(undo(story.database, by="P1", now=BANK_MORNING + 2 * DAY), Undone)

    assert plan_of(story).paid == Money(20_000, "CNY")


def test_a_batch_that_completed_a_plan_is_not_undone(bank: tuple[Story, Any]) -> None:
    story, take = bank
    plan = plan_of(story)
    owed: Mapping[str, int] = {"principal": -plan.total.minor}
    answer = take(next_day(line("T90", "L1", TODAY + DAY, "payment", **owed)), days=1)
    assert isinstance(answer, Applied), [one.en for one in answer.rejections]
    assert plan_of(story).state == "completed"

    answer = undo(story.database, by="P1", now=BANK_MORNING + DAY)

    assert answer == CannotUndo("relied", {"plan": 1})
