"""United States, as data: shows that another place needs no other code."""

from __future__ import annotations

from datetime import time
from types import MappingProxyType

from portal.jurisdictions.shape import (
    AgreementContents,
    AllocationRule,
    ContactHours,
    ContactLimit,
    Fact,
    HelpNumber,
    Jurisdiction,
    ThirdParties,
)

_REG_F = "12 CFR part 1006 (Regulation F)"
_ORDER = ("cost", "fee", "penalty_interest", "interest", "principal")
_ITEMS = ("parties", "balance", "instalments", "charges", "rights_and_breach", "other")

US = Jurisdiction(
    code="us",
    currency="USD",
    languages=("en",),
    contact_hours=ContactHours(
        opens=time(8), closes=time(21), source=f"{_REG_F}: not before 08:00 or after 21:00"
    ),
    contact_limits=(
        ContactLimit(
            code="calls_in_days",
            channel="call",
            counts="every",
            most=7,
            days=7,
            source=f"{_REG_F} s. 1006.14: more than 7 calls in 7 days is presumed harassment",
        ),
        ContactLimit(
            code="after_conversation",
            channel="call",
            counts="spoken",
            most=1,
            days=7,
            bars_every=True,
            source=f"{_REG_F} s. 1006.14: a call within 7 days of a conversation is presumed harassment",
        ),
        ContactLimit(
            code="reminders",
            channel="sms",
            counts="every",
            most=3,
            days=1,
            source="portal default",
            checked=False,
        ),
    ),
    third_parties=ThirdParties(
        attempts=3,
        days=7,
        source=f"{_REG_F} s. 1006.10: third parties only to find the debtor; how often is this portal's default",
        checked=False,
    ),
    allocation=tuple(
        AllocationRule(
            product_class=product_class,
            from_days=0,
            to_days=None,
            components=_ORDER,
            code="us.contract",
            source="by contract",
            checked=False,
        )
        for product_class in ("loan", "card")
    ),
    agreements=MappingProxyType(
        {
            product_class: AgreementContents(product_class=product_class, items=_ITEMS, source="by contract")
            for product_class in ("loan", "card")
        }
    ),
    several_debts=Fact(
        ("designated", "due", "least_secured", "heaviest_burden", "earliest_due", "pro_rata"),
        "portal default",
    ),
    max_plan_years=Fact(5, "portal default", checked=False),
    limitation_years=None,
    charge_ceiling=None,
    document_retention_days=Fact(180, "portal default: after the case closes"),
    record_retention_years=Fact(3, f"{_REG_F}: records kept three years", checked=False),
    visit_notice_days=None,
    stop_on_agreement=Fact(True, "rule of this portal"),
    conduct=Fact("1006.14", f"{_REG_F} s. 1006.14: no harassment, oppression or abuse"),
    figure_dispute=Fact("stop", f"{_REG_F}: a dispute within 30 days stops collection of the disputed part"),
    complaint_days=(Fact(15, "CFPB complaint response", checked=False),),
    help_numbers=(HelpNumber("855-411-2372", "complaints", "Consumer Financial Protection Bureau"),),
    payment_methods=("stripe", "bank_transfer"),
    prescribed_pauses_days=Fact(
        30, f"{_REG_F}: a dispute within 30 days stops collection of the disputed part"
    ),
)
