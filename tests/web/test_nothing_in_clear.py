"""After a day's use neither the database's file, nor the document store, nor the log has a secret or a person in it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import tasks
from portal.access import codes
from portal.db import Database
from portal.gateways.sms import phone_texts
from portal.keys import Keys
from tests import people
from tests.documents import corpus
from tests.notices.made import minted, notice

STORY = "The factory by the old canal closed in spring."
PAPER = "wage slip of Lin Xiao.jpg"
CARD = "6222021234567894"
COMPLAINT = "Somebody shouted in the stairwell of the old canal house."


def test_files_and_log_after_a_day_tell_a_thief_nothing(
    capfd: pytest.CaptureFixture[str],
    sqlite_app: Flask,
    sqlite_database: Database,
    keys: Keys,
    tmp_path: Path,
) -> None:
    portal, client = sqlite_app.extensions["portal"], sqlite_app.test_client()
    lin = sqlite_database.write(lambda session: people.lin(session, keys))
    code = minted(
        sqlite_database, keys, sqlite_database.write(lambda session: notice(session, borrower_id=lin))
    )
    client.get(f"/n/{code.token}")
    client.post("/check", data={"code": code.code})
    secrets = sign_in(client, sqlite_database, keys, code.code, deliver=lambda: tasks.deliver(portal))
    tell(client)
    client.get("/my/nowhere")
    complain(client)

    secrets |= {
        "notice code": code.code,
        "notice code, grouped": codes.grouped(code.code),
        "link": code.token,
        "phone": "13900000034",
        "name": "林晓",
        "address": "临港市海湾路1号",
        "story": STORY,
        "paper's name": PAPER,
        "complaint": COMPLAINT,
        "card number": CARD,
    }
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"L-LIN-1" in kept, "the database's own file is not among them"
    written = "".join(capfd.readouterr())
    assert [what for what, secret in secrets.items() if secret.encode() in kept] == []
    assert [what for what, secret in secrets.items() if secret in written] == []


def sign_in(client: FlaskClient, database: Database, keys: Keys, code: str, *, deliver) -> dict[str, str]:  # type: ignore[no-untyped-def]
    """Sign in with a code and the text message it brings; everything secret that this made."""
    client.post("/sign-in", data={"reference": code})
    browser = client.get_cookie("portal_browser")
    deliver()
    with database.read() as connection:
        (text,) = (one.text for one in phone_texts(connection, keys))
    found = re.search(r"#(\d{6})", text)
    assert found is not None
    client.post("/sign-in/code", data={"code": found.group(1), "id_tail": "0001"})
    session = client.get_cookie("portal_session")
    number = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", client.get("/my/more/number").text)
    assert browser is not None
    assert session is not None
    assert number is not None
    return {
        "one-time code": f"#{found.group(1)}",
        "text message": text,
        "browser": browser.value,
        "session": session.value,
        "access number": number.group(),
        "access number, plain": number.group().replace("-", ""),
    }


def tell(client: FlaskClient) -> None:
    """A story, a paper and the month, sent to the bank."""
    page = client.get("/my/situation/reason").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    fields = {"csrf_token": token.group(1)}
    client.post("/my/situation/reason", data=fields | {"reason": "income_lost", "story": STORY})
    client.post("/my/situation/income", data=fields | {"salary": "6200"})
    client.post("/my/situation/spending", data=fields | {"food": "2500"})
    files = [(io.BytesIO(corpus.picture()), PAPER)]
    paper = {"form_key": "paper", "kind": "income_proof", "files": files}
    assert client.post("/my/documents", data=fields | paper).status_code == 303
    sent = client.post("/my/situation/check", data=fields | {"form_key": "sent"})
    assert sent.location.startswith("/my/situation/sent/")


def complain(client: FlaskClient) -> None:
    """A complaint in one's own words, and one that is refused for a card number."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/my/complaints/new?about=other").text)
    assert token is not None
    wish = {"csrf_token": token.group(1), "about": "other", "form_key": "complaint"}
    assert client.post("/my/complaints/new", data=wish | {"text": COMPLAINT}).status_code == 303
    refused = client.post("/my/complaints/new", data=wish | {"form_key": "no", "text": CARD})
    assert refused.status_code == 422
