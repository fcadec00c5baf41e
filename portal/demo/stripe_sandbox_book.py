"""The sandbox's payments: checkouts, the payments in them, and methods saved for payments to come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.demo.stripe_sandbox_store import ApiError as ApiError
from portal.demo.stripe_sandbox_store import Behaviour as Behaviour
from portal.demo.stripe_sandbox_store import Work as Work
from portal.demo.stripe_sandbox_store import invalid as invalid
from portal.demo.stripe_sandbox_till import Till

#: Stripe's own limits of a checkout's life, in seconds.
SHORTEST_LIFE, LONGEST_LIFE = 30 * 60, 24 * 3600
#: Methods that can be saved, and how a saved one answers when it is charged: as the tester chose.
SAVEABLE, MANNERS = ("card", "alipay"), ("pays", "declines", "asks", "slow")
#: Methods of Stripe's own test mode, for tests that pay without a page.
TEST_METHODS = {
    "pm_card_visa": "pays",
    "pm_card_createDispute": "disputes",
    "pm_card_visa_chargeDeclined": "declines",
    "pm_card_authenticationRequired": "asks",
}


class Book(Till):
    """The whole sandbox's state. Every method is one step under the lock."""

    def new_session(self, facts: Mapping[str, Any], *, account: str | None, origin: str) -> dict[str, Any]:
        """A new open checkout; its payment comes into being with the first try to pay."""
        session = self._new(
            "cs_test",
            "checkout.session",
            mode="payment",
            status="open",
            payment_status="unpaid",
            payment_intent=None,
            customer=None,
            **facts,
        )
        return self._keep(session | {"url": f"{origin}/pay/{session['id']}"}, account)

    def session(self, name: str) -> dict[str, Any]:
        """A checkout, expired by now if its time is over."""
        with self.changed:
            session = self.find("checkout.session", name)
            if session["status"] == "open" and session["expires_at"] <= self.now():
                return self.expire(name)
            return session

    def expire(self, name: str) -> dict[str, Any]:
        """Close an open checkout and tell of it; refused for a complete one."""
        with self.changed:
            session = self.find("checkout.session", name)
            if session["status"] != "open":
                raise invalid("", "Only Checkout Sessions with a status in [open] can be expired.")
            session = self._keep(session | {"status": "expired", "url": None})
            self.tell(("checkout.session.expired", session))
            return session

    def pay(self, name: str, method: str, outcome: str, behaviour: Behaviour) -> dict[str, Any]:
        """The payer's choice on the hosted page: ``pay``, ``decline``, or a delayed method that will
        ``settle`` or ``bounce``. A second click on a complete checkout changes nothing."""
        with self.changed:
            session = self.session(name)
            if session["status"] != "open":
                return session
            intent = self._intent_of(session, method)
            if outcome == "decline":
                intent = self._declined(intent, "card_declined", "insufficient_funds")
                self._keep(session | {"payment_intent": intent["id"]})
                self.tell(("payment_intent.payment_failed", intent), behaviour=behaviour)
                return session
            paid = outcome == "pay"
            if session["setup_future_usage"]:
                intent = intent | self._saved(session, method)
            intent = self._settled(intent) if paid else self._keep(intent | {"status": "processing"})
            session = self._keep(
                session
                | {
                    "status": "complete",
                    "payment_status": "paid" if paid else "unpaid",
                    "payment_intent": intent["id"],
                    "customer": intent["customer"],
                }
            )
            kind = "payment_intent.succeeded" if paid else "payment_intent.processing"
            self.tell((kind, intent), ("checkout.session.completed", session), behaviour=behaviour)
            if not paid:
                self._later("settle", {"session": name, "succeeds": outcome == "settle"}, after=6.0)
            return session

    def settle(self, name: str, *, succeeds: bool) -> None:
        """A delayed payment is decided."""
        with self.changed:
            session = self.find("checkout.session", name)
            intent = self.find("payment_intent", session["payment_intent"])
            if succeeds:
                intent = self._settled(intent)
                session = self._keep(session | {"payment_status": "paid"})
                self.tell(
                    ("payment_intent.succeeded", intent),
                    ("checkout.session.async_payment_succeeded", session),
                )
            else:
                intent = self._declined(intent, "card_declined", "insufficient_funds")
                self.tell(
                    ("payment_intent.payment_failed", intent),
                    ("checkout.session.async_payment_failed", session),
                )

    def charge_saved(self, facts: Mapping[str, Any], *, account: str | None) -> dict[str, Any]:
        """Take a payment with a saved method while the payer is away: paid, on its way, declined, or the
        payer's bank asks for the payer. Both refusals are errors that carry the payment, as at Stripe."""
        with self.changed:
            method = self._method(facts["payment_method"])
            if method["customer"] != facts["customer"]:
                raise invalid("resource_missing", "This method is not saved for this customer.", "customer")
            intent = self._keep(
                self._new(
                    "pi",
                    "payment_intent",
                    amount=facts["amount"],
                    amount_received=0,
                    currency=facts["currency"],
                    status="requires_confirmation",
                    metadata=facts["metadata"],
                    payment_method_types=[method["type"]],
                    last_payment_error=None,
                    latest_charge=None,
                    customer=method["customer"],
                    payment_method=method["id"],
                    setup_future_usage=None,
                ),
                account,
            )
            if method["manner"] in ("declines", "asks"):
                code = "card_declined" if method["manner"] == "declines" else "authentication_required"
                intent = self._declined(intent, code, code if code != "card_declined" else "do_not_honor")
                self.tell(("payment_intent.payment_failed", intent))
                message = "The saved method was not accepted."
                error = intent["last_payment_error"]
                more = {"decline_code": error["decline_code"], "payment_intent": intent}
                raise ApiError(402, "card_error", code, message, **more)
            if method["manner"] == "slow":
                intent = self._keep(intent | {"status": "processing"})
                self.tell(("payment_intent.processing", intent))
                return intent
            intent = self._settled(intent)
            self.tell(("payment_intent.succeeded", intent))
            if method["manner"] == "disputes":
                self.open_dispute(intent["id"])
            return intent

    def use_manner(self, method: str, manner: str) -> None:
        """How a saved method answers from now on: one of MANNERS."""
        with self.changed:
            self._keep(self.find("payment_method", method) | {"manner": manner})

    def detach(self, method: str) -> dict[str, Any]:
        """Forget a saved method: it can never be charged again."""
        with self.changed:
            return self._keep(self.find("payment_method", method) | {"customer": None})

    def _method(self, name: str) -> dict[str, Any]:
        """A saved method, or one of the test mode's."""
        if name in TEST_METHODS:
            return {"id": name, "type": "card", "customer": None, "manner": TEST_METHODS[name]}
        return self.find("payment_method", name)

    def _saved(self, session: Mapping[str, Any], method: str) -> dict[str, Any]:
        """The customer and the saved method of a checkout that asked for both."""
        account = self._account_of(session["id"])
        customer = self._keep(self._new("cus", "customer", metadata={}), account)
        saved = self._new("pm", "payment_method", type=method, customer=customer["id"], manner="pays")
        self._keep(saved, account)
        return {
            "customer": customer["id"],
            "payment_method": saved["id"],
            "setup_future_usage": "off_session",
        }

    def _intent_of(self, session: Mapping[str, Any], method: str) -> dict[str, Any]:
        if session["payment_intent"]:
            return self.find("payment_intent", session["payment_intent"]) | {"payment_method_types": [method]}
        intent = self._new(
            "pi",
            "payment_intent",
            amount=session["amount_total"],
            amount_received=0,
            currency=session["currency"],
            status="requires_payment_method",
            metadata=session["payment_metadata"],
            payment_method_types=[method],
            last_payment_error=None,
            latest_charge=None,
            customer=None,
            payment_method=None,
            setup_future_usage=None,
        )
        return self._keep(intent, self._account_of(session["id"]))

    def _settled(self, intent: Mapping[str, Any]) -> dict[str, Any]:
        charge = self.charge(intent)
        changes = {"status": "succeeded", "amount_received": intent["amount"], "last_payment_error": None}
        return self._keep({**intent, **changes, "latest_charge": charge["id"]})

    def _declined(self, intent: dict[str, Any], code: str, decline_code: str) -> dict[str, Any]:
        error = {"type": "card_error", "code": code, "decline_code": decline_code}
        return self._keep(intent | {"status": "requires_payment_method", "last_payment_error": error})
