"""The desk's way in: login, password and TOTP in one post with one answer; and out again."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _l
from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired

from portal.access import passwords, queries, sessions, staff
from portal.access.operations import TryLater
from portal.web import errors
from portal.web.context import portal
from portal.web.forms import Form, own_path
from portal.web.security import (
    STAFF_COOKIE,
    SignedInStaff,
    before_sign_in,
    drop_cookie,
    network,
    session_digest_of,
    set_cookie,
    staff_only,
    who,
)

blueprint = Blueprint("sign_in", __name__)


class StaffForm(Form):
    """What a member of staff proves themselves with."""

    login = StringField(_l("Login"), [DataRequired(_l("Enter your login."))])
    password = PasswordField(_l("Password"), [DataRequired(_l("Enter your password."))])
    totp = StringField(
        _l("Code from your authenticator app"), [DataRequired(_l("Enter the six digits of your app."))]
    )


@blueprint.get("/sign-in")
@before_sign_in
def page() -> Any:
    """Ask who is there."""
    person = who()
    if isinstance(person, SignedInStaff):
        return redirect(_destination(person.role), 303)
    return render_template("desk/sign_in/page.html", form=StaffForm(formdata=None))


@blueprint.post("/sign-in")
@before_sign_in
def enter() -> Any:
    """Let in who has all three; every failure reads the same and takes as long."""
    form = StaffForm()
    if not form.validate():
        return _page(form, refused=False)
    p = portal()
    knocked = p.db.write(
        lambda session: staff.knock(
            session,
            keys=p.keys,
            login=str(form.login.data),
            network=network(),
            real_now=p.clock.real_now(),
        )
    )
    if isinstance(knocked, TryLater):
        return errors.page(429, retry_after=knocked.seconds)
    # 27 ms of Argon2id outside every transaction, for known and unknown logins alike
    is_right = passwords.matches(knocked.password_hash, str(form.password.data))
    opened = _open(knocked, str(form.totp.data)) if is_right else None
    if opened is None:
        return _page(form, refused=True)
    response = make_response(redirect(_destination(_role_of(opened)), 303))
    set_cookie(response, STAFF_COOKIE, opened.cookie)
    return response


@blueprint.post("/sign-out")
@staff_only(*staff.ROLES)
def sign_out(person: SignedInStaff) -> Any:
    """End the session for good."""
    p = portal()
    p.db.write(
        lambda session: sessions.end_session(
            session, digest=person.session_digest, real_now=p.clock.real_now()
        )
    )
    response = make_response(redirect(url_for("desk.sign_in.page"), 303))
    drop_cookie(response, STAFF_COOKIE)
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
            replaces=session_digest_of(STAFF_COOKIE),
        )
    )


def _role_of(opened: sessions.OpenedSession) -> str:
    p = portal()
    digest = sessions.session_digest(p.keys, opened.cookie)
    with p.db.read() as connection:
        found = queries.staff_session(connection, digest, real_now=p.clock.real_now())
    return found.role if found else ""


def _destination(role: str) -> str:
    """The page of the desk somebody was on the way to, else the first one of their role."""
    wanted = own_path(request.values.get("next")) or ""
    if wanted.startswith(("/desk/", "/desk?")) and not wanted.startswith(url_for("desk.sign_in.page")):
        return wanted
    return url_for("desk.dashboard.page" if role == "operator" else "desk.queue.page")


def _page(form: StaffForm, *, refused: bool) -> Response:
    return make_response(render_template("desk/sign_in/page.html", form=form, refused=refused), 422)
