"""Deciding: what each answer does, who may give it, and what is refused with nothing changed."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from portal.access.models import Staff
from portal.accounts.models import LoanBalance
from portal.audit import AuditEntry
from portal.contacts.models import Hold
from portal.dates import Clock
from portal.db import Database
from portal.keys import Keys
from portal.messages.models import Message
from portal.money import Money
from portal.plans.models import Negotiation, Proposal
from portal.reviews import queries
from portal.reviews.four_eyes import Kind
from portal.reviews.models import Decision
from portal.reviews.operations import CaseMoved, MayNotDecide
from portal.reviews.ruling import Incomplete, ScreenIsOld
from portal.signing import Signer
from tests import people
from tests.reviews import cases

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def lins(database: Database, keys: Keys, signer: Signer, clock: Clock) -> cases.Case:
    """Lin proposes 24 instalments with no concession."""
    return cases.open_case(database, keys, signer, clock)


@pytest.fixture
def frozen(database: Database, keys: Keys, signer: Signer, clock: Clock) -> cases.Case:
    """Lin also asks that interest stops: two people decide."""
    return cases.open_case(database, keys, signer, clock, freeze_interest=True)


def counted(database: Database, model: type) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(model)).scalar_one()


def test_an_approval_stands_and_the_borrower_is_told(
    database: Database, keys: Keys, clock: Clock, lins: cases.Case
) -> None:
    given = cases.choice(database, lins, Kind.APPROVE)

    outcome = cases.decide(database, keys, clock, lins, lins.mei, given)

    assert (outcome.effective, outcome.waits_for_second) == (True, False)
    assert cases.state_of(database, lins.proposal_id) == "approved"
    with database.read() as connection:
        answer = queries.answer_for(connection, lins.borrower_id, lins.proposal_id)
        message = connection.execute(select(Message.kind, Message.dedupe_key)).one()
        events = connection.execute(select(AuditEntry.event, AuditEntry.facts)).all()
    assert answer is not None
    assert (answer.kind, answer.note) == ("approve", "我们看过了您的材料。")
    assert tuple(message) == ("decision", f"decision:{outcome.decision_id}")
    facts = next(facts for event, facts in events if event == "reviews.decided")
    assert facts["terms"] == given.terms_hash_seen
    assert facts["effective"] is True


def test_the_same_form_again_gets_the_first_answer(
    database: Database, keys: Keys, clock: Clock, lins: cases.Case
) -> None:
    given = cases.choice(database, lins, Kind.APPROVE)
    first = cases.decide(database, keys, clock, lins, lins.mei, given)

    again = cases.decide(database, keys, clock, lins, lins.mei, given)

    assert again == first
    assert counted(database, Decision) == 1
    assert counted(database, Message) == 1


def test_a_counter_offer_becomes_the_banks_round(
    database: Database, keys: Keys, clock: Clock, lins: cases.Case
) -> None:
    given = cases.counter(database, keys, clock, lins)

    cases.decide(database, keys, clock, lins, lins.mei, given)

    assert cases.state_of(database, lins.proposal_id) == "superseded"
    with database.read() as connection:
        offer = connection.execute(select(Proposal).where(Proposal.made_by == "bank")).one()
    assert (offer.state, offer.round) == ("countered", 2)
    assert offer.terms_hash == given.offer_hash_seen
    assert offer.affordability["share_bp"] is not None


def test_a_counter_offer_that_was_not_shown_is_not_sent(
    database: Database, keys: Keys, clock: Clock, lins: cases.Case
) -> None:
    given = cases.counter(database, keys, clock, lins)
    unseen = cases.choice(database, lins, Kind.COUNTER, change=given.change, offer_hash_seen="0" * 64)

    with pytest.raises(ScreenIsOld, match="offer"):
        cases.decide(database, keys, clock, lins, lins.mei, unseen)

    assert cases.state_of(database, lins.proposal_id) == "submitted"
    assert counted(database, Decision) == 0


def test_a_counter_offer_must_differ_and_keep_the_rules(
    database: Database, keys: Keys, clock: Clock, lins: cases.Case
) -> None:
    same = cases.counter(database, keys, clock, lins, upfront=None)
    too_long = cases.counter(database, keys, clock, lins, count=61)

    with pytest.raises(Incomplete, match="offer_same"):
        cases.decide(database, keys, clock, lins, lins.mei, same)
    with pytest.raises(Incomplete, match="offer_blocked"):
        cases.decide(database, keys, clock, lins, lins.mei, too_long)


def test_a_question_leaves_the_case_open_and_the_same_person_may_decide_later(
    database: Database, keys: Keys, clock: Clock, lins: cases.Case
) -> None:
    question = cases.choice(
        database, lins, Kind.ASK, reasons=("paper:income_proof", "answer:income", "paper:made_up")
    )

    cases.decide(database, keys, clock, lins, lins.mei, question)

    assert cases.state_of(database, lins.proposal_id) == "more_asked"
    with database.read() as connection:
        answer = queries.answer_for(connection, lins.borrower_id, lins.proposal_id)
    assert answer is not None
    assert answer.reasons == ("paper:income_proof", "answer:income")
    cases.decide(database, keys, clock, lins, lins.mei, cases.choice(database, lins, Kind.APPROVE))
    assert cases.state_of(database, lins.proposal_id) == "approved"


def test_a_question_asks_for_something(
    database: Database, keys: Keys, clock: Clock, lins: cases.Case
) -> None:
    with pytest.raises(Incomplete, match="asked"):
        cases.decide(
            database, keys, clock, lins, lins.mei, cases.choice(database, lins, Kind.ASK, reasons=())
        )


def test_a_refusal_carries_everything_the_rules_found_and_the_nearest_plan(
    database: Database, keys: Keys, signer: Signer, clock: Clock
) -> None:
    heavy = cases.open_case(database, keys, signer, clock, count=6)
    given = cases.choice(database, heavy, Kind.DECLINE, reasons=("papers_missing", "share_made_up"))

    cases.decide(database, keys, clock, heavy, heavy.mei, given)

    with database.read() as connection:
        answer = queries.answer_for(connection, heavy.borrower_id, heavy.proposal_id)
        holds = connection.execute(select(Hold.reason).where(Hold.lifted_at.is_(None))).scalars().all()
        closed = connection.execute(select(Negotiation.closed_at)).scalar_one()
    assert answer is not None
    assert answer.reasons == ("share", "less_income", "one_late", "papers_missing")
    assert answer.nearest is not None
    assert answer.nearest.count > 6
    assert holds == ["refusal_cooling"]
    assert closed == clock.now()


def test_a_refusal_of_a_plan_that_keeps_the_rules_needs_a_reason_and_words(
    database: Database, keys: Keys, clock: Clock, lins: cases.Case
) -> None:
    with pytest.raises(Incomplete) as refused:
        cases.decide(
            database, keys, clock, lins, lins.mei, cases.choice(database, lins, Kind.DECLINE, note=" ")
        )

    assert refused.value.problems == ("reasons", "note")
    assert counted(database, Decision) == 0


def test_a_concession_waits_for_a_second_human(
    database: Database, keys: Keys, clock: Clock, frozen: cases.Case
) -> None:
    first = cases.decide(
        database, keys, clock, frozen, frozen.mei, cases.choice(database, frozen, Kind.APPROVE)
    )
    assert first.waits_for_second
    assert cases.state_of(database, frozen.proposal_id) == "second_approval"
    assert counted(database, Message) == 0

    second = cases.decide(
        database, keys, clock, frozen, frozen.guo, cases.choice(database, frozen, Kind.CONFIRM, note="")
    )

    assert second.effective
    assert cases.state_of(database, frozen.proposal_id) == "approved"
    assert counted(database, Message) == 1
    with database.read() as connection:
        answer = queries.answer_for(connection, frozen.borrower_id, frozen.proposal_id)
    assert answer is not None
    assert answer.note == "我们看过了您的材料。"


def test_a_counter_offer_with_a_waiver_is_confirmed_by_its_own_hash(
    database: Database, keys: Keys, clock: Clock, lins: cases.Case
) -> None:
    given = cases.counter(database, keys, clock, lins, waive=("fee", "penalty_interest"), count=23)
    assert cases.decide(database, keys, clock, lins, lins.mei, given).waits_for_second

    with pytest.raises(ScreenIsOld, match="terms"):
        cases.decide(database, keys, clock, lins, lins.guo, cases.choice(database, lins, Kind.CONFIRM))
    seen = cases.choice(database, lins, Kind.CONFIRM, terms_hash_seen=given.offer_hash_seen)
    cases.decide(database, keys, clock, lins, lins.guo, seen)

    with database.read() as connection:
        offer = connection.execute(select(Proposal).where(Proposal.made_by == "bank")).one()
    assert (offer.state, offer.terms_hash) == ("countered", given.offer_hash_seen)


def test_sent_back_the_first_person_decides_anew_and_the_second_confirms(
    database: Database, keys: Keys, clock: Clock, frozen: cases.Case
) -> None:
    cases.decide(database, keys, clock, frozen, frozen.mei, cases.choice(database, frozen, Kind.APPROVE))
    with pytest.raises(Incomplete, match="note"):
        cases.decide(
            database, keys, clock, frozen, frozen.guo,
            cases.choice(database, frozen, Kind.SEND_BACK, note=""),
        )  # fmt: skip
    back = cases.decide(
        database, keys, clock, frozen, frozen.guo, cases.choice(database, frozen, Kind.SEND_BACK)
    )
    assert not back.effective
    assert cases.state_of(database, frozen.proposal_id) == "submitted"

    with pytest.raises(MayNotDecide, match="own_second"):
        cases.decide(database, keys, clock, frozen, frozen.guo, cases.choice(database, frozen, Kind.APPROVE))
    cases.decide(database, keys, clock, frozen, frozen.mei, cases.choice(database, frozen, Kind.APPROVE))
    cases.decide(database, keys, clock, frozen, frozen.guo, cases.choice(database, frozen, Kind.CONFIRM))

    assert cases.state_of(database, frozen.proposal_id) == "approved"
    with database.read() as connection:
        rows = connection.execute(
            select(Decision.attempt, Decision.stage, Decision.kind, Decision.effective).order_by(Decision.id)
        ).all()
    assert [tuple(row) for row in rows] == [
        (1, 1, "approve", False),
        (1, 2, "send_back", False),
        (2, 1, "approve", False),
        (2, 2, "approve", True),
    ]


def test_above_the_limit_a_refusal_takes_two_people_too(
    database: Database, keys: Keys, signer: Signer, clock: Clock
) -> None:
    def unit(session: Session) -> cases.Case:
        borrower_id = people.borrower(session, keys, customer_ref="C900009", name="王大", phone="13900000099")
        people.loan(session, borrower_id=borrower_id, loan_ref="L-BIG-1", principal_minor=30_000_000)
        cases.report(session, keys, borrower_id, clock.now())
        sent = cases.propose(
            session, keys, signer, borrower_id, now=clock.now(), today=clock.today(), count=60
        )
        return cases.Case(
            borrower_id, sent.proposal_id, sent.negotiation_ref,
            people.mei(session, keys), people.guo(session, keys),
        )  # fmt: skip

    large = database.write(unit)

    declined = cases.decide(
        database, keys, clock, large, large.mei, cases.choice(database, large, Kind.DECLINE)
    )
    assert declined.waits_for_second
    cases.decide(database, keys, clock, large, large.guo, cases.choice(database, large, Kind.CONFIRM))

    assert cases.state_of(database, large.proposal_id) == "declined"


def test_a_reviewer_may_not_be_the_second_person(
    database: Database, keys: Keys, clock: Clock, frozen: cases.Case
) -> None:
    other = database.write(lambda session: people.staff(session, keys, staff_ref="B2108", name="沈一"))
    cases.decide(database, keys, clock, frozen, frozen.mei, cases.choice(database, frozen, Kind.APPROVE))

    with pytest.raises(MayNotDecide, match="role"):
        cases.decide(database, keys, clock, frozen, other, cases.choice(database, frozen, Kind.CONFIRM))


def test_somebody_who_has_left_decides_nothing(
    database: Database, keys: Keys, clock: Clock, lins: cases.Case
) -> None:
    database.write(
        lambda session: session.execute(
            update(Staff).where(Staff.id == lins.mei).values(left_at=clock.real_now())
        )
    )

    with pytest.raises(MayNotDecide, match="left"):
        cases.decide(database, keys, clock, lins, lins.mei, cases.choice(database, lins, Kind.APPROVE))


def test_terms_that_were_not_on_the_screen_are_not_approved(
    database: Database, keys: Keys, clock: Clock, lins: cases.Case
) -> None:
    with pytest.raises(ScreenIsOld, match="terms"):
        cases.decide(
            database, keys, clock, lins, lins.mei,
            cases.choice(database, lins, Kind.APPROVE, terms_hash_seen="f" * 64),
        )  # fmt: skip


def test_figures_that_moved_since_the_page_was_opened_ask_for_another_look(
    database: Database, keys: Keys, clock: Clock, lins: cases.Case
) -> None:
    given = cases.choice(database, lins, Kind.APPROVE)
    database.write(
        lambda session: session.execute(update(LoanBalance).values(version=LoanBalance.version + 1))
    )

    with pytest.raises(ScreenIsOld, match="figures"):
        cases.decide(database, keys, clock, lins, lins.mei, given)


def test_a_plan_whose_first_day_has_passed_is_not_approved(
    database: Database, keys: Keys, clock: Clock, lins: cases.Case
) -> None:
    clock.advance(days=45)  # type: ignore[attr-defined]

    with pytest.raises(Incomplete, match="first_date_passed"):
        cases.decide(database, keys, clock, lins, lins.mei, cases.choice(database, lins, Kind.APPROVE))


def test_a_withdrawn_proposal_is_not_decided(
    database: Database, keys: Keys, clock: Clock, lins: cases.Case
) -> None:
    from portal.plans import operations as plans

    given = cases.choice(database, lins, Kind.APPROVE)
    database.write(
        lambda session: plans.withdraw(
            session,
            borrower_id=lins.borrower_id,
            proposal_id=lins.proposal_id,
            version=1,
            now=clock.now(),
        )
    )

    with pytest.raises(CaseMoved):
        cases.decide(database, keys, clock, lins, lins.mei, given)


def test_the_day_of_the_banks_own_delay_speaks_against_nobody(
    database: Database, keys: Keys, clock: Clock, lins: cases.Case
) -> None:
    clock.advance(days=20)  # type: ignore[attr-defined]
    assert clock.today() == date(2026, 12, 10)
    given = cases.choice(database, lins, Kind.DECLINE, reasons=("papers_missing",))

    cases.decide(database, keys, clock, lins, lins.mei, given)

    with database.read() as connection:
        answer = queries.answer_for(connection, lins.borrower_id, lins.proposal_id)
    assert answer is not None
    assert answer.reasons == ("papers_missing",)


def test_money_in_the_offer_is_recomputed_not_believed(
    database: Database, keys: Keys, clock: Clock, lins: cases.Case
) -> None:
    given = cases.counter(database, keys, clock, lins, upfront=Money(200_000, "CNY"), count=12)

    cases.decide(database, keys, clock, lins, lins.mei, given)

    with database.read() as connection:
        decisions = queries.decisions_of(connection, 1)
    offer = decisions[0].offer
    assert offer is not None
    assert offer.upfront + offer.instalments_total == offer.payable
