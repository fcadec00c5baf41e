"""Changing a plan in force: only days move, once, within the bank's rules; what was agreed stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from portal.audit import AuditEntry
from portal.dates import Frequency, add_months
from portal.money import Money
from portal.papers.faces import face_of
from portal.plans.changes import Refusal, UnableToChange, Wish, changed, refusal_of, times_left
from portal.plans.changing import Office, StaleSchedule, UnknownPlan, change_plan
from portal.plans.models import PlanChange, Proposal
from portal.plans.progress import InstalmentView, PlanView, rows_of
from portal.plans.revisions import ChangeKind, ChangeView, Revision, receipt_content
from portal.plans.terms import Terms, TermsRequest
from portal.schedules.extra import ExtraChoice
from tests.plans.people import NOW, Story
from tests.plans.scene import DAYS, POLICY, TODAY, ground, yuan
from tests.plans.test_extra import paid_of, pay, plan_of
from tests.plans.test_races import at_once, failures

SKIP = Wish(ChangeKind.SKIP)


def to_day(day: int) -> Wish:
    return Wish(ChangeKind.PAY_DAY, day)


def office_of(story: Story) -> Office:
    return Office(POLICY, DAYS, story.keys, story.signer, "my.harbour.example", True)


def seen_of(story: Story, wish: Wish, *, today: date = TODAY) -> str:
    plan = plan_of(story)
    outcome = changed(plan, wish, policy=POLICY, working_days=DAYS, made_on=TODAY, today=today)
    return outcome.revision.digest()


def change(
    story: Story,
    wish: Wish,
    *,
    seen: str | None = None,
    form_key: str = "change-1",
    today: date = TODAY,
    now: datetime = NOW,
    borrower_id: int | None = None,
    office: Office | None = None,
) -> str:
    reference = plan_of(story).reference
    digest = seen_of(story, wish, today=today) if seen is None else seen
    return story.write(
        lambda session: change_plan(
            session,
            borrower_id=borrower_id or story.lin,
            plan_reference=reference,
            wish=wish,
            seen=digest,
            form_key=form_key,
            office=office or office_of(story),
            today=today,
            now=now,
            real_now=now,
        )
    )


def days_of(plan: PlanView) -> list[str]:
    return [part.due_on.isoformat() for part in plan.instalments]


def refusal(call: Callable[[], object]) -> tuple[Refusal, int | date | None]:
    with pytest.raises(UnableToChange) as refused:
        call()
    return refused.value.refusal, refused.value.limit


def test_a_skipped_instalment_is_paid_a_month_later_and_so_are_all_after_it(lin_story: Story) -> None:
    made = lin_story.plan()
    pay(lin_story, made.plan_id, 200_000, 1)
    before = plan_of(lin_story)

    reference = change(lin_story, SKIP)

    after = plan_of(lin_story)
    assert days_of(before)[:3] == ["2026-12-18", "2027-01-18", "2027-02-18"]
    assert days_of(after)[:3] == ["2026-12-18", "2027-02-18", "2027-03-18"]
    assert after.instalments[-1].due_on == date(2027, 12, 20)
    assert [part.amount for part in after.instalments] == [part.amount for part in before.instalments]
    assert paid_of(after) == paid_of(before) == {1: "1522.50", 2: "477.50"}
    assert [(one.reference, one.revision.kind) for one in after.changes] == [(reference, ChangeKind.SKIP)]


def test_another_pay_day_is_the_first_one_after_the_next_instalment(lin_story: Story) -> None:
    lin_story.plan()

    change(lin_story, to_day(5))

    plan = plan_of(lin_story)
    assert days_of(plan)[:3] == ["2027-01-05", "2027-02-11", "2027-03-05"]
    assert plan.pay_day == 5
    rows = rows_of(plan, today=TODAY, grace_days=3)
    assert {row.moved_from.day for row in rows if row.moved_from} <= {5}


def test_what_was_agreed_stays_and_the_change_is_signed_and_can_be_checked(lin_story: Story) -> None:
    lin_story.plan()
    agreed = plan_of(lin_story).terms

    reference = change(lin_story, SKIP)
    again = change(lin_story, to_day(28), form_key="change-2")

    plan = plan_of(lin_story)
    assert plan.terms == agreed
    assert agreed.digest() == plan.terms_hash
    first, second = plan.changes
    assert (first.reference, second.reference) == (reference, again)
    assert first.revision.before_hash == plan.terms_hash
    assert second.revision.before_hash == first.revision.digest()
    assert first.revision.total == agreed.payable
    for one in plan.changes:
        content = receipt_content(one.reference, plan.reference, one.revision.digest(), one.made_at)
        assert lin_story.signer.verify(content, one.signature)
        assert one.key_id == lin_story.signer.key_id
    with lin_story.database.read() as connection:
        face = face_of(connection, reference)
        events = connection.scalars(
            select(AuditEntry.facts).where(AuditEntry.event == "plans.schedule_changed")
        ).all()
        texts = connection.scalars(select(Proposal.terms_text)).all()
    assert face is not None
    assert face.digest == first.revision.digest()
    assert [one["change"] for one in events] == [reference, again]
    assert [Terms.parse(text) for text in texts] == [agreed]


def test_the_schedule_in_force_is_the_newest_change(lin_story: Story) -> None:
    lin_story.plan()
    for number, wish in enumerate((SKIP, to_day(3), SKIP)):
        change(lin_story, wish, form_key=f"change-{number}")

        plan = plan_of(lin_story)
        assert [(part.number, part.due_on, part.amount) for part in plan.instalments] == [
            (part.number, part.due_on, part.amount) for part in plan.changes[-1].revision.instalments
        ]


def test_the_same_form_again_changes_nothing_more(lin_story: Story) -> None:
    lin_story.plan()
    seen = seen_of(lin_story, SKIP)

    first = change(lin_story, SKIP, seen=seen)
    again = change(lin_story, SKIP, seen=seen)

    assert first == again
    assert len(plan_of(lin_story).changes) == 1


def test_what_was_looked_at_is_what_counts(lin_story: Story) -> None:
    made = lin_story.plan()
    seen = seen_of(lin_story, SKIP)
    pay(lin_story, made.plan_id, 152_250, 1)

    with pytest.raises(StaleSchedule):
        change(lin_story, SKIP, seen=seen)
    with pytest.raises(StaleSchedule):
        change(lin_story, to_day(3), seen=seen_of(lin_story, to_day(4)))
    assert plan_of(lin_story).changes == ()


def test_nobody_changes_somebody_elses_plan(lin_story: Story) -> None:
    lin_story.plan()

    with pytest.raises(UnknownPlan):
        change(lin_story, SKIP, borrower_id=lin_story.lin + 1)


def test_the_rules_say_how_often_how_far_and_how_long(lin_story: Story) -> None:
    lin_story.plan()
    for number in range(2):
        change(lin_story, SKIP, form_key=f"skip-{number}")

    plan = plan_of(lin_story)
    assert times_left(plan, ChangeKind.SKIP, POLICY) == 0
    assert times_left(plan, ChangeKind.PAY_DAY, POLICY) == 2
    assert refusal(lambda: seen_of(lin_story, SKIP)) == (Refusal.USED_UP, 2)
    assert refusal(lambda: seen_of(lin_story, to_day(18))) == (Refusal.SAME_DAY, 18)
    assert refusal(lambda: seen_of(lin_story, to_day(29))) == (Refusal.UNKNOWN_DAY, 28)
    near = replace(POLICY, pay_day_moves_days=10)
    said = {"working_days": DAYS, "made_on": TODAY, "today": TODAY}
    assert refusal(lambda: changed(plan, to_day(17), policy=near, **said)) == (Refusal.TOO_FAR, 10)
    changed(plan, to_day(28), policy=near, **said)
    never = replace(POLICY, skips=0)
    assert refusal(lambda: changed(plan, SKIP, policy=never, **said)) == (Refusal.NEVER, None)


def test_no_change_leads_past_the_longest_plan(lin_story: Story) -> None:
    lin_story.plan(TermsRequest(count=59))
    change(lin_story, SKIP)

    end = add_months(TODAY, 60)
    assert plan_of(lin_story).instalments[-1].due_on <= end
    assert refusal(lambda: seen_of(lin_story, SKIP)) == (Refusal.TOO_LONG, end)
    assert refusal(lambda: seen_of(lin_story, to_day(28))) == (Refusal.TOO_LONG, end)


def test_what_is_paid_in_advance_does_not_count_for_the_end(lin_story: Story) -> None:
    made = lin_story.plan(TermsRequest(count=60))
    assert refusal(lambda: seen_of(lin_story, SKIP)) == (Refusal.TOO_LONG, add_months(TODAY, 60))

    plan = plan_of(lin_story)
    last = plan.instalments[-1].amount
    first = plan.instalments[0].amount
    pay(lin_story, made.plan_id, (first + last).minor, 1, ExtraChoice.LAST)

    change(lin_story, SKIP)


def test_what_is_due_comes_before_any_change(lin_story: Story) -> None:
    lin_story.plan()
    due = plan_of(lin_story).instalments[0].due_on

    for day in (due, due + timedelta(days=2), due + timedelta(days=70)):
        for wish in (SKIP, to_day(3)):
            assert refusal(lambda: seen_of(lin_story, wish, today=day)) == (Refusal.OPEN_NOW, 2)  # noqa: B023
    assert seen_of(lin_story, SKIP, today=due - timedelta(days=1))


def test_the_upfront_payment_comes_first(lin_story: Story) -> None:
    made = lin_story.plan(TermsRequest(count=10, upfront=yuan("3000.00")))
    upfront = plan_of(lin_story).instalments[0]
    assert refusal(lambda: seen_of(lin_story, SKIP))[0] is Refusal.FIRST_PAYMENT

    pay(lin_story, made.plan_id, upfront.amount.minor, 1)
    change(lin_story, SKIP)

    assert plan_of(lin_story).instalments[0] == replace(
        upfront, paid=upfront.amount, paid_at=plan_of(lin_story).instalments[0].paid_at
    )


def test_a_finished_plan_is_not_changed(lin_story: Story) -> None:
    made = lin_story.plan()
    pay(lin_story, made.plan_id, 1_827_000, 1)

    assert refusal(lambda: seen_of(lin_story, SKIP))[0] is Refusal.NOT_IN_FORCE


def test_weekly_plans_skip_a_week_and_have_no_pay_day(lin_story: Story) -> None:
    lin_story.plan(TermsRequest(count=30, frequency=Frequency.WEEKLY))
    before = plan_of(lin_story)
    assert refusal(lambda: seen_of(lin_story, to_day(3)))[0] is Refusal.NOT_MONTHLY

    change(lin_story, SKIP)

    after = plan_of(lin_story)
    assert days_of(after)[:-1] == days_of(before)[1:]


@pytest.mark.parametrize("verb", ["UPDATE plan_change SET kind = 'skip'", "DELETE FROM plan_change"])
def test_the_database_keeps_a_change_as_it_was_made(lin_story: Story, verb: str) -> None:
    lin_story.plan()
    change(lin_story, SKIP)

    with pytest.raises(DBAPIError), lin_story.database.writer.begin() as connection:
        connection.exec_driver_sql(verb)


@pytest.mark.slow
@pytest.mark.parametrize("same_form", [True, False])
def test_eight_changes_at_once_are_one(lin_story: Story, same_form: bool) -> None:
    lin_story.plan()
    wishes = [SKIP, to_day(3)] * 4
    seen = {wish: seen_of(lin_story, wish) for wish in wishes}
    verbs = [
        lambda wish=wish, number=number: change(
            lin_story, wish, seen=seen[wish], form_key="one" if same_form else f"form-{number}"
        )
        for number, wish in enumerate(wishes)
    ]

    answers = at_once(verbs)

    plan = plan_of(lin_story)
    assert len(plan.changes) == 1
    assert all(isinstance(one, StaleSchedule | UnableToChange) for one in failures(answers))
    assert {one for one in answers if isinstance(one, str)} == {plan.changes[0].reference}
    assert [part.due_on for part in plan.instalments] == [
        part.due_on for part in plan.changes[0].revision.instalments
    ]
    with lin_story.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(PlanChange)) == 1


@pytest.mark.slow
def test_a_payment_and_a_change_at_once_leave_both_whole(lin_story: Story) -> None:
    made = lin_story.plan()
    seen = seen_of(lin_story, SKIP)

    answers = at_once(
        [
            lambda: change(lin_story, SKIP, seen=seen),
            lambda: pay(lin_story, made.plan_id, 152_250, 1),
        ]
    )

    plan = plan_of(lin_story)
    assert answers[1] == yuan("1522.50")
    assert isinstance(answers[0], str | StaleSchedule)
    assert len(plan.changes) == isinstance(answers[0], str)
    assert paid_of(plan) == {1: "1522.50"}


def view_of(terms: Terms, paid: dict[int, int], changes: tuple[ChangeView, ...] = ()) -> PlanView:
    current = {
        part.number: part for part in (changes[-1].revision.instalments if changes else terms.payments)
    }
    return PlanView(
        plan_id=1,
        reference="P-0000-00000",
        borrower_id=1,
        proposal_id=1,
        state="active",
        currency=terms.currency,
        made_at=NOW,
        ended_at=None,
        terms=terms,
        terms_hash=terms.digest(),
        instalments=tuple(
            InstalmentView(number, part.due_on, part.amount, Money(paid.get(number, 0), terms.currency), None)
            for number, part in current.items()
        ),
        loan_ids=(1,),
        loans=("L1",),
        changes=changes,
    )


WISHES = st.one_of(st.just(SKIP), st.integers(-1, 32).map(to_day))


@given(
    frequency=st.sampled_from(list(Frequency)),
    count=st.integers(1, 60),
    pay_day=st.integers(1, 28),
    ahead=st.integers(0, 60),
    last_paid=st.booleans(),
    wishes=st.lists(WISHES, min_size=1, max_size=6),
    looked=st.integers(0, 20),
)
def test_whatever_is_changed_the_plan_sums_to_the_cent_and_no_day_comes_sooner(
    frequency: Frequency,
    count: int,
    pay_day: int,
    ahead: int,
    last_paid: bool,
    wishes: list[Wish],
    looked: int,
) -> None:
    """S1, S2, S9: amounts, numbers and what is paid stay; days rise strictly, on open days, within the law's end."""
    terms = ground().terms(TermsRequest(count=count, pay_day=pay_day, frequency=frequency))
    paid = {part.number: part.amount.minor for part in terms.instalments[: min(ahead, count - 1)]}
    if last_paid and count > 2 and ahead < count - 2:
        paid[count] = terms.last.amount.minor
    plan, today = view_of(terms, paid), TODAY + timedelta(days=looked)
    assume(refusal_of(plan, ChangeKind.SKIP, policy=POLICY, today=today) is None)
    for wish in wishes:
        try:
            outcome = changed(plan, wish, policy=POLICY, working_days=DAYS, made_on=TODAY, today=today)
        except UnableToChange:
            continue
        revision = outcome.revision
        assert Revision.parse(revision.canonical()) == revision
        assert revision.total == terms.payable
        old = {part.number: part for part in plan.instalments}
        assert [part.number for part in revision.instalments] == list(old)
        for part in revision.instalments:
            assert part.amount == old[part.number].amount
            assert part.due_on >= old[part.number].due_on
            assert part.number >= revision.first_moved or part.due_on == old[part.number].due_on
        days = [part.due_on for part in revision.instalments]
        assert days == sorted(set(days))
        assert all(DAYS.is_open(day) for day in days)
        open_ones = [part for part in revision.instalments if part.number not in paid]
        assert [part.number for part in open_ones] == [one.number for one in outcome.moved]
        assert open_ones[-1].due_on <= add_months(TODAY, 60)
        most = 31 if wish.kind is ChangeKind.PAY_DAY else 100
        assert 0 < outcome.next_days <= most + 10
        view = ChangeView("M", revision, NOW, "k", "s")
        plan = view_of(terms, paid, (*plan.changes, view))
    made = [one.revision.kind for one in plan.changes]
    assert made.count(ChangeKind.SKIP) <= POLICY.skips
    assert made.count(ChangeKind.PAY_DAY) <= POLICY.pay_day_changes
