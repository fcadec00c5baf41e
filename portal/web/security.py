"""Who is asking and from where: sessions, the roles of each route, CSRF, and response headers."""

from __future__ import annotations

import functools
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, abort, g, redirect, request, url_for
from flask_login import LoginManager, UserMixin, current_user

from portal.access import queries as access
from portal.web.context import portal

SESSION_COOKIE = "portal_session"
STAFF_COOKIE = "portal_desk"
_SAFE = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True)
class SignedInBorrower(UserMixin):
    """A borrower with a live session."""

    borrower_id: int
    language: str
    csrf_token: str
    session_digest: str


@dataclass(frozen=True)
class SignedInStaff(UserMixin):
    """A member of staff with a live session and a live role."""

    staff_id: int
    staff_ref: str
    name: str
    human_ref: str
    role: str
    language: str
    csrf_token: str
    session_digest: str


def borrower_only(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let signed-in borrowers in, as the view's first argument; send everybody else to sign in."""

    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if not isinstance(current_user._get_current_object(), SignedInBorrower):
            return redirect(url_for("public.sign_in.page"), 303)
        return view(current_user._get_current_object(), *args, **kwargs)

    guarded.audience = "borrower"  # type: ignore[attr-defined]
    return guarded


def staff_only(*roles: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let staff of these roles in; others get 403, the signed-out the desk's sign-in."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            person = current_user._get_current_object()
            if not isinstance(person, SignedInStaff):
                return redirect(url_for("desk.sign_in.page"), 303)
            if person.role not in roles:
                abort(403)
            return view(person, *args, **kwargs)

        guarded.audience = "desk"  # type: ignore[attr-defined]
        guarded.roles = roles  # type: ignore[attr-defined]
        return guarded

    return decorate


def load_person(req: Any) -> SignedInBorrower | SignedInStaff | None:
    """The person behind this request's cookie, by one statement; desk pages look at the desk's cookie."""
    is_desk = req.path.startswith("/desk")
    cookie = req.cookies.get(STAFF_COOKIE if is_desk else SESSION_COOKIE)
    if not cookie:
        return None
    p = portal()
    digest = p.keys.digest("session", cookie)
    with p.db.read() as connection:
        if is_desk:
            row = access.staff_session(connection, digest, real_now=p.clock.real_now())
            return SignedInStaff(**row) if row else None
        found = access.borrower_session(connection, digest, real_now=p.clock.real_now())
        return SignedInBorrower(**found) if found else None


def check_origin() -> None:
    """Refuse an unsafe request that another site, or nobody in particular, sent (403)."""
    if request.method in _SAFE or request.path.startswith("/callbacks/"):
        return
    own = urlsplit(portal().settings.base_url)
    origin = request.headers.get("Origin")
    if origin is not None:
        sent = urlsplit(origin)
        if (sent.scheme, sent.netloc) != (own.scheme, own.netloc):
            abort(403)
    elif request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        abort(403)
    person = current_user._get_current_object() if current_user else None
    if isinstance(person, SignedInBorrower | SignedInStaff):
        if not hmac.compare_digest(request.form.get("csrf_token", ""), person.csrf_token):
            abort(403)


def headers_of(app: Flask) -> list[tuple[str, str]]:
    """The response headers of every page, made once."""
    settings = app.extensions["portal"].settings
    form_targets = f"'self' {settings.stripe_checkout_origin}"
    policy = (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        f"form-action {form_targets}; frame-ancestors 'none'; base-uri 'none'"
    )
    made = [
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Frame-Options", "DENY"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(self), geolocation=(), microphone=()"),
    ]
    if settings.secure_cookies:
        made.append(("Strict-Transport-Security", "max-age=31536000; includeSubDomains"))
    return made


def init_app(app: Flask) -> None:
    """Sessions by row, the origin check before every unsafe request, the headers after every one."""
    manager = LoginManager(app)
    manager.session_protection = None
    manager.request_loader(load_person)
    fixed = headers_of(app)

    @app.before_request
    def guard() -> None:
        person = current_user._get_current_object()
        if isinstance(person, SignedInBorrower | SignedInStaff):
            g.language = person.language
        check_origin()

    @app.after_request
    def finish(response: Response) -> Response:
        for name, value in fixed:
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        return response
