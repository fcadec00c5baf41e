"""China: the complete pack and the default."""

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
from portal.money import rate

_CARDS = "商业银行信用卡业务监督管理办法 (Measures on commercial banks' credit-card business)"
_CIVIL = "中华人民共和国民法典 (Civil Code)"

_GUIDE = "China Banking Association guide 2026 (press reports)"

_CHARGES_FIRST = ("cost", "fee", "penalty_interest", "interest", "principal")
_PRINCIPAL_FIRST = ("principal", "cost", "fee", "penalty_interest", "interest")

CN = Jurisdiction(
    code="cn",
    currency="CNY",
    languages=("zh", "zh_Hant", "en"),
    contact_hours=ContactHours(
        opens=time(8), closes=time(22), source="GB/T 45251-2025: no contact 22:00-08:00 unless agreed"
    ),
    contact_limits=(
        ContactLimit(
            code="effective_calls",
            channel="call",
            counts="spoken",
            most=3,
            days=1,
            source=_GUIDE,
            checked=False,
        ),
        ContactLimit(
            code="unanswered_calls",
            channel="call",
            counts="missed",
            most=6,
            days=1,
            source=_GUIDE,
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
        source=f"{_GUIDE}: third parties only when the debtor cannot be reached; how often is this portal's default",
        checked=False,
    ),
    allocation=(
        AllocationRule(
            product_class="loan",
            from_days=0,
            to_days=None,
            components=_CHARGES_FIRST,
            code="cn.561",
            source=f"{_CIVIL} art. 561: costs of enforcing the claim, then interest, then principal",
        ),
        AllocationRule(
            product_class="card",
            from_days=0,
            to_days=90,
            components=_CHARGES_FIRST,
            code="cn.card_57_to_90",
            source=f"{_CARDS} art. 57: up to 90 days overdue charges first",
            checked=False,
        ),
        AllocationRule(
            product_class="card",
            from_days=91,
            to_days=None,
            components=_PRINCIPAL_FIRST,
            code="cn.card_57_over_90",
            source=f"{_CARDS} art. 57: from 91 days overdue principal first",
            checked=False,
        ),
    ),
    agreements=MappingProxyType(
        {
            "card": AgreementContents(
                product_class="card",
                items=("balance", "instalments", "charges", "no_new_card", "rights_and_breach", "other"),
                source=f"{_CARDS} art. 70",
            ),
            "loan": AgreementContents(
                product_class="loan",
                items=("parties", "balance", "instalments", "charges", "rights_and_breach", "other"),
                source=f"{_CIVIL} art. 543: a contract is changed by agreement of its parties",
            ),
        }
    ),
    several_debts=Fact(
        ("designated", "due", "least_secured", "heaviest_burden", "earliest_due", "pro_rata"),
        f"{_CIVIL} art. 560",
    ),
    max_plan_years=Fact(5, f"{_CARDS} art. 70"),
    limitation_years=Fact(3, f"{_CIVIL} arts. 188, 195; agreeing to perform interrupts it"),
    charge_ceiling=Fact(rate("24%"), "practice of the courts on total charges a year", checked=False),
    document_retention_days=Fact(180, "portal default: after the case closes"),
    record_retention_years=Fact(2, f"{_CARDS} art. 68: process records kept at least two years"),
    visit_notice_days=None,
    stop_on_agreement=Fact(
        True, f"{_CARDS} art. 70: once signed, collection stops unless the borrower defaults"
    ),
    complaint_days=(
        Fact(15, "银行业保险业消费投诉处理管理办法: simple cases"),
        Fact(30, "银行业保险业消费投诉处理管理办法: complex cases; 30 more with approval"),
    ),
    complaint_extension_days=Fact(30, "银行业保险业消费投诉处理管理办法: 30 more with approval"),
    conduct=Fact(
        "art. 68",
        f"{_CARDS} art. 68: only the debtor and guarantor, no unrelated third party, no force or harassment",
    ),
    figure_dispute=Fact(
        "mark", f"{_CARDS} art. 69: on an objection the account is marked and verified promptly"
    ),
    help_numbers=(
        HelpNumber("96110", "fraud", "national anti-fraud line"),
        HelpNumber("12378", "complaints", "National Financial Regulatory Administration consumer line"),
    ),
    payment_methods=("bank_transfer", "stripe"),
)
