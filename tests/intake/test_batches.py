"""Batches after the first: lines are only added, what the portal decided stays, and nothing is applied by halves."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.accounts.models import Loan
from portal.accounts.operations import post_payment
from portal.bank_files.mapping import Mapping
from portal.borrowers.models import Borrower
from portal.contacts.operations import place_hold
from portal.db import Database
from portal.intake.operations import Applied, Refused, Sound, apply_batch, check_batch
from portal.intake.queries import demonstration_batches
from portal.keys import Keys
from portal.notices.models import Notice
from portal.payments.models import Payment
from portal.visits.changes import ask_no_visits
from portal.visits.models import Visit
from tests.conftest import BANK_MORNING
from tests.intake.book import Book, line, small_book, write_book
from tests.intake.conftest import Take, balances, contents, proved, row_counts

pytestmark = pytest.mark.slow

TOMORROW = BANK_MORNING + timedelta(days=1)


def _next(**changes: Any) -> Book:
    """The book of the day after."""
    book = small_book()
    book.sequence, book.business_date = 2, date(2026, 11, 21)
    for name, value in changes.items():
        setattr(book, name, value)
    book.settle()
    return book


def test_a_payment_of_fees_and_costs_in_one_column_goes_to_costs_first(
    database: Database, take: Take, batch: Path
) -> None:
    take(database, batch)

    first = balances(database)["L1"]
    assert (first.cost_owed_minor, first.cost_paid_minor) == (32_050, 32_050)
    assert (first.fee_owed_minor, first.fee_paid_minor) == (5_000, 1_000)
    proved(database)


def test_a_later_full_batch_adds_its_new_lines_and_moves_every_loan_to_its_date(
    database: Database, take: Take, batch: Path, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    take(database, batch)
    book = _next()
    book.rows["ledger"] += [
        line("T12", "L1", date(2026, 11, 21), "payment", fee=-4_000, penalty_interest=-77),
        line("T13", "L1", date(2026, 11, 21), "reversal", cost=32_050, fee=1_000, reverses_ref="T6"),
    ]
    book.settle()

    answer = take(database, write_book(book, harbour_mapping, tmp_path / "two"), now=TOMORROW)

    assert isinstance(answer, Applied), [one.en for one in answer.rejections]
    assert (answer.sequence, answer.new_lines) == (2, 2)
    found = balances(database)
    assert {row.as_of for row in found.values()} == {date(2026, 11, 21)}
    assert (found["L1"].cost_paid_minor, found["L1"].fee_paid_minor) == (0, 4_000)
    assert found["L1"].version == 2
    proved(database)


def test_a_delta_batch_needs_only_what_changed(
    database: Database, take: Take, batch: Path, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    take(database, batch)
    book = _next(mode="delta")
    book.rows["ledger"].append(line("T12", "L2", date(2026, 11, 21), "payment", principal=-10_000))
    book.settle()
    ledger, stated = book.rows["ledger"][-1:], book.rows["balances"][1:]
    book.rows = {"ledger": ledger, "balances": stated}
    for name in ("customers", "agencies", "officers", "loans", "notices", "visits"):
        book.rows.pop(name, None)

    answer = take(database, write_book(book, harbour_mapping, tmp_path / "two"), now=TOMORROW)

    assert isinstance(answer, Applied), [one.en for one in answer.rejections]
    assert answer.new_lines == 1
    found = balances(database)
    assert found["L2"].principal_paid_minor == 90_000
    assert found["L1"].as_of == date(2026, 11, 21)
    proved(database)


def test_new_lines_without_a_balance_are_refused_in_a_delta(
    sqlite_database: Database, take: Take, batch: Path, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    take(sqlite_database, batch)
    book = _next(mode="delta")
    book.rows = {"ledger": [line("T12", "L2", date(2026, 11, 21), "payment", principal=-10_000)]}

    answer = take(sqlite_database, write_book(book, harbour_mapping, tmp_path / "two"), now=TOMORROW)

    assert isinstance(answer, Refused)
    assert [one.reason for one in answer.rejections] == ["balance_missing"]


@pytest.mark.parametrize("change", ["amount", "date", "memo", "outside reference", "loan", "kind"])
def test_an_old_line_that_changed_refuses_the_batch(
    sqlite_database: Database, take: Take, batch: Path, harbour_mapping: Mapping, tmp_path: Path, change: str
) -> None:
    take(sqlite_database, batch)
    before = contents(sqlite_database)
    book = _next()
    row = book.rows["ledger"][1]
    row |= {
        "amount": {"interest": 851},
        "date": {"posted_on": date(2026, 4, 6)},
        "memo": {"memo": "更正"},
        "outside reference": {"external_ref": "R1"},
        "loan": {"loan_ref": "L2"},
        "kind": {"kind": "penalty_interest", "interest": 0, "penalty_interest": 850},
    }[change]
    book.settle()

    answer = take(sqlite_database, write_book(book, harbour_mapping, tmp_path / "two"), now=TOMORROW)

    assert isinstance(answer, Refused)
    changed = [one for one in answer.rejections if one.reason == "line_changed"]
    assert [(one.file, one.line, one.excerpt) for one in changed] == [("ledger.csv", 3, "T2")]
    assert contents(sqlite_database) == before


def test_an_old_line_that_is_missing_from_a_full_batch_refuses_it(
    database: Database, take: Take, batch: Path, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    take(database, batch)
    book = _next()
    del book.rows["ledger"][8]
    book.settle()

    answer = take(database, write_book(book, harbour_mapping, tmp_path / "two"), now=TOMORROW)

    assert isinstance(answer, Refused)
    assert ("line_lost", "T9") in {(one.reason, one.facts.get("original")) for one in answer.rejections}


def test_a_loan_does_not_change_hands_or_currency(
    sqlite_database: Database, take: Take, batch: Path, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    take(sqlite_database, batch)
    book = _next()
    book.rows["loans"][1] |= {"customer_ref": "C1", "currency": "USD"}
    book.rows["notices"] = book.rows["notices"][:1]
    book.rows["visits"] = []

    answer = take(sqlite_database, write_book(book, harbour_mapping, tmp_path / "two"), now=TOMORROW)

    assert isinstance(answer, Refused)
    assert {"owner_changed", "terms_changed"} <= {one.reason for one in answer.rejections}


def test_a_later_batch_brings_people_up_to_date_and_leaves_what_the_portal_decided(
    database: Database, take: Take, batch: Path, harbour_mapping: Mapping, keys: Keys, tmp_path: Path
) -> None:
    take(database, batch)
    database.write(
        lambda session: (
            session.execute(update(Borrower).where(Borrower.customer_ref == "C1").values(language="en")),
            session.execute(update(Visit).values(state="cancelled", off_reason="plan_in_force")),
            session.execute(update(Notice).where(Notice.notice_ref == "N1").values(code_digest="d" * 64)),
        )
    )
    book = _next()
    book.rows["customers"][0]["phone"] = "19900009999"
    book.rows["notices"][0]["status"] = "withdrawn"

    answer = take(database, write_book(book, harbour_mapping, tmp_path / "two"), now=TOMORROW)

    assert isinstance(answer, Applied)
    with database.read() as connection:
        person = connection.execute(select(Borrower.__table__).where(Borrower.customer_ref == "C1")).one()
        notice = connection.execute(select(Notice.__table__).where(Notice.notice_ref == "N1")).one()
        visit = connection.execute(select(Visit.__table__)).one()
    assert keys.unseal("borrower.phone", person.phone_sealed) == "19900009999"
    assert person.phone_digest == keys.digest("phone", "19900009999")
    assert person.language == "en"
    assert (notice.status, notice.code_digest) == ("withdrawn", "d" * 64)
    assert (visit.state, visit.off_reason) == ("cancelled", "plan_in_force")


@pytest.mark.parametrize(
    ("kind", "reason", "state"),
    [
        ("stop", "plan_in_force", "cancelled"),
        ("pause", "proposal_open", "paused"),
        ("stop", "wrong_number", "planned"),
    ],
)
def test_a_visit_announced_while_contacts_rest_does_not_stand(
    database: Database,
    take: Take,
    batch: Path,
    harbour_mapping: Mapping,
    tmp_path: Path,
    kind: str,
    reason: str,
    state: str,
) -> None:
    take(database, batch)

    def hold(session: Session) -> None:
        who = session.scalars(select(Borrower.id).where(Borrower.customer_ref == "C2")).one()
        place_hold(session, borrower_id=who, kind=kind, reason=reason, source="plan:1", now=BANK_MORNING)

    database.write(hold)
    book = _next()
    book.rows["visits"].append({**book.rows["visits"][0], "visit_ref": "V2"})

    answer = take(database, write_book(book, harbour_mapping, tmp_path / "two"), now=TOMORROW)

    assert isinstance(answer, Applied)
    with database.read() as connection:
        found = connection.execute(select(Visit.visit_ref, Visit.state, Visit.off_reason)).all()
    why = None if state == "planned" else reason
    assert sorted(found) == [("V1", state, why), ("V2", state, why)]


def test_a_visit_the_bank_called_off_and_takes_up_again_is_planned_again(
    sqlite_database: Database, take: Take, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    states = []
    for sequence, state in enumerate(("cancelled", "planned", "done"), start=1):
        book = small_book()
        book.sequence = sequence
        book.rows["visits"][0]["state"] = state
        if state == "done":
            form = harbour_mapping.files["visits"]
            assert "done" in form.codes["state"].values()
        take(sqlite_database, write_book(book, harbour_mapping, tmp_path / state))
        with sqlite_database.read() as connection:
            states.append(tuple(connection.execute(select(Visit.state, Visit.off_reason)).one()))

    assert states == [("cancelled", "bank"), ("planned", None), ("done", None)]


def test_what_the_borrower_moved_stays_until_the_bank_names_another_hour(
    database: Database, take: Take, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    book, hours = small_book(), []
    take(database, write_book(book, harbour_mapping, tmp_path / "1"))
    with database.read() as connection:
        planned = connection.execute(select(Visit.starts_at, Visit.ends_at)).one()
    moved = {
        "starts_at": planned.starts_at + timedelta(days=3),
        "ends_at": planned.ends_at + timedelta(days=3),
    }
    database.write(lambda s: s.execute(update(Visit).values(moved_from=planned.starts_at, **moved)))

    named = datetime(2026, 12, 24, 2, 0, tzinfo=UTC)
    for sequence, hour in ((2, None), (3, named), (4, named)):
        book = small_book()
        book.sequence = sequence
        if hour:
            of_bank = hour.astimezone(book.rows["visits"][0]["starts_at"].tzinfo)
            book.rows["visits"][0] |= {"starts_at": of_bank, "ends_at": of_bank + timedelta(hours=1)}
        take(database, write_book(book, harbour_mapping, tmp_path / str(sequence)))
        with database.read() as connection:
            hours.append(tuple(connection.execute(select(Visit.starts_at, Visit.moved_from)).one()))

    assert hours == [(moved["starts_at"], planned.starts_at), (named, None), (named, None)]


def test_who_wants_no_visits_is_refused_one_as_it_comes_in(
    sqlite_database: Database, take: Take, batch: Path, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    take(sqlite_database, batch)
    with sqlite_database.read() as connection:
        who = connection.scalar(select(Visit.borrower_id))
    sqlite_database.write(lambda s: ask_no_visits(s, borrower_id=who, now=BANK_MORNING))
    book = _next()
    book.rows["visits"].append({**book.rows["visits"][0], "visit_ref": "V2"})

    take(sqlite_database, write_book(book, harbour_mapping, tmp_path / "two"), now=TOMORROW)

    with sqlite_database.read() as connection:
        states = connection.scalars(select(Visit.state).order_by(Visit.visit_ref)).all()
    assert states == ["refused", "refused"]


def pay(database: Database, amount: int, reference: str, loan_ref: str = "L1") -> None:
    def unit(session: Any) -> None:
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
            parts={"principal": amount - 77, "penalty_interest": 77}
            if loan_ref == "L1"
            else {"principal": amount},
            suspense_minor=0,
            posted_on=date(2026, 11, 20),
            payment_id=payment.id,
            line_ref=f"P-{reference}",
            memo="",
            now=BANK_MORNING,
        )

    database.write(unit)


def test_a_payment_made_here_stays_until_the_bank_posts_it_and_is_then_counted_once(
    database: Database, take: Take, batch: Path, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    take(database, batch)
    due = balances(database)["L1"].due_now_minor
    pay(database, 20_077, "PAY1")
    paid = balances(database)["L1"]
    book = _next()
    take(database, write_book(book, harbour_mapping, tmp_path / "two"), now=TOMORROW)
    kept = balances(database)["L1"]
    later = _next(sequence=3, business_date=date(2026, 11, 22))
    later.rows["ledger"].append(
        line(
            "T12",
            "L1",
            date(2026, 11, 22),
            "payment",
            principal=-20_000,
            penalty_interest=-77,
            external_ref="PAY1",
        )
    )
    later.settle()

    answer = take(
        database, write_book(later, harbour_mapping, tmp_path / "three"), now=TOMORROW + timedelta(days=1)
    )

    assert isinstance(answer, Applied), [one.en for one in answer.rejections]
    once = balances(database)["L1"]
    assert paid.due_now_minor == due - 20_077
    assert kept.due_now_minor == once.due_now_minor == paid.due_now_minor
    assert once.penalty_interest_paid_minor == 77
    assert once.suspense_minor == 0
    proved(database)


def test_money_paid_here_and_at_the_counter_goes_to_suspense_and_is_not_lost(
    database: Database, take: Take, batch: Path, harbour_mapping: Mapping, tmp_path: Path
) -> None:
    take(database, batch)
    pay(database, 77 + 100, "PAY1")
    book = _next()
    book.rows["ledger"].append(line("T12", "L1", date(2026, 11, 21), "payment", penalty_interest=-77))
    book.settle()

    answer = take(database, write_book(book, harbour_mapping, tmp_path / "two"), now=TOMORROW)

    assert isinstance(answer, Applied), [one.en for one in answer.rejections]
    found = balances(database)["L1"]
    assert found.penalty_interest_paid_minor == found.penalty_interest_owed_minor == 77
    assert found.suspense_minor == 77
    proved(database)


def test_two_intakes_at_once_end_as_one(database: Database, keys: Keys, batch: Path) -> None:
    barrier = threading.Barrier(2)
    answers: list[Applied | Refused] = []

    def take_in() -> None:
        barrier.wait()
        answers.append(apply_batch(database, directory=batch, mapping="harbour", keys=keys, now=BANK_MORNING))

    threads = [threading.Thread(target=take_in) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(isinstance(one, Applied) for one in answers)
    assert sorted(one.repeated for one in answers if isinstance(one, Applied)) == [False, True]
    counts = row_counts(database)
    assert (counts["intake_batch"], counts["ledger_line"], counts["loan_balance"]) == (1, 11, 2)
    proved(database)


@pytest.mark.parametrize("step", ["apply customers.csv", "apply ledger.csv", "apply visits.csv", "balances"])
def test_an_intake_that_breaks_off_leaves_everything_as_it_was(
    database: Database,
    take: Take,
    keys: Keys,
    batch: Path,
    harbour_mapping: Mapping,
    tmp_path: Path,
    step: str,
) -> None:
    take(database, batch)
    before = contents(database)
    book = _next()
    book.rows["ledger"].append(line("T12", "L2", date(2026, 11, 21), "payment", principal=-1))
    book.settle()
    two = write_book(book, harbour_mapping, tmp_path / "two")

    def break_off(name: str, done: int, total: int) -> None:
        if name == step and done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply_batch(database, directory=two, mapping="harbour", keys=keys, now=TOMORROW, progress=break_off)

    assert contents(database) == before
    assert isinstance(take(database, two, now=TOMORROW), Applied)


def test_what_was_checked_is_what_is_applied_whatever_becomes_of_the_files(
    database: Database, keys: Keys, batch: Path
) -> None:
    def tamper(name: str, done: int, total: int) -> None:
        if name == "apply customers.csv":
            path = batch / "ledger.csv"
            path.write_bytes(path.read_bytes().replace(b"-100.00", b"-110.00"))

    answer = apply_batch(
        database, directory=batch, mapping="harbour", keys=keys, now=BANK_MORNING, progress=tamper
    )

    assert isinstance(answer, Applied)
    assert balances(database)["L1"].principal_paid_minor == 10_000
    proved(database)


def test_a_file_changed_after_its_hash_was_taken_is_noticed(
    database: Database, keys: Keys, batch: Path
) -> None:
    def tamper(name: str, done: int, total: int) -> None:
        if name == "check customers.csv":
            path = batch / "ledger.csv"
            path.write_bytes(path.read_bytes().replace(b"-100.00", b"-110.00"))

    answer = apply_batch(
        database, directory=batch, mapping="harbour", keys=keys, now=BANK_MORNING, progress=tamper
    )

    assert isinstance(answer, Refused)
    assert ("ledger.csv", "changed_meanwhile") in {(one.file, one.reason) for one in answer.rejections}
    assert sum(row_counts(database).values()) == 0


def test_a_check_changes_nothing_and_says_what_an_intake_would(
    database: Database, take: Take, keys: Keys, batch: Path
) -> None:
    found = check_batch(database, directory=batch, mapping="harbour", keys=keys, now=BANK_MORNING)

    assert isinstance(found, Sound)
    assert sum(found.checked.rows.values()) == 23
    assert sum(row_counts(database).values()) == 0
    take(database, batch)
    again = check_batch(database, directory=batch, mapping="harbour", keys=keys, now=BANK_MORNING)
    assert isinstance(again, Applied)


def test_a_batch_says_whether_it_is_a_demonstration(
    sqlite_database: Database, take: Take, batch: Path
) -> None:
    take(sqlite_database, batch)

    with sqlite_database.read() as connection:
        assert demonstration_batches(connection) == {1: True}


@pytest.mark.parametrize(
    ("place", "state"), [("gb", ("cancelled", "notice_days")), ("us", ("planned", None))]
)
def test_a_visit_announced_at_shorter_notice_than_the_place_prescribes_is_called_off(
    sqlite_database: Database,
    keys: Keys,
    harbour_mapping: Mapping,
    tmp_path: Path,
    place: str,
    state: tuple[str, str | None],
) -> None:
    book = small_book()
    issued = book.rows["visits"][0]["starts_at"] - timedelta(days=6)
    for notice in book.rows["notices"]:
        notice["issued_at"] = issued
    folder = write_book(book, harbour_mapping, tmp_path / "one")

    answer = apply_batch(
        sqlite_database, directory=folder, mapping="harbour", keys=keys, now=BANK_MORNING, jurisdiction=place
    )

    assert isinstance(answer, Applied), answer
    with sqlite_database.read() as connection:
        assert tuple(connection.execute(select(Visit.state, Visit.off_reason)).one()) == state
