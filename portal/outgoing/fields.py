"""The files that go to the core and what each of their fields holds, in the terms of the intake's own."""

from __future__ import annotations

from collections.abc import Mapping

from portal.accounts.balance import COMPONENTS
from portal.bank_files.fields import Field

_REF, _DATE, _MOMENT, _CODE = Field("ref"), Field("date"), Field("moment"), Field("code")
_AMOUNT, _SIGNED, _CURRENCY = Field("amount"), Field("signed"), Field("currency")
_ENTRY = Field("outside_ref", 64)
_DIGEST = Field("ref", 64)

#: file -> field -> what it holds; in this order they are written. Which entries fill which file is in
#: `FILES_OF`.
FILES: Mapping[str, Mapping[str, Field]] = {
    "payments": {
        "entry_ref": _ENTRY,
        "kind": _CODE,
        "loan_ref": _REF,
        "customer_ref": _REF,
        "currency": _CURRENCY,
        "posted_on": _DATE,
        "recorded_at": _MOMENT,
        "amount": _SIGNED,
        **{name: _SIGNED for name in reversed(COMPONENTS)},
        "suspense": _SIGNED,
        "payment_ref": Field("ref", 32, optional=True),
        "method": Field("code", optional=True),
        "transfer_ref": Field("outside_ref", 64, optional=True),
        "plan_ref": Field("ref", 32, optional=True),
        "rule": Field("ref", 64, optional=True),
        "corrects_ref": Field("outside_ref", 64, optional=True),
        "memo": Field("cell_text", 200, optional=True),
    },
    "plans": {
        "entry_ref": _ENTRY,
        "plan_ref": _REF,
        "event": _CODE,
        "customer_ref": _REF,
        "proposal_ref": _REF,
        "event_at": _MOMENT,
        "currency": _CURRENCY,
        "as_of": _DATE,
        "covered": _AMOUNT,
        "waived": _AMOUNT,
        "payable": _AMOUNT,
        "paid": _AMOUNT,
        "upfront": _AMOUNT,
        "instalments": Field("number", 600),
        "frequency": _CODE,
        "pay_day": Field("number", 31),
        "first_due_on": _DATE,
        "last_due_on": _DATE,
        "interest": _CODE,
        "penalty_interest": _CODE,
        "scope": _CODE,
        "terms_sha256": _DIGEST,
        "agreement_refs": Field("refs", optional=True),
    },
    "plan_loans": {
        "entry_ref": _ENTRY,
        "plan_ref": _REF,
        "loan_ref": _REF,
        "product_class": _CODE,
        "currency": _CURRENCY,
        "covered": _AMOUNT,
        **{name: _AMOUNT for name in reversed(COMPONENTS)},
        "waived": _AMOUNT,
    },
    "plan_instalments": {
        "entry_ref": _ENTRY,
        "plan_ref": _REF,
        "number": Field("number", 600),
        "due_on": _DATE,
        "currency": _CURRENCY,
        "amount": _AMOUNT,
    },
    "plan_changes": {
        "entry_ref": _ENTRY,
        "plan_ref": _REF,
        "customer_ref": _REF,
        "number": Field("number", 10_000),
        "change": _CODE,
        "changed_at": _MOMENT,
        "pay_day": Field("number", 31),
        "first_moved": Field("number", 600),
        "last_due_on": _DATE,
        "currency": _CURRENCY,
        "payable": _AMOUNT,
        "terms_sha256": _DIGEST,
        "before_sha256": _DIGEST,
        "schedule_sha256": _DIGEST,
    },
    "decisions": {
        "entry_ref": _ENTRY,
        "negotiation_ref": _REF,
        "proposal_ref": _REF,
        "customer_ref": _REF,
        "loan_refs": Field("refs"),
        "round": Field("number", 10_000),
        "proposed_by": _CODE,
        "proposed_at": _MOMENT,
        "decision": _CODE,
        "stage": Field("number", 2),
        "stands": _CODE,
        "decided_at": _MOMENT,
        "staff_ref": _REF,
        "reasons": Field("words", 400, optional=True),
        "currency": _CURRENCY,
        "payable": _AMOUNT,
        "instalments": Field("number", 600),
        "terms_sha256": _DIGEST,
        "offer_sha256": Field("ref", 64, optional=True),
    },
    "wishes": {
        "entry_ref": _ENTRY,
        "customer_ref": _REF,
        "wish": _CODE,
        "wished_at": _MOMENT,
        "visit_ref": Field("ref", 32, optional=True),
        "starts_at": Field("moment", optional=True),
        "ends_at": Field("moment", optional=True),
        "calls": Field("code", optional=True),
        "messages": Field("code", optional=True),
        "visits": Field("code", optional=True),
        "opens": Field("outside_ref", 64, optional=True),
        "closes": Field("outside_ref", 64, optional=True),
    },
}

#: The field that names a row, per file; files of several rows an entry are named by two.
KEYS: Mapping[str, tuple[str, ...]] = {
    "payments": ("entry_ref",),
    "plans": ("entry_ref",),
    "plan_loans": ("entry_ref", "loan_ref"),
    "plan_instalments": ("entry_ref", "number"),
    "plan_changes": ("entry_ref",),
    "decisions": ("entry_ref",),
    "wishes": ("entry_ref",),
}

#: kind of entry -> the files its rows go to
FILES_OF: Mapping[str, tuple[str, ...]] = {
    "payment": ("payments",),
    "plan": ("plans", "plan_loans", "plan_instalments"),
    "plan_change": ("plan_changes", "plan_instalments"),
    "decision": ("decisions",),
    "wish": ("wishes",),
}

#: Every code that can be told; a mapping must have a word for each.
CODES: Mapping[tuple[str, str], frozenset[str]] = {
    ("payments", "kind"): frozenset(
        {"payment", "charge_back", "refund", "waiver", "write_down", "transfer", "reversal"}
    ),
    ("payments", "method"): frozenset({"stripe", "bank_transfer"}),
    ("plans", "event"): frozenset({"made", "completed", "broken", "cancelled"}),
    ("plans", "frequency"): frozenset({"weekly", "fortnightly", "four_weekly", "monthly", "quarterly"}),
    ("plans", "interest"): frozenset({"runs", "frozen"}),
    ("plans", "penalty_interest"): frozenset({"runs", "frozen"}),
    ("plans", "scope"): frozenset({"due_now", "whole_loan"}),
    ("plan_loans", "product_class"): frozenset({"loan", "card"}),
    ("plan_changes", "change"): frozenset({"pay_day", "skip"}),
    ("decisions", "proposed_by"): frozenset({"borrower", "bank"}),
    ("decisions", "decision"): frozenset({"approve", "counter", "ask", "decline", "send_back"}),
    ("decisions", "stands"): frozenset({"yes", "no"}),
    ("wishes", "wish"): frozenset(
        {
            "visit_moved",
            "visit_refused",
            "visit_place_asked",
            "no_visits",
            "visits_again",
            "contact",
            "number_corrected",
            "number_right",
            "number_barred",
        }
    ),
    ("wishes", "calls"): frozenset({"yes", "no"}),
    ("wishes", "messages"): frozenset({"yes", "no"}),
    ("wishes", "visits"): frozenset({"yes", "no"}),
}
