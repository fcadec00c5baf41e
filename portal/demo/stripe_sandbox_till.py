"""The sandbox's money after it was paid: charges, refunds, disputes, payouts, and the movements they make."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from portal.demo.stripe_sandbox_store import Behaviour, Store, invalid

#: What one dispute costs, and the provider's share of a charge in thousandths and minor units.
DISPUTE_FEE, CHARGE_PER_MILLE, CHARGE_FIXED = 1_500, 29, 30
#: What a file begins with; the largest there may be; the parts of an answer that are papers.
FILES = {b"%PDF-": "pdf", b"\xff\xd8\xff": "jpg", b"\x89PNG": "png"}
LARGEST_FILE = 5_000_000
EVIDENCE_FILES = frozenset(
    {"receipt", "customer_communication", "service_documentation", "uncategorized_file", "refund_policy"}
)
#: Days in which a dispute can be answered.
ANSWER_DAYS = 14
#: Days after which a method's money cannot be sent back, where there is such an end.
LAST_DAY = {"alipay": 90, "wechat_pay": 180}
#: Methods whose refunds are decided later, and how much later in seconds.
SLOW_REFUNDS, REFUND_SECONDS = ("alipay", "wechat_pay"), 4.0
DAY = 86_400


class Till(Store):
    """Charges and what takes their money back. Every method is one step under the lock."""

    def charge(self, intent: Mapping[str, Any]) -> dict[str, Any]:
        """The money of a payment has come: its charge and the movement of it."""
        account = self._account_of(intent["id"])
        made = self._new(
            "ch",
            "charge",
            amount=intent["amount"],
            amount_refunded=0,
            currency=intent["currency"],
            payment_intent=intent["id"],
            metadata=intent["metadata"],
            paid=True,
            status="succeeded",
            refunded=False,
            disputed=False,
            payment_method_details={"type": intent["payment_method_types"][0]},
        )
        fee = intent["amount"] * CHARGE_PER_MILLE // 1000 + CHARGE_FIXED
        movement = self._move("charge", "charge", made, intent["amount"], fee)
        return self._keep(made | {"balance_transaction": movement["id"]}, account)

    def refund(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Send money of a payment back: at once for cards, a little later for wallets."""
        with self.changed:
            charge = self._charge_of(str(facts["payment_intent"]))
            amount = facts["amount"] or charge["amount"] - charge["amount_refunded"]
            self._refuse_refund(charge, amount)
            method = charge["payment_method_details"]["type"]
            is_slow = method in SLOW_REFUNDS
            made = self._new(
                "re",
                "refund",
                amount=amount,
                currency=charge["currency"],
                charge=charge["id"],
                payment_intent=charge["payment_intent"],
                metadata=facts["metadata"],
                reason=facts["reason"],
                status="pending" if is_slow else "succeeded",
                failure_reason=None,
            )
            movement = self._move("refund", "refund", made, -amount, 0)
            made = self._keep(made | {"balance_transaction": movement["id"]}, self._account_of(charge["id"]))
            back = charge["amount_refunded"] + amount
            charge = self._keep(charge | {"amount_refunded": back, "refunded": back == charge["amount"]})
            self.tell(("refund.created", made), ("charge.refunded", charge))
            if is_slow:
                self._later("refund", {"refund": made["id"], "succeeds": True}, after=REFUND_SECONDS)
            return made

    def settle_refund(self, name: str, *, succeeds: bool) -> dict[str, Any]:
        """A refund is decided; one that fails brings the money back. A failed one stays failed."""
        with self.changed:
            refund = self.find("refund", name)
            if refund["status"] in ("failed", "canceled") or (succeeds and refund["status"] == "succeeded"):
                return refund
            if succeeds:
                refund = self._keep(refund | {"status": "succeeded"})
                self.tell(("refund.updated", refund))
                return refund
            refund = self._keep(refund | {"status": "failed", "failure_reason": "lost_or_stolen_card"})
            charge = self.find("charge", refund["charge"])
            back = charge["amount_refunded"] - refund["amount"]
            self._keep(charge | {"amount_refunded": back, "refunded": False})
            self._move("refund_failure", "refund_failure", refund, refund["amount"], 0)
            self.tell(("refund.updated", refund), ("refund.failed", refund))
            return refund

    def open_dispute(
        self,
        intent_id: str,
        *,
        reason: str = "fraudulent",
        inquiry: bool = False,
        behaviour: Behaviour | None = None,
    ) -> dict[str, Any]:
        """The payer's bank asks for the money of a payment back; an inquiry only asks."""
        with self.changed:
            charge = self._charge_of(intent_id)
            if charge["disputed"] or charge["amount"] == charge["amount_refunded"]:
                raise invalid("charge_disputed", "Nothing of this charge is left to dispute.", "charge")
            made = self._new(
                "dp",
                "dispute",
                amount=charge["amount"] - charge["amount_refunded"],
                currency=charge["currency"],
                charge=charge["id"],
                payment_intent=intent_id,
                metadata={},
                reason=reason,
                status="warning_needs_response" if inquiry else "needs_response",
                evidence={},
                evidence_details={
                    "due_by": int(self.now()) + ANSWER_DAYS * DAY,
                    "has_evidence": False,
                    "submission_count": 0,
                },
            )
            self._keep(made, self._account_of(charge["id"]))
            self._keep(charge | {"disputed": not inquiry})
            events = [("charge.dispute.created", made)]
            if not inquiry:
                self._move("adjustment", "dispute", made, -made["amount"], DISPUTE_FEE)
                events.append(("charge.dispute.funds_withdrawn", made))
            self.tell(*events, behaviour=behaviour)
            return made

    def take_file(self, data: bytes, filename: str) -> dict[str, Any]:
        """Take in a paper for an answer: what it is by its first bytes, and no larger than may be."""
        kind = next((kind for head, kind in FILES.items() if data.startswith(head)), None)
        if kind is None:
            raise invalid("file_type_invalid", "The file is no PDF, JPEG or PNG.", "file")
        if len(data) > LARGEST_FILE:
            raise invalid("file_too_large", "The file is larger than 5 MB.", "file")
        facts = {"purpose": "dispute_evidence", "filename": filename, "size": len(data), "type": kind}
        with self.changed:
            return self._keep(self._new("file", "file", **facts))

    def answer_dispute(self, name: str, evidence: Mapping[str, str], *, submit: bool) -> dict[str, Any]:
        """Take in what the bank has to say; refused once the dispute is closed, or for a paper nobody sent."""
        with self.changed:
            dispute = self.find("dispute", name)
            if not dispute["status"].endswith("needs_response"):
                raise invalid("", "This dispute cannot be answered any more.", "dispute")
            for field, given in evidence.items():
                if field not in EVIDENCE_FILES and field != "uncategorized_text":
                    raise invalid("parameter_unknown", f"Received unknown parameter: {field}", field)
                if field in EVIDENCE_FILES:
                    self.find("file", given)
            details = dispute["evidence_details"] | {"has_evidence": True}
            if submit:
                details["submission_count"] += 1
            status = dispute["status"].replace("needs_response", "under_review")
            changes = {"evidence": dict(evidence), "evidence_details": details}
            dispute = self._keep(dispute | changes | ({"status": status} if submit else {}))
            self.tell(("charge.dispute.updated", dispute))
            return dispute

    def close_dispute(self, name: str, *, won: bool, behaviour: Behaviour | None = None) -> dict[str, Any]:
        """The payer's bank decides; the money of a dispute that is won comes back."""
        with self.changed:
            dispute = self.find("dispute", name)
            if dispute["status"] in ("won", "lost", "warning_closed"):
                return dispute
            is_inquiry = dispute["status"].startswith("warning")
            status = "warning_closed" if is_inquiry else "won" if won else "lost"
            dispute = self._keep(dispute | {"status": status})
            events = [("charge.dispute.closed", dispute)]
            if status == "won":
                self._move("adjustment", "dispute_reversal", dispute, dispute["amount"], 0)
                events.insert(0, ("charge.dispute.funds_reinstated", dispute))
            self.tell(*events, behaviour=behaviour)
            return dispute

    def pay_out(self) -> dict[str, Any] | None:
        """Send everything earned so far to the bank's account; nothing where nothing was."""
        with self.changed:
            rows = self._connection.execute("SELECT body FROM object WHERE kind = 'balance_transaction'")
            moved = [json.loads(row[0]) for row in rows]
            currency = moved[0]["currency"] if moved else ""
            balance = sum(one["net"] for one in moved if one["currency"] == currency)
            if balance <= 0:
                return None
            made = self._new("po", "payout", amount=balance, currency=currency, status="paid", metadata={})
            movement = self._move("payout", "payout", made, -balance, 0)
            self._keep(made | {"balance_transaction": movement["id"]})
            self.tell(("payout.paid", made))
            return made

    def _move(
        self, kind: str, category: str, source: Mapping[str, Any], amount: int, fee: int
    ) -> dict[str, Any]:
        movement = self._new(
            "txn",
            "balance_transaction",
            type=kind,
            reporting_category=category,
            source=source["id"],
            amount=amount,
            fee=fee,
            net=amount - fee,
            currency=source["currency"],
            available_on=int(self.now()) + 2 * DAY,
            status="pending",
        )
        return self._keep(movement)

    def with_source(self, movement: dict[str, Any]) -> dict[str, Any]:
        """A movement with the object it comes from in the place of its id."""
        found = self._one("SELECT body FROM object WHERE id = ?", movement["source"])
        return movement | ({"source": json.loads(found[0])} if found else {})

    def _charge_of(self, intent_id: str) -> dict[str, Any]:
        intent = self.find("payment_intent", intent_id)
        if not intent.get("latest_charge"):
            raise invalid("payment_intent_unexpected_state", "This payment has no money in it.", "charge")
        return self.find("charge", intent["latest_charge"])

    def _refuse_refund(self, charge: Mapping[str, Any], amount: int) -> None:
        if charge["disputed"]:
            raise invalid("charge_disputed", "This charge is disputed.", "charge")
        if charge["refunded"]:
            raise invalid("charge_already_refunded", "This charge has been refunded.", "charge")
        if not 0 < amount <= charge["amount"] - charge["amount_refunded"]:
            raise invalid("amount_too_large", "The refund is greater than what is left.", "amount")
        last = LAST_DAY.get(charge["payment_method_details"]["type"])
        if last is not None and charge["created"] + last * DAY < self.now():
            raise invalid("charge_expired_for_capture", "This method's time for refunds is over.", "charge")
