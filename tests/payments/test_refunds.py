"""Refunds from the desk to the provider and back: limits, two people, late ones, and outcomes nobody knows."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from portal.db import Database
from portal.gateways.stripe import ProviderUnavailable, Report, StripeGateway
from portal.gateways.stripe_reports import RefundWord
from portal.keys import Keys
from portal.money import Money
from portal.payments import checkout, provider_calls, refunds
from portal.payments.checkout import books_of
from portal.payments.models import Payment, Refund
from portal.payments.refunds import RefundCall, Rules, UnableToRefund
from tests import people
from tests.conftest import StandingClock
from tests.payments.conftest import Shop
from tests.payments.telling import NOW, begin, dispute_said, lin, refund_said, said, standing, tell

pytestmark = pytest.mark.slow

RULES = Rules(Money(20_000, "CNY"), refunds.LAST_DAYS)


def ask(
    database: Database, staff_id: int, reference: str, minor: int = 10_000, **changes: object
) -> RefundCall:
    given = {
        "amount": Money(minor, "CNY"),
        "reason": "mistake",
        "note": "",
        "form_key": "f1",
        "rules": RULES,
        "now": NOW,
        "real_now": NOW,
    }
    return database.write(
        lambda session: refunds.ask(
            session,
            staff_id=staff_id,
            payment_reference=reference,
            **(given | changes),  # type: ignore[arg-type]
        )
    )


@pytest.fixture
def paid(database: Database, keys: Keys) -> str:
    attempt = begin(database, lin(database, keys))
    tell(database, keys, said(attempt, Report.PAID, method="card"))
    return attempt.reference


@pytest.fixture
def mei(database: Database, keys: Keys) -> int:
    return database.write(lambda session: people.mei(session, keys))


@pytest.fixture
def guo(database: Database, keys: Keys) -> int:
    return database.write(lambda session: people.guo(session, keys))


def test_up_to_the_limit_one_person_above_it_two(database: Database, paid: str, mei: int, guo: int) -> None:
    small = ask(database, mei, paid, 10_000)
    large = ask(
        database, mei, paid, 20_000, form_key="f2", rules=replace(RULES, second_person_above=Money(1, "CNY"))
    )

    confirmed = database.write(
        lambda session: refunds.decide(
            session, staff_id=guo, reference=large.reference, confirm=True, rules=RULES, now=NOW
        )
    )

    assert (small.state, large.state, confirmed.state) == ("created", "asked", "created")


@pytest.mark.parametrize("twin", ["the same account", "another account of the same human"])
def test_nobody_confirms_their_own_refund(
    database: Database, keys: Keys, paid: str, guo: int, twin: str
) -> None:
    other = database.write(
        lambda session: people.staff(
            session, keys, staff_ref="B9", name="郭立", role="supervisor", human_ref="H-B3001"
        )
    )
    call = ask(database, guo, paid, 30_000)

    def decide(session: Session) -> RefundCall:
        by = guo if twin == "the same account" else other
        return refunds.decide(
            session, staff_id=by, reference=call.reference, confirm=True, rules=RULES, now=NOW
        )

    with pytest.raises(UnableToRefund, match="same_person"):
        database.write(decide)


@pytest.mark.parametrize("way", ["begun at the provider", "taken by the payer's bank"])
def test_what_went_back_by_another_way_while_a_refund_waited_is_not_sent_again(
    database: Database, keys: Keys, way: str, guo: int, mei: int
) -> None:
    attempt = begin(database, lin(database, keys))
    tell(database, keys, said(attempt, Report.PAID, method="card"))
    call = ask(database, mei, attempt.reference, 30_000)
    if way == "begun at the provider":
        tell(database, keys, refund_said(attempt, RefundWord.SUCCEEDED, minor=1))
    else:
        tell(database, keys, dispute_said(attempt, "lost"))

    def decide(session: Session, confirm: bool) -> RefundCall:
        return refunds.decide(
            session, staff_id=guo, reference=call.reference, confirm=confirm, rules=RULES, now=NOW
        )

    with pytest.raises(UnableToRefund, match="above_left"):
        database.write(lambda session: decide(session, True))
    assert database.write(lambda session: decide(session, False)).state == "refused"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"minor": 30_001}, "above_left"),
        ({"minor": 0}, "zero"),
        ({"amount": Money(1_000, "USD")}, "currency"),
        ({"reason": "because"}, "reason"),
        ({"note": "his card 4242 4242 4242 4242"}, "card_number"),
    ],
)
def test_what_may_not_be_sent_back_is_refused_by_name(
    database: Database, paid: str, mei: int, changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(UnableToRefund, match=reason):
        ask(database, mei, paid, **changes)  # type: ignore[arg-type]
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(Refund)) == 0


@pytest.mark.parametrize(("method", "days"), [("alipay", 90), ("wechat_pay", 180)])
def test_after_its_last_day_a_wallets_money_is_refused_up_front(
    database: Database, paid: str, mei: int, method: str, days: int
) -> None:
    database.write(lambda session: session.execute(update(Payment).values(paid_with=method)))
    clock = StandingClock(NOW)
    clock.advance(days=days)
    ask(database, mei, paid, 100, now=clock.now())
    clock.advance(seconds=1)

    with pytest.raises(UnableToRefund, match="too_late") as refused:
        ask(database, mei, paid, 100, form_key="f2", now=clock.now())
    assert refused.value.limit_days == days


def test_refunds_at_once_never_send_back_more_than_came(
    database: Database, keys: Keys, paid: str, mei: int
) -> None:
    """Twenty people ask for 60.00 of 300.00 at the same moment: five get it (P6)."""
    barrier, outcomes = threading.Barrier(20), []

    def one(number: int) -> None:
        barrier.wait()
        try:
            outcomes.append(ask(database, mei, paid, 6_000, form_key=f"f{number}").state)
        except UnableToRefund as error:
            outcomes.append(error.reason)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["above_left"] * 15 + ["created"] * 5


def test_the_same_form_sent_twice_is_one_refund(database: Database, paid: str, mei: int) -> None:
    assert ask(database, mei, paid).reference == ask(database, mei, paid).reference


# --- over the sandbox ---


def refund(shop: Shop, reference: str, minor: int) -> RefundCall:
    keys = shop.portal.keys
    mei = shop.portal.db.write(lambda session: people.mei(session, keys))
    return ask(shop.portal.db, mei, reference, minor)


def end_of(shop: Shop, payment_id: int) -> tuple[str, int, tuple[tuple[str, int], ...]]:
    with shop.portal.db.read() as connection:
        end = standing(connection, payment_id)
    return end.state, end.net, tuple((state, minor) for _, state, minor in end.refunds)


def test_a_refund_of_a_card_is_sent_and_booked_at_once(shop: Shop) -> None:
    attempt = shop.pay()
    call = refund(shop, attempt.reference, 10_000)

    provider_calls.send_refund(shop.portal, call, books_of(shop.portal))
    shop.catch_up()

    assert end_of(shop, attempt.payment_id) == ("part_refund", 20_000, (("succeeded", 10_000),))


def test_a_wallets_refund_is_under_way_first_and_may_fail(shop: Shop) -> None:
    attempt = shop.pay(method="alipay")
    provider_calls.send_refund(shop.portal, refund(shop, attempt.reference, 10_000), books_of(shop.portal))
    began = end_of(shop, attempt.payment_id)
    (made,), _more = shop.sandbox.book.listed("refund")

    shop.sandbox.book.settle_refund(made["id"], succeeds=True)
    shop.catch_up()
    sent = end_of(shop, attempt.payment_id)
    shop.sandbox.book.settle_refund(made["id"], succeeds=False)
    shop.catch_up()

    assert began == ("posted", 30_000, (("processing", 10_000),))
    assert sent == ("part_refund", 20_000, (("succeeded", 10_000),))
    assert end_of(shop, attempt.payment_id) == ("posted", 30_000, (("failed", 10_000),))


class Lost(StripeGateway):
    """The provider does what it is asked, and its answer never arrives."""

    def refund(self, **asked):  # type: ignore[no-untyped-def]
        super().refund(**asked)
        raise ProviderUnavailable("timeout")


@pytest.mark.parametrize("key_forgotten", [False, True])
def test_a_refund_whose_answer_was_lost_is_found_again_and_made_once(
    shop: Shop, clock: StandingClock, key_forgotten: bool
) -> None:
    attempt = shop.pay()
    call = refund(shop, attempt.reference, 10_000)
    lost = Lost(api_key="sk_test_x", webhook_secrets=("w",), api_base=shop.sandbox.origin)

    with pytest.raises(ProviderUnavailable):
        provider_calls.send_refund(replace(shop.portal, stripe=lost), call, books_of(shop.portal))
    if key_forgotten:
        shop.sandbox.book.forget_keys()
    clock.advance(minutes=4)
    checkout.sweep(shop.portal)

    assert end_of(shop, attempt.payment_id) == ("part_refund", 20_000, (("succeeded", 10_000),))
    assert len(shop.sandbox.book.listed("refund")[0]) == 1


def test_a_refund_the_provider_refuses_fails_and_can_be_asked_for_again(shop: Shop) -> None:
    attempt = shop.pay()
    shop.sandbox.book.open_dispute(shop.intent())

    provider_calls.send_refund(shop.portal, refund(shop, attempt.reference, 10_000), books_of(shop.portal))

    assert end_of(shop, attempt.payment_id) == ("posted", 30_000, (("failed", 10_000),))
    with shop.portal.db.read() as connection:
        assert connection.scalar(select(Refund.code)) == "charge_disputed"


def test_an_endpoint_down_for_three_days_is_caught_up_with(shop: Shop, clock: StandingClock) -> None:
    """D45: nothing reached the endpoint; the provider's own list has it all, and it counts once."""
    attempt = shop.pay()
    for _ in range(3):
        clock.advance(days=1)
        shop.sandbox.book.refund(
            {"payment_intent": shop.intent(), "amount": 2_000, "metadata": {}, "reason": None}
        )
    shop.sandbox.book.open_dispute(shop.intent())

    found, again = shop.catch_up(), shop.catch_up()

    assert (found > 0, again) == (True, 0)
    assert end_of(shop, attempt.payment_id)[:2] == ("disputed", 0)
