"""The settlement figure: what pays one loan off on a chosen day within the next month."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import StringField

from portal.accounts import queries
from portal.interest.settlement import earliest_day, latest_day, settlement_for
from portal.plans.policy import Policy
from portal.plans.queries import latest_plan_for
from portal.web.borrower.balance import exact_percent, links_of, own_loan, stops_of
from portal.web.context import portal
from portal.web.forms import Form
from portal.web.locale import day_text
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("settlement", __name__)


class DayForm(Form):
    """The day on which the loan is to be paid off."""

    on = StringField(_l("On which day do you want to pay?"))


@blueprint.get("/loans/<loan_ref>/settlement")
@borrower_only
def page(borrower: SignedInBorrower, loan_ref: str) -> Any:
    """The figure of the day, its parts, what a day more adds, and the days behind the interest."""
    p = portal()
    form = DayForm(request.args)
    with p.db.read() as connection:
        view = own_loan(queries.balances_for(connection, borrower.borrower_id), loan_ref)
        earliest, latest = (of(view.as_of, p.clock.today()) for of in (earliest_day, latest_day))
        on = day_within(form, earliest, latest)
        stop = stops_of(latest_plan_for(connection, borrower.borrower_id)).get(view.loan_id)
        fee_rate = Policy.of(p.settings.bank).early_repayment_fee
        found = on and settlement_for(
            connection, borrower.borrower_id, loan_ref, on=on, stop=stop, fee_rate=fee_rate
        )
    html = render_template(
        "borrower/settlement/page.html",
        form=form,
        view=view,
        earliest=earliest,
        latest=latest,
        found=found,
        lines=[line for period in found.periods for line in period.lines] if found else [],
        day_lines=found.day_lines if found else (),
        stop=stop,
        link=links_of(view, found.on if found else None),
        exact_percent=exact_percent,
    )
    return html, 422 if form.problems() else 200


def day_within(form: DayForm, earliest: date, latest: date) -> date | None:
    """The day a form asks for, the first there is where it asks for none; words at the field otherwise."""
    typed = (form.on.data or "").strip()
    if not typed:
        form.on.data = earliest.isoformat()
        return earliest
    try:
        day = date.fromisoformat(typed)
    except ValueError:
        form.on.errors = [_("Enter a day as year, month and day, for example 2026-12-01.")]
        return None
    if not earliest <= day <= latest:
        form.on.errors = [
            _(
                "Choose a day from %(first)s to %(last)s.",
                first=day_text(earliest),
                last=day_text(latest),
            )
        ]
        return None
    return day
