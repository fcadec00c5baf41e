"""Whatever form a mapping declares, and in whatever order the rows come, the same book is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from portal.accounts.models import LedgerLine
from portal.bank_files.mapping import ENCODINGS, LINE_ENDS, Mapping
from portal.db import Database
from portal.intake.operations import Applied, apply_batch
from portal.keys import Keys
from portal.notices.models import Notice
from tests.conftest import BANK_MORNING
from tests.intake.book import small_book, write_book
from tests.intake.conftest import Take, balances, proved

pytestmark = pytest.mark.slow


#: every encoding with every line end, and each separator at least once
FORMS = [
    (encoding, end, delimiter)
    for (encoding, end), delimiter in zip(
        ((encoding, end) for encoding in ENCODINGS for end in LINE_ENDS.values()), ",;\t,;\t", strict=True
    )
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["harbour", "portal"])
def test_every_form_a_mapping_can_declare_is_read_back_as_it_was_written(
    sqlite_database: Database,
    take: Take,
    form: tuple[str, bytes, str],
    name: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    encoding, line_end, delimiter = form
    shipped = request.getfixturevalue(f"{name}_mapping")
    mapping = replace(shipped, encoding=encoding, line_end=line_end, delimiter=delimiter)
    book = small_book()
    book.rows["customers"][0]["address"] = '新路1号, "二楼"; 左\t手\r\n边'
    book.rows["notices"][0]["body"] = "您好，\n查询码{code}"

    answer = take(sqlite_database, write_book(book, mapping, tmp_path / "batch"), mapping)

    assert isinstance(answer, Applied), [(one.file, one.line, one.en) for one in answer.rejections]
    found = balances(sqlite_database)["L1"]
    assert (found.cost_paid_minor, found.fee_paid_minor, found.principal_paid_minor) == (
        32_050,
        1_000,
        10_000,
    )
    with sqlite_database.read() as connection:
        assert "您好，\n查询码{code}" in set(connection.scalars(select(Notice.body)))


@given(order=st.permutations(range(11)))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_rows_does_not_matter(
    sqlite_template: Path,
    keys: Keys,
    harbour_mapping: Mapping,
    tmp_path_factory: pytest.TempPathFactory,
    order: list[int],
) -> None:
    folder = tmp_path_factory.mktemp("order")
    (folder / "portal.sqlite").write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{folder / 'portal.sqlite'}")
    book = small_book()
    book.rows["ledger"] = [book.rows["ledger"][index] for index in order]

    answer = apply_batch(
        database,
        directory=write_book(book, harbour_mapping, folder / "batch"),
        mapping=harbour_mapping,
        keys=keys,
        now=BANK_MORNING,
    )

    assert isinstance(answer, Applied)
    found = balances(database)["L1"]
    assert (found.cost_paid_minor, found.fee_paid_minor, found.principal_paid_minor) == (
        32_050,
        1_000,
        10_000,
    )
    with database.read() as connection:
        reversal = connection.execute(select(LedgerLine.__table__).where(LedgerLine.kind == "reversal")).one()
        original = connection.execute(
            select(LedgerLine.line_ref).where(LedgerLine.id == reversal.reverses_id)
        ).scalar_one()
    assert original == "T7"
    proved(database)
    database.dispose()
