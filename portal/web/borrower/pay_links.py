"""Links with which somebody else pays: made, copied, watched and taken back by the borrower."""

from __future__ import annotations

import unicodedata
from typing import Any

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import StringField

from portal.accounts.queries import BorrowerBalance, balances_for
from portal.payments import payers, queries
from portal.payments.operations import UnableToPay
from portal.payments.payers import LinkView, LinkWish, UnableToLink
from portal.payments.queries import InstalmentDue
from portal.web.context import portal
from portal.web.forms import Form, MoneyField, whole_number
from portal.web.locale import money_text
from portal.web.qr import qr_svg
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("pay_links", __name__)


class LinkForm(Form):
    """How much somebody may pay, for what, and until when."""

    loan = StringField(_l("For which loan account?"))
    kind = StringField(_l("What can be paid with it?"), default="fixed")
    amount = MoneyField(_l("Amount"))
    days = StringField(_l("Good for how many days?"), default=str(payers.USUAL_DAYS))
    label = StringField(_l("Whom is it for? (only you see this)"))


@blueprint.get("/pay/someone-else")
@borrower_only
def page(borrower: SignedInBorrower) -> Response:
    """The links there are, and the form for another."""
    return _page(borrower, LinkForm(formdata=None, days=str(payers.USUAL_DAYS), kind="fixed"))


@blueprint.post("/pay/someone-else")
@borrower_only
def make(borrower: SignedInBorrower) -> Any:
    """Make a link; the same form again shows the one it made."""
    p, form = portal(), LinkForm()
    balance, instalment = _ground(borrower)
    loan_ref = _loan_ref(form, balance, instalment)
    form.validate()
    if loan_ref is None:
        form.loan.errors = [_("Choose the loan account the money is for.")]
    if form.problems() or form.amount.money is None:
        return _page(borrower, form)
    wish = LinkWish(
        loan_ref=loan_ref or None,
        kind=form.kind.data or "",
        limit=form.amount.money,
        days=whole_number(unicodedata.normalize("NFKC", form.days.data or "").strip()),
        label=form.label.data or "",
        form_key=request.form.get("form_key", "")[:64],
    )
    try:
        reference = p.db.write(
            lambda session: payers.make_link(
                session,
                keys=p.keys,
                borrower_id=borrower.borrower_id,
                wish=wish,
                today=p.clock.today(),
                now=p.clock.now(),
            )
        )
    except (UnableToLink, UnableToPay) as error:
        _say(form, error)
        return _page(borrower, form)
    return redirect(url_for("borrower.pay_links.link", reference=reference), 303)


@blueprint.get("/pay/someone-else/<reference>")
@borrower_only
def link(borrower: SignedInBorrower, reference: str) -> str:
    """One link: its address to copy and as a picture, ready words, and what was paid with it."""
    found = _link(borrower, reference)
    address = f"{portal().settings.base_url}/pay/{found.token}"
    picture = qr_svg(address, _("QR code of the link"))
    return render_template("borrower/pay_links/link.html", link=found, address=address, picture=picture)


@blueprint.post("/pay/someone-else/<reference>/revoke")
@borrower_only
def revoke(borrower: SignedInBorrower, reference: str) -> Any:
    """Take a link back: nothing more can be begun with it."""
    p, found = portal(), _link(borrower, reference)
    p.db.write(
        lambda session: payers.revoke(
            session, borrower_id=borrower.borrower_id, reference=found.reference, now=p.clock.now()
        )
    )
    return redirect(url_for("borrower.pay_links.link", reference=reference), 303)


def _ground(borrower: SignedInBorrower) -> tuple[BorrowerBalance, InstalmentDue | None]:
    with portal().db.read() as connection:
        return (
            balances_for(connection, borrower.borrower_id),
            queries.next_instalment_for(connection, borrower.borrower_id),
        )


def _links(borrower: SignedInBorrower) -> tuple[LinkView, ...]:
    p = portal()
    with p.db.read() as connection:
        return payers.links_for(connection, p.keys, borrower.borrower_id, today=p.clock.today())


def _link(borrower: SignedInBorrower, reference: str) -> LinkView:
    found = next((one for one in _links(borrower) if one.reference == reference), None)
    return found or abort(404)


def _loan_ref(form: LinkForm, balance: BorrowerBalance, instalment: InstalmentDue | None) -> str | None:
    """The loan, "" for the plan, None for neither; and the currency of what is typed."""
    form.amount.currency = portal().settings.bank.currency
    if form.loan.data == "plan" and instalment:
        form.amount.currency = instalment.plan_left.currency
        return ""
    left = [one for one in balance.loans if one.left]
    wanted = form.loan.data or (left[0].loan_ref if len(left) == 1 else "")
    loan = next((one for one in left if one.loan_ref == wanted), None)
    if loan is None:
        return None
    form.amount.currency = loan.currency
    return str(loan.loan_ref)


def _say(form: LinkForm, error: UnableToLink | UnableToPay) -> None:
    """The words at the field that is at fault."""
    limit = money_text(error.limit) if error.limit is not None else ""
    at = {
        "kind": (form.kind, _("Choose what can be paid with it.")),
        "days": (form.days, _("Enter a whole number from 1 to %(most)s.", most=payers.LONGEST_DAYS)),
        "label": (form.label, _("Please write at most %(most)s characters.", most=payers.LONGEST_LABEL)),
        "card_number": (form.label, _("A card number must not be written here. Please leave it out.")),
        "above_left": (form.amount, _("At most %(amount)s is left to pay there.", amount=limit)),
        "too_many": (form.amount, _("You have many open links already. Please take one back first.")),
        "target": (form.loan, _("Choose the loan account the money is for.")),
    }
    field, words = at.get(
        error.reason, (form.amount, _("This cannot be paid here now. Please choose again."))
    )
    field.errors = [words]


def _page(borrower: SignedInBorrower, form: LinkForm) -> Response:
    balance, instalment = _ground(borrower)
    html = render_template(
        "borrower/pay_links/page.html",
        form=form,
        links=_links(borrower),
        loans=[one for one in balance.loans if one.left],
        instalment=instalment,
        most_days=payers.LONGEST_DAYS,
    )
    return make_response(html, 422 if form.problems() else 200)
