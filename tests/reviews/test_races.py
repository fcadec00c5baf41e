"""Two people at once, and one human twice: exactly one decision, whatever the order (AC43, AC44, AC47)."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from portal.access.models import Staff
from portal.dates import Clock
from portal.db import Database
from portal.keys import Keys
from portal.messages.models import Message
from portal.plans import operations as plans
from portal.reviews import operations as reviews
from portal.reviews.four_eyes import Kind
from portal.reviews.models import Decision
from portal.reviews.operations import CaseMoved, MayNotDecide
from portal.reviews.ruling import Choice, ScreenIsOld
from portal.signing import Signer
from tests import people
from tests.reviews import cases

pytestmark = pytest.mark.slow

ROUNDS = 6


def at_once(*works: Callable[[], object]) -> list[object]:
    """Run every work in its own thread from one start; each one's answer or exception, in order."""
    barrier = threading.Barrier(len(works))
    found: list[object] = [None] * len(works)

    def run(index: int, work: Callable[[], object]) -> None:
        barrier.wait()
        try:
            found[index] = work()
        except Exception as error:  # the test looks at what it was
            found[index] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def effective(database: Database) -> Counter[int]:
    with database.read() as connection:
        rows = connection.execute(select(Decision.proposal_id).where(Decision.effective)).scalars()
        return Counter(rows)


def more_cases(
    database: Database, keys: Keys, signer: Signer, clock: Clock, number: int, **wish: Any
) -> list[cases.Case]:
    """So many borrowers with a proposal each, and the same two people to decide them all."""

    def unit(session: Session) -> list[cases.Case]:
        mei, guo = people.mei(session, keys), people.guo(session, keys)
        made = []
        for index in range(number):
            borrower_id = people.borrower(
                session, keys, customer_ref=f"C91000{index}", name="林晓", phone=f"1390000010{index}"
            )
            people.loan(session, borrower_id=borrower_id, loan_ref=f"L-{index}")
            cases.report(session, keys, borrower_id, clock.now())
            sent = cases.propose(
                session, keys, signer, borrower_id, now=clock.now(), today=clock.today(), **wish
            )
            made.append(cases.Case(borrower_id, sent.proposal_id, sent.negotiation_ref, mei, guo))
        return made

    return database.write(unit)


def test_two_reviewers_deciding_at_once_end_in_one_decision_and_one_message(
    database: Database, keys: Keys, signer: Signer, clock: Clock
) -> None:
    kinds = itertools.cycle(itertools.permutations([Kind.APPROVE, Kind.COUNTER, Kind.DECLINE], 2))
    for case, pair in zip(more_cases(database, keys, signer, clock, ROUNDS), kinds):
        given = [
            cases.counter(database, keys, clock, case)
            if kind is Kind.COUNTER
            else cases.choice(database, case, kind, reasons=("papers_missing",))
            for kind in pair
        ]

        found = at_once(
            partial(cases.decide, database, keys, clock, case, case.mei, given[0]),
            partial(cases.decide, database, keys, clock, case, case.guo, given[1]),
        )

        assert sum(isinstance(one, reviews.Outcome) for one in found) == 1, found
        assert sum(isinstance(one, CaseMoved) for one in found) == 1, found
    decided = effective(database)
    assert len(decided) == ROUNDS
    assert set(decided.values()) == {1}
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(Message)).scalar_one() == ROUNDS


def test_two_supervisors_confirming_at_once_end_in_one_decision(
    database: Database, keys: Keys, signer: Signer, clock: Clock
) -> None:
    rong = database.write(
        lambda session: people.staff(session, keys, staff_ref="B3002", name="荣二", role="supervisor")
    )
    for case in more_cases(database, keys, signer, clock, ROUNDS, freeze_interest=True):
        cases.decide(database, keys, clock, case, case.mei, cases.choice(database, case, Kind.APPROVE))
        confirm = cases.choice(database, case, Kind.CONFIRM, form_key="c")
        back = cases.choice(database, case, Kind.SEND_BACK, form_key="b")

        found = at_once(
            partial(cases.decide, database, keys, clock, case, case.guo, confirm),
            partial(cases.decide, database, keys, clock, case, rong, back),
        )

        assert sum(isinstance(one, reviews.Outcome) for one in found) == 1, found
        assert sum(isinstance(one, CaseMoved) for one in found) == 1, found
        second = cases.state_of(database, case.proposal_id)
        assert second in ("approved", "submitted")
        assert effective(database)[case.proposal_id] == (second == "approved")


def test_a_decision_and_a_withdrawal_at_once_end_in_one_of_them(
    database: Database, keys: Keys, signer: Signer, clock: Clock
) -> None:
    for case in more_cases(database, keys, signer, clock, ROUNDS):
        given = cases.choice(database, case, Kind.APPROVE)

        def withdraw(case: cases.Case = case) -> None:
            database.write(
                lambda session: plans.withdraw(
                    session,
                    borrower_id=case.borrower_id,
                    proposal_id=case.proposal_id,
                    version=1,
                    now=clock.now(),
                )
            )

        at_once(partial(cases.decide, database, keys, clock, case, case.mei, given), withdraw)

        state = cases.state_of(database, case.proposal_id)
        assert state in ("approved", "withdrawn")
        assert effective(database)[case.proposal_id] == (state == "approved")


def test_one_form_sent_twice_at_once_is_one_decision(
    database: Database, keys: Keys, signer: Signer, clock: Clock
) -> None:
    for case in more_cases(database, keys, signer, clock, ROUNDS):
        given = cases.choice(database, case, Kind.APPROVE)

        def send(case: cases.Case = case, one: Choice = given) -> reviews.Outcome:
            return cases.decide(database, keys, clock, case, case.mei, one)

        first, second = at_once(send, send)

        assert first == second
        assert isinstance(first, reviews.Outcome)


def test_two_taking_one_case_at_once_see_the_same_holder(
    database: Database, keys: Keys, signer: Signer, clock: Clock
) -> None:
    for case in more_cases(database, keys, signer, clock, ROUNDS):

        def take(staff_id: int, case: cases.Case = case) -> int:
            return database.write(
                lambda session: reviews.claim(
                    session, staff_id=staff_id, reference=case.reference, now=clock.now()
                )
            )

        holders = at_once(partial(take, case.mei), partial(take, case.guo))

        assert holders[0] == holders[1]
        assert holders[0] in (case.mei, case.guo)


def swap_roles(session: Session, case: cases.Case, other: int) -> None:
    """The first person becomes a supervisor."""
    session.execute(update(Staff).where(Staff.id == case.mei).values(role="supervisor"))


def merge_into_first(session: Session, case: cases.Case, other: int) -> None:
    """The other account is found to be the first person's."""
    human = session.execute(select(Staff.human_ref).where(Staff.id == case.mei)).scalar_one()
    session.execute(update(Staff).where(Staff.id == other).values(human_ref=human))


def merge_first_into_other(session: Session, case: cases.Case, other: int) -> None:
    """The first person's account is moved to the other's human."""
    human = session.execute(select(Staff.human_ref).where(Staff.id == other)).scalar_one()
    session.execute(update(Staff).where(Staff.id == case.mei).values(human_ref=human))


def rename_first(session: Session, case: cases.Case, other: int) -> None:
    """The first person's account gets another personnel number, and a supervisor's role."""
    session.execute(update(Staff).where(Staff.id == case.mei).values(human_ref="H-NEW", role="supervisor"))


TRICKS = [
    (swap_roles, "first"),
    (rename_first, "first"),
    (merge_into_first, "other"),
    (merge_first_into_other, "other"),
]


@pytest.mark.parametrize(("trick", "who"), TRICKS, ids=[trick.__name__ for trick, _ in TRICKS])
def test_one_human_never_gives_both_approvals(
    database: Database,
    keys: Keys,
    signer: Signer,
    clock: Clock,
    trick: Callable[[Session, cases.Case, int], None],
    who: str,
) -> None:
    """AC43: role swaps, merges and renames between the two decisions."""
    case = cases.open_case(database, keys, signer, clock, freeze_interest=True)
    other = database.write(
        lambda session: people.staff(session, keys, staff_ref="B3009", name="何敏", role="supervisor")
    )
    cases.decide(database, keys, clock, case, case.mei, cases.choice(database, case, Kind.APPROVE))
    database.write(lambda session: trick(session, case, other))
    confirm = cases.choice(database, case, Kind.CONFIRM)

    with pytest.raises(MayNotDecide, match="own_first"):
        cases.decide(database, keys, clock, case, case.mei if who == "first" else other, confirm)

    assert cases.state_of(database, case.proposal_id) == "second_approval"
    assert not effective(database)
    cases.decide(database, keys, clock, case, case.guo, confirm)
    assert effective(database)[case.proposal_id] == 1


def test_one_human_with_two_accounts_confirming_at_once_with_a_colleague(
    database: Database, keys: Keys, signer: Signer, clock: Clock
) -> None:
    """AC43: the second account of the first person loses against whoever is not that person."""
    twin = database.write(
        lambda session: people.staff(
            session, keys, staff_ref="B3010", name="何敏", role="supervisor", human_ref="H-B2107"
        )
    )
    for case in more_cases(database, keys, signer, clock, ROUNDS, freeze_interest=True):
        cases.decide(database, keys, clock, case, case.mei, cases.choice(database, case, Kind.APPROVE))
        confirm = cases.choice(database, case, Kind.CONFIRM)

        found = at_once(
            partial(cases.decide, database, keys, clock, case, twin, confirm),
            partial(cases.decide, database, keys, clock, case, case.guo, confirm),
        )

        assert isinstance(found[0], MayNotDecide | CaseMoved)
        assert isinstance(found[1], reviews.Outcome)
    with database.read() as connection:
        rows = connection.execute(
            select(Decision.proposal_id, func.count(Decision.human_ref.distinct())).group_by(
                Decision.proposal_id
            )
        ).all()
    assert {humans for _, humans in rows} == {2}


def test_the_database_itself_keeps_one_human_off_the_second_seat(
    database: Database, keys: Keys, signer: Signer, clock: Clock
) -> None:
    """AC43 below the code: a row written past it is refused by a constraint."""
    from sqlalchemy.exc import IntegrityError

    case = cases.open_case(database, keys, signer, clock, freeze_interest=True)
    cases.decide(database, keys, clock, case, case.mei, cases.choice(database, case, Kind.APPROVE))

    def forged(attempt: int, staff_id: int) -> None:
        def unit(session: Session) -> None:
            session.add(
                Decision(
                    created_at=clock.now(),
                    proposal_id=case.proposal_id,
                    staff_id=staff_id,
                    human_ref="H-B2107",
                    kind="approve",
                    stage=2,
                    attempt=attempt,
                    terms_hash="f" * 64,
                    reasons=[],
                    effective=True,
                    form_key=f"forged-{attempt}",
                )
            )

        database.write(unit)

    for attempt in (1, 2):
        with pytest.raises(IntegrityError):
            forged(attempt, case.guo)
    assert not effective(database)


def test_a_first_decision_that_was_made_anew_voids_what_the_second_person_saw(
    database: Database, keys: Keys, signer: Signer, clock: Clock
) -> None:
    """AC44: a confirmation of the counter-offer before last changes nothing."""
    case = cases.open_case(database, keys, signer, clock)
    waived = ("fee", "penalty_interest")
    first = cases.counter(database, keys, clock, case, waive=waived, count=23)
    cases.decide(database, keys, clock, case, case.mei, first)
    stale = cases.choice(database, case, Kind.CONFIRM, terms_hash_seen=first.offer_hash_seen)
    cases.decide(
        database, keys, clock, case, case.guo,
        cases.choice(database, case, Kind.SEND_BACK, terms_hash_seen=first.offer_hash_seen),
    )  # fmt: skip
    anew = cases.counter(database, keys, clock, case, waive=waived, count=20)
    cases.decide(database, keys, clock, case, case.mei, anew)

    with pytest.raises(CaseMoved):
        cases.decide(database, keys, clock, case, case.guo, stale)
    with pytest.raises(ScreenIsOld, match="terms"):
        cases.decide(
            database, keys, clock, case, case.guo,
            cases.choice(
                database, case, Kind.CONFIRM, terms_hash_seen=first.offer_hash_seen, form_key="second look"
            ),
        )  # fmt: skip

    assert not effective(database)
    assert cases.state_of(database, case.proposal_id) == "second_approval"
