"""The first page."""

from __future__ import annotations

from flask.testing import FlaskClient


def test_it_offers_the_code_field_sign_in_and_help(sqlite_client: FlaskClient) -> None:
    page = sqlite_client.get("/")

    assert page.status_code == 200
    for address in ('action="/check"', 'href="/sign-in"', 'href="/help"'):
        assert address in page.text
