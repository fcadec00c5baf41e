"""Races on both databases: whatever two do at once, exactly one effect comes of it (F1, AC47, AC48, S5, S8)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import func, select

from portal.contacts.queries import holds_in_force
from portal.plans.models import Agreement, Negotiation, Plan, PlanLoan, Proposal
from portal.plans.operations import (
    StaleProposal,
    decline_offer,
    lapse_offers,
    mark_approved,
    mark_declined,
    withdraw,
)
from portal.plans.terms import TermsRequest
from portal.states import NotAllowed
from tests.plans.people import MEI, NOW, Story
from tests.plans.scene import POLICY

pytestmark = pytest.mark.slow

ROUNDS = range(5)


def at_once(verbs: Sequence[Callable[[], object]]) -> list[object]:
    """Run all verbs at the same moment; the result or the exception of each, in order."""
    barrier = threading.Barrier(len(verbs))
    answers: list[object] = [None] * len(verbs)

    def run(index: int, verb: Callable[[], object]) -> None:
        barrier.wait(10)
        try:
            answers[index] = verb()
        except Exception as error:
            answers[index] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(verbs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return answers


def count(story: Story, table: type) -> int:
    with story.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar() or 0)


def failures(answers: list[object]) -> list[object]:
    return [answer for answer in answers if isinstance(answer, Exception)]


def test_eight_acceptances_at_once_make_one_plan(lin_story: Story) -> None:
    receipt = lin_story.propose()
    lin_story.approve(receipt.proposal_id)

    answers = at_once([lambda: lin_story.accept(receipt.proposal_id, receipt.terms, version=2)] * 8)

    losers = failures(answers)
    assert len(losers) == 7
    assert all(isinstance(loser, StaleProposal | NotAllowed) for loser in losers)
    assert (count(lin_story, Plan), count(lin_story, PlanLoan), count(lin_story, Agreement)) == (1, 2, 2)


@pytest.mark.parametrize("attempt", ROUNDS)
def test_accepting_and_declining_an_offer_at_once_ends_in_one(lin_story: Story, attempt: int) -> None:
    receipt = lin_story.propose()
    lin_story.approve(receipt.proposal_id)

    answers = at_once(
        [
            lambda: lin_story.accept(receipt.proposal_id, receipt.terms, version=2),
            lambda: lin_story.write(
                lambda s: decline_offer(
                    s, borrower_id=lin_story.lin, proposal_id=receipt.proposal_id, version=2, now=NOW
                )
            ),
        ]
    )

    assert len(failures(answers)) == 1
    accepted = not isinstance(answers[0], Exception)
    assert count(lin_story, Plan) == (1 if accepted else 0)
    with lin_story.database.read() as connection:
        held = {hold.reason for hold in holds_in_force(connection, lin_story.lin, now=NOW)}
    assert held == ({"plan_in_force"} if accepted else set())


@pytest.mark.parametrize("attempt", ROUNDS)
def test_approving_declining_and_withdrawing_at_once_end_in_one(lin_story: Story, attempt: int) -> None:
    receipt = lin_story.propose()

    def approve() -> None:
        lin_story.approve(receipt.proposal_id)

    def decline() -> None:
        lin_story.write(
            lambda s: mark_declined(
                s, proposal_id=receipt.proposal_id, version=1, policy=POLICY, actor=MEI, now=NOW
            )
        )

    def take_back() -> None:
        lin_story.write(
            lambda s: withdraw(
                s, borrower_id=lin_story.lin, proposal_id=receipt.proposal_id, version=1, now=NOW
            )
        )

    answers = at_once([approve, decline, take_back])

    losers = failures(answers)
    assert len(losers) == 2
    assert all(isinstance(loser, StaleProposal | NotAllowed) for loser in losers)
    with lin_story.database.read() as connection:
        state, version = connection.execute(select(Proposal.state, Proposal.version)).one()
    won = ["approved", "declined", "withdrawn"][next(i for i, a in enumerate(answers) if a is None)]
    assert (state, version) == (won, 2)


@pytest.mark.parametrize("attempt", ROUNDS)
def test_two_proposals_at_once_leave_one_open_round(lin_story: Story, attempt: int) -> None:
    answers = at_once(
        [
            lambda: lin_story.propose(TermsRequest(count=12), form_key="phone"),
            lambda: lin_story.propose(TermsRequest(count=6), form_key="desktop"),
        ]
    )

    assert failures(answers) == []
    assert (count(lin_story, Negotiation), count(lin_story, Proposal)) == (1, 2)
    with lin_story.database.read() as connection:
        states = sorted(connection.execute(select(Proposal.state)).scalars())
        held = holds_in_force(connection, lin_story.lin, now=NOW)
    assert states == ["submitted", "superseded"]
    assert len(held) == 1


def test_one_form_posted_ten_times_at_once_is_one_proposal(lin_story: Story) -> None:
    answers = at_once([lin_story.propose] * 10)

    assert failures(answers) == []
    assert len({answer.reference for answer in answers}) == 1  # type: ignore[attr-defined]
    assert count(lin_story, Proposal) == 1


def test_approving_while_the_borrower_changes_her_mind_never_approves_what_is_gone(lin_story: Story) -> None:
    receipt = lin_story.propose()

    answers = at_once(
        [
            lambda: lin_story.write(
                lambda s: mark_approved(
                    s, proposal_id=receipt.proposal_id, version=1, policy=POLICY, actor=MEI, now=NOW
                )
            ),
            lambda: lin_story.propose(TermsRequest(count=6), form_key="second"),
        ]
    )

    assert not isinstance(answers[1], Exception)
    with lin_story.database.read() as connection:
        states = list(connection.execute(select(Proposal.state).order_by(Proposal.round)).scalars())
    assert states == ["superseded", "submitted"]


def test_lapsing_and_accepting_at_once_end_in_one(lin_story: Story) -> None:
    receipt = lin_story.propose()
    lin_story.approve(receipt.proposal_id)
    with lin_story.database.read() as connection:
        lapses_at = connection.execute(select(Proposal.lapses_at)).scalar_one()

    at_once(
        [
            lambda: lin_story.accept(receipt.proposal_id, receipt.terms, version=2),
            lambda: lin_story.write(lambda s: lapse_offers(s, now=lapses_at)),
        ]
    )

    with lin_story.database.read() as connection:
        state = connection.execute(select(Proposal.state)).scalar_one()
    assert count(lin_story, Plan) == (1 if state == "accepted" else 0)
    assert state in ("accepted", "lapsed")
