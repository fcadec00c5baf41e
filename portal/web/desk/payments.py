"""Payments on the desk: the list, one payment with its whole life, refunds by two pairs of eyes, disputes answered."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from portal.documents.names import shown_name
from portal.money import AmountError, Money
from portal.payments import desk_queries, disputes, evidence, refunds
from portal.payments.checkout import books_of
from portal.payments.desk_queries import PaymentDetail, PaymentFilter
from portal.payments.disputes import LONGEST_ANSWER, UnableToAnswer
from portal.payments.evidence import KINDS, LARGEST_BYTES, UnableToAdd
from portal.payments.provider_calls import ProviderUnavailable, send_answer, send_refund
from portal.payments.refunds import LONGEST_NOTE, REASONS, RefundCall, Rules, UnableToRefund
from portal.web.context import portal
from portal.web.security import SignedInStaff, staff_only, takes_files

blueprint = Blueprint("payments", __name__)

#: Answers that are not the form's fault.
_STATUS = {"role": 403, "same_person": 403, "decided": 409, "answered": 409, "payment": 404, "dispute": 404}


@dataclass(frozen=True)
class Trouble:
    """Why nothing was done, as a code; `limit` and `days` fill its words."""

    code: str
    limit: Money | None = None
    days: int | None = None


@blueprint.get("/payments")
@staff_only("reviewer", "supervisor")
def page(staff: SignedInStaff) -> str:
    """The payments that the address asks for."""
    p = portal()
    wanted = PaymentFilter.from_address(request.args)
    with p.db.read() as connection:
        found = desk_queries.payments_page(connection, p.keys, wanted)
        to_confirm, to_answer = desk_queries.waiting_counts(connection)
    return render_template(
        "desk/payments/page.html",
        staff=staff,
        tab="payments",
        wanted=wanted,
        found=found,
        to_confirm=to_confirm,
        to_answer=to_answer,
    )


@blueprint.get("/payments/<reference>")
@staff_only("reviewer", "supervisor")
def payment(staff: SignedInStaff, reference: str) -> Response:
    """One payment."""
    return _page(staff, reference)


@blueprint.post("/payments/<reference>/refund")
@staff_only("reviewer", "supervisor")
def refund(staff: SignedInStaff, reference: str) -> WerkzeugResponse:
    """Ask for a refund; up to the bank's limit it goes to the provider at once."""
    p = portal()
    detail = _detail(reference)
    try:
        amount = Money.from_person(request.form.get("amount", ""), detail.payment.amount.currency)
    except AmountError:
        return _page(staff, reference, Trouble("amount"))
    try:
        call = p.db.write(
            lambda session: refunds.ask(
                session,
                staff_id=staff.staff_id,
                payment_reference=reference,
                amount=amount,
                reason=request.form.get("reason", ""),
                note=request.form.get("note", "")[:LONGEST_NOTE],
                form_key=request.form.get("form_key", "")[:64],
                rules=_rules(),
                now=p.clock.now(),
                real_now=p.clock.real_now(),
            )
        )
    except UnableToRefund as error:
        return _page(staff, reference, Trouble(error.reason, error.limit, error.limit_days))
    return _sent(reference, call)


@blueprint.post("/payments/<reference>/refunds/<refund_ref>")
@staff_only("supervisor")
def decide(staff: SignedInStaff, reference: str, refund_ref: str) -> WerkzeugResponse:
    """The second person's word on a refund."""
    p = portal()
    if refund_ref not in {one.reference for one in _detail(reference).refunds}:
        abort(404)
    try:
        call = p.db.write(
            lambda session: refunds.decide(
                session,
                staff_id=staff.staff_id,
                reference=refund_ref,
                confirm=request.form.get("word") == "confirm",
                rules=_rules(),
                now=p.clock.now(),
            )
        )
    except UnableToRefund as error:
        return _page(staff, reference, Trouble(error.reason, error.limit, error.limit_days))
    return _sent(reference, call)


@blueprint.post("/payments/<reference>/disputes/<dispute_ref>")
@staff_only("reviewer", "supervisor")
@takes_files
def answer(staff: SignedInStaff, reference: str, dispute_ref: str) -> WerkzeugResponse:
    """Answer a dispute, once."""
    p = portal()
    if dispute_ref not in {one.reference for one in _detail(reference).disputes}:
        abort(404)
    try:
        call = p.db.write(
            lambda session: disputes.answer(
                session,
                keys=p.keys,
                staff_id=staff.staff_id,
                reference=dispute_ref,
                text=request.form.get("answer", ""),
                now=p.clock.now(),
                real_now=p.clock.real_now(),
            )
        )
    except UnableToAnswer as error:
        return _page(staff, reference, Trouble(f"answer_{error.reason}"))
    try:
        send_answer(p, call, books_of(p))
    except ProviderUnavailable:
        return redirect(url_for("desk.payments.payment", reference=reference, silent=1), 303)
    return redirect(url_for("desk.payments.payment", reference=reference, _anchor=dispute_ref), 303)


@blueprint.post("/payments/<reference>/disputes/<dispute_ref>/papers")
@staff_only("reviewer", "supervisor")
@takes_files
def add_paper(staff: SignedInStaff, reference: str, dispute_ref: str) -> Response:
    """Add a paper to the answer; the same page again with what was typed, because nothing is sent yet."""
    p = portal()
    _dispute(reference, dispute_ref)
    sent, now = request.files.get("file"), p.clock.now()
    try:
        if sent is None or not sent.filename:
            raise UnableToAdd("empty")
        data = sent.stream.read(LARGEST_BYTES + 1)
        paper = evidence.checked(request.form.get("kind", ""), shown_name(sent.filename), data)
        p.db.write(
            lambda session: evidence.add(
                session, keys=p.keys, staff_id=staff.staff_id, reference=dispute_ref, paper=paper, now=now
            )
        )
    except UnableToAdd as error:
        return _page(staff, reference, Trouble(f"paper_{error.reason}"))
    return _page(staff, reference)


@blueprint.post("/payments/<reference>/disputes/<dispute_ref>/papers/<paper_ref>/remove")
@staff_only("reviewer", "supervisor")
@takes_files
def remove_paper(staff: SignedInStaff, reference: str, dispute_ref: str, paper_ref: str) -> Response:
    """Take a paper out again before the answer is given."""
    p = portal()
    _dispute(reference, dispute_ref)
    now = p.clock.now()
    try:
        p.db.write(
            lambda session: evidence.remove(
                session, staff_id=staff.staff_id, reference=dispute_ref, paper_ref=paper_ref, now=now
            )
        )
    except UnableToAdd as error:
        return _page(staff, reference, Trouble(f"paper_{error.reason}"))
    return _page(staff, reference)


def _dispute(reference: str, dispute_ref: str) -> None:
    """Another payment's dispute is not there."""
    if dispute_ref not in {one.reference for one in _detail(reference).disputes}:
        abort(404)


def _rules() -> Rules:
    bank = portal().settings.bank
    return Rules.of(bank.policy, bank.currency)


def _sent(reference: str, call: RefundCall) -> WerkzeugResponse:
    """Hand a created refund to the provider; one that waits for a second person stays where it is."""
    try:
        send_refund(portal(), call, books_of(portal()))
    except ProviderUnavailable:
        return redirect(url_for("desk.payments.payment", reference=reference, silent=1), 303)
    return redirect(url_for("desk.payments.payment", reference=reference, _anchor=call.reference), 303)


def _detail(reference: str) -> PaymentDetail:
    p = portal()
    with p.db.read() as connection:
        found = desk_queries.payment_detail(connection, p.keys, reference, rules=_rules())
    return found or abort(404)


def _page(staff: SignedInStaff, reference: str, trouble: Trouble | None = None) -> Response:
    detail = _detail(reference)
    html = render_template(
        "desk/payments/payment.html",
        staff=staff,
        tab="payments",
        detail=detail,
        payment=detail.payment,
        trouble=trouble,
        reasons=tuple(REASONS),
        rules=_rules(),
        longest_note=LONGEST_NOTE,
        longest_answer=LONGEST_ANSWER,
        paper_kinds=KINDS,
        silent="silent" in request.args,
        now=portal().clock.real_now(),
    )
    code = trouble.code.removeprefix("answer_").removeprefix("paper_") if trouble else ""
    return make_response(html, _STATUS.get(code, 422) if trouble else 200)
