"""A batch that brought bank transfers is taken back with what the portal made of them, to the byte; not once somebody
was told of the money or built on it."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from portal import tasks
from portal.accounts.operations import post_waiver
from portal.bank_files.mapping import load_mapping
from portal.installation import Portal
from portal.intake.operations import Applied, apply_batch, undo
from portal.intake.undo import CannotUndo, Undone
from portal.intake.words import in_the_way_words
from portal.payments.models import IncomingTransfer, Payment
from portal.payments.references import transfer_reference
from tests.conftest import BANK_MORNING
from tests.intake.book import line, small_book, write_book
from tests.intake.conftest import balances, contents, proved
from tests.intake.test_transfers import incoming, with_transfers
from tests.intake.test_undo import book_of

pytestmark = pytest.mark.slow

TOMORROW = BANK_MORNING + timedelta(days=1)
PORTAL = load_mapping("portal")


class Scene:
    """Yesterday's batch is in; today's brings a transfer for Lin's loan and one without a place."""

    def __init__(self, portal: Portal, folder: Path) -> None:
        self.portal, self.folder = portal, folder
        self.take(write_book(small_book(), PORTAL, folder / "one"))
        # the references of yesterday's loans, as the worker writes them
        tasks.book_transfers(portal)
        reference = transfer_reference(portal.keys, "L1")
        book = with_transfers(incoming("IN-1", reference), incoming("IN-2", "?", 7_700), sequence=2, days=1)
        book.rows["ledger"].append(line("T12", "L1", book.business_date, "interest", interest=500))
        book.settle()
        self.today = write_book(book, PORTAL, folder / "two")

    def take(self, directory: Path) -> Applied:
        answer = apply_batch(
            self.portal.db, directory=directory, mapping=PORTAL, keys=self.portal.keys, now=TOMORROW
        )
        assert isinstance(answer, Applied), answer
        return answer

    def undo(self) -> Undone | CannotUndo:
        return undo(self.portal.db, by="P1", now=TOMORROW)

    def book(self) -> dict[str, list[tuple[object, ...]]]:
        """Everything but records; references of transfers are made of the loan's number and say nothing."""
        return {name: rows for name, rows in book_of(self.portal.db).items() if name != "transfer_reference"}

    def refused(self) -> CannotUndo:
        """The undo is refused and changes nothing."""
        before = contents(self.portal.db)
        answer = self.undo()
        assert isinstance(answer, CannotUndo)
        assert contents(self.portal.db) == before
        return answer


@pytest.fixture
def scene(portal_app: Flask, tmp_path: Path) -> Scene:
    """On each database."""
    return Scene(portal_app.extensions["portal"], tmp_path)


@pytest.mark.parametrize("booked", [0, 2])
def test_the_book_is_byte_for_byte_what_it_was_and_the_batch_goes_in_again(scene: Scene, booked: int) -> None:
    before = scene.book()
    scene.take(scene.today)
    if booked:
        assert tasks.book_transfers(scene.portal) == booked
    applied = {ref: tuple(row)[3:] for ref, row in balances(scene.portal.db).items()}

    answer = scene.undo()

    assert isinstance(answer, Undone), answer
    assert scene.book() == before
    proved(scene.portal.db)
    assert not scene.take(scene.today).repeated
    assert tasks.book_transfers(scene.portal) == 2
    if booked:
        assert {ref: tuple(row)[3:] for ref, row in balances(scene.portal.db).items()} == applied
    proved(scene.portal.db)


def test_once_the_receipt_is_out_the_batch_stays_and_the_words_say_what_to_do(scene: Scene) -> None:
    scene.take(scene.today)
    tasks.book_transfers(scene.portal)
    assert tasks.deliver(scene.portal) == 1

    answer = scene.refused()

    assert answer.in_the_way == {"message": 1}
    zh, en = in_the_way_words(answer)
    assert "1 receipts sent for its bank transfers" in en
    assert "reverses_ref" in en
    assert "reverses_ref" in zh


def test_once_somebody_built_on_the_money_the_batch_stays(scene: Scene) -> None:
    scene.take(scene.today)
    tasks.book_transfers(scene.portal)
    with scene.portal.db.read() as connection:
        loan_id = connection.scalar(select(Payment.loan_id))
    assert loan_id is not None
    scene.portal.db.write(
        lambda session: post_waiver(
            session,
            loan_id=loan_id,
            parts={"principal": 100},
            posted_on=TOMORROW.date(),
            line_ref="W-1",
            memo="",
            now=TOMORROW,
        )
    )

    assert scene.refused().in_the_way == {"ledger_line": 1}


def test_a_transfer_that_was_sent_back_keeps_its_batch(scene: Scene) -> None:
    scene.take(scene.today)
    tasks.book_transfers(scene.portal)
    book = with_transfers(incoming("IN-3", "", reverses_ref="IN-1"), sequence=3, days=1)
    book.rows["ledger"].append(line("T12", "L1", book.business_date, "interest", interest=500))
    book.settle()
    scene.take(write_book(book, PORTAL, scene.folder / "three"))
    tasks.book_transfers(scene.portal)

    assert scene.refused().in_the_way["incoming_transfer"] == 1


def test_undo_and_booking_at_once_leave_nothing_of_the_transfers(scene: Scene) -> None:
    before = scene.book()
    scene.take(scene.today)
    barrier = threading.Barrier(2)
    answers: list[object] = []

    def together(call: object) -> None:
        barrier.wait()
        answers.append(call())  # type: ignore[operator]

    threads = [
        threading.Thread(target=together, args=(call,))
        for call in (scene.undo, lambda: tasks.book_transfers(scene.portal))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 2
    assert any(isinstance(one, Undone) for one in answers), answers
    assert scene.book() == before
    with scene.portal.db.read() as connection:
        assert connection.execute(select(IncomingTransfer.id)).all() == []
    proved(scene.portal.db)
