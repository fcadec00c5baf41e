"""When the bank's own lines cross what was done here: each case that the money machine found, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.accounts.corrections import post_refund, post_transfer
from portal.accounts.models import LedgerLine
from portal.accounts.operations import post_payment, post_waiver
from portal.db import Database
from portal.keys import Keys
from portal.signing import Signer
from tests.conftest import BANK_MORNING
from tests.machines.model import Account
from tests.machines.stage import FIRST_DAY, Stage

SAID: dict[str, Any] = {"posted_on": FIRST_DAY, "memo": "", "now": BANK_MORNING}


@pytest.fixture
def stage(database: Database, keys: Keys, signer: Signer) -> Any:
    """Two loans of 500.00, due today, on each database."""
    accounts = [Account(ref, "loan", "CNY", 600, ((FIRST_DAY, 50_000),), FIRST_DAY) for ref in ("L-1", "L-2")]
    for account in accounts:
        account.owed["principal"] = 50_000
    made = Stage(database, keys, signer, accounts)
    yield made
    made.close()


def pay(stage: Stage, ref: str, number: str = "1", loan: str = "L-1", **parts: int) -> int:
    """A payment posted here; its line."""
    return stage.db.write(
        lambda session: (
            post_payment(
                session,
                loan_id=stage.loans[loan],
                parts=parts,
                suspense_minor=0,
                payment_id=None,
                line_ref=f"{ref}-{number}",
                **SAID,
            ).line_id
        )
    )


def give_back(stage: Stage, line_id: int, ref: str, **parts: int) -> None:
    """A part of it refunded."""
    stage.db.write(
        lambda session: post_refund(
            session, line_id=line_id, parts=parts, suspense_minor=0, line_ref=ref, **SAID
        )
    )


def figures(stage: Stage, ref: str, *names: str) -> list[int]:
    """Columns of a balance row; the ledger is proved on the way."""
    assert stage.faults() == []
    row = stage.balances()[stage.loans[ref]]
    return [row[f"{name}_minor"] for name in names]


def undone(stage: Stage) -> Sequence[int]:
    """The lines that were reversed, in order."""
    statement = select(LedgerLine.reverses_id).where(LedgerLine.kind == "reversal").order_by(LedgerLine.id)
    return stage.connection.scalars(statement).all()


def test_forgiveness_gives_way_when_the_bank_undoes_the_charge(stage: Stage) -> None:
    (fee,) = stage.batch([("L-1", "fee", {"fee": 3_000}, None, "")])

    def waive(session: Session) -> int:
        parts = {"fee": 2_000, "principal": 700}
        return post_waiver(session, loan_id=stage.loans["L-1"], parts=parts, line_ref="W", **SAID).line_id

    waiver = stage.db.write(waive)

    stage.batch([("L-1", "reversal", {"fee": -3_000}, fee, "")])

    assert figures(stage, "L-1", "fee_owed", "fee_forgiven", "principal_forgiven") == [0, 0, 700]
    assert undone(stage) == [fee, waiver]


def test_only_the_refund_of_what_the_bank_took_back_gives_way(stage: Stage) -> None:
    """Two payments, both given back here; the bank had posted the second, and undoes that one."""
    first, second = (pay(stage, "P", number, principal=5_000) for number in ("1", "2"))
    (core,) = stage.batch([("L-1", "payment", {"principal": -5_000}, None, "P-2")], back=[second])
    give_back(stage, first, "B-1", principal=5_000)
    give_back(stage, second, "B-2", principal=5_000)

    stage.batch([("L-1", "reversal", {"principal": 5_000}, core, "")])

    assert figures(stage, "L-1", "principal_paid", "suspense") == [0, 0]


def test_a_part_given_back_counts_once_when_the_bank_posts_the_rest_anew(stage: Stage) -> None:
    line = pay(stage, "P", principal=5_000)
    (core,) = stage.batch([("L-1", "payment", {"principal": -5_000}, None, "P-1")], back=[line])
    give_back(stage, line, "B-1", principal=2_000)

    stage.batch(
        [
            ("L-1", "reversal", {"principal": 5_000}, core, ""),
            ("L-1", "payment", {"principal": -3_000}, None, ""),
        ]
    )

    assert figures(stage, "L-1", "principal_paid", "suspense") == [3_000, 0]


def test_a_refund_of_interest_that_the_bank_placed_on_principal_evens_out(stage: Stage) -> None:
    stage.batch([("L-1", "interest", {"interest": 5_000}, None, "")])
    line = pay(stage, "P", interest=5_000)
    give_back(stage, line, "B-1", interest=2_000)

    stage.batch([("L-1", "payment", {"principal": -5_000}, None, "P-1")], back=[line])

    assert figures(stage, "L-1", "interest_paid", "principal_paid", "suspense") == [0, 3_000, 0]


def test_money_moved_to_another_loan_comes_back_when_the_bank_takes_it(stage: Stage) -> None:
    (core,) = stage.batch([("L-1", "payment", {"principal": -5_000}, None, "")])
    stage.db.write(
        lambda session: post_transfer(
            session,
            from_loan_id=stage.loans["L-1"],
            to_loan_id=stage.loans["L-2"],
            take={"principal": 4_000},
            give={"principal": 4_000},
            line_ref="M",
            **SAID,
        )
    )

    stage.batch([("L-1", "reversal", {"principal": 5_000}, core, "")])

    assert figures(stage, "L-1", "principal_paid", "suspense") == [0, 0]
    assert figures(stage, "L-2", "principal_paid", "suspense") == [0, 0]
