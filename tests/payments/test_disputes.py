"""Disputes over the sandbox: seen, answered once, won or lost, and answers whose fate nobody knows."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.db import Database
from portal.gateways.stripe import ProviderUnavailable, Report, StripeGateway
from portal.keys import Keys
from portal.payments import checkout, desk_queries, disputes, evidence, provider_calls
from portal.payments.checkout import books_of
from portal.payments.desk_queries import DisputeView
from portal.payments.disputes import UnableToAnswer
from portal.payments.evidence import Paper, UnableToAdd
from portal.payments.models import Dispute, DisputeFile
from tests import people
from tests.conftest import StandingClock
from tests.documents import corpus
from tests.payments.conftest import Shop
from tests.payments.telling import NOW, begin, dispute_said, lin, said, standing, tell
from tests.plans.test_races import at_once, failures

pytestmark = pytest.mark.slow


def disputed(shop: Shop, *, inquiry: bool = False) -> int:
    """A paid payment whose payer objects; its id."""
    attempt = shop.pay()
    shop.sandbox.book.open_dispute(shop.intent(), inquiry=inquiry)
    shop.catch_up()
    return attempt.payment_id


def dispute_of(shop: Shop, payment_id: int) -> DisputeView:
    with shop.portal.db.read() as connection:
        (found,) = desk_queries.disputes_of(connection, shop.portal.keys, payment_id)
    return found


def answer(shop: Shop, text: str = "Signed in with a code, agreement K-1.") -> disputes.AnswerCall:
    portal = shop.portal

    def unit(session):  # type: ignore[no-untyped-def]
        staff_id = people.mei(session, portal.keys)
        reference = session.scalar(select(Dispute.reference))
        return disputes.answer(
            session,
            keys=portal.keys,
            staff_id=staff_id,
            reference=reference,
            text=text,
            now=portal.clock.now(),
            real_now=portal.clock.real_now(),
        )

    return portal.db.write(unit)


def net(shop: Shop, payment_id: int) -> tuple[str, int]:
    with shop.portal.db.read() as connection:
        end = standing(connection, payment_id)
    return end.state, end.net


def test_the_money_leaves_and_a_won_dispute_brings_it_back(shop: Shop) -> None:
    payment_id = disputed(shop)
    taken, seen = net(shop, payment_id), dispute_of(shop, payment_id)

    provider_calls.send_answer(shop.portal, answer(shop), books_of(shop.portal))
    sent = dispute_of(shop, payment_id)
    shop.sandbox.book.close_dispute(seen.provider_dispute, won=True)
    shop.catch_up()
    won = dispute_of(shop, payment_id)

    assert taken == ("disputed", 0)
    assert (seen.state, seen.withdrawn, seen.can_be_answered) == ("needs_answer", True, True)
    assert seen.answer_by is not None
    assert (sent.state, sent.answer_state, sent.answer) == (
        "under_review",
        "sent",
        "Signed in with a code, agreement K-1.",
    )
    assert (won.state, won.reinstated) == ("won", True)
    assert net(shop, payment_id) == ("posted", 30_000)


def test_a_lost_dispute_stays_taken_and_an_inquiry_takes_nothing(shop: Shop) -> None:
    payment_id = disputed(shop, inquiry=True)
    asked = net(shop, payment_id)
    shop.sandbox.book.close_dispute(dispute_of(shop, payment_id).provider_dispute, won=False)
    shop.sandbox.book.open_dispute(shop.intent())
    (newest,), _more = shop.sandbox.book.listed("dispute", limit=1)
    shop.sandbox.book.close_dispute(newest["id"], won=False)
    shop.catch_up()

    assert asked == ("posted", 30_000)
    assert net(shop, payment_id) == ("disputed", 0)


class Lost(StripeGateway):
    """The provider takes the answer, and its own answer never arrives."""

    def answer_dispute(self, *given, **asked):  # type: ignore[no-untyped-def]
        super().answer_dispute(*given, **asked)
        raise ProviderUnavailable("timeout")


def test_an_answer_whose_fate_is_unknown_is_sent_again_with_its_key(shop: Shop, clock: StandingClock) -> None:
    from dataclasses import replace

    payment_id = disputed(shop)
    lost = Lost(api_key="sk_test_x", webhook_secrets=("w",), api_base=shop.sandbox.origin)
    with pytest.raises(ProviderUnavailable):
        provider_calls.send_answer(replace(shop.portal, stripe=lost), answer(shop), books_of(shop.portal))
    assert dispute_of(shop, payment_id).answer_state == "sending"

    clock.advance(minutes=4)
    checkout.sweep(shop.portal)

    assert dispute_of(shop, payment_id).answer_state == "sent"


def test_an_answer_written_anew_after_a_refusal_is_another_call(shop: Shop, clock: StandingClock) -> None:
    payment_id = disputed(shop)
    staff_id = shop.portal.db.write(lambda session: people.mei(session, shop.portal.keys))

    def write(text: str) -> disputes.AnswerCall:
        given = {"keys": shop.portal.keys, "staff_id": staff_id, "text": text}
        times = {"now": shop.portal.clock.now(), "real_now": shop.portal.clock.real_now()}
        return shop.portal.db.write(
            lambda session: disputes.answer(
                session, reference=dispute_of(shop, payment_id).reference, **given, **times
            )
        )

    def unsent() -> list[disputes.AnswerCall]:
        soon = shop.portal.clock.real_now().replace(year=2100)
        return shop.portal.db.write(
            lambda session: disputes.unsent(session, keys=shop.portal.keys, before=soon, limit=9)
        )

    first = write("Signed in with a code.")
    again = unsent()
    shop.portal.db.write(
        lambda session: disputes.answer_arrived(
            session, reference=first.reference, taken=False, code="invalid", now=NOW
        )
    )
    clock.advance(minutes=1)
    second = write("Signed in with a code, agreement K-1.")

    assert again == [first]
    assert second.idempotency_key != first.idempotency_key
    assert unsent() == [second]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("  ", "empty"), ("x" * 20_001, "too_long"), ("paid with 4242424242424242", "card_number")],
)
def test_an_answer_that_is_none_is_refused(shop: Shop, text: str, reason: str) -> None:
    disputed(shop)

    with pytest.raises(UnableToAnswer, match=reason):
        answer(shop, text)


def test_after_the_deadline_no_answer_is_taken(shop: Shop, clock: StandingClock) -> None:
    disputed(shop)
    clock.advance(days=15)

    with pytest.raises(UnableToAnswer, match="too_late"):
        answer(shop)


PAPERS = {"receipt": corpus.pdf(1), "customer_communication": corpus.picture()}


def with_papers(shop: Shop, papers: dict[str, bytes] = PAPERS) -> int:
    """Mei with papers added to the only dispute; her id."""
    portal = shop.portal

    def unit(session: Session) -> int:
        staff_id = people.mei(session, portal.keys)
        for kind, data in papers.items():
            evidence.add(
                session,
                keys=portal.keys,
                staff_id=staff_id,
                reference=session.scalar(select(Dispute.reference)) or "",
                paper=evidence.checked(kind, "林晓的收据", data),
                now=portal.clock.now(),
            )
        return staff_id

    return portal.db.write(unit)


def answered(shop: Shop, staff_id: int) -> disputes.AnswerCall:
    portal = shop.portal
    return portal.db.write(
        lambda session: disputes.answer(
            session,
            keys=portal.keys,
            staff_id=staff_id,
            reference=session.scalar(select(Dispute.reference)) or "",
            text="Signed in with a code.",
            now=portal.clock.now(),
            real_now=portal.clock.real_now(),
        )
    )


def kept(shop: Shop) -> list[tuple[str, bool, bool]]:
    """(kind, whether its bytes are here, whether the provider has it) of every paper."""
    with shop.portal.db.read() as connection:
        rows = connection.execute(
            select(DisputeFile.kind, DisputeFile.content_sealed, DisputeFile.provider_file).order_by(
                DisputeFile.id
            )
        )
        return [(row.kind, row.content_sealed is not None, row.provider_file is not None) for row in rows]


def test_papers_go_with_the_answer_and_their_bytes_are_gone_here(shop: Shop) -> None:
    payment_id = disputed(shop)
    mei = with_papers(shop)
    assert kept(shop) == [("receipt", True, False), ("customer_communication", True, False)]

    provider_calls.send_answer(shop.portal, answered(shop, mei), books_of(shop.portal))

    assert kept(shop) == [("receipt", False, True), ("customer_communication", False, True)]
    (at_provider,), _more = shop.sandbox.book.listed("dispute", limit=1)
    files, _more = shop.sandbox.book.listed("file")
    assert {one["size"] for one in files} == {len(data) for data in PAPERS.values()}
    assert {"receipt", "customer_communication", "uncategorized_text"} == set(at_provider["evidence"])
    assert "林晓" not in json.dumps(files, ensure_ascii=False)
    view = dispute_of(shop, payment_id)
    assert [(one.kind, one.name, one.is_sent) for one in view.papers] == [
        ("receipt", "林晓的收据", True),
        ("customer_communication", "林晓的收据", True),
    ]


class LosesTheSecond(StripeGateway):
    """The provider takes the second paper, and its answer never arrives."""

    count = 0

    def upload_paper(self, *given, **asked):  # type: ignore[no-untyped-def]
        made = super().upload_paper(*given, **asked)
        self.count += 1
        if self.count == 2:
            raise ProviderUnavailable("timeout")
        return made


def test_a_paper_whose_fate_is_unknown_is_handed_over_once(shop: Shop, clock: StandingClock) -> None:
    from dataclasses import replace

    payment_id = disputed(shop)
    call = answered(shop, with_papers(shop))
    losing = LosesTheSecond(api_key="sk_test_x", webhook_secrets=("w",), api_base=shop.sandbox.origin)
    with pytest.raises(ProviderUnavailable):
        provider_calls.send_answer(replace(shop.portal, stripe=losing), call, books_of(shop.portal))
    assert [one[2] for one in kept(shop)] == [True, False]

    clock.advance(minutes=4)
    checkout.sweep(shop.portal)

    assert dispute_of(shop, payment_id).answer_state == "sent"
    assert len(shop.sandbox.book.listed("file")[0]) == 2
    assert [one[1:] for one in kept(shop)] == [(False, True)] * 2


def test_after_the_answer_no_paper_comes_or_goes_and_none_outlives_its_dispute(shop: Shop) -> None:
    payment_id = disputed(shop)
    with_papers(shop)
    shop.sandbox.book.close_dispute(dispute_of(shop, payment_id).provider_dispute, won=False)
    shop.catch_up()

    assert [one[1] for one in kept(shop)] == [False, False]


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        ("recipe", corpus.pdf(1), "kind"),
        ("receipt", b"", "empty"),
        ("receipt", b"PK\x03\x04word/", "office"),
        ("receipt", corpus.HEIC, "heic"),
        ("receipt", b"%PDF-1.7 nothing", "damaged"),
        ("receipt", corpus.pdf(51), "too_many_pages"),
        ("receipt", b"%PDF-" + b"0" * evidence.LARGEST_BYTES, "too_large"),
    ],
)
def test_what_is_no_paper_is_refused_before_anything_is_kept(kind: str, data: bytes, reason: str) -> None:
    with pytest.raises(UnableToAdd) as refused:
        evidence.checked(kind, "x", data)
    assert refused.value.reason == reason


def test_one_of_each_and_no_more_than_the_provider_takes(shop: Shop) -> None:
    disputed(shop)
    mei = with_papers(shop)
    portal = shop.portal
    with portal.db.read() as connection:
        reference = connection.scalar(select(Dispute.reference)) or ""

    def add(kind: str, data: bytes) -> str:
        paper = Paper(kind, "x", "application/pdf", data)
        try:
            return portal.db.write(
                lambda session: evidence.add(
                    session,
                    keys=portal.keys,
                    staff_id=mei,
                    reference=reference,
                    paper=paper,
                    now=portal.clock.now(),
                )
            )
        except UnableToAdd as error:
            return error.reason

    assert add("receipt", PAPERS["receipt"]).startswith("E-")
    assert add("receipt", b"%PDF-other") == "kind_taken"
    assert add("uncategorized_file", b"0" * evidence.LARGEST_BYTES) == "full"
    answered(shop, mei)
    assert add("uncategorized_file", b"%PDF-") == "answered"
    assert len(kept(shop)) == 2


def test_two_papers_of_a_kind_at_once_are_one_and_taking_it_out_frees_the_place(
    database: Database, keys: Keys
) -> None:
    attempt = begin(database, lin(database, keys), 30_000)
    tell(database, keys, said(attempt, Report.PAID))
    tell(database, keys, dispute_said(attempt, "created"))
    mei = database.write(lambda session: people.mei(session, keys))
    with database.read() as connection:
        reference = connection.scalar(select(Dispute.reference)) or ""

    def add(number: int) -> str:
        paper = Paper("receipt", "x", "application/pdf", b"%PDF-" + bytes([number]))
        return database.write(
            lambda session: evidence.add(
                session, keys=keys, staff_id=mei, reference=reference, paper=paper, now=NOW
            )
        )

    answers = at_once([lambda number=number: add(number) for number in range(6)])  # type: ignore[misc]

    (made,) = [one for one in answers if isinstance(one, str)]
    assert {one.reason for one in failures(answers)} == {"kind_taken"}  # type: ignore[attr-defined]
    database.write(
        lambda session: evidence.remove(session, staff_id=mei, reference=reference, paper_ref=made, now=NOW)
    )
    assert add(7).startswith("E-")
