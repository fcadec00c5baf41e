"""The papers of my situation: add several at once, see each one's state, take back, send more later."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as WerkzeugResponse

from portal.documents import checking, operations, queries
from portal.documents.kinds import DEFAULT_LIMITS, KINDS
from portal.documents.media import Refused, media_type_of
from portal.documents.names import shown_name
from portal.documents.operations import NoSuchDocument, Original, Upload
from portal.hardship import operations as hardship
from portal.hardship import queries as reports
from portal.hardship.operations import NoDraft
from portal.states import NotAllowed
from portal.web.context import portal
from portal.web.pictures import picture_response
from portal.web.security import SignedInBorrower, borrower_only, takes_files

blueprint = Blueprint("documents", __name__)

#: After so long the request checks no further file: the background does, and the page says so.
CHECKING_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one sent file: taken in (`public_ref`), or refused for a reason."""

    name: str
    public_ref: str | None = None
    refused: str | None = None


@blueprint.get("/documents")
@borrower_only
def page(borrower: SignedInBorrower) -> str:
    """The papers so far, and a form for more."""
    return _page(borrower, ())


@blueprint.post("/documents")
@takes_files
@borrower_only
def upload(borrower: SignedInBorrower) -> WerkzeugResponse | str | tuple[str, int]:
    """Take in the chosen files, each with its own answer."""
    sent = [file for file in request.files.getlist("files") if file.filename]
    until = time.monotonic() + CHECKING_SECONDS
    answers = tuple(_take_in(borrower, place, file, until) for place, file in enumerate(sent))
    if not sent:
        answers = (Answer("", refused="none"),)
    if request.accept_mimetypes.best == "application/json":
        return _as_json(borrower, answers)
    if any(answer.refused for answer in answers):
        return _page(borrower, answers), 422
    return redirect(url_for("borrower.documents.page"), 303)


@blueprint.post("/documents/<public_ref>/remove")
@borrower_only
def remove(borrower: SignedInBorrower, public_ref: str) -> WerkzeugResponse:
    """Take a file back that was not sent yet."""
    p = portal()
    try:
        objects = p.db.write(
            lambda session: operations.remove(
                session,
                keys=p.keys,
                borrower_id=borrower.borrower_id,
                public_ref=public_ref,
                now=p.clock.now(),
            )
        )
    except NoSuchDocument:
        abort(404)
    except NotAllowed:
        abort(409)
    checking.delete_objects(p.store, objects)
    return redirect(url_for("borrower.documents.page"), 303)


@blueprint.post("/documents/send")
@borrower_only
def send(borrower: SignedInBorrower) -> WerkzeugResponse:
    """Hand over papers added after the report was sent."""
    p = portal()
    try:
        p.db.write(
            lambda session: hardship.send_more(session, borrower_id=borrower.borrower_id, now=p.clock.now())
        )
    except NoDraft:
        return redirect(url_for("borrower.situation.check"), 303)
    return redirect(url_for("borrower.situation.page"), 303)


@blueprint.get("/documents/<public_ref>/pages/<int(max=999):number>")
@borrower_only
def picture(borrower: SignedInBorrower, public_ref: str, number: int) -> Response:
    """A page of one's own paper as pixels; never the file as it came."""
    p = portal()
    try:
        with p.db.read() as connection:
            sealed = operations.page_for_borrower(
                connection, borrower_id=borrower.borrower_id, public_ref=public_ref, number=number
            )
    except NoSuchDocument:
        abort(404)
    return picture_response(operations.open_page(p.store, p.keys, sealed))


def _take_in(borrower: SignedInBorrower, place: int, file: FileStorage, until: float) -> Answer:
    name = shown_name(file.filename or "")
    try:
        original = _receive(borrower, place, name, _bytes_of(file))
    except Refused as refused:
        return Answer(name, refused=refused.reason)
    if place == 0 or time.monotonic() < until:
        _check(original)
    return Answer(name, public_ref=original.public_ref)


def _bytes_of(file: FileStorage) -> bytes:
    """The file, read no further than its limit. Raises Refused("too_large")."""
    data = file.stream.read(DEFAULT_LIMITS.file_bytes + 1)
    if len(data) > DEFAULT_LIMITS.file_bytes:
        raise Refused("too_large")
    return data


def _receive(borrower: SignedInBorrower, place: int, name: str, data: bytes) -> Original:
    p = portal()
    now = p.clock.now()
    kind = request.form.get("kind", "")
    if kind not in KINDS:
        raise Refused("kind")
    digest = hashlib.sha256(data).hexdigest()
    upload = Upload(_upload_key(place, digest), kind, name, media_type_of(data), len(data), digest)
    original = p.db.write(
        lambda session: hardship.add_document(
            session,
            keys=p.keys,
            borrower_id=borrower.borrower_id,
            upload=upload,
            consents=request.form.get("consent") == "y",
            limits=DEFAULT_LIMITS,
            now=now,
        )
    )
    checking.keep_original(p.store, p.keys, original, data)
    return original


def _check(original: Original) -> None:
    p = portal()
    checking.check_one(
        p.db,
        p.store,
        p.keys,
        document_id=original.document_id,
        limits=DEFAULT_LIMITS,
        now=p.clock.now(),
        real_now=p.clock.real_now(),
    )


def _upload_key(place: int, digest: str) -> str:
    """The same form, place and content make the same key: a repeated POST gets the first answer."""
    form_key = request.form.get("form_key") or secrets.token_urlsafe(16)
    return hashlib.sha256(f"{form_key}\0{place}\0{digest}".encode()).hexdigest()


def _page(borrower: SignedInBorrower, answers: tuple[Answer, ...]) -> str:
    refused = [(answer.name, answer.refused) for answer in answers if answer.refused]
    return render_template("borrower/documents/page.html", **_view(borrower), refused=refused)


def _view(borrower: SignedInBorrower) -> dict[str, Any]:
    p = portal()
    with p.db.read() as connection:
        draft = reports.draft_for(connection, p.keys, borrower.borrower_id)
        report = draft or reports.latest_report_for(connection, p.keys, borrower.borrower_id)
        papers = queries.documents_for(
            connection, p.keys, borrower.borrower_id, report_id=report.report_id if report else -1
        )
    return {
        "draft": draft,
        "report": report,
        "papers": papers,
        "unsent": [paper for paper in papers if paper.is_removable],
        "kinds": KINDS,
        "kind": request.form.get("kind", ""),
        "consented": bool(report and report.sensitive_consent_at),
        "retention_days": p.settings.bank.policy["document_retention_days"],
        "limits": DEFAULT_LIMITS,
    }


def _as_json(borrower: SignedInBorrower, answers: tuple[Answer, ...]) -> Response:
    """The answers for the script: each file's words, and its entry in the list as the page prints it."""
    shown = {paper.public_ref: paper for paper in _view(borrower)["papers"]}
    return jsonify(files=list(_answers_for_script(answers, shown)))


def _answers_for_script(
    answers: tuple[Answer, ...], shown: dict[str, queries.DocumentView]
) -> Iterator[dict[str, Any]]:
    for answer in answers:
        paper = shown.get(answer.public_ref or "")
        if paper is None:
            words = render_template("borrower/documents/refused.html", code=answer.refused or "lost")
            yield {"ok": False, "words": words.strip()}
        else:
            entry = render_template("borrower/documents/entry.html", paper=paper)
            yield {"ok": True, "ref": paper.public_ref, "entry": entry}
