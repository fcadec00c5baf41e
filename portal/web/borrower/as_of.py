"""The balance on a day that the borrower chooses: as it was, or what falls due by then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import StringField

from portal.accounts import queries
from portal.accounts.queries import BorrowerBalance, CurrencyTotals
from portal.interest.as_of import DAYS_AHEAD, Ahead, ahead_for, balances_as_of
from portal.money import Money
from portal.plans.queries import latest_plan_for
from portal.web.borrower.balance import address_of, links_of, stops_of
from portal.web.context import portal
from portal.web.forms import Form
from portal.web.locale import day_text
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("as_of", __name__)


class DayForm(Form):
    """The day of which the balance is asked."""

    on = StringField(_l("Which day?"))


@dataclass(frozen=True)
class FallingDue:
    """An instalment to come, as an amount."""

    due_on: date
    amount: Money


@dataclass(frozen=True)
class Coming:
    """What comes on the loans of one currency by the day: instalments, and interest as an estimate.

    `ahead` is what of the instalments is paid already: it makes the sum come out where somebody has.
    """

    today: CurrencyTotals
    instalments: tuple[tuple[str, FallingDue], ...]
    ahead: Money
    estimates: tuple[Ahead, ...]

    @property
    def due_now(self) -> Money:
        """Due in the books today."""
        return self.today.due_now

    @property
    def estimated(self) -> Money:
        """The estimates together."""
        return Money.sum((one.estimated for one in self.estimates), self.today.currency)


@blueprint.get("/balance/on")
@borrower_only
def page(borrower: SignedInBorrower) -> Any:
    """The date field, and under it the balance of the day that was chosen."""
    form = DayForm(request.args)
    p = portal()
    with p.db.read() as connection:
        known = queries.balances_for(connection, borrower.borrower_id)
        on = day_of(form, known)
        balance = None if on is None else balances_as_of(connection, borrower.borrower_id, on=on)
        ahead: Mapping[int, Ahead] = {}
        if on is not None and any(loan.as_of < on for loan in known.loans):
            stops = stops_of(latest_plan_for(connection, borrower.borrower_id))
            ahead = ahead_for(connection, borrower.borrower_id, on=on, stops=stops)
    html = render_template(
        "borrower/as_of/page.html",
        form=form,
        on=on,
        balance=balance,
        ahead=coming(known, balance, ahead) if balance else {},
        total_as_of={total.currency: total.as_of for total in known.totals},
        address_of=address_of,
        links_of=links_of,
    )
    return html, 422 if form.problems() else 200


def coming(known: BorrowerBalance, then: BorrowerBalance, ahead: Mapping[int, Ahead]) -> dict[str, Coming]:
    """By currency, what comes between the books' last day and the day asked for."""
    made = {}
    for total in known.totals:
        ours = [ahead[loan.loan_id] for loan in total.loans if loan.loan_id in ahead]
        later = then.total(total.currency)
        if not ours or later is None:
            continue
        parts = tuple(
            (one.loan_ref, FallingDue(part.due_on, Money(part.principal_minor, total.currency)))
            for one in ours
            for part in one.instalments
        )
        fallen = Money.sum((part.amount for _ref, part in parts), total.currency)
        made[total.currency] = Coming(total, parts, later.due_now - total.due_now - fallen, tuple(ours))
    return made


def day_of(form: DayForm, known: BorrowerBalance) -> date | None:
    """The day a form asks for; nothing where it asks for none, and words at the field where it cannot be."""
    typed = (form.on.data or "").strip()
    if not typed or not known.loans:
        return None
    first = min(loan.opened_on for loan in known.loans)
    last = max(loan.as_of for loan in known.loans) + timedelta(days=DAYS_AHEAD)
    try:
        day = date.fromisoformat(typed)
    except ValueError:
        form.on.errors = [_("Enter a day as year, month and day, for example 2026-12-01.")]
        return None
    if not first <= day <= last:
        form.on.errors = [
            _("Choose a day from %(first)s to %(last)s.", first=day_text(first), last=day_text(last))
        ]
        return None
    return day
