"""The demonstration bank's whole export: everything in, every figure the bank's own, one cent noticed."""

from __future__ import annotations

import csv
import shutil
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from portal.accounts.balance import COMPONENTS, Line, balance_of
from portal.accounts.models import LedgerLine, Loan, LoanBalance
from portal.accounts.operations import self_check, terms_of
from portal.borrowers.models import Borrower
from portal.db import Database
from portal.intake.operations import Applied, Refused
from portal.keys import Keys
from portal.notices.models import Notice, NoticeLoan
from tests.conftest import BANK_MORNING
from tests.intake.book import edit, rehash
from tests.intake.conftest import HARBOUR, Take, contents, row_counts

pytestmark = pytest.mark.slow


@pytest.fixture
def harbour_copy(tmp_path: Path) -> Path:
    """The export, to be broken."""
    return Path(shutil.copytree(HARBOUR, tmp_path / "harbour"))


def _file(name: str) -> list[dict[str, str]]:
    with (HARBOUR / name).open(encoding="gb18030", newline="") as stream:
        return list(csv.DictReader(stream))


def _minor(text: str) -> int:
    return int(text.replace(".", ""))


def test_every_balance_and_days_overdue_are_the_banks(database: Database, take: Take) -> None:
    answer = take(database, HARBOUR)

    assert isinstance(answer, Applied)
    assert answer.rows["ledger"] == answer.new_lines == 9904
    with database.read() as connection:
        found = {
            row.loan_ref: row
            for row in connection.execute(
                select(LoanBalance.__table__, Loan.loan_ref).join(Loan, Loan.id == LoanBalance.loan_id)
            )
        }
        assert self_check(connection) == []
    stated = _file("balances.csv")
    assert len(stated) == len(found) == 274
    for row in stated:
        ours = found[row["借据号"]]
        for zh, name in (("本金", "principal"), ("利息", "interest"), ("罚息", "penalty_interest")):
            owed, paid = getattr(ours, f"{name}_owed_minor"), getattr(ours, f"{name}_paid_minor")
            assert (owed, paid) == (_minor(row[f"应还{zh}"]), _minor(row[f"已还{zh}"]))
            assert owed - paid == _minor(row[f"剩余{zh}"])
        assert ours.fee_owed_minor + ours.cost_owed_minor == _minor(row["应还费用"])
        assert ours.fee_paid_minor + ours.cost_paid_minor == _minor(row["已还费用"])
        assert ours.principal_due_minor == _minor(row["到期未还本金"])
        assert ours.due_now_minor == _minor(row["到期未还合计"])
    for row in _file("loans.csv"):
        assert found[row["借据号"]].days_overdue == int(row["逾期天数"])


def test_what_every_notice_stated_follows_from_the_lines_up_to_its_date(
    sqlite_database: Database, take: Take
) -> None:
    take(sqlite_database, HARBOUR)

    with sqlite_database.read() as connection:
        terms = terms_of(connection, loan_ids=connection.scalars(select(Loan.id)).all())
        lines = _lines(connection)
        stated: dict[int, list[tuple[int, date, int]]] = {}
        for row in connection.execute(
            select(Notice.id, Notice.stated_on, Notice.stated_minor, NoticeLoan.loan_id).join(
                NoticeLoan, NoticeLoan.notice_id == Notice.id
            )
        ):
            stated.setdefault(row.id, []).append((row.loan_id, row.stated_on, row.stated_minor))

    assert len(stated) == 491
    for named in stated.values():
        due = sum(balance_of(terms[loan], lines[loan], as_of=day).due_now for loan, day, _ in named)
        assert due == named[0][2]


def _lines(connection: object) -> dict[int, list[Line]]:
    found: dict[int, list[Line]] = {}
    rows = connection.execute(select(LedgerLine.__table__)).all()  # type: ignore[attr-defined]
    kinds = {row.id: row.kind for row in rows}
    for row in rows:
        amounts = {name: getattr(row, f"{name}_minor") for name in COMPONENTS}
        line = Line(row.posted_on, row.kind, amounts, row.suspense_minor, kinds.get(row.reverses_id))
        found.setdefault(row.loan_id, []).append(line)
    return found


def test_people_are_sealed_and_of_the_id_number_only_four_digits_are_kept(
    sqlite_database: Database, take: Take, keys: Keys
) -> None:
    take(sqlite_database, HARBOUR)

    with sqlite_database.read() as connection:
        first = connection.execute(select(Borrower.__table__).where(Borrower.customer_ref == "C800001")).one()
        languages = set(connection.scalars(select(Borrower.language)))
    assert keys.unseal("borrower.name", first.name_sealed) == "陶秀建"
    assert keys.unseal("borrower.phone", first.phone_sealed) == "19900000000"
    assert keys.unseal("borrower.phone_tail", first.phone_tail_sealed) == "0000"
    assert keys.unseal("borrower.id_tail", first.id_tail_sealed) == "3802"
    assert first.phone_digest == keys.digest("phone", "19900000000")
    assert languages == {"zh", "zh_Hant", "en"}
    raw = Path(sqlite_database.url.removeprefix("sqlite:///"))
    stored = raw.read_bytes() + raw.with_name(raw.name + "-wal").read_bytes()
    for secret in ("19900000000", "陶秀建", "999999198808263802", "海湾路2号24幢"):
        assert secret.encode() not in stored


def test_the_same_files_twice_change_nothing(database: Database, take: Take) -> None:
    take(database, HARBOUR)
    before = contents(database)

    answer = take(database, HARBOUR)

    assert isinstance(answer, Applied)
    assert answer.repeated
    assert contents(database) == before


def test_one_cent_changed_with_its_hash_made_right_is_refused_by_the_totals(
    database: Database, take: Take, harbour_copy: Path
) -> None:
    edit(
        harbour_copy, "ledger.csv", lambda data: data.replace(b"-10944.44,-1396.51", b"-10944.45,-1396.51", 1)
    )

    answer = take(database, harbour_copy)

    assert isinstance(answer, Refused)
    total = next(one for one in answer.rejections if one.reason == "total")
    assert (total.file, total.column) == ("ledger.csv", "本金")
    assert total.en == "The 9904 rows sum to 32634042.35; the manifest says 32634042.36 (difference -0.01)."
    assert "9904 行" in total.zh
    assert "相差 -0.01" in total.zh
    assert {one.reason for one in answer.rejections} == {"total", "balance"}
    loan = next(one for one in answer.rejections if one.reason == "balance")
    assert (loan.file, loan.line) == ("balances.csv", 2)
    assert sum(row_counts(database).values()) == 0


def test_one_cent_changed_with_hash_and_total_made_right_is_refused_by_the_balances(
    sqlite_database: Database, take: Take, harbour_copy: Path
) -> None:
    edit(
        harbour_copy, "ledger.csv", lambda data: data.replace(b"-10944.44,-1396.51", b"-10944.45,-1396.51", 1)
    )
    manifest = (harbour_copy / "manifest.json").read_text(encoding="utf-8")
    (harbour_copy / "manifest.json").write_text(
        manifest.replace('"本金": "32634042.36"', '"本金": "32634042.35"'), encoding="utf-8"
    )
    rehash(harbour_copy)

    answer = take(sqlite_database, harbour_copy)

    assert isinstance(answer, Refused)
    assert {one.reason for one in answer.rejections} == {"balance"}
    assert sum(row_counts(sqlite_database).values()) == 0


def test_the_shipped_export_is_in_order_on_the_demonstration_morning() -> None:
    assert BANK_MORNING.date() == date(2026, 11, 20)
    assert (HARBOUR / "README.md").is_file()
