"""Who is asking and from where: sessions, the audience and roles of each route, CSRF, response headers.

Every route belongs to one audience. A route of the borrower's or the desk's door that no decorator of
this module guards is closed to everybody, so that forgetting one shows at once.
"""

from __future__ import annotations

import functools
import hmac
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask, Request, Response, abort, current_app, g, redirect, request, url_for
from flask.sessions import NullSession, SessionInterface
from flask_login import LoginManager, UserMixin

from portal.access import queries, sessions
from portal.access.challenges import CodeSender
from portal.access.limits import SEEN_EVERY, network_of
from portal.messages.operations import queue
from portal.visits.officers import officer_session
from portal.web import card_numbers, errors
from portal.web.context import portal
from portal.web.locale import LANGUAGE_COOKIE

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SESSION_COOKIE = "portal_session"
STAFF_COOKIE = "portal_desk"
OFFICER_COOKIE = "portal_visiting"
#: Binds a one-time code to the browser that asked for it.
BROWSER_COOKIE = "portal_browser"
_SAFE = {"GET", "HEAD", "OPTIONS"}
#: The one route of each closed door that stands outside it.
_SIGN_IN = {
    "borrower": "public.sign_in.page",
    "desk": "desk.sign_in.page",
    "officer": "officer.sign_in.page",
}
#: The largest request without files: our longest form has a few kilobytes.
LARGEST_FORM = 256 * 1024
#: A form with one picture: the file's own limit (documents/kinds.py) and what is around it.
LARGEST_PICTURE = 10 * 2**20 + 64 * 1024
#: Doors without a session: what protects them is named beside them.
_OPEN = {
    "public": "origin",  # the Origin check on every unsafe request
    "callbacks": "signature",  # the provider's signature over the raw body
    "demo": "origin",  # refuses to load outside the demonstration
    "health": "origin",
    "static": "none",
}


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


@dataclass(frozen=True)
class SignedInOfficer(UserMixin):
    """Somebody who visits, with a live session, a live card and an agency that may act today."""

    officer_id: int
    officer_ref: str
    name: str
    agency_name: str
    language: str
    csrf_token: str
    session_digest: str


_SIGNED_IN = (SignedInBorrower, SignedInStaff, SignedInOfficer)


@dataclass(frozen=True)
class Policy:
    """Who may use a route, and what keeps forged requests out: "token", "origin", "signature", "none"."""

    audience: str
    roles: tuple[str, ...]
    protection: str


def borrower_only(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let signed-in borrowers in, as the view's first argument; send everybody else to sign in."""

    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        person = who()
        if not isinstance(person, SignedInBorrower):
            return redirect(url_for(_SIGN_IN["borrower"]), 303)
        return view(person, *args, **kwargs)

    guarded.policy = Policy("borrower", (), "token")  # type: ignore[attr-defined]
    return guarded


def staff_only(*roles: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let staff of these roles in; others get 403, the signed-out the desk's sign-in."""
    if not roles:
        raise ValueError("staff_only needs the roles that may come in")

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            person = who()
            if not isinstance(person, SignedInStaff):
                return redirect(url_for(_SIGN_IN["desk"], next=_way_back()), 303)
            if person.role not in roles:
                return errors.page(403, is_other_role=True)
            return view(person, *args, **kwargs)

        guarded.policy = Policy("desk", roles, "token")  # type: ignore[attr-defined]
        return guarded

    return decorate


def officer_only(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let officers in who may visit now, as the view's first argument; send everybody else to sign in.

    Whoever has left, whose card has run out or whose agency's contract has ended is refused by the very
    next request: the rows are read each time, on every host.
    """

    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        person = who()
        if not isinstance(person, SignedInOfficer):
            return redirect(url_for(_SIGN_IN["officer"]), 303)
        return view(person, *args, **kwargs)

    guarded.policy = Policy("officer", (), "token")  # type: ignore[attr-defined]
    return guarded


def _way_back() -> str | None:
    """Where to go on after signing in: the page asked for, or the one whose form was sent; None: the start."""
    if request.method in _SAFE:
        wanted = request.full_path.rstrip("?")
    else:
        pages, wanted = current_app.url_map.bind(""), request.path
        while wanted.count("/") > 1 and not pages.test(wanted, "GET"):
            wanted = wanted.rpartition("/")[0]
    return None if wanted == "/desk" else wanted


def before_sign_in(view: Callable[..., Any]) -> Callable[..., Any]:
    """A page of a closed door that is reached before signing in: the Origin check protects it."""
    view.policy = Policy("desk", ("anybody",), "origin")  # type: ignore[attr-defined]
    return view


def before_officer_sign_in(view: Callable[..., Any]) -> Callable[..., Any]:
    """As `before_sign_in`, at the officers' door."""
    view.policy = Policy("officer", ("anybody",), "origin")  # type: ignore[attr-defined]
    return view


def takes_files(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let who is signed in send this route requests of up to MAX_CONTENT_LENGTH."""
    view.takes_files = True  # type: ignore[attr-defined]
    return view


def takes_a_picture(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let anybody send this route one picture. It is held in memory: nothing of it reaches a disk."""
    view.takes_a_picture = True  # type: ignore[attr-defined]
    return view


def policy_of(app: Flask, endpoint: str) -> Policy | None:
    """The policy of a route; None for one that nobody declared, which then nobody may use."""
    declared = getattr(app.view_functions[endpoint], "policy", None)
    if declared is not None:
        return declared if isinstance(declared, Policy) else None
    door = endpoint.partition(".")[0]
    return Policy(door, ("anybody",), _OPEN[door]) if door in _OPEN else None


def who() -> SignedInBorrower | SignedInStaff | SignedInOfficer | None:
    """The person behind this request, loaded once and kept where Flask-Login keeps it.

    Flask-Login's own search goes through a signed session and a remembering cookie first; there are none.
    """
    if "_login_user" not in g:
        g._login_user = load_person(request)
    person = g._login_user
    return person if isinstance(person, _SIGNED_IN) else None


def network() -> str:
    """The network this request came from, for counters and digests."""
    return network_of(request.remote_addr)


def code_sender() -> CodeSender:
    """How this portal sends one-time codes."""
    settings = portal().settings
    return CodeSender(queue=queue, host=settings.bank.host, demonstration=settings.is_demonstration)


def cookie_name(name: str) -> str:
    """The cookie's name on the wire: tied to this host alone wherever there is TLS."""
    return f"__Host-{name}" if portal().settings.secure_cookies else name


def cookie(name: str) -> str | None:
    """The value of one of our cookies."""
    return request.cookies.get(cookie_name(name))


def set_cookie(response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
    """Give the browser one of our cookies; without `seconds` it ends with the browser."""
    response.set_cookie(
        cookie_name(name),
        value,
        max_age=seconds,
        path="/",
        secure=portal().settings.secure_cookies,
        httponly=True,
        samesite="Lax",
    )


def drop_cookie(response: Response, name: str) -> None:
    """Take one of our cookies away again."""
    response.delete_cookie(
        cookie_name(name), path="/", secure=portal().settings.secure_cookies, httponly=True, samesite="Lax"
    )


def session_digest_of(name: str) -> str | None:
    """The digest of the session this browser's cookie names, whether or not that is still live."""
    value = cookie(name)
    return sessions.session_digest(portal().keys, value) if value else None


def load_person(_request: Any) -> SignedInBorrower | SignedInStaff | SignedInOfficer | None:
    """The person behind this request's cookie, by one statement; each closed door has a cookie of its own."""
    load: Callable[[str], SignedInBorrower | SignedInStaff | SignedInOfficer | None]
    if request.path.startswith("/desk"):
        name, load = STAFF_COOKIE, _staff
    elif request.path.startswith("/visiting"):
        name, load = OFFICER_COOKIE, _officer
    else:
        name, load = SESSION_COOKIE, _borrower
    digest = session_digest_of(name)
    return None if digest is None else load(digest)


def _borrower(digest: str) -> SignedInBorrower | None:
    p = portal()
    real_now = p.clock.real_now()
    with p.db.read() as connection:
        found = queries.borrower_session(connection, digest, real_now=real_now)
    if found is None:
        return None
    _note_request(digest, found.seen_at, real_now)
    return SignedInBorrower(found.borrower_id, found.language, found.csrf_token, digest)


def _staff(digest: str) -> SignedInStaff | None:
    p = portal()
    real_now = p.clock.real_now()
    with p.db.read() as connection:
        found = queries.staff_session(connection, digest, real_now=real_now)
    if found is None:
        return None
    _note_request(digest, found.seen_at, real_now)
    return SignedInStaff(
        staff_id=found.staff_id,
        staff_ref=found.staff_ref,
        name=found.name,
        human_ref=found.human_ref,
        role=found.role,
        language=found.language,
        csrf_token=found.csrf_token,
        session_digest=digest,
    )


def _officer(digest: str) -> SignedInOfficer | None:
    p = portal()
    real_now = p.clock.real_now()
    with p.db.read() as connection:
        found = officer_session(connection, p.keys, digest, today=p.clock.today(), real_now=real_now)
    if found is None:
        return None
    _note_request(digest, found.seen_at, real_now)
    return SignedInOfficer(
        officer_id=found.officer_id,
        officer_ref=found.officer_ref,
        name=found.name,
        agency_name=found.agency_name,
        language=found.language,
        csrf_token=found.csrf_token,
        session_digest=digest,
    )


def _note_request(digest: str, seen_at: datetime, real_now: datetime) -> None:
    """Write down, at most once a minute, that the session is in use; asking what is left of it is not."""
    if request.endpoint == "borrower.more.session_left" or real_now - seen_at < SEEN_EVERY:
        return
    portal().db.write(lambda session: sessions.touch_session(session, digest=digest, real_now=real_now))


def guard() -> None:
    """Before every request: close undeclared routes, and refuse what another site sent."""
    if request.endpoint is None:
        return
    policy = policy_of(current_app, request.endpoint)
    if policy is None:
        abort(403)
    if "\0" in request.path or b"%00" in request.query_string:
        abort(400)  # no text of ours holds a NUL, and PostgreSQL would not take it
    person = None if policy.protection in ("signature", "none") else who()
    if person is not None and LANGUAGE_COOKIE not in request.cookies:
        g.language = person.language
    if request.method in _SAFE or policy.protection in ("signature", "none"):
        return
    if not is_own_origin():
        abort(403)
    if not (person is not None and _brings_files()):
        _refuse_large_and_unstorable()
    if policy.protection == "token" and person is not None:
        sent = request.form.get("csrf_token", "") or request.headers.get("X-CSRF-Token", "")
        if not hmac.compare_digest(sent.encode(), person.csrf_token.encode()):
            abort(403)


def _brings_files() -> bool:
    """Whether this is the form of a route that takes files; what such a form says is stored nowhere as it came."""
    view = current_app.view_functions[str(request.endpoint)]
    return request.mimetype == "multipart/form-data" and getattr(view, "takes_files", False)


def _refuse_large_and_unstorable() -> None:
    """Nobody has us read a large form into memory; no text of ours holds a NUL (see `guard`)."""
    request.max_content_length = LARGEST_FORM
    view = current_app.view_functions[str(request.endpoint)]
    if getattr(view, "takes_a_picture", False):
        request.max_content_length = LARGEST_PICTURE
        request._get_file_stream = lambda *_, **__: io.BytesIO()  # type: ignore[method-assign]
    if any("\0" in value for values in request.form.listvalues() for value in values):
        abort(400)


def is_own_origin() -> bool:
    """Whether an unsafe request comes from one of our own pages, as far as the browser says.

    Browsers that know Sec-Fetch-Site always send it. Older ones send Origin with every post of another
    site. Where neither header is there the sender is no browser and carries nobody's cookie by force.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    if origin == "null":
        return site == "same-origin"
    return _origin(origin) == _origin(portal().settings.base_url)


def _origin(address: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port. On one's own machine localhost and 127.0.0.1 are the same place."""
    try:
        parts = urlsplit(address)
        host = "localhost" if parts.hostname == "127.0.0.1" else parts.hostname
        return parts.scheme, host, parts.port
    except ValueError:
        return "", None, None


#: What pages may use of a device; the page of pictures has the camera, see public/check_photo.py.
NO_DEVICES = "camera=(), geolocation=(), microphone=(), payment=()"
CAMERA_ALONE = "camera=(self), geolocation=(), microphone=(), payment=()"


class NoSession(SessionInterface):
    """Flask's signed cookie is not used: what a browser may keep are our own cookies, each with a purpose."""

    def open_session(self, app: Flask, request: Request) -> NullSession:
        """A session that holds nothing and refuses to."""
        return self.make_null_session(app)


def headers_of(app: Flask) -> list[tuple[str, str]]:
    """The response headers of every page, made once."""
    settings = app.extensions["portal"].settings
    policy = (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        f"form-action 'self' {settings.stripe_checkout_origin}; frame-ancestors 'none'; base-uri 'none'"
    )
    made = [
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        # To us alone: with no-referrer, browsers name a form's own site as Origin: null.
        ("Referrer-Policy", "same-origin"),
        ("X-Frame-Options", "DENY"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Permissions-Policy", NO_DEVICES),
    ]
    if settings.secure_cookies:
        made.append(("Strict-Transport-Security", "max-age=31536000; includeSubDomains"))
    return made


class FixedHeaders:
    """Adds the headers of every page where the answer has none of its own; the list is made once."""

    def __init__(self, application: WSGIApplication, fixed: list[tuple[str, str]]) -> None:
        self.application = application
        self.fixed = [(name, value, name.lower()) for name, value in fixed]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as the application does, with the headers."""

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            there = {name.lower() for name, _ in headers}
            more = [(name, value) for name, value, low in self.fixed if low not in there]
            return start_response(status, headers + more, *error)

        return self.application(environ, start)


def init_app(app: Flask) -> None:
    """Sessions by row, the guard before every request, the headers after every one."""
    app.session_interface = NoSession()
    manager = (
        LoginManager()
    )  # not init_app: all that adds is a look after a remembering cookie, and there is none
    manager.session_protection = None
    manager.request_loader(load_person)
    app.login_manager = manager  # type: ignore[attr-defined]
    app.before_request(guard)
    app.before_request(card_numbers.refuse)
    app.wsgi_app = FixedHeaders(  # type: ignore[method-assign]
        app.wsgi_app, [*headers_of(app), ("Cache-Control", "no-store")]
    )
