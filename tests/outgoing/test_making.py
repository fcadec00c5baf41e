"""A batch is made once, whole, whatever stops it and however many make one at the same moment."""

from __future__ import annotations

import os
import signal
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from portal.bank_files.manifest import check_files, read_manifest
from portal.bank_files.mapping import load_mapping
from portal.bank_files.rejections import Rejections
from portal.db import Database
from portal.keys import Keys
from portal.outgoing.making import UnableToMake
from portal.outgoing.mapping import outgoing_of
from portal.outgoing.models import OutgoingBatch, OutgoingRow
from tests.conftest import BANK_MORNING
from tests.outgoing.told import lin, make, pay, rows_in, states, times_told

#: Every point at which a run can stop: inside the transaction that takes, after it, around each file's
#: name, around the manifest's, and after the last transaction.
STEPS = (
    "collected",
    "taking",
    "taken",
    "wrote payments.csv",
    "named payments.csv",
    "wrote manifest.json",
    "named manifest.json",
    "made",
)


@pytest.fixture
def paid(database: Database, keys: Keys) -> Database:
    """Two payments of Lin's that the core has not heard of."""
    lin(database, keys)
    pay(database, "P-1111-11111", {"penalty_interest": 2_000, "interest": 10_000, "principal": 5_000})
    pay(database, "P-2222-22222", {"principal": 7_700})
    return database


def _killed_at(database: Database, folder: Path, wanted: str) -> None:
    """Make a batch in a process of its own that is killed at one step."""
    child = os.fork()
    if child == 0:

        def stop(step: str) -> None:
            if step == wanted:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            make(Database(database.url), folder, step=stop)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the run never came to {wanted!r}"


def _named(folder: Path) -> dict[str, bytes]:
    """What a reader of the folder can see: files under their own names."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in found if path.suffix in (".csv", ".json")
    }


@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_is_killed_leaves_no_batch_or_the_same_one_made_again_byte_for_byte(
    paid: Database, tmp_path: Path, step: str
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()

    _killed_at(paid, folder, step)

    left = _named(folder)
    pay(paid, "P-3333-33333", {"principal": 1})
    text = load_mapping("harbour").text.replace('"还款" = "payment"', '"还本付息" = "payment"')
    made = make(paid, folder, text=text)
    after = _named(folder)
    assert {name: after[name] for name in left} == left
    assert times_told(paid) == dict.fromkeys(states(paid), 1)
    lines = after["20261120-000001/payments.csv"].decode("gb18030").splitlines()[1:]
    first = [line[:12] for line in lines]
    assert first[:2] == ["P-1111-11111", "P-2222-22222"]
    if step in ("collected", "taking"):
        assert [one.sequence for one in made] == [1]
    else:
        assert len(first) == 2
        assert after["20261120-000002/payments.csv"].decode("gb18030").count("还本付息") == 1
    assert make(paid, folder, text=text) == []
    assert not list(folder.rglob("*.part"))


def test_the_manifest_of_a_batch_fits_its_files(paid: Database, tmp_path: Path) -> None:
    (made,) = make(paid, tmp_path / "out")

    rejections, forms = Rejections(), outgoing_of(load_mapping("harbour")).forms
    manifest = read_manifest(made.folder, forms, rejections)
    assert manifest is not None
    check_files(made.folder, manifest, forms, rejections)
    assert list(rejections) == []
    assert (manifest.sequence, manifest.mode, manifest.files["payments"].rows) == (1, "delta", 2)
    assert manifest.files["payments"].totals["金额"] == -247_000
    first, second = rows_in(made.folder, "payments")
    assert (first["amount"], first["interest"], first["principal"]) == (-17_000, -10_000, -5_000)
    assert (first["payment_ref"], first["rule"], first["customer_ref"]) == (
        "P-1111-11111",
        "cn.561",
        "C900001",
    )
    assert second["corrects_ref"] is None


def test_two_makers_at_once_tell_everything_once(paid: Database, tmp_path: Path) -> None:
    for number in range(10):
        pay(paid, f"P-44{number:02d}-44444", {"principal": number + 1})
    barrier, made = threading.Barrier(3), []

    def run(folder: Path) -> None:
        barrier.wait()
        made.extend(make(paid, folder))

    threads = [threading.Thread(target=run, args=(tmp_path / f"out{number % 2}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(times_told(paid).values()) == {1}
    assert len(states(paid)) == 12
    with paid.read() as connection:
        sequences = connection.scalars(select(OutgoingBatch.sequence)).all()
    assert sorted(sequences) == list(range(1, len(sequences) + 1))


def test_the_database_refuses_an_entry_in_a_second_batch(paid: Database, tmp_path: Path) -> None:
    make(paid, tmp_path / "out")
    pay(paid, "P-3333-33333", {"principal": 1})
    make(paid, tmp_path / "out")

    def again(session: object) -> None:
        row = {"batch_id": 2, "entry_id": 1, "position": 99, "outcome": "sent", "reason": ""}
        session.execute(insert(OutgoingRow), [row])  # type: ignore[attr-defined]

    with pytest.raises(IntegrityError):
        paid.write(again)


def test_only_what_had_waited_by_the_cut_off_goes_into_its_batch(paid: Database, tmp_path: Path) -> None:
    late = BANK_MORNING + timedelta(hours=8, minutes=1)
    pay(paid, "P-3333-33333", {"principal": 1}, at=late)
    cut_off = BANK_MORNING + timedelta(hours=8)

    first = make(paid, tmp_path / "out", due_by=cut_off, now=late)
    second = make(paid, tmp_path / "out", due_by=cut_off + timedelta(days=1), now=late)

    assert [one.counts for one in (*first, *second)] == [{"payment": 2}, {"payment": 1}]


def test_another_batch_under_the_same_number_is_never_overwritten(paid: Database, tmp_path: Path) -> None:
    place = tmp_path / "out" / "20261120-000001"
    place.mkdir(parents=True)
    (place / "manifest.json").write_text("{}", encoding="utf-8")

    with pytest.raises(UnableToMake):
        make(paid, tmp_path / "out")

    assert (place / "manifest.json").read_text(encoding="utf-8") == "{}"
