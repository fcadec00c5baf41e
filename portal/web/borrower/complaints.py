"""Complaints: about anything, with a number and a clock that both sides see; a figure that is disputed is one too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from portal import jurisdictions
from portal.accounts import queries as accounts
from portal.contacts.log_queries import contacts_for
from portal.disputes import complaining, operations
from portal.disputes.complaining import UnableToComplain, Wish
from portal.disputes.complaint_queries import complaint_for, complaints_for
from portal.disputes.complaints import ABOUT, COMPONENTS, LONGEST, conduct_of
from portal.disputes.deadlines import times_of
from portal.disputes.operations import House, UnableToAct
from portal.disputes.telling import Teller
from portal.visits.queries import visits_for
from portal.web.card_numbers import says_so_itself
from portal.web.context import portal
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("complaints", __name__)

#: Which contacts a complaint about a call or a message may name.
_CHANNELS = {"call": ("call",), "message": ("sms", "letter", "lawyer_letter", "email")}
#: As many of the latest are offered to choose from.
_OFFERED = 20


@blueprint.get("/complaints")
@borrower_only
def page(borrower: SignedInBorrower) -> str:
    """Everything complained about, and the way to a new one."""
    p = portal()
    with p.db.read() as connection:
        rows = complaints_for(connection, borrower.borrower_id)
    return render_template(
        "borrower/complaints/page.html", rows=rows, today=p.clock.today(), abouts=ABOUT, **_pack_facts()
    )


@blueprint.get("/complaints/new")
@says_so_itself
@borrower_only
def new(borrower: SignedInBorrower) -> Response:
    """The form for what it is about."""
    args = request.args
    wish = Wish(
        about=args.get("about", "")[:16],
        text="",
        of=args.get("of", "")[:64],
        component=args.get("component", "")[:20],
    )
    if wish.about not in ABOUT:
        return make_response(render_template("borrower/complaints/about.html", abouts=ABOUT, **_pack_facts()))
    return _form(borrower, wish)


@blueprint.post("/complaints/new")
@says_so_itself
@borrower_only
def send(borrower: SignedInBorrower) -> Response | WerkzeugResponse:
    """Keep the complaint; what is missing is said at its field, with everything typed."""
    p, form = portal(), request.form
    wish = Wish(
        about=form.get("about", "")[:16],
        text=form.get("text", "")[: LONGEST * 2],
        of=form.get("of", "")[:64],
        conduct=tuple(form.getlist("conduct"))[:20],
        component=form.get("component", "")[:20],
        lines=tuple(form.getlist("lines"))[:200],
        when=form.get("when", "")[:200],
    )
    if wish.about not in ABOUT:
        return redirect(url_for("borrower.complaints.new"), 303)
    try:
        reference = p.db.write(
            lambda session: complaining.complain(
                session,
                house=house(),
                borrower_id=borrower.borrower_id,
                wish=wish,
                form_key=form.get("form_key", "")[:64],
                now=p.clock.now(),
            )
        )
    except UnableToComplain as error:
        return _form(borrower, wish, error.problems)
    return redirect(url_for("borrower.complaints.one", reference=reference), 303)


@blueprint.get("/complaints/<reference>")
@borrower_only
def one(borrower: SignedInBorrower, reference: str) -> str:
    """One complaint: the number, the clock, what was done, the answer."""
    p = portal()
    with p.db.read() as connection:
        view = complaint_for(connection, p.keys, borrower.borrower_id, reference) or abort(404)
    return render_template("borrower/complaints/one.html", view=view, today=p.clock.today(), **_pack_facts())


@blueprint.post("/complaints/<reference>/settle")
@borrower_only
def settle(borrower: SignedInBorrower, reference: str) -> WerkzeugResponse:
    """The answer settles it."""
    p = portal()
    try:
        p.db.write(
            lambda session: operations.settle(
                session,
                keys=p.keys,
                borrower_id=borrower.borrower_id,
                reference=reference,
                now=p.clock.now(),
            )
        )
    except UnableToAct as error:
        if error.reason == "gone":
            abort(404)
    return redirect(url_for("borrower.complaints.one", reference=reference), 303)


def house() -> House:
    """What a complaint needs of this portal."""
    p = portal()
    bank = p.settings.bank
    teller = Teller(bank.host, p.settings.is_demonstration, p.clock.real_now())
    return House(p.keys, jurisdictions.pack(bank.jurisdiction), ZoneInfo(p.clock.zone), teller)


def _pack_facts() -> dict[str, Any]:
    """How long the bank has and who takes complaints outside it, from the pack."""
    pack = jurisdictions.pack(portal().settings.bank.jurisdiction)
    outside = [one.number for one in pack.help_numbers if one.purpose == "complaints"]
    return {"times": times_of(pack), "outside": outside, "stops": pack.figure_dispute.value == "stop"}


def _form(borrower: SignedInBorrower, wish: Wish, problems: Mapping[str, str] | None = None) -> Response:
    html = render_template(
        "borrower/complaints/new.html",
        wish=wish,
        problems=problems or {},
        kinds=conduct_of(wish.about),
        longest=LONGEST,
        **_choices(borrower, wish),
        **_pack_facts(),
    )
    return make_response(html, 422 if problems else 200)


def _choices(borrower: SignedInBorrower, wish: Wish) -> dict[str, Any]:
    """What the complaint can name, for the kind it is."""
    p, borrower_id = portal(), borrower.borrower_id
    with p.db.read() as connection:
        if wish.about == "visit":
            past = [
                one for one in visits_for(connection, p.keys, borrower_id) if one.starts_at <= p.clock.now()
            ]
            return {"visits": past[::-1][:_OFFERED]}
        if wish.about in _CHANNELS:
            all_of_them = contacts_for(connection, p.keys, borrower_id, limit=200)
            fitting = [one for one in all_of_them if one.channel in _CHANNELS[wish.about]]
            return {"contacts": fitting[:_OFFERED]}
        if wish.about != "figure":
            return {}
        loans = accounts.balances_for(connection, borrower_id).loans
        loan = next((one for one in loans if one.loan_ref == wish.of), None)
        if wish.of and loan is None:
            abort(404)
        lines = accounts.lines_for(connection, borrower_id, wish.of) if loan else ()
    touching = [line for line in lines if wish.component in COMPONENTS and line.amounts[wish.component]]
    return {"loans": loans, "loan": loan, "lines": touching, "components": COMPONENTS}
