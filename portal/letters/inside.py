"""The second page of a letter: all that art. 69 asks for, for one person alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portal.access import codes
from portal.jurisdictions import pack
from portal.letters.printable import LoanRow, Printable
from portal.money import Money
from portal.notices.saying import Saying, account, phone
from portal.papers.letters import Inside, Passage
from portal.settings import Bank

#: From this many days overdue a payment on a card meets principal first (the pack's allocation rules).
CARD_PRINCIPAL_FIRST = 91


def inside(_: Saying, notice: Printable, bank: Bank, page_number: str) -> Inside:
    """The second page; `page_number` is the number that stands on it alone."""
    whole, point, rest = _.money(notice.stated).rpartition(".")
    return Inside(
        heading=_about(_, notice.loans),
        lead=_(
            "%(name)s: on %(day)s this was due and not yet paid on the accounts in your name",
            name=notice.name,
            day=_.day(notice.stated_on),
        ),
        figure={"whole": whole, "rest": point + rest} if point else {"whole": rest, "rest": ""},
        table=_table(_, notice),
        articles={
            "reason": _reason(_, notice, bank),
            "consequences": _consequences(_, bank),
            "how": _how(_, notice, bank),
        },
        contact=Passage(_("Contact us"), tuple(_contact(_, notice, bank))),
        validity=_(
            "Valid until %(day)s. Signed electronically; anybody can verify it with our published key. Number of this page: %(number)s",
            day=_.day(notice.expires_on),
            number=page_number,
        ),
        seal=_seal(_, bank),
    )


def _about(_: Saying, loans: Sequence[LoanRow]) -> str:
    products = {loan.product for loan in loans}
    if len(products) != 1:
        return _("About the accounts in your name")
    return _("About your account: %(product)s", product=_product(_, products.pop()))


def _table(_: Saying, notice: Printable) -> dict[str, Any]:
    unit = _("Account (in yuan)") if notice.stated.currency == "CNY" else notice.stated.currency
    if not notice.loans:
        stated = [_("What the bank states"), _.amount(notice.stated)]
        return {"columns": ["fill", "even"], "head": [unit, _("Total")], "rows": [stated]}
    made: dict[str, Any] = {
        # a product and its number stay on one line, in English too: whoever copies the table gets its rows
        "columns": ["fill", *(["slim" if _.is_english else "even"] * 4)],
        "head": [unit, _("Principal"), _("Interest"), _("Penalties and charges"), _("Total")],
        "rows": [_row(_, loan) for loan in notice.loans],
    }
    if len(notice.loans) > 1:
        sums = (
            sum(getattr(loan, part).minor for loan in notice.loans)
            for part in ("principal", "interest", "charges", "total")
        )
        made["foot"] = [_("Total"), *(_.amount(Money(minor, notice.stated.currency)) for minor in sums)]
    return made


def _row(_: Saying, loan: LoanRow) -> list[Any]:
    amounts = (loan.principal, loan.interest, loan.charges, loan.total)
    return [{"text": _product(_, loan.product), "small": loan.loan_ref}, *map(_.amount, amounts)]


def _reason(_: Saying, notice: Printable, bank: Bank) -> Passage:
    """Why and on what basis; in Chinese the bank's own text stands first, as it is on record."""
    said = []
    if not _.is_english:
        said.append(_filled(notice, bank))
    due = _("What is named above has fallen due and has not been paid in full.")
    if bank.jurisdiction != "cn":
        basis = _("The basis is your contract with us.")
    elif all(loan.product_class == "loan" for loan in notice.loans):
        basis = _("The basis is your contract with us and article 676 of the Civil Code.")
    else:
        basis = _(
            "The basis is your contract with us, article 676 of the Civil Code, and articles 68 to 70 of the Measures on commercial banks' credit-card business."
        )
    said.append(_joined(_, due, basis, *_order(_, notice.loans)))
    if notice.agency_kind == "law_firm":
        said.append(
            _(
                "%(firm)s writes for us. The law firm's letter changes nothing in your rights, and you may go on dealing with us.",
                firm=notice.agency_name,
            )
        )
    return Passage(_("Why we write, and on what basis"), tuple(said))


def _order(_: Saying, loans: Sequence[LoanRow]) -> tuple[str, ...]:
    late = any(loan.product_class == "card" and loan.days_overdue >= CARD_PRINCIPAL_FIRST for loan in loans)
    if not late:
        return ()
    return (
        _(
            "On a card more than 90 days overdue, what you pay meets principal first, then interest and charges."
        ),
    )


def _filled(notice: Printable, bank: Bank) -> str:
    """The bank's text with name, code and address filled in: by replacing, the text is data and no format."""
    code = codes.grouped(notice.minted.code)
    body = notice.body.replace("{name}", notice.name).replace("{code}", code)
    return body.replace("{link}", f"https://{bank.host}/")


def _consequences(_: Saying, bank: Bank) -> Passage:
    limits = pack(bank.jurisdiction)
    rights = _(
        "You have the right to check every entry, to object to any amount, to submit evidence, and to ask for equal negotiation; a plan may run for up to %(years)s years. When you object we mark the account and look into it without delay.",
        years=limits.max_plan_years.value,
    )
    return Passage(
        _("What happens next, and your rights"),
        (
            _(
                "What is not paid goes on bearing interest as the contract says and is reported truthfully to the credit register. Where nothing is arranged for long, the bank may go to court."
            ),
            rights,
        ),
        strong=_(
            "While the bank considers a plan that you propose, visits and calls pause; once it is agreed, collection stops."
        ),
    )


def _how(_: Saying, notice: Printable, bank: Bank) -> Passage:
    payee = bank.payee_name.get(_.language, bank.payee_name["zh"])
    return Passage(
        _("How to check, pay, object and send evidence"),
        (
            _joined(
                _,
                _(
                    "Sign in at %(host)s with the code %(code)s, or come to any branch: there you see every entry, pay, object to a figure, propose a plan, and hand in evidence.",
                    host=bank.host,
                    code=codes.grouped(notice.minted.code),
                ),
                _(
                    "The only payee is “%(payee)s”, account %(account)s. Never transfer to a person. All of it is free of charge; you need no intermediary.",
                    payee=payee,
                    account=account(notice.payee_account),
                ),
            ),
        ),
    )


def _contact(_: Saying, notice: Printable, bank: Bank) -> list[str]:
    lines = [
        _(
            "%(bank)s %(phone)s (daily %(hours)s)",
            bank=bank.name(_.language),
            phone=phone(bank.phone),
            hours=bank.phone_hours.replace("-", "–"),
        )
    ]
    if notice.agency_kind != "bank":
        lines.append(
            _(
                "%(agency)s (acts for us) %(phone)s",
                agency=notice.agency_name,
                phone=phone(notice.agency_phone),
            )
        )
    outside = _("Complaints %(complaints)s · fraud line %(fraud)s")
    lines.append(outside % {"complaints": free_line(bank, "complaints"), "fraud": free_line(bank, "fraud")})
    return lines


def _seal(_: Saying, bank: Bank) -> dict[str, str]:
    name = bank.name(_.language)
    return {
        "top": name if _.is_english else " ".join(name),
        "bottom": _("Customer service"),
        "alt": _("Seal of %(bank)s", bank=name),
    }


def _product(_: Saying, product: str) -> str:
    words = {
        "消费贷": _("Consumer loan"),
        "经营贷": _("Business loan"),
        "装修贷": _("Home improvement loan"),
        "信用卡分期": _("Card instalment plan"),
    }
    return words.get(product, product)


def _joined(_: Saying, *sentences: str) -> str:
    return (" " if _.is_english else "").join(sentences)


def free_line(bank: Bank, purpose: str) -> str:
    """The free line for `purpose`; the bank's own where the pack names none."""
    found = (line.number for line in pack(bank.jurisdiction).help_numbers if line.purpose == purpose)
    return next(found, phone(bank.phone))
