"""Every route has a declared audience; no forged request and no wrong role gets through to any of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from portal.access.staff import ROLES
from portal.db import Database
from portal.keys import Keys
from portal.web.security import Policy, policy_of
from tests import people

OWN = "http://localhost"
BEFORE_SIGN_IN = ("desk.sign_in.page", "desk.sign_in.enter")
BEFORE_OFFICER_SIGN_IN = ("officer.sign_in.page", "officer.sign_in.enter")
#: Headers no page of ours sends.
FOREIGN = (
    {"Origin": "https://evil.example"},
    {"Origin": "https://localhost"},
    {"Origin": "http://localhost:9999"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://my.localhost"},
    {"Origin": "null"},
    {"Origin": "http://["},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": OWN},
    {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
)


@pytest.fixture
def app(sqlite_app: Flask) -> Flask:
    return sqlite_app


def routes(app: Flask, *, unsafe: bool) -> Iterator[tuple[str, str, Policy]]:
    """Endpoint, a path of it, and its policy."""
    for rule in app.url_map.iter_rules():
        is_unsafe = bool({"POST", "PUT", "PATCH", "DELETE"} & (rule.methods or set()))
        if is_unsafe == unsafe or (unsafe is False and "GET" in (rule.methods or set())):
            policy = policy_of(app, rule.endpoint)
            assert policy is not None, rule.endpoint
            yield rule.endpoint, path_of(app, rule), policy


def path_of(app: Flask, rule: Rule) -> str:
    """An address of the route; what it names need not exist."""
    values = {name: 1 if "Integer" in type(c).__name__ else "x1" for name, c in rule._converters.items()}
    built = rule.build(values, append_unknown=False)
    assert built is not None
    return built[1]


@pytest.fixture
def lin(sqlite_database: Database, keys: Keys) -> int:
    return sqlite_database.write(lambda s: people.lin(s, keys))


def someone(app: Flask, keys: Keys, role: str, lin: int) -> tuple[FlaskClient, str]:
    """A browser signed in as a borrower or a role of the desk, or as nobody; and its token."""
    client = app.test_client()
    if role == "nobody":
        return client, ""
    if role == "borrower":
        return client, people.sign_in(client, lin)
    if role == "officer":
        app.extensions["portal"].db.write(lambda s: people.officer(s, keys))
        return client, people.sign_in_officer(client)
    database = app.extensions["portal"].db
    staff_id = database.write(lambda s: people.staff(s, keys, staff_ref=f"B-{role}", name=role, role=role))
    return client, people.sign_in_staff(client, staff_id)


def test_every_route_has_a_declared_audience(app: Flask) -> None:
    undeclared = [rule.endpoint for rule in app.url_map.iter_rules() if policy_of(app, rule.endpoint) is None]

    assert undeclared == []


def test_every_closed_door_is_closed_by_its_own_decorator(app: Flask) -> None:
    wrong = []
    for rule in app.url_map.iter_rules():
        door, policy = rule.endpoint.partition(".")[0], policy_of(app, rule.endpoint)
        assert policy is not None
        if door == "borrower" and policy != Policy("borrower", (), "token"):
            wrong.append(rule.endpoint)
        is_desk = (
            policy.audience == "desk" and policy.protection == "token" and set(policy.roles) <= set(ROLES)
        )
        is_before = rule.endpoint in BEFORE_OFFICER_SIGN_IN
        if door == "officer" and policy != Policy("officer", (), "token") and not is_before:
            wrong.append(rule.endpoint)
        if door == "desk" and not is_desk and rule.endpoint not in BEFORE_SIGN_IN:
            wrong.append(rule.endpoint)

    assert wrong == []


def test_a_forgotten_decorator_closes_the_route_to_everybody(app: Flask, keys: Keys, lin: int) -> None:
    app.add_url_rule("/my/forgotten", "borrower.forgotten", lambda: "private")
    app.add_url_rule("/desk/forgotten", "desk.forgotten", lambda: "private")
    app.add_url_rule("/visiting/a/forgotten", "officer.forgotten", lambda: "private")

    for role in ("nobody", "borrower", "officer", *ROLES):
        client, _ = someone(app, keys, role, lin)
        assert client.get("/my/forgotten").status_code == 403
        assert client.get("/desk/forgotten").status_code == 403
        assert client.get("/visiting/a/forgotten").status_code == 403


def test_no_forged_request_reaches_any_route(app: Flask, keys: Keys, lin: int) -> None:
    let_in = []
    borrower, borrower_token = someone(app, keys, "borrower", lin)
    desk, desk_token = someone(app, keys, "reviewer", lin)
    visiting, visiting_token = someone(app, keys, "officer", lin)
    _, other = someone(app, keys, "supervisor", lin)
    assert other not in (borrower_token, desk_token, visiting_token)
    of = {"desk": (desk, desk_token), "officer": (visiting, visiting_token)}
    for endpoint, path, policy in routes(app, unsafe=True):
        if policy.protection == "signature":
            continue
        client, token = of.get(policy.audience, (borrower, borrower_token))
        for headers in FOREIGN:
            if client.post(path, data={"csrf_token": token}, headers=headers).status_code != 403:
                let_in.append((endpoint, headers))
        if policy.protection == "token":
            for sent in ({}, {"csrf_token": ""}, {"csrf_token": "wrong"}, {"csrf_token": other}):
                if client.post(path, data=sent, headers={"Origin": OWN}).status_code != 403:
                    let_in.append((endpoint, sent))

    assert let_in == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": OWN},
        {"Origin": OWN, "Sec-Fetch-Site": "same-origin"},
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {},
    ],
)
def test_our_own_pages_are_let_in(app: Flask, keys: Keys, lin: int, headers: dict[str, str]) -> None:
    client, token = someone(app, keys, "borrower", lin)

    kept = client.post("/my/more/language", data={"csrf_token": token, "language": "zh"}, headers=headers)
    public = client.post("/preferences", data={"language": "en", "back": "/"}, headers=headers)

    assert (kept.status_code, public.status_code) == (303, 303)


def test_every_role_meets_every_route_as_the_policies_say(app: Flask, keys: Keys, lin: int) -> None:
    wrong = []
    for role in ("nobody", "borrower", "officer", *ROLES):
        client, token = someone(app, keys, role, lin)
        for unsafe in (False, True):
            for endpoint, path, policy in routes(app, unsafe=unsafe):
                if endpoint.endswith((".sign_out", ".sign_out_elsewhere")) or not closed(policy):
                    continue
                method = client.post if unsafe else client.get
                answer = method(path, data={"csrf_token": token} if unsafe else None)
                if outcome(answer) != expected(policy, role):
                    wrong.append((role, endpoint, outcome(answer), answer.status_code))

    assert wrong == []


def closed(policy: Policy) -> bool:
    return policy.protection == "token"


def outcome(answer: TestResponse) -> str:
    door = (answer.location or "").partition("?")[0]
    if answer.status_code == 303 and door in ("/sign-in", "/desk/sign-in", "/visiting/sign-in"):
        return f"sign in at {door}"
    if answer.status_code >= 500:
        return "broken"
    return "refused" if answer.status_code == 403 else "in"


def expected(policy: Policy, role: str) -> str:
    if policy.audience == "borrower":
        return "in" if role == "borrower" else "sign in at /sign-in"
    if policy.audience == "officer":
        return "in" if role == "officer" else "sign in at /visiting/sign-in"
    if role in ("nobody", "borrower", "officer"):
        return "sign in at /desk/sign-in"
    return "in" if role in policy.roles else "refused"


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/check", "/help", "/my/more", "/desk/sign-in", "/nowhere", "/my/more/x"]
)
def test_every_answer_carries_the_headers(app: Flask, path: str) -> None:
    answer = app.test_client().get(path)

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "form-action 'self' http://localhost:9999" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in answer.headers["Permissions-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in answer.headers


def test_over_tls_cookies_are_bound_to_the_host_and_the_browser_is_told_to_stay(
    settings,
    sqlite_database: Database,
    keys: Keys,
    clock,
    lin: int,  # type: ignore[no-untyped-def]
) -> None:
    from dataclasses import replace

    from app import create_app

    app = create_app(
        replace(settings, base_url="https://my.harbour.example"), clock=clock, db=sqlite_database
    )
    client = app.test_client()

    answer = client.post(
        "/sign-in",
        data={"reference": "7KQF-3MWD-2H4N7"},
        base_url="https://my.harbour.example",
        headers={"Origin": "https://my.harbour.example"},
    )

    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-portal_browser=")
    assert "Secure" in cookie
    plain = client.post(
        "/sign-in", base_url="https://my.harbour.example", headers={"Origin": "http://my.harbour.example"}
    )
    assert plain.status_code == 403
