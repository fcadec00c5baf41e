"""A receipt as PDF: what arrived and when; for the borrower also how it was placed. The same file each time."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask_babel import gettext as _

from portal.payments.papers import IssuedReceipt
from portal.web import papers
from portal.web.context import portal
from portal.web.locale import amount_text, current_locale, day_text, grouped_phone


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
            "text": papers.signed_text(
                issued.content,
                issued.facts,
                signature=issued.signature,
                key_id=issued.key_id,
                keys_url=keys_url,
            ),
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


def _proof(issued: IssuedReceipt, check_address: str, keys_url: str) -> dict[str, Any]:
    return papers.proof(
        heading=_("How to check this receipt"),
        covers=papers.covers_figures(keys_url),
        facts=[
            [_("Reference"), issued.reference],
            [_("Issuer"), issued.content["issuer"]],
            [_("Issued on"), issued.issued_on.isoformat()],
            *papers.fingerprint_and_signature(issued.digest, issued.signature),
            [_("Key"), issued.key_id],
        ],
        check_address=check_address,
        alt=_("Address at which anybody can check this receipt"),
    )
