"""The core's answers: each once, rows it refuses are worked and sent again, and nothing else is believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from portal.bank_files.mapping import load_mapping
from portal.db import Database
from portal.keys import Keys
from portal.outgoing import operations, queries
from portal.outgoing.acknowledging import Answered, BadAnswer, apply_answer, read_answer
from portal.outgoing.making import BatchMade
from portal.outgoing.mapping import outgoing_of
from portal.outgoing.models import OutgoingBatch
from portal.states import NotAllowed
from tests.conftest import BANK_MORNING
from tests.outgoing.told import lin, line_refs, make, pay, rows_in, states, times_told

NAMES = outgoing_of(load_mapping("harbour")).answer


@pytest.fixture
def told(database: Database, keys: Keys, tmp_path: Path) -> BatchMade:
    """A batch with three payments of Lin's."""
    lin(database, keys)
    for number in (1, 2, 3):
        pay(database, f"P-000{number}-00000", {"principal": number})
    (made,) = make(database, tmp_path / "out")
    return made


def answer(database: Database, sequence: int = 1, **changes: Any) -> dict[str, Any]:
    """The core's word on a batch: all of it accepted."""
    with database.read() as connection:
        batch = queries.batch(connection, sequence=sequence)
    assert batch is not None
    said = {
        "bank": batch.bank,
        "batch": batch.batch_ref,
        "sequence": sequence,
        "manifest_sha256": batch.manifest_sha256,
        "outcome": "accepted",
        "refused": [],
    }
    return said | changes


def give(database: Database, said: Any) -> Answered:
    raw = said if isinstance(said, bytes) else json.dumps(said).encode()
    read = read_answer(raw, NAMES)
    return database.write(lambda session: apply_answer(session, answer=read, now=BANK_MORNING))


def _ref(database: Database, start: str) -> str:
    return next(ref for ref in line_refs(database) if ref.startswith(start))


def test_an_accepted_batch_is_accepted_row_by_row_and_once(database: Database, told: BatchMade) -> None:
    first, second = give(database, answer(database)), give(database, answer(database))

    assert first == Answered(1, accepted=3, refused=0, repeated=False)
    assert second == Answered(1, accepted=3, refused=0, repeated=True)
    assert set(states(database).values()) == {"accepted"}


def test_a_refused_row_is_listed_corrected_and_sent_again_while_the_others_are_not(
    database: Database, told: BatchMade, tmp_path: Path
) -> None:
    ref = _ref(database, "P-0002")
    give(database, answer(database, refused=[{"entry_ref": ref, "reason": "借据状态不允许"}]))
    with database.read() as connection:
        (listed,) = queries.refused(connection)
    assert make(database, tmp_path / "out") == []

    database.write(lambda session: operations.send_again(session, entry_ref=ref, now=BANK_MORNING))
    (again,) = make(database, tmp_path / "out")
    give(database, answer(database, 2))

    assert (listed.entry_ref, listed.reason, listed.sequence) == (ref, "借据状态不允许", 1)
    assert [row["entry_ref"] for row in rows_in(again.folder, "payments")] == [ref]
    assert set(states(database).values()) == {"accepted"}
    assert set(times_told(database).values()) == {1}
    with database.read() as connection:
        assert queries.refused(connection) == []


def test_a_refused_batch_refuses_every_row_with_its_reason(database: Database, told: BatchMade) -> None:
    answered = give(database, answer(database, outcome="refused", reason="文件重复"))

    assert (answered.accepted, answered.refused) == (0, 3)
    with database.read() as connection:
        assert {row.reason for row in queries.refused(connection)} == {"文件重复"}


def test_a_refused_row_settled_by_hand_is_closed_and_not_sent(
    database: Database, told: BatchMade, tmp_path: Path
) -> None:
    ref = _ref(database, "P-0003")
    give(database, answer(database, refused=[{"entry_ref": ref, "reason": "账户已结清"}]))

    database.write(
        lambda session: operations.close(session, entry_ref=ref, reason="柜面入账", now=BANK_MORNING)
    )

    assert states(database)[ref] == "closed"
    assert make(database, tmp_path / "out") == []
    with pytest.raises(NotAllowed):
        database.write(lambda session: operations.send_again(session, entry_ref=ref, now=BANK_MORNING))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bank": "OTHER"}, "batch"),
        ({"batch": "20261120-000009"}, "batch"),
        ({"sequence": 7}, "batch"),
        ({"sequence": "1"}, "entry"),
        ({"manifest_sha256": "0" * 64}, "manifest"),
        ({"outcome": "fine"}, "entry"),
        ({"outcome": None}, "entry"),
        ({"refused": "P-1"}, "entry"),
        ({"refused": ["P-1"]}, "entry"),
        ({"refused": [{"entry_ref": "P-9", "reason": "x"}]}, "row"),
        ({"refused": [{"entry_ref": "P-9"}]}, "entry"),
        ({"refused": [{"entry_ref": "P-9", "reason": "x"}] * 2}, "row"),
    ],
)
def test_an_answer_that_does_not_fit_changes_nothing(
    database: Database, told: BatchMade, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BadAnswer) as caught:
        give(database, answer(database) | changes)

    assert caught.value.reason == reason
    assert set(states(database).values()) == {"sent"}


@pytest.mark.parametrize("raw", [b"", b"accepted", b"[]", b"\xff\xfe{}", b"{" * 100_000])
def test_a_file_that_is_no_answer_is_unreadable(raw: bytes) -> None:
    with pytest.raises(BadAnswer, match="unreadable"):
        read_answer(raw, NAMES)


def test_a_second_other_answer_is_refused(database: Database, told: BatchMade) -> None:
    give(database, answer(database))

    with pytest.raises(BadAnswer, match="answered"):
        give(database, answer(database, outcome="refused", reason="x"))

    assert set(states(database).values()) == {"accepted"}


def test_a_batch_is_made_then_delivered_then_acknowledged(database: Database, told: BatchMade) -> None:
    def state() -> str:
        with database.read() as connection:
            return str(connection.scalar(select(OutgoingBatch.state)))

    seen = [state()]
    for _ in range(2):
        database.write(lambda session: operations.deliver(session, sequence=1, now=BANK_MORNING))
        seen.append(state())
    give(database, answer(database))

    assert [*seen, state()] == ["made", "delivered", "delivered", "acknowledged"]
    with pytest.raises(NotAllowed):
        database.write(lambda session: operations.deliver(session, sequence=9, now=BANK_MORNING))
