"""Every route has an audience and a template folder of its own; every template has a route."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Flask

ROOT = Path(__file__).parent.parent.parent
AUDIENCES = {"public", "borrower", "officer", "desk", "callbacks", "demo", "static"}


def test_every_route_belongs_to_an_audience(sqlite_app: Flask) -> None:
    strangers = [
        rule.endpoint
        for rule in sqlite_app.url_map.iter_rules()
        if rule.endpoint.split(".")[0] not in AUDIENCES
    ]

    assert strangers == []


def test_every_template_is_used() -> None:
    sources = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("portal", "templates")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".html"}
    )
    named = {re.sub(r"\{[^}]*\}", "@", name) for name in re.findall(r"[\"']([^\"'\s]+\.html)[\"']", sources)}
    patterns = [re.compile(re.escape(name).replace("@", "[a-z_]+")) for name in named]
    orphans = [
        name
        for path in (ROOT / "templates").rglob("*.html")
        if not any(
            pattern.fullmatch(name := str(path.relative_to(ROOT / "templates"))) for pattern in patterns
        )
    ]

    assert orphans == []
