"""The words of a statement in files: the same as on its page, for tables that no template writes."""

from __future__ import annotations

from collections.abc import Collection

from flask_babel import gettext as _

from portal.statements.sheet import Entry, Statement
from portal.web.locale import amount_text, day_text


def part_word(name: str, classes: Collection[str]) -> str:
    """A component; a card's fee is a late charge."""
    words = {
        "principal": _("Principal"),
        "interest": _("Interest"),
        "penalty_interest": _("Penalty interest"),
        "fee": _("Fees") if "loan" in classes else _("Late charges"),
        "cost": _("Legal costs"),
        "suspense": _("Not yet assigned"),
    }
    return str(words[name])


def kind_word(entry: Entry) -> str:
    """What an entry is."""
    words = {
        "disbursement": _("Loan paid out"),
        "interest": _("Interest posted"),
        "penalty_interest": _("Penalty interest posted"),
        "fee": _("Charge posted"),
        "cost": _("Legal costs posted"),
        "payment": _("Your payment"),
        "reversal": _("Reversed"),
        "waiver": _("Forgiven"),
        "write_down": _("Written down"),
        "charge_back": _("Payment taken back"),
        "refund": _("Paid back to you"),
        "transfer": _("Moved"),
    }
    return str(words[entry.kind])


def effect_word(effect: str) -> str:
    """Which figure an entry moves."""
    return str({"charged": _("Charged"), "paid": _("Paid"), "forgiven": _("Forgiven")}[effect])


def product_word(product: str) -> str:
    """A product's name; one we have no word for keeps the bank's own."""
    words = {
        "消费贷": _("Consumer loan"),
        "经营贷": _("Business loan"),
        "装修贷": _("Home improvement loan"),
        "信用卡分期": _("Card instalment plan"),
    }
    return str(words.get(product, product))


def unit_word(currency: str) -> str:
    """What the amounts are counted in."""
    return str(_("yuan")) if currency == "CNY" else currency


def settlement_words(stated: Statement) -> list[str]:
    """What one has to know of the settlement figure: what is estimated, and what a day more adds."""
    rows, said = stated.settlement, []
    estimated = [row for row in rows if row.is_estimate]
    if estimated:
        said.append(
            _(
                "Interest after %(day)s is an estimate: the bank's posting decides.",
                day=day_text(min(row.since for row in estimated)),
            )
        )
    per_day = sum(row.per_day for row in rows)
    if per_day:
        added = amount_text(stated.money(per_day))
        said.append(_("Each day later adds about %(amount)s.", amount=added))
    said.append(_("Payments and charges that are posted in between change it."))
    return [str(words) for words in said]
