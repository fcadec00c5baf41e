"""An agreement as PDF: in the words and the language it was made in, with both sides' signatures."""

from __future__ import annotations

import json
from typing import Any

from flask_babel import gettext as _

from portal.plans.agreement import WrittenItem, signed_facts
from portal.plans.queries import AgreementView, Holder
from portal.web import papers
from portal.web.context import portal
from portal.web.locale import day_text, grouped_phone, in_language, moment_text


def pdf_of(agreement: AgreementView, holder: Holder, *, check_address: str, keys_url: str) -> bytes:
    """The paper's bytes; the same whenever it is made, in whatever language it is asked for."""
    language = agreement.language
    with in_language(language):
        data = _sheet(agreement)
        data |= {
            "heading": _kind(agreement.product_class),
            "lines": [
                _(
                    "Agreement %(reference)s under plan %(plan)s",
                    reference=agreement.reference,
                    plan=agreement.plan_reference,
                ),
                _("Confirmed on %(moment)s", moment=moment_text(agreement.made_at)),
            ],
            "articles": [_article(item) for item in agreement.items],
            "sides": _sides(agreement, holder),
            "proof": _proof(agreement, check_address, keys_url),
            "attachment": {
                "name": f"agreement-{agreement.reference}.json",
                "text": papers.signed_text(
                    json.loads(agreement.content_text),
                    signed_facts(agreement.reference, agreement.content_hash),
                    signature=agreement.signature,
                    key_id=agreement.key_id,
                    keys_url=keys_url,
                ),
                "description": _("The signed data, for whoever computes it alone (JSON)"),
            },
        }
    return papers.made("agreement", data, language=language, timestamp=agreement.made_at)


def _sheet(agreement: AgreementView) -> dict[str, Any]:
    bank = portal().settings.bank
    return papers.sheet(
        agreement.language,
        title=str(
            _(
                "Agreement %(reference)s · %(bank)s",
                reference=agreement.reference,
                bank=bank.name(agreement.language),
            )
        ),
        corner=[
            str(_("For you alone · No. %(reference)s", reference=agreement.reference)),
            day_text(portal().clock.local(agreement.made_at).date()),
        ],
        foot=str(
            _(
                "Questions and complaints: %(phone)s, or 12378 for complaints about financial services.",
                phone=grouped_phone(bank.phone),
            )
        ),
    )


def _kind(product_class: str) -> str:
    if product_class == "card":
        return str(_("Instalment agreement for the credit card"))
    return str(_("Instalment agreement for the loan"))


def _article(item: WrittenItem) -> dict[str, Any]:
    made: dict[str, Any] = {"heading": item.title, "paragraphs": list(item.paragraphs)}
    if item.rows:
        head, *rows = item.rows
        made["table"] = {
            "columns": ["text", *["fill"] * (len(head) - 2), "number"],
            "head": list(head),
            "rows": [list(row) for row in rows],
        }
    return made


def _sides(agreement: AgreementView, holder: Holder) -> list[list[str]]:
    """Who signed, and how."""
    moment = moment_text(agreement.made_at)
    return [
        [
            _("The bank"),
            portal().settings.bank.name(agreement.language),
            _("Signed electronically on %(moment)s", moment=moment),
        ],
        [
            _("The borrower"),
            _("%(name)s, mobile ending in %(tail)s", name=holder.masked_name, tail=holder.phone_tail),
            _("Confirmed with a one-time code on %(moment)s", moment=moment),
        ],
    ]


def _proof(agreement: AgreementView, check_address: str, keys_url: str) -> dict[str, Any]:
    return papers.proof(
        heading=_("How to check this agreement"),
        covers=_(
            "The signature covers the reference and, through the fingerprint, every word above. The signed data is attached to this file; the key is at %(address)s.",
            address=keys_url,
        ),
        facts=[
            [_("Reference"), agreement.reference],
            *papers.fingerprint_and_signature(agreement.content_hash, agreement.signature),
            *([[_("Key"), agreement.key_id]] if agreement.key_id else []),
        ],
        check_address=check_address,
        alt=_("Address at which anybody can check this agreement"),
    )
