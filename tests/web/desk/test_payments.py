"""The payments pages of the desk: found by what the address says, one payment whole, refunds and answers sent."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.gateways.stripe import ProviderUnavailable, StripeGateway
from portal.web.locale import LANGUAGE_COOKIE
from tests import people
from tests.documents import corpus
from tests.payments.conftest import Shop

pytestmark = pytest.mark.slow


class Desk:
    """A member of staff at the desk, in English."""

    def __init__(self, shop: Shop, role: str = "reviewer", number: str = "B1") -> None:
        self.shop = shop
        keys = shop.portal.keys
        staff_id = shop.portal.db.write(
            lambda session: people.staff(session, keys, staff_ref=number, name="何敏", role=role)
        )
        self.client: FlaskClient = shop.app.test_client()
        self.csrf = people.sign_in_staff(self.client, staff_id)
        self.client.set_cookie(LANGUAGE_COOKIE, "en")

    def get(self, address: str) -> str:
        return self.client.get(address).get_data(as_text=True)

    def post(self, address: str, **data: str):  # type: ignore[no-untyped-def]
        return self.client.post(address, data={"csrf_token": self.csrf, **data})

    def refund(self, reference: str, amount: str, *, key: str = "k1"):  # type: ignore[no-untyped-def]
        given = {"amount": amount, "reason": "mistake", "note": "called us", "form_key": key}
        return self.post(f"/desk/payments/{reference}/refund", **given)


def test_payments_are_found_by_number_and_state(shop: Shop) -> None:
    first, second = shop.pay(), shop.pay(10_000, form_key="two")
    desk = Desk(shop)

    everything = desk.get("/desk/payments")
    found = {
        word: desk.get(f"/desk/payments?q={word}&state=posted")
        for word in (first.reference, "L-LIN-1", "C900001", "nothing")
    }

    assert first.reference in everything
    assert second.reference in everything
    assert first.reference in found[first.reference]
    assert second.reference not in found[first.reference]
    assert second.reference in found["L-LIN-1"]
    assert second.reference in found["C900001"]
    assert "No payment fits this filter" in found["nothing"]
    assert f'value="{first.reference}"' in found[first.reference]


def test_a_small_refund_goes_out_at_once_and_the_page_tells_its_life(shop: Shop) -> None:
    attempt, desk = shop.pay(), Desk(shop)

    sent = desk.refund(attempt.reference, "100.00")
    html = desk.get(f"/desk/payments/{attempt.reference}")

    assert sent.status_code == 303
    for words in (
        "Partly refunded",
        "Sent back",
        ">Refund</td>",
        "200.00",
        "called us",
        "Refund sent",
        "Civil Code",
    ):
        assert words in html, words


def test_above_the_limit_a_second_person_confirms_and_the_first_cannot(shop: Shop) -> None:
    attempt = shop.pay(1_100_000)
    first, second = Desk(shop, "supervisor", "B1"), Desk(shop, "supervisor", "B2")
    first.refund(attempt.reference, "10,500.00")
    page = first.get(f"/desk/payments/{attempt.reference}")
    (name,) = set(re.findall(r"Refund (R-[0-9A-Z-]+)", page))
    address = f"/desk/payments/{attempt.reference}/refunds/{name}"

    own = first.post(address, word="confirm")
    waiting = second.get("/desk/payments?state=waiting")
    confirmed = second.post(address, word="confirm")
    again = second.post(address, word="confirm")

    assert "You asked for this refund yourself." in page
    assert own.status_code == 403
    assert attempt.reference in waiting
    assert (confirmed.status_code, again.status_code) == (303, 409)
    assert "Partly refunded" in second.get(f"/desk/payments/{attempt.reference}")


@pytest.mark.parametrize("amount", ["", "abc", "-1", "0", "1e9", "300.01"])
def test_an_amount_that_cannot_be_sent_back_is_said_and_kept(shop: Shop, amount: str) -> None:
    attempt, desk = shop.pay(), Desk(shop)

    answer = desk.refund(attempt.reference, amount)

    assert answer.status_code == 422
    assert "Nothing was sent" in answer.get_data(as_text=True)
    assert len(shop.sandbox.book.listed("refund")[0]) == 0


def test_a_dispute_shows_its_deadline_and_takes_one_answer(shop: Shop) -> None:
    attempt, desk = shop.pay(), Desk(shop)
    shop.sandbox.book.open_dispute(shop.intent())
    shop.catch_up()
    page = desk.get(f"/desk/payments/{attempt.reference}")
    (name,) = set(re.findall(r"Dispute (D-[0-9A-Z-]+)", page))
    address = f"/desk/payments/{attempt.reference}/disputes/{name}"

    empty = desk.post(address, answer=" ")
    sent = desk.post(address, answer="Signed in with a code sent to his phone.")
    again = desk.post(address, answer="And one more thing.")
    after = desk.get(f"/desk/payments/{attempt.reference}")

    assert "4 December 2026" in page
    assert "Answer the dispute; a refund beside it would send the money twice." in page
    assert (empty.status_code, sent.status_code, again.status_code) == (422, 303, 409)
    assert "With the payer&#39;s bank" in after or "With the payer's bank" in after
    assert "Signed in with a code sent to his phone." in after
    assert attempt.reference in desk.get("/desk/payments?state=dispute")


def test_a_paper_is_added_taken_out_and_sent_and_what_was_typed_stays(shop: Shop) -> None:
    attempt, desk = shop.pay(), Desk(shop)
    shop.sandbox.book.open_dispute(shop.intent())
    shop.catch_up()
    (name,) = set(re.findall(r"Dispute (D-[0-9A-Z-]+)", desk.get(f"/desk/payments/{attempt.reference}")))
    address = f"/desk/payments/{attempt.reference}/disputes/{name}"

    def add(kind: str, data: bytes, file: str) -> TestResponse:
        return desk.post(
            f"{address}/papers", answer="What I wrote.", kind=kind, file=(io.BytesIO(data), file)
        )

    added = add("receipt", corpus.pdf(1), "Beleg.pdf")
    refused = add("uncategorized_file", b"PK\x03\x04word/", "x.docx")
    (paper,) = set(re.findall(rf"{address}/papers/(E-[0-9A-Z-]+)/remove", added.text))
    out = desk.post(f"{address}/papers/{paper}/remove", answer="What I wrote.")
    add("receipt", corpus.pdf(1), "Beleg.pdf")
    sent = desk.post(address, answer="What I wrote.")
    after = desk.get(f"/desk/payments/{attempt.reference}")

    assert added.status_code == 200
    assert "Beleg.pdf" in added.text
    assert all("What I wrote.</textarea>" in one.text for one in (added, refused, out))
    assert refused.status_code == 422
    assert "The provider takes PDF, JPEG and PNG only." in refused.text
    assert "Beleg.pdf" not in out.text
    assert sent.status_code == 303
    assert "the provider has it" in after
    assert after.count("Paper added to the answer") == 2
    assert "Paper taken out of the answer" in after
    assert len(shop.sandbox.book.listed("file")[0]) == 1


class Silent(StripeGateway):
    """A provider that answers nothing."""

    def refund(self, **asked):  # type: ignore[no-untyped-def]
        raise ProviderUnavailable("timeout")


def test_a_silent_provider_leaves_the_refund_written_down(shop: Shop) -> None:
    attempt, desk = shop.pay(), Desk(shop)
    silent = Silent(api_key="sk_test_x", webhook_secrets=("w",), api_base=shop.sandbox.origin)
    shop.app.extensions["portal"] = replace(shop.portal, stripe=silent)

    page = desk.get(desk.refund(attempt.reference, "100.00").headers["Location"])

    assert "The provider does not answer." in page
    assert "Asked of the provider" in page


def test_somebody_elses_names_are_not_found(shop: Shop) -> None:
    one, other = shop.pay(), shop.pay(10_000, form_key="two")
    desk = Desk(shop, "supervisor")
    desk.refund(one.reference, "100.00")
    (name,) = set(re.findall(r"Refund (R-[0-9A-Z-]+)", desk.get(f"/desk/payments/{one.reference}")))

    assert desk.client.get("/desk/payments/P-0000-00000").status_code == 404
    assert desk.post(f"/desk/payments/{other.reference}/refunds/{name}", word="confirm").status_code == 404
    disputes = f"/desk/payments/{other.reference}/disputes/{name}"
    assert desk.post(disputes, answer="x").status_code == 404
    assert desk.post(f"{disputes}/papers", kind="receipt").status_code == 404
    assert desk.post(f"{disputes}/papers/E-0000-00000/remove").status_code == 404


def test_an_operator_sees_no_payments(shop: Shop) -> None:
    assert Desk(shop, "operator").client.get("/desk/payments").status_code == 403
