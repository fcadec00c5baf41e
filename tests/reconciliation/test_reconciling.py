"""A bank day as it is kept: run again it is rewritten, what fits closes by itself, what was worked stays."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.accounts.models import LedgerLine, Loan
from portal.dates import Clock, WorkingDays
from portal.db import Database
from portal.gateways.stripe import ProviderUnavailable, Report, StripeGateway
from portal.gateways.stripe_reports import Movement, MovementKind
from portal.installation import Portal
from portal.keys import Keys
from portal.payments.lifecycle import DifferenceAction
from portal.payments.models import (
    DifferenceNote,
    ReconciliationDifference,
    ReconciliationRun,
    UnplacedMoney,
)
from portal.reconciliation import differences
from portal.reconciliation import operations as reconciling
from portal.reconciliation.differences import UnableToWork, Work
from portal.settings import Settings
from portal.signing import Signer
from portal.transfers.suspense import Person
from tests import people
from tests.payments.telling import NOW, begin, books, lin, said, tell

DAY = people.BUSINESS_DATE


@dataclass
class Books:
    """The provider's own books, at the gateway's edge."""

    moved: list[Movement] = field(default_factory=list)
    available: bool = True
    silent: bool = False

    def list_movements(self, day_start: datetime, day_end: datetime) -> Iterator[Movement]:
        if self.silent:
            raise ProviderUnavailable("no answer")
        return iter([one for one in self.moved if day_start <= one.created < day_end])

    def charge(self, number: int, intent: str, minor: int, *, at: datetime = NOW, fee: int = 30) -> None:
        self.moved.append(
            Movement(
                f"txn_{number}",
                MovementKind.CHARGE,
                f"ch_{number}",
                intent,
                "",
                "",
                minor,
                fee,
                minor - fee,
                "CNY",
                at,
            )
        )

    def payout(self, number: int, minor: int) -> None:
        self.moved.append(
            Movement(f"txn_{number}", MovementKind.PAYOUT, "po_1", "", "", "", -minor, 0, -minor, "CNY", NOW)
        )


@dataclass
class Scene:
    portal: Portal
    provider: Books
    database: Database
    keys: Keys
    borrower_id: int
    mei: Person

    def pay(self, number: int, minor: int = 30_000) -> str:
        """A payment of Lin's, credited here."""
        attempt = begin(
            self.database, self.borrower_id, minor, form_key=f"f{number}", session_id=f"cs_{number}"
        )
        tell(
            self.database,
            self.keys,
            said(attempt, Report.PAID, event_id=f"e{number}", intent_id=f"pi_{number}"),
        )
        return attempt.reference

    def run(self, day: date = DAY) -> reconciling.Ran:
        (ran,) = reconciling.run_day(self.portal, day)
        return ran

    def found(self) -> list[tuple[str, str, int]]:
        with self.database.read() as connection:
            rows = connection.execute(
                select(
                    ReconciliationDifference.kind,
                    ReconciliationDifference.state,
                    ReconciliationDifference.gap_minor,
                ).order_by(ReconciliationDifference.id)
            )
            return [tuple(row) for row in rows]  # type: ignore[misc]

    def differences(self) -> list[Any]:
        with self.database.read() as connection:
            table = ReconciliationDifference.__table__
            return list(connection.execute(select(table).order_by(table.c.id)))

    def work(self, work: Work) -> None:
        self.database.write(
            lambda session: differences.work(session, work=work, person=self.mei, books=books(self.keys))
        )

    def core_posts(self, reference: str, minor: int, line_ref: str = "C-1") -> None:
        def unit(session: Session) -> None:
            loan_id = session.scalars(select(Loan.id).where(Loan.loan_ref == "L-LIN-1")).one()
            session.add(
                LedgerLine(
                    created_at=NOW,
                    loan_id=loan_id,
                    line_ref=line_ref,
                    source="core",
                    posted_on=DAY + timedelta(days=1),
                    kind="payment",
                    principal_minor=-minor,
                    external_ref=reference,
                )
            )

        self.database.write(unit)


@pytest.fixture
def scene(settings: Settings, database: Database, keys: Keys, clock: Clock, signer: Signer) -> Scene:
    provider, nowhere = Books(), cast(Any, None)
    portal = Portal(
        settings=settings,
        db=database,
        keys=keys,
        clock=clock,
        signer=signer,
        working_days=WorkingDays("CN"),
        sms=nowhere,
        stripe=cast(StripeGateway, provider),
        store=nowhere,
    )
    mei = Person(database.write(lambda session: people.mei(session, keys)), "B2107", "H-B2107")
    return Scene(portal, provider, database, keys, lin(database, keys), mei)


def test_a_day_that_agrees_shows_its_equation_and_waits_for_the_core(scene: Scene) -> None:
    scene.pay(1)
    scene.provider.charge(1, "pi_1", 30_000)
    scene.provider.payout(2, 20_000)

    ran = scene.run()

    assert (ran.matched, ran.gap) == (1, 0)
    assert scene.found() == [("not_at_core_yet", "open", -30_000)]
    with scene.database.read() as connection:
        figures = connection.scalars(select(ReconciliationRun.figures)).one()
    assert figures["succeeded"] - figures["refunded"] - figures["lost"] == 30_000
    assert (figures["payout"], figures["fees"], figures["balance"]) == (20_000, 30, 9_970)
    assert (figures["credited"], figures["receipts"]) == (1, 1)


def test_running_a_day_again_rewrites_it_and_closes_what_fits_by_now(scene: Scene) -> None:
    reference = scene.pay(1)
    scene.provider.charge(2, "pi_2", 30_000)
    first = scene.run()
    assert {kind for kind, _, _ in scene.found()} == {"at_provider_only", "ours_only", "not_at_core_yet"}

    scene.provider.charge(1, "pi_1", 30_000)
    scene.core_posts(reference, 30_000)
    second = scene.run()
    third = scene.run()

    assert (first.gap, second.gap, second.open) == (0, 30_000, 1)
    assert third == second
    assert sorted(scene.found()) == [
        ("at_provider_only", "open", 30_000),
        ("not_at_core_yet", "closed", -30_000),
        ("ours_only", "closed", -30_000),
    ]
    with scene.database.read() as connection:
        assert connection.scalars(select(ReconciliationRun.runs)).all() == [3]


def test_what_was_explained_stays_until_its_figures_change(scene: Scene) -> None:
    scene.provider.charge(2, "pi_2", 30_000)
    scene.run()
    (one,) = scene.differences()
    scene.work(Work(one.reference, one.version, DifferenceAction.EXPLAIN, "渠道测试款"))
    scene.run()
    assert scene.found() == [("at_provider_only", "explained", 30_000)]

    attempt = begin(scene.database, scene.borrower_id, 29_000, form_key="f2", session_id="cs_2")
    tell(scene.database, scene.keys, said(attempt, Report.PAID, event_id="e2", intent_id="pi_2"))
    scene.run()

    assert ("amount_differs", "open", 1_000) in scene.found()


def test_a_silent_provider_changes_nothing_and_the_day_is_run_later(scene: Scene) -> None:
    scene.pay(1)
    scene.provider.silent = True

    with pytest.raises(ProviderUnavailable):
        scene.run()
    assert scene.found() == []
    cast(Any, scene.portal.clock).advance(days=1)
    assert reconciling.run_due(scene.portal) == 0
    scene.provider.silent = False
    assert reconciling.run_due(scene.portal) == 1
    assert reconciling.run_due(scene.portal) == 0
    cast(Any, scene.portal.clock).advance(hours=3)
    assert reconciling.run_due(scene.portal) == 1


def test_money_around_midnight_is_named_for_it_on_both_days(scene: Scene) -> None:
    scene.pay(1)
    scene.provider.charge(1, "pi_1", 30_000, at=NOW - timedelta(days=1))

    scene.run(DAY - timedelta(days=1))
    scene.run()

    assert [one for one in scene.found() if one[0] == "other_day"] == [
        ("other_day", "explained", 30_000),
        ("other_day", "explained", -30_000),
    ]


def test_two_that_cancel_out_are_matched_by_hand_and_others_are_not(scene: Scene) -> None:
    scene.pay(1)
    scene.provider.charge(2, "pi_other", 30_000)
    scene.provider.charge(3, "pi_less", 10_000)
    scene.run()
    rows = {row.kind + str(row.gap_minor): row for row in scene.differences()}
    theirs, ours = rows["at_provider_only30000"], rows["ours_only-30000"]
    less = rows["at_provider_only10000"]

    with pytest.raises(UnableToWork, match="no_fit"):
        scene.work(Work(less.reference, less.version, DifferenceAction.MATCH, "同一笔", other=ours.reference))
    scene.work(Work(theirs.reference, theirs.version, DifferenceAction.MATCH, "同一笔", other=ours.reference))
    scene.run()

    states = {row.reference: (row.state, row.matched_id) for row in scene.differences()}
    assert states[theirs.reference] == ("matched", ours.id)
    assert states[ours.reference] == ("matched", theirs.id)


def test_money_nobody_knows_of_is_set_aside_once(scene: Scene) -> None:
    scene.provider.charge(2, "pi_2", 30_000)
    scene.run()
    (one,) = scene.differences()

    scene.work(Work(one.reference, one.version, DifferenceAction.SET_ASIDE, "查无此单"))
    scene.run()

    with scene.database.read() as connection:
        kept = connection.execute(
            select(UnplacedMoney.money_key, UnplacedMoney.amount_minor, UnplacedMoney.reason)
        ).all()
    assert [tuple(row) for row in kept] == [("pi_2", 30_000, "found_by_reconciliation")]
    assert scene.run().gap == 0


def test_of_two_people_at_once_one_is_told_and_nothing_is_lost(scene: Scene) -> None:
    scene.provider.charge(2, "pi_2", 30_000)
    scene.run()
    (one,) = scene.differences()
    barrier, answers = threading.Barrier(2), []

    def run(note: str) -> None:
        barrier.wait()
        try:
            scene.work(Work(one.reference, one.version, DifferenceAction.EXPLAIN, note))
            answers.append("done")
        except UnableToWork as error:
            answers.append(error.reason)

    threads = [threading.Thread(target=run, args=(note,)) for note in ("甲", "乙")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == ["done", "stale"]
    with scene.database.read() as connection:
        assert len(connection.scalars(select(DifferenceNote.note)).all()) == 1


@pytest.mark.parametrize(
    ("note", "action", "reason"),
    [
        ("", DifferenceAction.EXPLAIN, "note"),
        ("４１１１ 1111 1111 1111", DifferenceAction.EXPLAIN, "card_number"),
        ("x", DifferenceAction.CLOSE, "state"),
        ("x", DifferenceAction.REOPEN, "state"),
    ],
)
def test_what_cannot_be_done_is_refused(
    scene: Scene, note: str, action: DifferenceAction, reason: str
) -> None:
    scene.provider.charge(2, "pi_2", 30_000)
    scene.run()
    (one,) = scene.differences()

    with pytest.raises(UnableToWork, match=reason):
        scene.work(Work(one.reference, one.version, action, note))

    assert scene.found() == [("at_provider_only", "open", 30_000)]
