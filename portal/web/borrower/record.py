"""The record of a visit as the borrower reads it: confirm it, or say what was different; complain in one step."""

from __future__ import annotations

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from portal import jurisdictions
from portal.disputes import answering, complaining
from portal.disputes.answering import Bank, Meanwhile, NoSuchRecord, NotReady, Read, Said
from portal.disputes.complaining import UnableToComplain
from portal.disputes.record import LONGEST_ITEM, LONGEST_TEXT, OVERALL, RATINGS, VERDICTS, items_of
from portal.disputes.record_queries import Story, story_for
from portal.web.borrower.complaints import house
from portal.web.card_numbers import says_so_itself
from portal.web.context import portal
from portal.web.forms import whole_number
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("record", __name__)


@blueprint.get("/visits/<visit_ref>/record")
@borrower_only
def page(borrower: SignedInBorrower, visit_ref: str) -> Response:
    """What was written down, what was answered, and the answer's form where it may still be given."""
    return _page(_story(borrower, visit_ref), Said(None))


@blueprint.post("/visits/<visit_ref>/record")
@says_so_itself
@borrower_only
def answer(borrower: SignedInBorrower, visit_ref: str) -> Response | WerkzeugResponse:
    """Send the answer; what cannot be kept is said at its field, with everything typed."""
    p, said = portal(), _typed()
    form = request.form
    read = Read(whole_number(form.get("record_version")), whole_number(form.get("answers")))
    try:
        p.db.write(
            lambda session: answering.answer(
                session,
                bank=Bank(p.keys, p.signer, jurisdictions.pack(p.settings.bank.jurisdiction)),
                borrower_id=borrower.borrower_id,
                visit_ref=visit_ref,
                said=said,
                read=read,
                form_key=form.get("form_key", "")[:64],
                now=p.clock.now(),
            )
        )
    except NoSuchRecord:
        abort(404)
    except NotReady as error:
        return _page(_story(borrower, visit_ref), said, dict(error.problems))
    except Meanwhile:
        return _page(_story(borrower, visit_ref), said, {"": "meanwhile"})
    return redirect(url_for("borrower.record.page", visit_ref=visit_ref), 303)


@blueprint.post("/visits/<visit_ref>/record/complain")
@borrower_only
def complain(borrower: SignedInBorrower, visit_ref: str) -> WerkzeugResponse:
    """Make a complaint of the latest answer: nothing is typed again."""
    p, story = portal(), _story(borrower, visit_ref)
    if not story.answers:
        abort(404)
    latest = story.answers[0].reference
    try:
        reference = p.db.write(
            lambda session: complaining.complain_of_answer(
                session,
                house=house(),
                borrower_id=borrower.borrower_id,
                answer_reference=latest,
                now=p.clock.now(),
            )
        )
    except UnableToComplain:
        abort(404)
    return redirect(url_for("borrower.complaints.one", reference=reference), 303)


def _story(borrower: SignedInBorrower, visit_ref: str) -> Story:
    p = portal()
    with p.db.read() as connection:
        return story_for(connection, p.keys, p.ring, borrower.borrower_id, visit_ref) or abort(404)


def _typed() -> Said:
    form = request.form
    chosen = {"yes": True, "no": False}.get(form.get("confirms", ""))
    items = {
        name.removeprefix("item_"): value[:12]
        for name, value in form.items()
        if name.startswith("item_") and len(name) < 30
    }
    words = {item: form.get(f"words_{item}", "")[: LONGEST_ITEM * 2] for item in items}
    ratings = {name: form.get(f"rate_{name}", "")[:12] for name in (*RATINGS, "overall")}
    return Said(chosen, items, words, form.get("own_words", "")[: LONGEST_TEXT * 2], ratings)


def _page(story: Story, said: Said, problems: dict[str, str] | None = None) -> Response:
    p, record = portal(), story.latest
    pack = jurisdictions.pack(p.settings.bank.jurisdiction)
    html = render_template(
        "borrower/record/page.html",
        story=story,
        record=record,
        said=said,
        problems=problems or {},
        items=items_of(record.outcome) if record else (),
        ratings=RATINGS,
        overall=OVERALL,
        verdicts=VERDICTS,
        asks=bool(record) and (bool(problems) or not story.is_answered or request.args.get("again") == "1"),
        years=pack.record_retention_years.value,
        is_over=story.ends_at <= p.clock.now(),
    )
    status = 409 if problems and "" in problems else 422 if problems else 200
    return make_response(html, status)
