"""The dashboard of the desk door: the portfolio and the work in figures."""

from __future__ import annotations

from flask import Blueprint, render_template

from portal.reviews import dashboard
from portal.web.context import portal
from portal.web.security import SignedInStaff, staff_only

blueprint = Blueprint("dashboard", __name__)


@blueprint.get("/dashboard")
@staff_only("reviewer", "supervisor", "operator")
def page(staff: SignedInStaff) -> str:
    """The figures of the day, each chart with its table."""
    p = portal()
    with p.db.read() as connection:
        figures = dashboard.figures(
            connection,
            now=p.clock.now(),
            today=p.clock.today(),
            currency=p.settings.bank.currency,
            working_days=p.working_days,
            local=p.clock.local,
        )
    return render_template("desk/dashboard/page.html", staff=staff, tab="dashboard", figures=figures)
