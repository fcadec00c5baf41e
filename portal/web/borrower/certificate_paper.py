"""The certificate as PDF: that everything under a plan is paid, and whether the loans themselves are settled."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from portal.plans.certificates import Certified
from portal.plans.queries import Holder
from portal.web import papers
from portal.web.context import portal
from portal.web.locale import amount_text, current_locale, day_text, grouped_phone, money_text


def pdf_of(issued: Certified, holder: Holder, *, check_address: str, keys_url: str) -> bytes:
    """The paper's bytes, in the reader's language; the same each time."""
    language, bank = current_locale(), portal().settings.bank
    name = bank.name(language)
    data = papers.sheet(
        language,
        title=str(_("Certificate %(reference)s · %(bank)s", reference=issued.reference, bank=name)),
        corner=[str(_("No. %(reference)s", reference=issued.reference)), day_text(issued.issued_on)],
        foot=str(_("Questions: %(phone)s, or at any branch.", phone=grouped_phone(bank.phone))),
    )
    data |= {
        "heading": _("Certificate of settlement") if issued.is_settled else _("Certificate of completion"),
        "statement": _statement(issued, name),
        "facts": _facts(issued, holder),
        "table": _table(issued),
        "seal": {"top": name, "bottom": _("Certificates"), "alt": _("Seal of %(bank)s", bank=name)},
        "signatory": name,
        "day": day_text(issued.issued_on),
        "proof": _proof(issued, check_address, keys_url),
        "attachment": {
            "name": f"certificate-{issued.reference}.json",
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
    return papers.made("certificate", data, language=language, timestamp=issued.created_at)


def _statement(issued: Certified, name: str) -> list[str]:
    """What is certified, in one sentence; and of the loans only what is so."""
    said = [
        ngettext(
            "%(bank)s certifies that the %(num)s payment under plan %(plan)s, %(paid)s in all, was made in full by %(day)s.",
            "%(bank)s certifies that all %(num)s payments under plan %(plan)s, %(paid)s in all, were made in full by %(day)s.",
            int(issued.content["instalments"]),
            bank=name,
            plan=issued.content["plan"],
            paid=money_text(issued.paid),
            day=day_text(issued.completed_on),
        )
    ]
    if issued.is_settled:
        said.append(_("Nothing is left on the loan accounts below. They are settled in full."))
    else:
        said.append(
            _("What is left on an account below was not part of the plan and is due as its contract says.")
        )
    return [str(words) for words in said]


def _facts(issued: Certified, holder: Holder) -> list[list[str]]:
    return [
        [
            _("Holder"),
            _("%(name)s, customer number %(number)s", name=holder.masked_name, number=holder.customer_ref),
        ],
        [_("Plan"), issued.content["plan"]],
        [_("Agreement made on"), day_text(issued.made_on)],
        [_("Last payment on"), day_text(issued.completed_on)],
    ]


def _table(issued: Certified) -> dict[str, Any]:
    return {
        "columns": ["fill", "even", "even"],
        "head": [
            _("Loan account"),
            _("Covered by the plan"),
            _("Left on %(day)s", day=day_text(issued.issued_on)),
        ],
        "rows": [
            [loan.loan_ref, str(amount_text(loan.covered)), str(amount_text(loan.left))]
            for loan in issued.loans
        ],
    }


def _proof(issued: Certified, check_address: str, keys_url: str) -> dict[str, Any]:
    return papers.proof(
        heading=_("How to check this certificate"),
        covers=papers.covers_figures(keys_url),
        facts=[
            [_("Reference"), issued.reference],
            [_("Issuer"), issued.content["issuer"]],
            [_("Issued on"), issued.issued_on.isoformat()],
            *papers.fingerprint_and_signature(issued.digest, issued.signature),
            [_("Key"), issued.key_id],
        ],
        check_address=check_address,
        alt=_("Address at which anybody can check this certificate"),
    )
