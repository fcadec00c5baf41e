"""Every route has an audience and a template folder of its own; every template has a route."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Flask

ROOT = Path(__file__).parent.parent.parent
AUDIENCES = {"public", "borrower", "desk", "callbacks", "demo", "static"}


def test_every_route_belongs_to_an_audience(sqlite_app: Flask) -> None:
    strangers = [
        rule.endpoint
        for rule in sqlite_app.url_map.iter_rules()
        if rule.endpoint.split(".")[0] not in AUDIENCES
    ]

    assert strangers == []


def test_borrowers_and_desk_routes_are_guarded(sqlite_app: Flask) -> None:
    open_doors = {"desk.sign_in.page", "desk.sign_in.enter", "desk.sign_in.code", "desk.sign_in.start"}
    unguarded = []
    for rule in sqlite_app.url_map.iter_rules():
        audience = rule.endpoint.split(".")[0]
        view = sqlite_app.view_functions[rule.endpoint]
        if audience in {"borrower", "desk"} and getattr(view, "audience", None) != audience:
            unguarded.append(rule.endpoint)

    assert set(unguarded) <= open_doors


def test_every_template_is_used() -> None:
    sources = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("portal", "templates")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".html"}
    )
    orphans = []
    for path in (ROOT / "templates").rglob("*.html"):
        name = str(path.relative_to(ROOT / "templates"))
        if not re.search(rf"[\"'](?:.*/)?{re.escape(name)}[\"']", sources):
            orphans.append(name)

    assert orphans == []
