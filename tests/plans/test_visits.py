"""Planned visits follow the negotiation: they rest while it is open, go on when it is not, and end with a plan."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.audit import AuditEntry
from portal.contacts.models import Hold
from portal.plans.operations import mark_declined, withdraw
from portal.visits.models import Visit
from tests import people
from tests.plans.people import MEI, NOW, Story
from tests.plans.scene import POLICY
from tests.visits.test_operations import visit

LINS, ZHAOS = "V-LIN", "V-ZHAO"


@pytest.fixture
def announced(lin_story: Story) -> Story:
    """Lin with a visit announced for after everything here, and Zhao with one of his own."""

    def unit(session) -> None:  # type: ignore[no-untyped-def]
        zhao = people.zhao(session, lin_story.keys)
        for ref, borrower_id in ((LINS, lin_story.lin), (ZHAOS, zhao)):
            visit(
                session,
                lin_story.keys,
                borrower_id=borrower_id,
                visit_ref=ref,
                starts_at=NOW + timedelta(days=30),
            )

    lin_story.write(unit)
    return lin_story


def visits(story: Story) -> dict[str, tuple[str, str | None]]:
    """State and reason of each visit."""
    with story.database.read() as connection:
        rows = connection.execute(select(Visit.visit_ref, Visit.state, Visit.off_reason))
        return {ref: (state, reason) for ref, state, reason in rows}


def recorded(story: Story, event: str) -> list[str]:
    """Whose entries with this event are in the record."""
    with story.database.read() as connection:
        return list(
            connection.execute(select(AuditEntry.subject_ref).where(AuditEntry.event == event)).scalars()
        )


def test_a_proposal_lets_the_borrowers_own_visit_rest(announced: Story) -> None:
    announced.propose()

    assert visits(announced) == {LINS: ("paused", "proposal_open"), ZHAOS: ("planned", None)}
    assert recorded(announced, "visits.pause") == [LINS]


def test_taken_back_the_visit_is_planned_again(announced: Story) -> None:
    receipt = announced.propose()

    announced.write(
        lambda s: withdraw(s, borrower_id=announced.lin, proposal_id=receipt.proposal_id, version=1, now=NOW)
    )

    assert visits(announced)[LINS] == ("planned", None)


def test_after_a_refusal_it_goes_on_resting(announced: Story) -> None:
    receipt = announced.propose()

    announced.write(
        lambda s: mark_declined(
            s, proposal_id=receipt.proposal_id, version=1, policy=POLICY, actor=MEI, now=NOW
        )
    )

    assert visits(announced)[LINS] == ("paused", "refusal_cooling")


def test_a_plan_calls_it_off_for_good_and_records_the_stop(announced: Story) -> None:
    announced.plan()

    assert visits(announced) == {LINS: ("cancelled", "plan_in_force"), ZHAOS: ("planned", None)}
    assert recorded(announced, "visits.cancel") == [LINS]
    with announced.database.read() as connection:
        stops = connection.execute(
            select(Hold.borrower_id, Hold.reason).where(Hold.kind == "stop", Hold.lifted_at.is_(None))
        ).all()
    assert [tuple(row) for row in stops] == [(announced.lin, "plan_in_force")]
