"""What an officer shows and says at a door: the number, the QR, and the word to say first."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, url_for
from flask_babel import gettext as _

from portal.visits.today import Round, words_of
from portal.web.context import portal
from portal.web.officer.today import rounds_of
from portal.web.qr import qr_svg
from portal.web.security import SignedInOfficer, officer_only

blueprint = Blueprint("code", __name__)


@blueprint.get("/<visit_ref>")
@officer_only
def page(officer: SignedInOfficer, visit_ref: str) -> str:
    """The code of one of today's own visits; without its hour or when it is off there are no words."""
    p = portal()
    now = p.clock.now()
    visit = _own(officer, visit_ref)
    words = words_of(
        p.keys, visit_ref, state=visit.state, starts_at=visit.starts_at, ends_at=visit.ends_at, now=now
    )
    link = f"{p.settings.base_url}{url_for('public.visit.page', of=visit_ref)}"
    return render_template(
        "officer/code/page.html",
        officer=officer,
        visit=visit,
        words=words,
        now=now,
        qr=qr_svg(link, _("The page where this visit can be checked")),
    )


def _own(officer: SignedInOfficer, visit_ref: str) -> Round:
    for visit in rounds_of(officer):
        if visit.visit_ref == visit_ref:
            return visit
    abort(404)
