"""Money without a place on the desk: who, how much, since when, why - and where it goes."""

from __future__ import annotations

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response as WerkzeugResponse
from wtforms import StringField, TextAreaField

from portal.money import Money
from portal.payments.checkout import books_of
from portal.payments.placing import UnableToMove
from portal.transfers import returning, suspense
from portal.transfers.queries import TransferView, transfer_of
from portal.transfers.suspense import Person, Wish
from portal.transfers.suspense_queries import SuspenseDetail, suspense_of, suspense_rows
from portal.web.context import portal
from portal.web.forms import Form, MoneyField
from portal.web.security import SignedInStaff, staff_only

blueprint = Blueprint("suspense", __name__)

_CONFLICTS = {"gone", "taken", "state", "disputed"}


class MoveForm(Form):
    """What happens to the money."""

    kind = StringField(_l("What happens to the money"))
    target = StringField(_l("Loan account or plan"))
    amount = MoneyField(_l("Amount"), optional=True)
    note = TextAreaField(_l("Why"))


@blueprint.get("/suspense")
@staff_only("reviewer", "supervisor")
def page(staff: SignedInStaff) -> str:
    """All money without a place, the oldest first."""
    p = portal()
    with p.db.read() as connection:
        rows = suspense_rows(connection, p.keys, zone=p.clock.zone)
    return render_template(
        "desk/suspense/page.html", staff=staff, tab="reconciliation", rows=rows, today=p.clock.today()
    )


@blueprint.get("/suspense/<source>-<int(max=999999999999):source_id>")
@staff_only("reviewer", "supervisor")
def money(staff: SignedInStaff, source: str, source_id: int) -> Response:
    """One of them, where it could go, and what was done about it."""
    return _money(staff, source, source_id, MoveForm(formdata=None))


@blueprint.post("/suspense/<source>-<int(max=999999999999):source_id>")
@staff_only("reviewer", "supervisor")
def move(staff: SignedInStaff, source: str, source_id: int) -> WerkzeugResponse:
    """Place it, give it back, or keep it with a reason."""
    p, form = portal(), MoveForm()
    detail = _detail(source, source_id)
    form.amount.currency = detail.row.amount.currency if detail.row.amount else p.settings.bank.currency
    if not form.validate():
        return _money(staff, source, source_id, form)
    wish = Wish(
        source=source,
        source_id=source_id,
        kind=form.kind.data or "",
        note=form.note.data or "",
        form_key=request.form.get("form_key", "")[:64],
        amount=form.amount.money if source == "loan" else None,
        target=(form.target.data or "")[:40],
    )
    try:
        p.db.write(
            lambda session: suspense.ask(
                session,
                wish=wish,
                person=_person(staff),
                limit=_limit(form.amount.currency),
                books=books_of(p),
            )
        )
    except UnableToMove as error:
        return _money(staff, source, source_id, form, error.reason)
    returning.send_confirmed(p)
    return redirect(url_for("desk.suspense.money", source=source, source_id=source_id), 303)


@blueprint.post("/suspense/moves/<reference>")
@staff_only("reviewer", "supervisor")
def decide(staff: SignedInStaff, reference: str) -> WerkzeugResponse:
    """The second person's word."""
    p = portal()
    source, _sign, source_id = request.form.get("money", "").partition("-")
    verb = suspense.confirm if request.form.get("word") == "confirm" else suspense.refuse
    if not (source in ("unplaced", "loan") and source_id.isascii() and source_id.isdigit()):
        abort(400)
    try:
        p.db.write(
            lambda session: verb(session, reference=reference, person=_person(staff), books=books_of(p))
        )
    except UnableToMove as error:
        return _money(staff, source, int(source_id), MoveForm(formdata=None), error.reason)
    returning.send_confirmed(p)
    return redirect(url_for("desk.suspense.money", source=source, source_id=int(source_id)), 303)


def _person(staff: SignedInStaff) -> Person:
    return Person(staff.staff_id, staff.staff_ref, staff.human_ref)


def _limit(currency: str) -> Money | None:
    """The bank's limit is in its own currency; in another one two people always decide."""
    bank = portal().settings.bank
    if currency != bank.currency:
        return Money.zero(currency)
    return suspense.limit_of(bank.policy, currency)


def _detail(source: str, source_id: int) -> SuspenseDetail:
    p = portal()
    with p.db.read() as connection:
        return suspense_of(connection, p.keys, source, source_id, zone=p.clock.zone) or abort(404)


def _transfer(source: str, source_id: int) -> TransferView | None:
    """What the payer of a transfer wrote, where it came as one."""
    p = portal()
    if source != "unplaced":
        return None
    with p.db.read() as connection:
        return transfer_of(connection, p.keys, unplaced_id=source_id)


def _money(staff: SignedInStaff, source: str, source_id: int, form: MoveForm, trouble: str = "") -> Response:
    detail = _detail(source, source_id)
    if trouble == "card_number":
        form.note.data = ""
    amount = detail.row.amount
    limit = _limit(amount.currency) if amount else None
    html = render_template(
        "desk/suspense/money.html",
        staff=staff,
        tab="reconciliation",
        detail=detail,
        row=detail.row,
        form=form,
        trouble=trouble,
        limit=limit,
        transfer=_transfer(source, source_id),
        today=portal().clock.today(),
    )
    failed = bool(trouble) or bool(form.problems())
    return make_response(html, 409 if trouble in _CONFLICTS else 422 if failed else 200)
