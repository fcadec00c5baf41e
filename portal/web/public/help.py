"""Help, chosen by its reader: what to look for, rights, what happens next, and who may contact you."""

from __future__ import annotations

from flask import Blueprint, render_template

from portal.contacts.queries import agencies
from portal.jurisdictions import pack
from portal.web.context import portal
from portal.web.public import still

blueprint = Blueprint("help", __name__)


@blueprint.get("/help")
def page() -> str:
    """One page with every explanation; the figures are those of the law and of the bank's settings."""
    bank = portal().settings.bank
    hours, policy = pack(bank.jurisdiction).contact_hours, bank.policy
    return still.page(
        "public/help/page.html",
        opens=f"{hours.opens:%H:%M}",
        closes=f"{hours.closes:%H:%M}",
        max_instalments=policy["max_instalments"],
        max_years=policy["max_years"],
        decision_working_days=policy["decision_working_days"],
        offer_lapses_days=policy["offer_lapses_days"],
        grace_days=policy["grace_days"],
    )


@blueprint.get("/who-may-contact-you")
def who() -> str:
    """Numbers, sender, address, payee and everybody who acts for the bank."""
    p = portal()
    with p.db.read() as connection:
        everybody = agencies(connection, today=p.clock.today())
    return render_template("public/help/who.html", agencies=everybody)


@blueprint.get("/accessibility")
def accessibility() -> str:
    """How the portal meets people half-way, and whom to tell where it does not."""
    return still.page("public/help/accessibility.html")
