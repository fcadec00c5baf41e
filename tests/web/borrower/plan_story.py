"""Lin before the plan pages: the story of tests/plans over the portal's own database."""

from __future__ import annotations

import re

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.messages.models import Message
from tests.people import sign_in
from tests.plans.people import Story, story


def story_of(app: Flask) -> Story:
    """Lin in the database of this portal."""
    portal = app.extensions["portal"]
    return story(portal.db, portal.keys, portal.signer)


def signed_in(app: Flask, lin_story: Story) -> tuple[FlaskClient, str]:
    """Lin's browser, and the token its forms carry."""
    client = app.test_client()
    return client, sign_in(client, lin_story.lin)


def text_of(client: FlaskClient, address: str) -> str:
    """A page that answers, with the redirects before it."""
    response = client.get(address, follow_redirects=True)
    assert response.status_code == 200, (address, response.status_code)
    return response.get_data(as_text=True)


def last_code(lin_story: Story) -> str:
    """The one-time code of the newest text message."""
    with lin_story.database.read() as connection:
        sealed = connection.execute(
            select(Message.text_sealed)
            .where(Message.kind == "one_time_code")
            .order_by(Message.id.desc())
            .limit(1)
        ).scalar_one()
    found = re.search(r"[0-9]{6}", lin_story.keys.unseal("message.text", sealed))
    assert found is not None
    return found.group()
