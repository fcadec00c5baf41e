"""The queue of the desk door: open cases, filtered and sorted by the address, and taking one."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from portal.plans.policy import Policy
from portal.reviews import operations
from portal.reviews import queue as work
from portal.web.context import portal
from portal.web.security import SignedInStaff, staff_only

blueprint = Blueprint("queue", __name__)


@blueprint.get("")
@staff_only("reviewer", "supervisor")
def page(staff: SignedInStaff) -> str:
    """The open cases that the address asks for."""
    p = portal()
    wanted = work.QueueFilter.from_address(request.args)
    policy = Policy.of(p.settings.bank)
    with p.db.read() as connection:
        found = work.queue_page(
            connection,
            p.keys,
            wanted,
            staff_id=staff.staff_id,
            policy=policy,
            currency=p.settings.bank.currency,
        )
        counts = work.queue_counts(connection, staff_id=staff.staff_id)
    today = p.clock.today()
    return render_template(
        "desk/queue/page.html",
        staff=staff,
        tab="queue",
        wanted=wanted,
        found=found,
        counts=counts,
        policy=policy,
        days_left={row.reference: p.working_days.between(today, row.answer_due_on) for row in found.rows},
        taken=request.args.get("taken", ""),
    )


@blueprint.post("/claim")
@staff_only("reviewer", "supervisor")
def claim(staff: SignedInStaff) -> Response:
    """Take a case from the queue, or put one's own back; somebody else's is named, not taken."""
    p = portal()
    reference = request.form.get("reference", "")
    give_back = request.form.get("give_back") == "yes"
    verb = operations.give_back if give_back else operations.claim
    try:
        holder = p.db.write(
            lambda session: verb(session, staff_id=staff.staff_id, reference=reference, now=p.clock.now())
        )
    except operations.NoSuchCase:
        abort(404)
    if request.form.get("from") == "case":
        return redirect(url_for("desk.cases.page", reference=reference), 303)
    kept = work.QueueFilter.from_address(request.form).address()
    is_lost = not give_back and holder != staff.staff_id
    if is_lost:
        kept["taken"] = reference
    return redirect(url_for("desk.queue.page", _anchor=f"row-{reference}", **kept), 303)
