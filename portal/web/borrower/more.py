"""More: the access number, the language, who signed in when, and signing out."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal.access import codes, limits, operations, queries, sessions
from portal.web.context import portal
from portal.web.locale import LANGUAGE_COOKIE, LOCALES
from portal.web.security import SESSION_COOKIE, SignedInBorrower, borrower_only, drop_cookie, who

blueprint = Blueprint("more", __name__, url_prefix="/more")

_YEAR_SECONDS = 365 * 24 * 3600


@blueprint.get("")
@borrower_only
def page(borrower: SignedInBorrower) -> Any:
    """Everything about the borrower's own way in."""
    p = portal()
    with p.db.read() as connection:
        number = queries.access_number_for(connection, p.keys, borrower.borrower_id)
        sign_ins = queries.sign_ins_for(
            connection, borrower.borrower_id, here=borrower.session_digest, real_now=p.clock.real_now()
        )
    return render_template(
        "borrower/more/page.html",
        number=codes.grouped(number) if number else None,
        sign_ins=sign_ins,
        language=borrower.language,
        elsewhere=any(s.is_open and not s.is_here for s in sign_ins),
    )


@blueprint.get("/number")
@borrower_only
def number(borrower: SignedInBorrower) -> Any:
    """The access number, large: where the first sign-in leads."""
    p = portal()
    with p.db.read() as connection:
        found = queries.access_number_for(connection, p.keys, borrower.borrower_id)
    if found is None:
        return redirect(url_for("borrower.more.page"), 303)
    return render_template("borrower/more/number.html", number=codes.grouped(found))


@blueprint.get("/figures")
@borrower_only
def figures(borrower: SignedInBorrower) -> str:
    """How to object to a figure, without acknowledging anything."""
    return render_template("borrower/more/figures.html")


@blueprint.post("/language")
@borrower_only
def language(borrower: SignedInBorrower) -> Any:
    """Keep the language in the account, for pages on every device and for messages."""
    response = make_response(redirect(url_for("borrower.more.page"), 303))
    chosen = request.form.get("language", "")
    if chosen in LOCALES:
        _keep_language(borrower, chosen)
        response.set_cookie(
            LANGUAGE_COOKIE,
            chosen,
            max_age=_YEAR_SECONDS,
            samesite="Lax",
            httponly=True,
            secure=portal().settings.secure_cookies,
        )
    return response


@blueprint.post("/sign-out")
@borrower_only
def sign_out(borrower: SignedInBorrower) -> Any:
    """End this session for good and have the browser forget the pages it showed."""
    p = portal()
    p.db.write(
        lambda session: sessions.end_session(
            session, digest=borrower.session_digest, real_now=p.clock.real_now()
        )
    )
    response = make_response(redirect(url_for("public.sign_in.out"), 303))
    drop_cookie(response, SESSION_COOKIE)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@blueprint.post("/sign-out-elsewhere")
@borrower_only
def sign_out_elsewhere(borrower: SignedInBorrower) -> Any:
    """End every other session of this borrower."""
    p = portal()
    p.db.write(
        lambda session: sessions.end_other_sessions(
            session,
            borrower_id=borrower.borrower_id,
            keep=borrower.session_digest,
            real_now=p.clock.real_now(),
        )
    )
    return redirect(url_for("borrower.more.page"), 303)


@blueprint.post("/stay")
@borrower_only
def stay(borrower: SignedInBorrower) -> Any:
    """Stay signed in: any request is use, so this one only says so."""
    p = portal()
    p.db.write(
        lambda session: sessions.touch_session(
            session, digest=borrower.session_digest, real_now=p.clock.real_now()
        )
    )
    return session_state(borrower)


@blueprint.get("/session")
@borrower_only
def session_left(borrower: SignedInBorrower) -> Any:
    """How long this session has; asking is not use."""
    return session_state(borrower)


def session_state(borrower: SignedInBorrower) -> Any:
    """How many seconds a session has left, and the words of the warning, as JSON."""
    p = portal()
    with p.db.read() as connection:
        found = queries.borrower_session(connection, borrower.session_digest, real_now=p.clock.real_now())
    if found is None:
        return redirect(url_for("public.sign_in.page"), 303)
    ends = min(found.expires_at, found.seen_at + limits.BORROWER_SESSION.idle)
    return jsonify(
        left=int((ends - p.clock.real_now()).total_seconds()),
        warn=int(limits.WARN_BEFORE.total_seconds()),
        title=_("Are you still there?"),
        text=_(
            "In %(minutes)s minutes you will be signed out. What you have sent is kept.",
            minutes=int(limits.WARN_BEFORE.total_seconds()) // 60,
        ),
        stay=_("Stay signed in"),
        ended=_("You have been signed out. Sign in again to go on."),
        sign_in=_("Sign in"),
        csrf_token=borrower.csrf_token,
    )


@blueprint.after_app_request
def keep_chosen_language(response: Response) -> Response:
    """What a signed-in borrower chooses on any page is kept in the account too."""
    if request.endpoint == "public.preferences.change" and response.status_code == 303:
        person, chosen = who(), request.form.get("language")
        if isinstance(person, SignedInBorrower) and chosen in LOCALES and chosen != person.language:
            _keep_language(person, chosen)
    return response


def _keep_language(borrower: SignedInBorrower, chosen: str) -> None:
    p = portal()
    p.db.write(
        lambda session: operations.keep_language(
            session, borrower_id=borrower.borrower_id, language=chosen, real_now=p.clock.real_now()
        )
    )
