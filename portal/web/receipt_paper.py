"""A receipt as PDF: what arrived and when; for the borrower also how it was placed. The same file each time."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from flask_babel import gettext as _

from portal.payments.papers import IssuedReceipt
from portal.web import papers
from portal.web.context import portal
from portal.web.locale import amount_text, current_locale, day_text, grouped_phone

DIGEST_GROUP, SIGNATURE_GROUP = 8, 11


def pdf_of(issued: IssuedReceipt, *, check_address: str, keys_url: str) -> bytes:
    """The paper's bytes, in the reader's language."""
    language, bank = current_locale(), portal().settings.bank
    name = bank.name(language)
    data = papers.sheet(
        language,
        title=str(_("Receipt %(reference)s · %(bank)s", reference=issued.reference, bank=name)),
        corner=[str(_("No. %(reference)s", reference=issued.reference)), day_text(issued.issued_on)],
        foot=str(_("Questions: %(phone)s, or at any branch.", phone=grouped_phone(bank.phone))),
    )
    data |= {
        "heading": _("Payment receipt"),
        "lines": _lines(issued, name),
        "sections": [
            {"heading": _("Received"), "figure": papers.large(issued.amount)},
            *(_part(issued, one) for one in issued.content.get("placed", ())),
            *_counted(issued),
        ],
        "proof": _proof(issued, check_address, keys_url),
        "attachment": {
            "name": f"receipt-{issued.reference}.json",
            "text": _signed_text(issued, keys_url),
            "description": _("The signed data, for whoever computes it alone (JSON)"),
        },
    }
    return papers.made("statement", data, language=language, timestamp=issued.created_at)


def _lines(issued: IssuedReceipt, name: str) -> list[str]:
    content = issued.content
    lines = [
        _("Paid to %(bank)s, payment %(reference)s", bank=name, reference=content["payment"]),
        _("Received on %(day)s", day=_day(content["received_on"])),
    ]
    if "credited_on" in content:
        day = _day(content["credited_on"])
        lines.append(_("Credited on %(day)s towards %(account)s", day=day, account=content["towards"]))
    if content.get("by_helper"):
        lines.append(_("Somebody else, through your link"))
    return [str(words) for words in lines]


def _part(issued: IssuedReceipt, one: dict[str, Any]) -> dict[str, Any]:
    steps = [*one["steps"], *([["suspense", one["suspense"]]] if one["suspense"] else [])]
    rows = [(_component(name, one), issued.money(minor)) for name, minor in steps]
    return {
        "heading": _("How it was placed on %(loan)s", loan=one["loan"]),
        "table": {
            "columns": ["fill", "even"],
            "head": [_("Step"), _("Amount")],
            "rows": [
                [f"{at}. {name}", str(amount_text(amount))] for at, (name, amount) in enumerate(rows, start=1)
            ],
            "foot": [_("Total"), str(amount_text(issued.money(one["amount"])))],
        },
    }


def _counted(issued: IssuedReceipt) -> list[dict[str, Any]]:
    counted = issued.content.get("counted", ())
    if not counted:
        return []
    rows = [
        [str(number) if number else _("first"), str(amount_text(issued.money(minor)))]
        for number, minor in counted
    ]
    total = issued.money(sum(minor for _number, minor in counted))
    table = {
        "columns": ["fill", "even"],
        "head": [_("No."), _("Amount")],
        "rows": rows,
        "foot": [_("Total"), str(amount_text(total))],
    }
    return [{"heading": _("What it paid of your plan"), "table": table}]


def _component(name: str, one: dict[str, Any]) -> str:
    words = {
        "principal": _("Principal"),
        "interest": _("Interest"),
        "penalty_interest": _("Penalty interest"),
        "fee": _("Late charges") if one["product_class"] == "card" else _("Fees"),
        "cost": _("Legal costs"),
        "suspense": _("Not yet assigned"),
    }
    return str(words[name])


def _day(iso: str) -> str:
    return day_text(date.fromisoformat(iso))


def _signed_text(issued: IssuedReceipt, keys_url: str) -> str:
    made = {
        "content": issued.content,
        "signed": issued.facts,
        "signature": issued.signature,
        "key_id": issued.key_id,
        "keys": keys_url,
    }
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def _proof(issued: IssuedReceipt, check_address: str, keys_url: str) -> dict[str, Any]:
    return {
        "heading": _("How to check this receipt"),
        "paragraphs": [
            _(
                "Scan the code or open %(address)s and type the reference and the fingerprint. The page says whether this paper is ours; it shows no name and no figure.",
                address=check_address.partition("?")[0],
            ),
            _(
                "The signature covers the facts below and, through the fingerprint, every figure. The signed data is attached to this file; the key is at %(address)s.",
                address=keys_url,
            ),
        ],
        "facts": [
            [_("Reference"), issued.reference],
            [_("Issuer"), issued.content["issuer"]],
            [_("Issued on"), issued.issued_on.isoformat()],
            [_("Fingerprint"), issued.digest, str(DIGEST_GROUP)],
            [_("Signature"), issued.signature, str(SIGNATURE_GROUP)],
            [_("Key"), issued.key_id],
        ],
        "qr": papers.code(check_address, _("Address at which anybody can check this receipt")),
    }
