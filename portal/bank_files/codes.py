"""The stored codes that a bank's words are translated to, per file and field."""

from __future__ import annotations

from collections.abc import Mapping

#: What a code may be translated to: the portal's own stored codes.
CODES: Mapping[tuple[str, str], frozenset[str]] = {
    ("agencies", "kind"): frozenset({"bank", "agency", "law_firm"}),
    ("officers", "status"): frozenset({"active", "left"}),
    ("customers", "language"): frozenset({"zh", "zh_Hant", "en"}),
    ("loans", "product_class"): frozenset({"loan", "card"}),
    ("loans", "day_count"): frozenset({"actual/360", "actual/365", "actual/actual", "30/360"}),
    ("loans", "method"): frozenset({"equal_principal", "equal_instalments", "bullet"}),
    ("loans", "status"): frozenset({"current", "overdue"}),
    ("loans", "rounding"): frozenset({"half_up", "half_even", "floor"}),
    ("loans", "compounding"): frozenset({"simple", "compound"}),
    ("ledger", "kind"): frozenset(
        {"disbursement", "interest", "penalty_interest", "fee", "cost", "payment", "waiver", "reversal"}
    ),
    ("notices", "channel"): frozenset({"sms", "call", "letter", "visit", "lawyer_letter"}),
    ("notices", "purpose"): frozenset({"reminder", "notification", "visit", "legal"}),
    ("notices", "status"): frozenset({"live", "withdrawn"}),
    ("visits", "state"): frozenset({"planned", "cancelled", "done"}),
    ("contacts", "channel"): frozenset({"sms", "call", "letter", "visit", "lawyer_letter", "email"}),
    ("contacts", "outcome"): frozenset(
        {"answered", "refused", "no_answer", "left", "third_party", "delivered", "failed", "made", "unknown"}
    ),
    ("contacts", "party"): frozenset({"debtor", "third"}),
    ("contacts", "direction"): frozenset({"out", "in"}),
}
