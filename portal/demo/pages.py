"""The demonstration's own pages: a borrower's phone, and the staff's sign-ins with their current TOTP."""

from __future__ import annotations

import re

import pyotp
from flask import Blueprint, Flask, abort, redirect, render_template, url_for
from markupsafe import Markup, escape
from werkzeug.wrappers import Response

from portal.demo import FIRST_BORROWER, phones, refuse_production, seed, visits
from portal.web.context import portal

blueprint = Blueprint("demo", __name__, url_prefix="/demo")

#: An address ends where its plain characters end: the bank's text goes on in Chinese without a space.
_LINK = re.compile(r"https?://[!-~]+")


@blueprint.get("/")
def index() -> Response:
    """The phone is where it starts."""
    return redirect(url_for("demo.phone", customer_ref=FIRST_BORROWER), 303)


@blueprint.get("/phone")
def phone_first() -> Response:
    """The phone of the borrower the demonstration starts with."""
    return redirect(url_for("demo.phone", customer_ref=FIRST_BORROWER), 303)


@blueprint.get("/phone/<customer_ref>")
def phone(customer_ref: str) -> str:
    """A borrower's text messages and the letters at home."""
    p = portal()
    with p.db.read() as connection:
        owner = phones.owner_of(connection, p.keys, customer_ref)
        if owner is None:
            abort(404)
        texts = phones.texts_of(connection, p.keys, owner)
        papers = phones.papers_of(connection, p.keys, owner)
        others = phones.suggestions(connection, p.keys)
    behind = p.clock.real_now() - p.clock.now()
    return render_template(
        "demo/phone/page.html", owner=owner, texts=texts, papers=papers, others=others, behind=behind
    )


@blueprint.get("/staff")
def staff() -> str:
    """Everybody who can sign in at the desk, with the code their app would show now."""
    p = portal()
    now = p.clock.real_now()
    with p.db.read() as connection:
        secrets = phones.totp_secrets(connection, p.keys)
        doors = visits.doors_today(connection, now=p.clock.now())
    accounts = [
        (account, pyotp.TOTP(secrets[account.login]).at(int(now.timestamp())))
        for account in (*seed.ACCOUNTS, *seed.OFFICERS)
        if account.login in secrets
    ]
    return render_template(
        "demo/staff/page.html",
        accounts=accounts,
        doors=doors,
        seconds_left=30 - int(now.timestamp()) % 30,
        testing=f"{p.settings.stripe_api_base}/testing" if p.settings.stripe_api_base else "",
    )


def live_links(text: str) -> Markup:
    """A message as a phone shows it: its links can be tapped."""
    made, last = Markup(""), 0
    for match in _LINK.finditer(text):
        made += escape(text[last : match.start()])
        made += Markup('<a href="{0}">{0}</a>').format(match.group())
        last = match.end()
    return made + escape(text[last:])


def init_app(app: Flask) -> None:
    """Add the pages; refuses production."""
    refuse_production(app.extensions["portal"].settings)
    app.jinja_env.filters["live_links"] = live_links
    app.register_blueprint(blueprint)
