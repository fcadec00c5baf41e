"""The record of a visit as the officer writes it: questions, check, send; later corrections beside the first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from portal import jurisdictions
from portal.contacts.log import Rules
from portal.disputes import recording
from portal.disputes.officer_visits import OwnVisit, own_visit
from portal.disputes.record import LONGEST_TEXT, OUTCOMES, QUESTIONS, TEXTS, check
from portal.disputes.record_queries import RecordView, draft_of, records_of
from portal.disputes.recording import Desk, Draft, Meanwhile, NoSuchVisit, NotReady
from portal.disputes.telling import Teller
from portal.documents.card_numbers import has_card_number
from portal.web.card_numbers import says_so_itself
from portal.web.context import portal
from portal.web.forms import whole_number
from portal.web.security import SignedInOfficer, officer_only

blueprint = Blueprint("record", __name__)


@blueprint.get("/<visit_ref>/record")
@officer_only
def page(officer: SignedInOfficer, visit_ref: str) -> str:
    """The form, with what was begun; once there is a record, the record, and the form where asked for."""
    p, visit = portal(), _own(officer, visit_ref)
    records = _records(visit)
    if not visit.has_begun(p.clock.now()) or (records and request.args.get("write") != "1"):
        return render_template(
            "officer/record/sent.html", officer=officer, visit=visit, records=records, now=p.clock.now()
        )
    with p.db.read() as connection:
        draft = draft_of(connection, p.keys, officer.officer_id, visit.visit_id)
    return _form(officer, visit, draft or _as_draft(records), {}, corrects=bool(records))


@blueprint.post("/<visit_ref>/record")
@says_so_itself
@officer_only
def save(officer: SignedInOfficer, visit_ref: str) -> Response | WerkzeugResponse:
    """Keep what was typed, whatever is still wrong with it; on to the check where nothing is."""
    p, visit, draft = portal(), _own(officer, visit_ref), _typed()
    kept = replace(
        draft, texts={name: "" if has_card_number(text) else text for name, text in draft.texts.items()}
    )
    try:
        p.db.write(
            lambda session: recording.save_draft(
                session,
                keys=p.keys,
                officer_id=officer.officer_id,
                visit_ref=visit_ref,
                draft=kept,
                now=p.clock.now(),
            )
        )
    except NoSuchVisit:
        abort(404)
    if request.form.get("then") == "later":
        return redirect(url_for("officer.today.page"), 303)
    problems = _problems(visit, draft)
    if problems:
        return make_response(_form(officer, visit, draft, problems, corrects=bool(_records(visit))), 422)
    return redirect(url_for("officer.record.check_page", visit_ref=visit_ref), 303)


@blueprint.get("/<visit_ref>/record/check")
@officer_only
def check_page(officer: SignedInOfficer, visit_ref: str) -> Response | WerkzeugResponse:
    """Every answer once more."""
    return _check(officer, _own(officer, visit_ref))


@blueprint.post("/<visit_ref>/record/check")
@officer_only
def send(officer: SignedInOfficer, visit_ref: str) -> Response | WerkzeugResponse:
    """Sign and send what was checked."""
    p, visit = portal(), _own(officer, visit_ref)
    with p.db.read() as connection:
        draft = draft_of(connection, p.keys, officer.officer_id, visit.visit_id)
    try:
        p.db.write(
            lambda session: recording.write(
                session,
                desk=_desk(),
                officer_id=officer.officer_id,
                visit_ref=visit_ref,
                draft=draft or Draft(),
                after=whole_number(request.form.get("after")),
                form_key=request.form.get("form_key", "")[:64],
                now=p.clock.now(),
            )
        )
    except NoSuchVisit:
        abort(404)
    except NotReady:
        return redirect(url_for("officer.record.page", visit_ref=visit_ref, write="1"), 303)
    except Meanwhile:
        return _check(officer, visit, meanwhile=True)
    return redirect(url_for("officer.record.page", visit_ref=visit_ref), 303)


def _own(officer: SignedInOfficer, visit_ref: str) -> OwnVisit:
    with portal().db.read() as connection:
        return own_visit(connection, officer.officer_id, visit_ref) or abort(404)


def _records(visit: OwnVisit) -> tuple[RecordView, ...]:
    p = portal()
    with p.db.read() as connection:
        return records_of(connection, p.keys, p.ring, visit.visit_id, visit.visit_ref)


def _typed() -> Draft:
    form = request.form
    return Draft(
        outcome=form.get("outcome", "")[:16],
        choices={one.code: tuple(form.getlist(one.code))[:12] for one in QUESTIONS if one.code in form},
        texts={name: form.get(name, "")[: LONGEST_TEXT * 2] for name in TEXTS},
        started=form.get("started", "")[:10],
        ended=form.get("ended", "")[:10],
    )


def _as_draft(records: tuple[RecordView, ...]) -> Draft:
    """The latest version to be corrected, or nothing yet."""
    if not records:
        return Draft()
    latest, local = records[0], portal().clock.local
    return Draft(
        latest.outcome,
        {name: tuple(codes) for name, codes in latest.choices.items()},
        latest.texts,
        f"{local(latest.started_at):%H:%M}",
        f"{local(latest.ended_at):%H:%M}",
    )


def _problems(visit: OwnVisit, draft: Draft) -> Mapping[str, str]:
    clock = portal().clock
    day = clock.local(visit.starts_at).date()
    return check(draft.written(), day=day, zone=ZoneInfo(clock.zone), now=clock.now()).problems


def _form(
    officer: SignedInOfficer, visit: OwnVisit, draft: Draft, problems: Mapping[str, str], *, corrects: bool
) -> str:
    clock = portal().clock
    facts: dict[str, Any] = {"outcomes": OUTCOMES, "questions": QUESTIONS, "texts": TEXTS}
    return render_template(
        "officer/record/form.html",
        officer=officer,
        visit=visit,
        draft=draft,
        problems=problems,
        corrects=corrects,
        is_late=clock.today() > clock.local(visit.starts_at).date(),
        longest=LONGEST_TEXT,
        **facts,
    )


def _check(
    officer: SignedInOfficer, visit: OwnVisit, *, meanwhile: bool = False
) -> Response | WerkzeugResponse:
    p = portal()
    with p.db.read() as connection:
        draft = draft_of(connection, p.keys, officer.officer_id, visit.visit_id)
    records = _records(visit)
    if draft is None and not meanwhile:
        return redirect(url_for("officer.record.page", visit_ref=visit.visit_ref), 303)
    if draft is None or _problems(visit, draft):
        return redirect(url_for("officer.record.page", visit_ref=visit.visit_ref, write="1"), 303)
    html = render_template(
        "officer/record/check.html",
        officer=officer,
        visit=visit,
        draft=draft,
        questions=[one for one in QUESTIONS if draft.outcome in one.asked_when],
        texts=[name for name, when in TEXTS.items() if draft.outcome in when],
        after=records[0].version if records else 0,
        is_late=p.clock.today() > p.clock.local(visit.starts_at).date(),
        meanwhile=meanwhile,
    )
    return make_response(html, 409 if meanwhile else 200)


def _desk() -> Desk:
    p = portal()
    bank = p.settings.bank
    rules = Rules.of(jurisdictions.pack(bank.jurisdiction), p.clock.zone)
    teller = Teller(bank.host, p.settings.is_demonstration, p.clock.real_now())
    return Desk(p.keys, p.signer, rules, teller)
