"""The batches of the bank's core on the desk: every try, what it would change, and a second person's word."""

from __future__ import annotations

from flask import Blueprint, Response, abort, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from portal.intake import holding, run_queries
from portal.intake.holding import CannotDecide, Person
from portal.web.context import portal
from portal.web.locale import current_locale
from portal.web.security import SignedInStaff, staff_only

blueprint = Blueprint("imports", __name__)


@blueprint.get("/imports")
@staff_only("supervisor", "operator")
def page(staff: SignedInStaff) -> str:
    """The newest tries, those that wait first in sight."""
    with portal().db.read() as connection:
        rows = run_queries.runs(connection)
    return render_template("desk/imports/page.html", staff=staff, tab="imports", rows=rows)


@blueprint.get("/imports/<int(max=999999999999):run_id>")
@staff_only("supervisor", "operator")
def batch(staff: SignedInStaff, run_id: int) -> str:
    """One try: its checks, its differences, its faults, and the decision."""
    return _batch(staff, run_id, "")


@blueprint.post("/imports/<int(max=999999999999):run_id>/release")
@staff_only("supervisor")
def release(staff: SignedInStaff, run_id: int) -> str | WerkzeugResponse | tuple[str, int]:
    """Let a held batch through."""
    return _decide(staff, run_id, holding.release)


@blueprint.post("/imports/<int(max=999999999999):run_id>/reject")
@staff_only("supervisor")
def reject(staff: SignedInStaff, run_id: int) -> str | WerkzeugResponse | tuple[str, int]:
    """Say that a held batch is wrong."""
    return _decide(staff, run_id, holding.reject)


@blueprint.get("/imports/<int(max=999999999999):run_id>/faults.csv")
@staff_only("supervisor", "operator")
def report(staff: SignedInStaff, run_id: int) -> Response:
    """The whole report of a refused batch."""
    path = holding.report_path(portal().settings.data_dir, run_id)
    if not path.is_file():
        abort(404)
    return send_file(
        path.resolve(), as_attachment=True, download_name=f"intake-{run_id}.csv", mimetype="text/csv"
    )


def _batch(staff: SignedInStaff, run_id: int, refused: str) -> str:
    with portal().db.read() as connection:
        view = run_queries.run(connection, run_id)
    if view is None:
        abort(404)
    return render_template(
        "desk/imports/batch.html",
        staff=staff,
        tab="imports",
        view=view,
        refused=refused,
        comment=request.form.get("comment", ""),
        place=1 if current_locale() == "en" else 0,
        has_report=holding.report_path(portal().settings.data_dir, run_id).is_file(),
    )


def _decide(
    staff: SignedInStaff, run_id: int, decide: holding.Decision
) -> str | WerkzeugResponse | tuple[str, int]:
    p = portal()
    person = Person(staff.staff_id, staff.human_ref)
    comment = request.form.get("comment", "")[:1000]
    try:
        p.db.write(
            lambda session: decide(session, run_id=run_id, person=person, comment=comment, now=p.clock.now())
        )
    except CannotDecide as error:
        return _batch(staff, run_id, error.reason), 422 if error.reason == "comment" else 409
    return redirect(url_for("desk.imports.batch", run_id=run_id), 303)
