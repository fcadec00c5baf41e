"""Signing in: name a reference, then prove it with a code by SMS and the end of the ID number.

Nothing on these pages depends on whether the reference was known.
"""

from __future__ import annotations

import secrets
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from wtforms import StringField
from wtforms.validators import DataRequired, ValidationError

from portal.access import codes, limits
from portal.access import operations as access
from portal.notices.faces import note_sign_in
from portal.notices.verification import asked_for
from portal.web import errors
from portal.web.context import guards, portal
from portal.web.forms import Form
from portal.web.security import (
    BROWSER_COOKIE,
    SESSION_COOKIE,
    SignedInBorrower,
    code_sender,
    cookie,
    drop_cookie,
    network,
    session_digest_of,
    set_cookie,
    who,
)

blueprint = Blueprint("sign_in", __name__, url_prefix="/sign-in")


def _is_code(form: Form, field: StringField) -> None:
    if not codes.kind_of(codes.normalise(field.data or "")):
        raise ValidationError(
            _l("This is not a whole code. Please compare it with the text, letter by letter.")
        )


def _is_six_digits(form: Form, field: StringField) -> None:
    plain = codes.plain_digits(field.data or "")
    if not (len(plain) == 6 and plain.isascii() and plain.isdigit()):
        raise ValidationError(_l("Enter the six digits of the text message."))


def _is_tail(form: Form, field: StringField) -> None:
    plain = codes.plain_tail(field.data or "")
    if not (len(plain) == 4 and plain.isascii() and plain.isalnum()):
        raise ValidationError(_l("Enter the last four characters of your ID number."))


class ReferenceForm(Form):
    """Which notice, or which access number."""

    reference = StringField(
        _l("Code on the message, or your access number"),
        [DataRequired(_l("Enter the code on the message, or your access number.")), _is_code],
    )


class CodeForm(Form):
    """The proof, both parts in one post with one answer."""

    code = StringField(_l("Code from the text message"), [_is_six_digits])
    id_tail = StringField(_l("Last four of your ID number"), [_is_tail])


@blueprint.get("")
def page() -> Any:
    """Ask for the reference; who is signed in goes on."""
    if isinstance(who(), SignedInBorrower):
        return redirect(url_for("borrower.balance.page"), 303)
    return render_template("public/sign_in/page.html", form=ReferenceForm(formdata=None))


@blueprint.post("")
def start() -> Any:
    """Send a code if the reference is somebody's, and go on in either case."""
    form = ReferenceForm()
    if not form.validate():
        return make_response(render_template("public/sign_in/page.html", form=form), 422)
    p = portal()
    browser = cookie(BROWSER_COOKIE) or secrets.token_urlsafe(24)
    reference, where = str(form.reference.data), network()
    asked = asked_for(p.keys, reference)

    def unit(session: Session) -> access.Started | access.TryLater:
        started = access.start_sign_in(
            session,
            keys=p.keys,
            reference=reference,
            browser=browser,
            network=where,
            real_now=p.clock.real_now(),
            sender=code_sender(),
        )
        if isinstance(started, access.Started):
            note_sign_in(
                session,
                asked,
                keys=p.keys,
                network=where,
                real_now=p.clock.real_now(),
                guards=guards(),
            )
        return started

    started = p.db.write(unit)
    if isinstance(started, access.TryLater):
        return errors.page(429, retry_after=started.seconds)
    return _to_code(browser)


@blueprint.get("/code")
def code() -> Any:
    """Ask for the code and the end of the ID number."""
    if cookie(BROWSER_COOKIE) is None:
        return redirect(url_for("public.sign_in.page"), 303)
    return _code_page(CodeForm(formdata=None), again="again" in request.args)


@blueprint.post("/code")
def answer() -> Any:
    """Compare both parts at once; right opens a session, anything else has one answer."""
    browser = cookie(BROWSER_COOKIE)
    if browser is None:
        return redirect(url_for("public.sign_in.page"), 303)
    form = CodeForm()
    if not form.validate():
        return make_response(_code_page(form), 422)
    p = portal()
    signed_in = p.db.write(
        lambda session: access.finish_sign_in(
            session,
            keys=p.keys,
            browser=browser,
            code=str(form.code.data),
            id_tail=str(form.id_tail.data),
            real_now=p.clock.real_now(),
            replaces=session_digest_of(SESSION_COOKIE),
        )
    )
    if isinstance(signed_in, access.Refused):
        return make_response(_code_page(form, refused=True), 422)
    return _enter(signed_in)


@blueprint.post("/again")
def again() -> Any:
    """Send another code for the same reference."""
    browser = cookie(BROWSER_COOKIE)
    if browser is None:
        return redirect(url_for("public.sign_in.page"), 303)
    p = portal()
    p.db.write(
        lambda session: access.start_again(
            session, keys=p.keys, browser=browser, real_now=p.clock.real_now(), sender=code_sender()
        )
    )
    return _to_code(browser, again="1")


@blueprint.get("/lost")
def lost() -> Any:
    """The ways back for whoever has neither code nor access number, or another mobile."""
    return render_template("public/sign_in/lost.html")


@blueprint.get("/out")
def out() -> Any:
    """You have signed out."""
    return render_template("public/sign_in/out.html")


def _to_code(browser: str, again: str | None = None) -> Response:
    response = make_response(redirect(url_for("public.sign_in.code", again=again), 303))
    set_cookie(response, BROWSER_COOKIE, browser, seconds=int(limits.BROWSER_LIFE.total_seconds()))
    return response


def _code_page(form: CodeForm, *, refused: bool = False, again: bool = False) -> str:
    return render_template(
        "public/sign_in/code.html",
        form=form,
        refused=refused,
        again=again,
        limits=limits,
        life_minutes=int(limits.CODE_LIFE.total_seconds()) // 60,
    )


def _enter(signed_in: access.SignedIn) -> Response:
    target = "borrower.more.number" if signed_in.is_first else "borrower.balance.page"
    response = make_response(redirect(url_for(target), 303))
    set_cookie(response, SESSION_COOKIE, signed_in.opened.cookie)
    drop_cookie(response, BROWSER_COOKIE)
    return response
