"""The way to pay that a borrower lets the bank keep for a plan: the words of the consent, and taking it back."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, abort, redirect, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.payments import saved
from portal.payments.return_views import SavedView, saved_for
from portal.payments.saved import SavingRules
from portal.plans.queries import plan_for
from portal.web.context import portal
from portal.web.locale import current_locale
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("saved", __name__)


@blueprint.post("/plan/<reference>/saved/stop")
@borrower_only
def stop(borrower: SignedInBorrower, reference: str) -> Response:
    """Take the consent back: nothing is taken any more from this moment."""
    p = portal()
    with p.db.read() as connection:
        plan = plan_for(connection, borrower.borrower_id, reference) or abort(404)
    p.db.write(
        lambda session: saved.revoke(
            session, borrower_id=borrower.borrower_id, plan_id=plan.plan_id, now=p.clock.now()
        )
    )
    return redirect(url_for("borrower.plan.page", stopped=1, _anchor="saved"), 303)


def saved_of(borrower_id: int, plan_id: int) -> SavedView | None:
    """What is kept for the plan now."""
    with portal().db.read() as connection:
        return saved_for(connection, borrower_id, plan_id)


def keepable(methods: Sequence[str]) -> list[str]:
    """The methods of this checkout that the bank lets the borrower keep."""
    allowed = SavingRules.of(portal().settings.bank.policy).methods
    return [method for method in methods if method in allowed]


def consent_words(plan_reference: str) -> str:
    """What the borrower agrees to, in the words that are kept with the consent."""
    bank = portal().settings.bank
    return str(
        _(
            "I agree that %(bank)s keeps the way to pay I choose on the next page and takes each instalment "
            "of plan %(plan)s with it on its due day. I am told %(days)s days before. I can stop this at any "
            "time on the plan page.",
            bank=bank.name(current_locale()),
            plan=plan_reference,
            days=SavingRules.of(bank.policy).remind_days,
        )
    )
