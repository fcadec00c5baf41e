"""Negotiations and plans on both databases: each verb once, its holds, its receipt, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from portal.accounts.models import LedgerLine, LoanBalance
from portal.accounts.queries import balances_for
from portal.audit import AuditEntry
from portal.contacts.queries import holds_in_force
from portal.messages.models import Message
from portal.money import Money
from portal.payments.models import Payment
from portal.plans.models import Agreement, Negotiation, Plan, PlanLoan, PlanReceipt, Proposal
from portal.plans.operations import (
    BalanceChanged,
    LoanInPlan,
    OfferLapsed,
    StaleProposal,
    UnableToPropose,
    UnknownProposal,
    apply_receipt,
    decline_offer,
    lapse_offers,
    mark_declined,
    mark_more_asked,
    mark_second_approval,
    mark_sent_back,
    receipt_content,
    supply,
    withdraw,
)
from portal.plans.queries import (
    agreements_for,
    latest_negotiation_for,
    latest_plan_for,
    loans_in_plans,
    open_negotiation_for,
    proposal_for,
)
from portal.plans.terms import TermsRequest
from portal.states import NotAllowed
from tests import people
from tests.plans.people import MEI, NOW, Story
from tests.plans.scene import POLICY, yuan


def holds(story: Story, *, now: datetime = NOW) -> set[tuple[str, str]]:
    with story.database.read() as connection:
        return {(hold.kind, hold.reason) for hold in holds_in_force(connection, story.lin, now=now)}


def events(story: Story) -> list[str]:
    with story.database.read() as connection:
        return list(connection.execute(select(AuditEntry.event).order_by(AuditEntry.id)).scalars())


def test_a_proposal_gets_a_signed_receipt_a_clock_and_a_pause(lin_story: Story) -> None:
    receipt = lin_story.propose()

    assert receipt.terms.payable == yuan("18270.00")
    assert receipt.answer_due_on == date(2026, 11, 27)
    assert lin_story.signer.verify(
        receipt_content(receipt.reference, receipt.terms_hash, receipt.sent_at), receipt.signature
    )
    assert holds(lin_story) == {("pause", "proposal_open")}
    assert "plans.proposal_submitted" in events(lin_story)


def test_the_same_form_twice_gives_the_first_receipt(lin_story: Story) -> None:
    first = lin_story.propose()

    assert lin_story.propose(TermsRequest(count=6)) == first
    with lin_story.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(Proposal)).scalar() == 1


def test_a_second_proposal_is_the_next_round_and_supersedes_the_first(lin_story: Story) -> None:
    first = lin_story.propose()
    second = lin_story.propose(TermsRequest(count=6), form_key="form-2")

    assert (second.round, second.negotiation_id) == (2, first.negotiation_id)
    with lin_story.database.read() as connection:
        negotiation = open_negotiation_for(connection, lin_story.lin)
    assert negotiation is not None
    assert [one.state for one in negotiation.rounds] == ["superseded", "submitted"]
    assert [one.terms.count for one in negotiation.rounds] == [12, 6]


def test_what_the_rules_forbid_is_refused_with_every_finding_and_leaves_nothing(lin_story: Story) -> None:
    with pytest.raises(UnableToPropose) as caught:
        lin_story.propose(TermsRequest(count=70, pay_day=30))

    blocked = {finding.code for finding in caught.value.assessment.findings if finding.blocks}
    assert blocked == {"instalment_count", "pay_day", "last_date"}
    assert lin_story.current_state() is None
    assert holds(lin_story) == set()


def test_withdrawing_closes_the_case_and_lifts_the_pause(lin_story: Story) -> None:
    receipt = lin_story.propose()

    lin_story.write(
        lambda s: withdraw(s, borrower_id=lin_story.lin, proposal_id=receipt.proposal_id, version=1, now=NOW)
    )

    assert holds(lin_story) == set()
    with lin_story.database.read() as connection:
        assert open_negotiation_for(connection, lin_story.lin) is None
        latest = latest_negotiation_for(connection, lin_story.lin)
    assert latest is not None
    assert latest.current.state == "withdrawn"


def test_nobody_else_moves_lins_proposal(lin_story: Story, keys: object) -> None:
    receipt = lin_story.propose()
    zhao = lin_story.write(lambda s: people.zhao(s, lin_story.keys))

    for verb in (withdraw, decline_offer):
        with pytest.raises(UnknownProposal):
            lin_story.write(
                lambda s, verb=verb: verb(
                    s, borrower_id=zhao, proposal_id=receipt.proposal_id, version=1, now=NOW
                )
            )
    lin_story.approve(receipt.proposal_id)
    with pytest.raises(UnknownProposal):
        lin_story.accept(receipt.proposal_id, receipt.terms, version=2, borrower_id=zhao)
    with lin_story.database.read() as connection:
        assert proposal_for(connection, zhao, receipt.reference) is None
        assert proposal_for(connection, lin_story.lin, receipt.reference) is not None


def test_an_old_version_is_stale(lin_story: Story) -> None:
    receipt = lin_story.propose()
    lin_story.write(
        lambda s: mark_more_asked(s, proposal_id=receipt.proposal_id, version=1, actor=MEI, now=NOW)
    )

    with pytest.raises(StaleProposal) as caught:
        lin_story.approve(receipt.proposal_id, version=1)

    assert caught.value.state == "more_asked"


def test_supplying_sends_the_round_back_with_a_new_day(lin_story: Story) -> None:
    receipt = lin_story.propose()
    lin_story.write(
        lambda s: mark_more_asked(s, proposal_id=receipt.proposal_id, version=1, actor=MEI, now=NOW)
    )

    sent = lin_story.write(
        lambda s: supply(s, borrower_id=lin_story.lin, today_answer_due_on=date(2026, 12, 2), now=NOW)
    )
    again = lin_story.write(
        lambda s: supply(s, borrower_id=lin_story.lin, today_answer_due_on=date(2026, 12, 9), now=NOW)
    )

    assert (sent, again) == (True, False)
    with lin_story.database.read() as connection:
        negotiation = open_negotiation_for(connection, lin_story.lin)
    assert negotiation is not None
    assert (negotiation.current.state, negotiation.answer_due_on) == ("submitted", date(2026, 12, 2))


def test_two_people_the_second_sends_back_and_then_approves(lin_story: Story) -> None:
    receipt = lin_story.propose()

    def mark(verb: object, version: int) -> None:
        lin_story.write(
            lambda s: verb(s, proposal_id=receipt.proposal_id, version=version, actor=MEI, now=NOW)  # type: ignore[operator]
        )

    mark(mark_second_approval, 1)
    mark(mark_sent_back, 2)
    mark(mark_second_approval, 3)
    lin_story.approve(receipt.proposal_id, version=4)

    assert lin_story.current_state() == "approved"


def test_a_refusal_closes_the_case_and_the_pause_goes_on_for_14_days(lin_story: Story) -> None:
    receipt = lin_story.propose()

    lin_story.write(
        lambda s: mark_declined(
            s, proposal_id=receipt.proposal_id, version=1, policy=POLICY, actor=MEI, now=NOW
        )
    )

    assert holds(lin_story) == {("pause", "refusal_cooling")}
    assert holds(lin_story, now=datetime(2026, 12, 4, 15, 59, tzinfo=UTC)) == {("pause", "refusal_cooling")}
    assert holds(lin_story, now=datetime(2026, 12, 4, 16, 0, tzinfo=UTC)) == set()
    lin_story.propose(form_key="form-2")


def test_a_counter_offer_takes_the_place_of_the_round_and_can_be_accepted(lin_story: Story) -> None:
    receipt = lin_story.propose()
    offer = lin_story.terms(
        TermsRequest(count=10, upfront=yuan("3000.00"), waive=("fee",), freeze_interest=True)
    )

    offered = lin_story.counter(receipt.proposal_id, offer)
    made = lin_story.accept(offered, offer, version=1)

    with lin_story.database.read() as connection:
        plan = latest_plan_for(connection, lin_story.lin)
        left = balances_for(connection, lin_story.lin).loan("C-LIN-1")
    assert plan is not None
    assert plan.reference == made.reference
    assert [part.number for part in plan.instalments] == list(range(11))
    assert plan.total == offer.payable == yuan("18220.00")
    assert left is not None
    assert left.components["fee"].left == yuan("0.00")
    assert left.components["fee"].forgiven == yuan("50.00")


def test_accepting_makes_plan_agreements_stop_and_message_once(lin_story: Story) -> None:
    made = lin_story.plan()

    with lin_story.database.read() as connection:
        agreements = agreements_for(connection, lin_story.lin, made.plan_id)
        kinds = list(connection.execute(select(Message.kind)).scalars())
        taken = loans_in_plans(connection, lin_story.lin)
        closed = connection.execute(select(Negotiation.closed_at)).scalar_one()
    assert [one.product_class for one in agreements] == ["loan", "card"]
    assert [item.code for item in agreements[1].items] == [
        "balance",
        "instalments",
        "charges",
        "no_new_card",
        "rights_and_breach",
        "other",
    ]
    assert kinds == ["agreement"]
    assert len(taken) == 2
    assert closed == NOW
    assert holds(lin_story) == {("stop", "plan_in_force")}
    assert events(lin_story)[-1] == "plans.plan_made"


def test_an_agreement_is_signed_over_the_words_that_are_kept(lin_story: Story) -> None:
    made = lin_story.plan()

    with lin_story.database.read() as connection:
        (first, _) = agreements_for(connection, lin_story.lin, made.plan_id)
    content = {"kind": "agreement", "reference": first.reference, "content_hash": first.content_hash}
    assert lin_story.signer.verify(content, first.signature)


def test_what_a_plan_covers_cannot_be_proposed_again(lin_story: Story) -> None:
    lin_story.plan()

    with pytest.raises(UnableToPropose) as caught:
        lin_story.propose(form_key="form-2")

    assert [finding.code for finding in caught.value.assessment.findings] == ["nothing_due"]


def test_an_offer_lapses_at_the_end_of_its_fourteenth_day(lin_story: Story) -> None:
    receipt = lin_story.propose()
    lin_story.approve(receipt.proposal_id)
    last_minute = datetime(2026, 12, 4, 15, 59, tzinfo=UTC)
    midnight = datetime(2026, 12, 4, 16, 0, tzinfo=UTC)

    assert lin_story.write(lambda s: lapse_offers(s, now=last_minute)) == 0
    with pytest.raises(OfferLapsed):
        lin_story.accept(receipt.proposal_id, receipt.terms, version=2, now=midnight)
    assert lin_story.write(lambda s: lapse_offers(s, now=midnight)) == 1
    assert lin_story.write(lambda s: lapse_offers(s, now=midnight)) == 0

    with lin_story.database.read() as connection:
        view = proposal_for(connection, lin_story.lin, receipt.reference)
    assert view is not None
    assert view.state == "lapsed"
    assert holds(lin_story) == set()
    with pytest.raises(NotAllowed):
        lin_story.write(
            lambda s: decline_offer(
                s, borrower_id=lin_story.lin, proposal_id=receipt.proposal_id, version=3, now=midnight
            )
        )


def test_only_the_exact_terms_that_were_seen_can_be_accepted(lin_story: Story) -> None:
    receipt = lin_story.propose()
    lin_story.approve(receipt.proposal_id)

    with pytest.raises(StaleProposal):
        lin_story.accept(receipt.proposal_id, replace(receipt.terms, pay_day=19), version=2)


def test_terms_tampered_with_in_the_database_are_never_accepted(lin_story: Story) -> None:
    receipt = lin_story.propose()
    lin_story.approve(receipt.proposal_id)
    other = lin_story.terms(TermsRequest(count=6))
    lin_story.write(lambda s: s.execute(update(Proposal).values(terms_text=other.canonical())) and None)

    for seen in (receipt.terms, other):
        with pytest.raises(StaleProposal):
            lin_story.accept(receipt.proposal_id, seen, version=2)


def test_no_agreement_over_more_than_is_left(lin_story: Story) -> None:
    receipt = lin_story.propose()
    lin_story.approve(receipt.proposal_id)
    lin_story.write(lambda s: s.execute(update(LoanBalance).values(principal_paid_minor=1)) and None)

    with pytest.raises(BalanceChanged):
        lin_story.accept(receipt.proposal_id, receipt.terms, version=2)

    assert lin_story.current_state() == "approved"


def test_a_loan_under_another_plan_is_refused_by_the_database(lin_story: Story) -> None:
    receipt = lin_story.propose()
    lin_story.approve(receipt.proposal_id)
    loan_id = receipt.terms.loans[0].loan_id
    zhao = lin_story.write(lambda s: people.zhao(s, lin_story.keys))
    other = lin_story.propose(borrower_id=zhao)

    def occupy(session: object) -> None:
        plan = Plan(
            created_at=NOW,
            reference="P-OTHER",
            borrower_id=zhao,
            proposal_id=other.proposal_id,
            terms_hash="0" * 64,
            currency="CNY",
            state="active",
        )
        session.add(plan)  # type: ignore[attr-defined]
        session.flush()  # type: ignore[attr-defined]
        session.add(PlanLoan(plan_id=plan.id, loan_id=loan_id, covered_minor=1))  # type: ignore[attr-defined]

    lin_story.write(occupy)

    with pytest.raises(LoanInPlan):
        lin_story.accept(receipt.proposal_id, receipt.terms, version=2)

    assert lin_story.current_state() == "approved"


def payment(story: Story, plan_id: int, minor: int, number: int) -> int:
    def unit(session: object) -> int:
        row = Payment(
            created_at=NOW,
            reference=f"Z-{number}",
            target=f"plan:{plan_id}",
            borrower_id=story.lin,
            plan_id=plan_id,
            amount_minor=minor,
            currency="CNY",
            method="bank_transfer",
            state="posted",
            offered={},
            expires_at=NOW,
            asked_at=NOW,
            form_key=f"pay-{number}",
            idempotency_key=f"key-{number}",
        )
        session.add(row)  # type: ignore[attr-defined]
        session.flush()  # type: ignore[attr-defined]
        return row.id

    return story.write(unit)


def receive(story: Story, plan_id: int, payment_id: int, minor: int, *, now: datetime = NOW) -> Money:
    return story.write(
        lambda s: apply_receipt(
            s, plan_id=plan_id, payment_id=payment_id, amount=Money(minor, "CNY"), now=now
        )
    )


def test_payments_meet_instalments_in_order_once_each_and_complete_the_plan(lin_story: Story) -> None:
    made = lin_story.plan()
    first = payment(lin_story, made.plan_id, 152_250 + 10_000, 1)

    assert receive(lin_story, made.plan_id, first, 162_250) == yuan("1622.50")
    assert receive(lin_story, made.plan_id, first, 162_250) == yuan("1622.50")
    with lin_story.database.read() as connection:
        plan = latest_plan_for(connection, lin_story.lin)
    assert plan is not None
    assert (plan.paid, plan.left) == (yuan("1622.50"), yuan("16647.50"))
    assert plan.next_instalment is not None
    assert (plan.next_instalment.number, plan.next_instalment.left) == (2, yuan("1422.50"))

    rest = payment(lin_story, made.plan_id, 2_000_000, 2)
    assert receive(lin_story, made.plan_id, rest, 2_000_000) == yuan("16647.50")

    with lin_story.database.read() as connection:
        done = latest_plan_for(connection, lin_story.lin)
        counted = connection.execute(select(func.sum(PlanReceipt.amount_minor))).scalar()
        assert loans_in_plans(connection, lin_story.lin) == frozenset()
    assert done is not None
    assert done.state == "completed"
    assert int(counted or 0) == 1_827_000
    assert holds(lin_story) == set()


def test_overdue_is_computed_after_three_days_of_grace(lin_story: Story) -> None:
    lin_story.plan()
    with lin_story.database.read() as connection:
        plan = latest_plan_for(connection, lin_story.lin)
    assert plan is not None
    due = plan.instalments[0].due_on

    assert plan.overdue(due, 3) == ()
    assert plan.instalments[0].is_in_grace(due + timedelta(days=3), 3)
    assert plan.overdue(due + timedelta(days=3), 3) == ()
    assert [part.number for part in plan.overdue(due + timedelta(days=4), 3)] == [1]
    assert not plan.is_at_risk(due + timedelta(days=4), 3)
    assert plan.is_at_risk(due + timedelta(days=40), 3)


def test_a_waiver_is_one_ledger_line_of_the_portal(lin_story: Story) -> None:
    lin_story.plan(TermsRequest(count=12, waive=("fee", "penalty_interest")))

    with lin_story.database.read() as connection:
        lines = connection.execute(
            select(
                LedgerLine.kind, LedgerLine.source, LedgerLine.fee_minor, LedgerLine.penalty_interest_minor
            )
            .where(LedgerLine.kind == "waiver")
            .order_by(LedgerLine.id)
        ).all()
    assert [tuple(line) for line in lines] == [
        ("waiver", "portal", 0, -2_000),
        ("waiver", "portal", -5_000, 0),
    ]


def test_the_stored_terms_never_change(lin_story: Story) -> None:
    receipt = lin_story.propose()
    lin_story.approve(receipt.proposal_id)
    lin_story.accept(receipt.proposal_id, receipt.terms, version=2)

    with lin_story.database.read() as connection:
        view = proposal_for(connection, lin_story.lin, receipt.reference)
        agreement_count = connection.execute(select(func.count()).select_from(Agreement)).scalar()
    assert view is not None
    assert view.terms.digest() == view.terms_hash == receipt.terms_hash
    assert agreement_count == 2
