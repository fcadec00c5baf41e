"""Great Britain, as data: shows that another place needs no other code."""

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

_CONC = "FCA Handbook CONC 7"
_ORDER = ("cost", "fee", "penalty_interest", "interest", "principal")
_ITEMS = ("parties", "balance", "instalments", "charges", "rights_and_breach", "other")

GB = Jurisdiction(
    code="gb",
    currency="GBP",
    languages=("en",),
    contact_hours=ContactHours(opens=time(6), closes=time(21), source="visits 06:00-21:00"),
    contact_limits=(
        ContactLimit(
            code="effective_calls",
            channel="call",
            counts="spoken",
            most=1,
            days=1,
            source=f"{_CONC}: reasonable frequency; the number is this portal's default",
            checked=False,
        ),
        ContactLimit(
            code="unanswered_calls",
            channel="call",
            counts="missed",
            most=3,
            days=1,
            source=f"{_CONC}: reasonable frequency; the number is this portal's default",
            per_number=True,
            checked=False,
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
        source=f"{_CONC}: no contact through others; how often is this portal's default",
        checked=False,
    ),
    allocation=tuple(
        AllocationRule(
            product_class=product_class,
            from_days=0,
            to_days=None,
            components=_ORDER,
            code="gb.contract",
            source="by contract",
            checked=False,
        )
        for product_class in ("loan", "card")
    ),
    agreements=MappingProxyType(
        {
            product_class: AgreementContents(product_class=product_class, items=_ITEMS, source=_CONC)
            for product_class in ("loan", "card")
        }
    ),
    several_debts=Fact(
        ("designated", "due", "least_secured", "heaviest_burden", "earliest_due", "pro_rata"),
        "portal default",
    ),
    max_plan_years=Fact(10, "portal default", checked=False),
    limitation_years=Fact(6, "Limitation Act 1980 s. 5", checked=False),
    charge_ceiling=None,
    document_retention_days=Fact(180, "portal default: after the case closes"),
    record_retention_years=Fact(6, "portal default", checked=False),
    visit_notice_days=Fact(7, "seven clear days; Sundays and bank holidays not counted"),
    stop_on_agreement=Fact(True, "rule of this portal"),
    conduct=Fact("CONC 7", "FCA Handbook CONC 7: fair treatment, no pressure", checked=False),
    figure_dispute=Fact(
        "stop", "FCA Handbook CONC 7.14: no steps to recover what is disputed on valid grounds", checked=False
    ),
    complaint_days=(Fact(56, "FCA Handbook DISP 1.6: final response within eight weeks", checked=False),),
    help_numbers=(
        HelpNumber("0800 138 7777", "debt_advice", "MoneyHelper"),
        HelpNumber("0300 123 2040", "fraud", "Report Fraud"),
        HelpNumber("0800 023 4567", "complaints", "Financial Ombudsman Service"),
    ),
    payment_methods=("stripe", "bank_transfer"),
    prescribed_pauses_days=Fact(60, "Breathing Space (Debt Respite Scheme) Regulations 2020"),
)
