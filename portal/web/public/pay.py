"""Paying for somebody else: the page behind a pay link, and the payer's receipt.

Reached by a message, so nothing here names a person, a loan or what is left; a link that never was and
one that is closed get the same page.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.access.counters import count_towards, seconds_left
from portal.access.limits import PAYMENTS_BEGUN
from portal.money import Money
from portal.payments import checkout, papers, payers
from portal.payments.checkout import ProviderRefused, ProviderUnavailable
from portal.payments.lifecycle import OPEN_STATES, PaymentState
from portal.payments.operations import UnableToPay
from portal.payments.payers import AboveLimit, Face, LinkClosed, Receipt
from portal.web import errors, receipt_paper
from portal.web.context import portal
from portal.web.forms import Form, MoneyField
from portal.web.locale import current_locale, money_text
from portal.web.methods import online_methods
from portal.web.papers import as_pdf, keys_address, paper_address
from portal.web.security import network

blueprint = Blueprint("pay", __name__)

#: How often the receipt asks for itself again while the answer is on its way, and how soon.
LOOKS, SECONDS = 40, 4


class PayForm(Form):
    """How much, where the link leaves that open."""

    how_much = MoneyField(_l("How much do you want to pay?"))


@blueprint.get("/pay/<token>")
def page(token: str) -> Response:
    """What to pay, to whom, under which reference."""
    face = _face(token)
    return _page(token, face, PayForm(formdata=None))


@blueprint.post("/pay/<token>")
def start(token: str) -> Any:
    """Write the attempt, open the provider's page, and go there."""
    if wait := _count(token):
        return errors.page(429, retry_after=wait)
    face, form = _face(token), PayForm()
    if face is None:
        return _page(token, face, form)
    form.how_much.currency, form.how_much.optional = face.room.currency, face.kind == "fixed"
    if not form.validate():
        form.how_much.errors = [_("Enter how much, as digits, for example 1,200 or 850.50.")]
        return _page(token, face, form)
    try:
        attempt = _begin(token, form.how_much.money)
    except (LinkClosed, UnableToPay, AboveLimit) as error:
        return _refused(token, form, error)
    except ProviderRefused:
        return _page(token, face, form, problem=_not_begun(), status=503)
    try:
        opened = (
            checkout.open_checkout(portal(), attempt) if attempt.state == PaymentState.CREATED else attempt
        )
    except (ProviderUnavailable, ProviderRefused):
        same = replace(face, room=attempt.amount, state="open")  # the same form goes on with it
        return _page(token, same, form, problem=_not_begun(), status=503)
    receipt = payers.receipt_path(portal().keys, attempt.reference)
    return redirect(opened.checkout_url or receipt, 303)


@blueprint.get("/pay/receipt/<reference>/<key>")
def receipt(reference: str, key: str) -> Response:
    """The payer's receipt, or where the payment stands. Coming back changes nothing by itself."""
    found = _receipt(reference, key)
    looks = _looks()
    waiting = found.state in OPEN_STATES and (looks > 0 or found.state == PaymentState.PROCESSING)
    over = found.expires_at <= portal().clock.real_now()
    html = render_template("public/pay/receipt.html", receipt=found, key=key, waiting=waiting, over=over)
    response = make_response(html)
    if waiting and looks < LOOKS:
        again = url_for("public.pay.receipt", reference=reference, key=key, back=looks + 1)
        response.headers["Refresh"] = f"{SECONDS}; url={again}"
    return response


@blueprint.post("/pay/receipt/<reference>/<key>")
def ask(reference: str, key: str) -> Any:
    """Ask the provider now how the payment stands."""
    p = portal()
    if wait := _count(reference):
        return errors.page(429, retry_after=wait)
    with p.db.read() as connection:
        attempt = payers.attempt_with(connection, p.keys, reference, key) or abort(404)
    try:
        if attempt.state in OPEN_STATES:
            checkout.ask(p, attempt)
    except ProviderUnavailable:
        return errors.page(503, retry_after=10)
    return redirect(url_for("public.pay.receipt", reference=reference, key=key, back=1), 303)


@blueprint.post("/pay/receipt/<reference>/<key>/paper")
def issue(reference: str, key: str) -> Any:
    """Issue the payer's receipt as a paper, once, and open it."""
    p = portal()
    if wait := _count(reference):
        return errors.page(429, retry_after=wait)
    issuer = papers.Issuer(p.settings.bank.code, p.signer, p.clock.local)
    now, today = p.clock.now(), p.clock.today()
    made = p.db.write(
        lambda session: papers.issue_with(
            session, issuer=issuer, keys=p.keys, reference=reference, key=key, today=today, now=now
        )
    )
    if made is None:
        abort(404)
    return redirect(url_for("public.pay.paper", reference=reference, key=key), 303)


@blueprint.get("/pay/receipt/<reference>/<key>/paper.pdf")
def paper(reference: str, key: str) -> Response:
    """The payer's receipt as PDF: the sum, the day, the bank, and how to check it."""
    p = portal()
    with p.db.read() as connection:
        issued = papers.receipt_with(connection, p.keys, reference, key) or abort(404)
    content = receipt_paper.pdf_of(
        issued, check_address=paper_address(issued.reference, issued.digest), keys_url=keys_address()
    )
    return as_pdf(content, f"receipt-{issued.reference}.pdf")


def _not_begun() -> str:
    return str(_("The payment could not be begun. Nothing was taken. Please try again in a minute."))


def _face(token: str) -> Face | None:
    p = portal()
    with p.db.read() as connection:
        return payers.face_of(connection, p.keys, token, today=p.clock.today())


def _receipt(reference: str, key: str) -> Receipt:
    p = portal()
    with p.db.read() as connection:
        return payers.receipt_of(connection, p.keys, reference, key) or abort(404)


def _begin(token: str, amount: Money | None) -> Any:
    p, locale = portal(), current_locale()
    methods = online_methods()
    if not methods:
        raise ProviderRefused("not_available")
    offered = {"methods": list(methods), "locale": locale, "title": p.settings.bank.name(locale)}
    return p.db.write(
        lambda session: payers.begin(
            session,
            keys=p.keys,
            token=token,
            amount=amount,
            form_key=request.form.get("form_key", "")[:40],
            offered=offered,
            today=p.clock.today(),
            now=p.clock.now(),
            real_now=p.clock.real_now(),
        )
    )


def _count(what: str) -> int:
    """Count one more beginning of this network, then of this link; the seconds to wait when it is too many.
    A network that has to wait counts against no link: it could invent them without end."""
    p = portal()
    real_now = p.clock.real_now()
    is_above = p.db.write(
        lambda session: any(
            count_towards(session, keys=p.keys, limit=PAYMENTS_BEGUN, key=key, real_now=real_now)
            > PAYMENTS_BEGUN.most
            for key in (f"network:{network()}", f"link:{what}")
        )
    )
    return seconds_left(PAYMENTS_BEGUN, real_now) if is_above else 0


def _refused(token: str, form: PayForm, error: Exception) -> Response:
    """Why nothing was begun. What is left of the loan is nobody's but the borrower's: where the link would
    allow more than that, no sum is named."""
    face = _face(token)
    if face is None or isinstance(error, LinkClosed):
        return _page(token, None, form)
    if isinstance(error, UnableToPay) and error.reason == "above_left":
        form.how_much.errors = [
            _("This sum cannot be paid with the link any more. Please ask whoever sent it to you.")
        ]
        return _page(token, face, form)
    room = getattr(error, "room", None) or getattr(error, "limit", None)
    if room is None:
        return _page(token, None, form)
    form.how_much.errors = [
        _("At most %(most)s can be paid with this link.", most=money_text(min(room, face.room)))
    ]
    return _page(token, face, form)


def _page(token: str, face: Face | None, form: PayForm, *, problem: str = "", status: int = 200) -> Response:
    if face is None or face.state != "open":
        return make_response(render_template("public/pay/closed.html"), 200)
    html = render_template(
        "public/pay/page.html",
        token=token,
        face=face,
        form=form,
        problem=problem,
        methods=online_methods(),
        form_key_kept=request.form.get("form_key"),
    )
    return make_response(html, 422 if form.problems() else status)


def _looks() -> int:
    text = request.args.get("back", "0")
    return min(int(text), LOOKS) if text.isascii() and text.isdigit() and len(text) < 4 else 0
