"""The officers' way in: staff number, password and TOTP in one post with one answer; and out again."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, url_for
from flask_babel import lazy_gettext as _l
from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired

from portal.access import passwords, sessions, staff
from portal.access.operations import TryLater
from portal.visits.officers import officer_session
from portal.web import errors
from portal.web.context import portal
from portal.web.forms import Form
from portal.web.security import (
    OFFICER_COOKIE,
    SignedInOfficer,
    before_officer_sign_in,
    drop_cookie,
    network,
    officer_only,
    session_digest_of,
    set_cookie,
    who,
)

blueprint = Blueprint("sign_in", __name__)


class OfficerForm(Form):
    """What an officer proves themselves with."""

    number = StringField(_l("Your staff number"), [DataRequired(_l("Enter your staff number."))])
    password = PasswordField(_l("Password"), [DataRequired(_l("Enter your password."))])
    totp = StringField(
        _l("Code from your authenticator app"), [DataRequired(_l("Enter the six digits of your app."))]
    )


@blueprint.get("/sign-in")
@before_officer_sign_in
def page() -> Any:
    """Ask who is there."""
    if isinstance(who(), SignedInOfficer):
        return redirect(url_for("officer.today.page"), 303)
    return render_template("officer/sign_in/page.html", form=OfficerForm(formdata=None))


@blueprint.post("/sign-in")
@before_officer_sign_in
def enter() -> Any:
    """Let in who has all three and may visit today; every failure reads the same and takes as long."""
    form = OfficerForm()
    if not form.validate():
        return _page(form, refused=False)
    p = portal()
    knocked = p.db.write(
        lambda session: staff.knock(
            session,
            keys=p.keys,
            login=str(form.number.data),
            network=network(),
            real_now=p.clock.real_now(),
            roles=(staff.OFFICER,),
        )
    )
    if isinstance(knocked, TryLater):
        return errors.page(429, retry_after=knocked.seconds)
    is_right = passwords.matches(knocked.password_hash, str(form.password.data))
    opened = _open(knocked, str(form.totp.data)) if is_right else None
    if opened is None or not _may_visit(opened):
        return _page(form, refused=True)
    response = make_response(redirect(url_for("officer.today.page"), 303))
    set_cookie(response, OFFICER_COOKIE, opened.cookie)
    return response


@blueprint.post("/sign-out")
@officer_only
def sign_out(officer: SignedInOfficer) -> Any:
    """End the session for good."""
    p = portal()
    p.db.write(
        lambda session: sessions.end_session(
            session, digest=officer.session_digest, real_now=p.clock.real_now()
        )
    )
    response = make_response(redirect(url_for("officer.sign_in.page"), 303))
    drop_cookie(response, OFFICER_COOKIE)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _open(knocked: staff.Knock, totp: str) -> sessions.OpenedSession | None:
    p = portal()
    return p.db.write(
        lambda session: staff.enter(
            session,
            keys=p.keys,
            knocked=knocked,
            totp=totp,
            real_now=p.clock.real_now(),
            replaces=session_digest_of(OFFICER_COOKIE),
        )
    )


def _may_visit(opened: sessions.OpenedSession) -> bool:
    p = portal()
    digest = sessions.session_digest(p.keys, opened.cookie)
    with p.db.read() as connection:
        found = officer_session(
            connection, p.keys, digest, today=p.clock.today(), real_now=p.clock.real_now()
        )
    return found is not None


def _page(form: OfficerForm, *, refused: bool) -> Response:
    return make_response(render_template("officer/sign_in/page.html", form=form, refused=refused), 422)
