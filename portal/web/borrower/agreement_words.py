"""The words of an agreement: what each item the law asks for says, in the borrower's language."""

from __future__ import annotations

from collections.abc import Callable

from babel.numbers import get_currency_name
from flask_babel import get_locale, ngettext
from flask_babel import gettext as _

from portal.plans.agreement import AgreementDraft, Writer, WrittenItem
from portal.plans.policy import Policy
from portal.plans.queries import Holder
from portal.plans.terms import CoveredLoan
from portal.web.context import portal
from portal.web.locale import amount_text, current_locale, day_text, grouped_phone, money_text

Page = Callable[[AgreementDraft, Holder], WrittenItem]


def writer(holder: Holder) -> Writer:
    """The writer of a borrower's agreements."""
    return lambda draft: tuple(ITEMS[code](draft, holder) for code in draft.items)


def parties(draft: AgreementDraft, holder: Holder) -> WrittenItem:
    """Who agrees."""
    return WrittenItem(
        "parties",
        _("Who agrees"),
        (
            _("The bank: %(bank)s.", bank=portal().settings.bank.name(current_locale())),
            _(
                "The borrower: %(name)s, customer number %(ref)s, mobile number ending in %(tail)s.",
                name=holder.masked_name,
                ref=holder.customer_ref,
                tail=holder.phone_tail,
            ),
        ),
    )


def balance(draft: AgreementDraft, holder: Holder) -> WrittenItem:
    """What is covered, of what it is made, in which currency."""
    said = [
        _(
            "On %(day)s this agreement covers %(amount)s. The currency is %(currency)s.",
            day=day_text(draft.terms.as_of),
            amount=money_text(draft.covered),
            currency=_currency(draft),
        ),
        _("It is made up as follows.")
        if draft.terms.whole_loan
        else _("This is what is due on that day. It is made up as follows."),
    ]
    if draft.waived:
        said.append(
            _(
                "Of this the bank waives %(waived)s; %(left)s is left to pay.",
                waived=money_text(draft.waived),
                left=money_text(draft.covered - draft.waived),
            )
        )
    return WrittenItem("balance", _("The balance and what it is made of"), tuple(said), _structure(draft))


def _currency(draft: AgreementDraft) -> str:
    return str(get_currency_name(draft.terms.currency, locale=get_locale()))


def _structure(draft: AgreementDraft) -> tuple[tuple[str, ...], ...]:
    names = component_words()
    rows = [(_("Account"), _("Part"), _("Amount"))]
    for loan in draft.loans:
        rows.extend(_loan_rows(loan, names))
    return tuple(rows)


def _loan_rows(loan: CoveredLoan, names: dict[str, str]) -> list[tuple[str, str, str]]:
    parts = dict(loan.parts)
    rows: list[tuple[str, str, str]] = [
        (loan.loan_ref, names[code], amount_text(parts[code])) for code in names if code in parts
    ]
    return rows or [(loan.loan_ref, _("In all"), amount_text(loan.covered))]


def component_words() -> dict[str, str]:
    """The words of the components, in the order a person reads them."""
    return {
        "principal": _("Principal"),
        "interest": _("Interest"),
        "penalty_interest": _("Penalty interest"),
        "fee": _("Late fees"),
        "cost": _("Court costs"),
    }


def instalments(draft: AgreementDraft, holder: Holder) -> WrittenItem:
    """Rhythm, method, currency, dates and amount of each instalment."""
    terms = draft.terms
    said = []
    if len(terms.product_classes) > 1:
        said.append(_("The instalments below pay all accounts under this plan together."))
    said.append(
        ngettext(
            "You pay %(total)s in one instalment.",
            "You pay %(total)s in %(num)s instalments.",
            terms.count,
            total=money_text(terms.instalments_total),
        )
    )
    said.append(_rhythm(draft))
    if terms.upfront and terms.upfront_due_on:
        said.append(
            _(
                "Before that you pay %(amount)s by %(day)s.",
                amount=money_text(terms.upfront),
                day=day_text(terms.upfront_due_on),
            )
        )
    said.append(
        _(
            "You pay in %(currency)s, on this portal or by transfer to the bank's own account.",
            currency=_currency(draft),
        )
    )
    rows = [(_("No."), _("Date"), _("Amount"))]
    rows.extend(
        (_number(part.number), day_text(part.due_on), amount_text(part.amount)) for part in terms.payments
    )
    return WrittenItem("instalments", _("The instalments"), tuple(said), tuple(rows))


def _number(number: int) -> str:
    return str(number) if number else _("First payment")


def _rhythm(draft: AgreementDraft) -> str:
    day = draft.terms.pay_day
    words = {
        "weekly": _("One falls due every week."),
        "fortnightly": _("One falls due every two weeks."),
        "four_weekly": _("One falls due every four weeks."),
        "monthly": _("One falls due every month on day %(day)s, or on the next working day.", day=day),
        "quarterly": _(
            "One falls due every three months on day %(day)s, or on the next working day.", day=day
        ),
    }
    return str(words[draft.terms.frequency.value])


def charges(draft: AgreementDraft, holder: Holder) -> WrittenItem:
    """Whether annual fee, interest and other fees go on."""
    if draft.terms.freeze_interest:
        interest = _("No interest is charged on what this plan covers while you keep it.")
    else:
        interest = _("Ordinary interest under the contract goes on and is not part of the instalments.")
    said = [interest, _("Penalty interest and late fees stop while you keep the plan.")]
    if draft.product_class == "card":
        said.append(_("An annual fee, where your contract has one, goes on as the contract says."))
    said.append(_("The plan itself costs nothing."))
    return WrittenItem("charges", _("Interest and fees during the plan"), tuple(said))


def no_new_card(draft: AgreementDraft, holder: Holder) -> WrittenItem:
    """The undertaking that goes with a card agreement."""
    return WrittenItem(
        "no_new_card",
        _("No new credit card meanwhile"),
        (
            _(
                "Until everything under this agreement is paid, you undertake not to apply for a credit card "
                "at any bank."
            ),
        ),
    )


def rights_and_breach(draft: AgreementDraft, holder: Holder) -> WrittenItem:
    """Rights, duties, and what happens when an instalment is missed."""
    grace = Policy.of(portal().settings.bank).grace_days
    return WrittenItem(
        "rights_and_breach",
        _("Rights, duties, and when an instalment is missed"),
        (
            _(
                "While you keep the plan, the bank and everybody acting for it stop collecting: no calls, no "
                "visits, no letters asking you to pay."
            ),
            _(
                "You pay each instalment by its date. You may pay more, or earlier, at any time and free of charge."
            ),
            ngettext(
                "If an instalment is not paid within %(num)s day of its date, you are reminded.",
                "If an instalment is not paid within %(num)s days of its date, you are reminded.",
                grace,
            ),
            _(
                "If two in a row are missed, you are asked what has changed. The plan ends only after the bank "
                "has told you so in writing."
            ),
            _(
                "If the plan ends, what you have paid counts, what is left is due under the original contract, "
                "and collection may go on."
            ),
        ),
    )


def other(draft: AgreementDraft, holder: Holder) -> WrittenItem:
    """Acknowledgement, the original contract, the form of the agreement, complaints."""
    return WrittenItem(
        "other",
        _("Other matters"),
        (
            _(
                "By confirming you acknowledge the debt named here. The period after which the bank can no "
                "longer claim it in court begins anew."
            ),
            _("What this agreement does not change stays as the original contract says."),
            _(
                "It is made when you confirm it with the one-time code sent to your mobile number. Both sides "
                "keep the same signed text."
            ),
            _(
                "Questions and complaints: %(phone)s, or 12378 for complaints about financial services.",
                phone=grouped_phone(portal().settings.bank.phone),
            ),
        ),
    )


ITEMS: dict[str, Page] = {
    "parties": parties,
    "balance": balance,
    "instalments": instalments,
    "charges": charges,
    "no_new_card": no_new_card,
    "rights_and_breach": rights_and_breach,
    "other": other,
}
