"""The dashboard of the desk door: the loan book and the work in figures, each chart with its table."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask_babel import gettext as _

from portal.contacts import log_queries
from portal.contacts.lifecycle import BreachState
from portal.money import EXPONENTS, Money, divide
from portal.plans.policy import Policy
from portal.reviews import dashboard
from portal.web.context import portal
from portal.web.locale import current_locale
from portal.web.security import SignedInStaff, staff_only

blueprint = Blueprint("dashboard", __name__)


@blueprint.get("/dashboard")
@staff_only("reviewer", "supervisor", "operator")
def page(staff: SignedInStaff) -> str:
    """The figures of the day."""
    p = portal()
    with p.db.read() as connection:
        figures = dashboard.figures(
            connection,
            now=p.clock.now(),
            today=p.clock.today(),
            currency=p.settings.bank.currency,
            working_days=p.working_days,
            local=p.clock.local,
            promised_days=Policy.of(p.settings.bank).decision_working_days,
        )
        breaches = log_queries.breach_counts(connection)
    return render_template(
        "desk/dashboard/page.html",
        staff=staff,
        tab="dashboard",
        figures=figures,
        breaches_open=breaches[BreachState.OPEN],
        in_short=in_short,
        short_unit=short_unit,
    )


def in_short(amount: Money, digits: int = 2) -> str:
    """A large amount in the unit people compare in: ten thousands in Chinese, thousands in English.

    Rounded half up once, to `digits` decimals of that unit; the exact amount stands in the table.
    """
    power = 3 if current_locale() == "en" else 4
    units = divide(amount.minor, 10 ** (EXPONENTS[amount.currency] + power - digits))
    whole, rest = divmod(abs(units), 10**digits)
    return ("−" if units < 0 else "") + f"{whole:,}" + (f".{rest:0{digits}d}" if digits else "")


def short_unit(currency: str) -> str:
    """The word for the unit of `in_short`: translators of Chinese say ten thousand."""
    words = _("thousand yuan") if currency == "CNY" else _("thousand %(currency)s", currency=currency)
    return str(words)
