"""A way to pay kept for a plan: agreed in words, charged once on the day, told of before and when it fails,
taken back in one step."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import func, select

from portal.gateways.stripe import ProviderUnavailable, StripeGateway
from portal.messages.models import Message
from portal.payments import checkout, return_views, saved
from portal.payments.models import InstalmentCharge, Payment, SavedMethod
from portal.payments.return_views import SavedView
from portal.plans.changes import Wish
from portal.plans.revisions import ChangeKind
from portal.plans.terms import TermsRequest
from tests.conftest import StandingClock
from tests.payments.conftest import UNHEARD, Shop
from tests.payments.test_receipts import planned
from tests.plans.people import Story
from tests.plans.test_changes import change

pytestmark = pytest.mark.slow


@pytest.fixture
def plan_id(shop: Shop) -> int:
    """Instalments of 300.00 due on 15 November and December; today is 20 November."""
    return planned(shop.portal.db, shop.borrower_id, [30_000, 30_000])


def agreed(shop: Shop, plan_id: int, *, method: str = "card") -> None:
    """The first instalment is paid by hand, and the way to pay kept."""
    portal = shop.portal

    def unit(session):  # type: ignore[no-untyped-def]
        from portal.money import Money
        from portal.payments.operations import create_attempt

        attempt = create_attempt(
            session,
            borrower_id=shop.borrower_id,
            loan_ref=None,
            amount=Money(30_000, "CNY"),
            form_key="by-hand",
            offered={"methods": ["card", "alipay"], "locale": "en", "title": "Harbour", "save": True},
            now=portal.clock.now(),
            real_now=portal.clock.real_now(),
        )
        saved.agree(
            session,
            payment_id=attempt.payment_id,
            plan_id=plan_id,
            borrower_id=shop.borrower_id,
            text="I agree.",
            language="en",
            today=portal.clock.today(),
            now=portal.clock.now(),
        )
        return attempt

    opened = checkout.open_checkout(portal, portal.db.write(unit))
    shop.sandbox.book.pay(opened.provider_session or "", method, "pay", UNHEARD)
    shop.catch_up()


def kept(shop: Shop, plan_id: int) -> SavedView | None:
    with shop.portal.db.read() as connection:
        return return_views.saved_for(connection, shop.borrower_id, plan_id)


def taken(shop: Shop) -> list[tuple[int, int, str]]:
    """(instalment, try, state of its payment) of every try."""
    with shop.portal.db.read() as connection:
        rows = connection.execute(
            select(InstalmentCharge.number, InstalmentCharge.attempt, Payment.state)
            .join(Payment, Payment.id == InstalmentCharge.payment_id)
            .order_by(InstalmentCharge.id)
        )
        return [tuple(row) for row in rows]


def texts(shop: Shop, kind: str) -> int:
    with shop.portal.db.read() as connection:
        return connection.scalar(select(func.count()).where(Message.kind == kind)) or 0


def manner(shop: Shop, how: str) -> None:
    (method,), _more = shop.sandbox.book.listed("payment_method")
    shop.sandbox.book.use_manner(method["id"], how)


@pytest.mark.parametrize("method", ["card", "alipay"])
def test_each_instalment_is_taken_once_on_its_day_and_told_of_before(
    shop: Shop, plan_id: int, clock: StandingClock, method: str
) -> None:
    agreed(shop, plan_id, method=method)
    view, seen = kept(shop, plan_id), []
    for _ in range(30):
        checkout.take_due(shop.portal)
        checkout.take_due(shop.portal)
        seen.append((len(taken(shop)), texts(shop, "charge_ahead")))
        clock.advance(days=1)

    assert view is not None
    assert (view.kind, view.consent_text) == (method, "I agree.")
    assert seen[21:27] == [
        (0, 0),
        (0, 1),
        (0, 1),
        (0, 1),
        (1, 1),
        (1, 1),
    ]  # reminded on the 12th, taken on the 15th
    assert taken(shop) == [(1, 1, "posted")]
    assert len(shop.sandbox.book.listed("charge")[0]) == 2
    assert kept(shop, plan_id) is None  # the plan is paid: nothing is kept without a use


@pytest.mark.parametrize("how", ["declines", "asks"])
def test_a_decline_is_told_and_never_tried_again_in_silence(
    shop: Shop, plan_id: int, clock: StandingClock, how: str
) -> None:
    agreed(shop, plan_id)
    manner(shop, how)
    clock.advance(days=25)

    for _ in range(10):
        checkout.take_due(shop.portal)
        clock.advance(days=1)

    assert taken(shop) == [(1, 1, "failed")]
    assert texts(shop, "charge_failed") == 1
    with shop.portal.db.read() as connection:
        decline = connection.scalar(select(Payment.decline).order_by(Payment.id.desc()).limit(1))
    assert decline == {"asks": "authentication_required", "declines": "do_not_honor"}[how]


def test_what_is_revoked_is_charged_no_more_and_forgotten_there_too(
    shop: Shop, plan_id: int, clock: StandingClock
) -> None:
    agreed(shop, plan_id)
    now = shop.portal.clock.now()
    count = shop.portal.db.write(
        lambda session: saved.revoke(session, borrower_id=shop.borrower_id, plan_id=plan_id, now=now)
    )
    clock.advance(days=30)
    checkout.take_due(shop.portal)

    (method,), _more = shop.sandbox.book.listed("payment_method")
    assert (count, taken(shop), kept(shop, plan_id), method["customer"]) == (1, [], None, None)
    with shop.portal.db.read() as connection:
        state, forgotten = connection.execute(select(SavedMethod.state, SavedMethod.forgotten_at)).one()
    assert (state, forgotten is not None) == ("revoked", True)


def test_a_strangers_revoking_changes_nothing(shop: Shop, plan_id: int) -> None:
    agreed(shop, plan_id)
    now = shop.portal.clock.now()

    count = shop.portal.db.write(
        lambda session: saved.revoke(session, borrower_id=shop.borrower_id + 1, plan_id=plan_id, now=now)
    )

    assert (count, kept(shop, plan_id) is None) == (0, False)


def test_a_slow_charge_is_settled_later_and_counted_once(
    shop: Shop, plan_id: int, clock: StandingClock
) -> None:
    agreed(shop, plan_id)
    manner(shop, "slow")
    clock.advance(days=25)
    checkout.take_due(shop.portal)
    under_way = taken(shop)
    intent = shop.sandbox.book.find("payment_intent", shop.intent())

    shop.sandbox.book._settled(intent)
    clock.advance(minutes=5)
    checkout.sweep(shop.portal)

    assert (under_way, taken(shop)) == ([(1, 1, "processing")], [(1, 1, "posted")])


class Lost(StripeGateway):
    """The provider charges, and its answer never arrives."""

    def charge_saved(self, **asked):  # type: ignore[no-untyped-def]
        super().charge_saved(**asked)
        raise ProviderUnavailable("timeout")


def test_a_charge_whose_answer_was_lost_is_made_once(shop: Shop, plan_id: int, clock: StandingClock) -> None:
    agreed(shop, plan_id)
    clock.advance(days=25)
    lost = Lost(api_key="sk_test_x", webhook_secrets=("w",), api_base=shop.sandbox.origin)
    checkout.take_due(replace(shop.portal, stripe=lost))
    unknown = taken(shop)

    clock.advance(minutes=5)
    checkout.sweep(shop.portal)
    checkout.take_due(shop.portal)

    assert (unknown, taken(shop)) == ([(1, 1, "created")], [(1, 1, "posted")])
    assert len(shop.sandbox.book.listed("charge")[0]) == 2


def test_where_the_bank_allows_none_nothing_is_charged(
    shop: Shop, plan_id: int, clock: StandingClock
) -> None:
    agreed(shop, plan_id)
    settings = shop.portal.settings
    policy = {**settings.bank.policy, "saved_methods": []}
    off = replace(shop.portal, settings=replace(settings, bank=replace(settings.bank, policy=policy)))
    clock.advance(days=30)

    assert checkout.take_due(off) == 0
    assert taken(shop) == []


def test_an_instalment_that_was_put_off_is_told_of_again_and_taken_on_its_new_day(
    shop: Shop, clock: StandingClock
) -> None:
    lin = Story(shop.portal.db, shop.portal.keys, shop.portal.signer, shop.borrower_id)
    made = lin.plan(TermsRequest(count=12))
    agreed(shop, made.plan_id)
    clock.advance(days=25)
    checkout.take_due(shop.portal)
    assert texts(shop, "charge_ahead") == 1
    change(lin, Wish(ChangeKind.SKIP), today=clock.today(), now=clock.now())

    days = []
    for _ in range(40):
        checkout.take_due(shop.portal)
        days.append((texts(shop, "charge_ahead"), len(taken(shop))))
        clock.advance(days=1)

    new_day = date(2027, 1, 18)
    until = (new_day - date(2026, 12, 15)).days
    assert days[until - 4 : until + 1] == [(1, 0), (2, 0), (2, 0), (2, 0), (2, 1)]
