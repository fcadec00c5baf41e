"""`flask officers`: a sign-in, a photograph made anew, and an end to visiting."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from PIL import Image

from portal.db import Database
from portal.keys import Keys
from tests import people
from tests.visits.door import announced


def test_an_officer_gets_a_sign_in_once(sqlite_app: Flask, sqlite_database: Database, keys: Keys) -> None:
    sqlite_database.write(lambda s: announced(s, keys, borrower_id=people.lin(s, keys)))
    run = sqlite_app.test_cli_runner().invoke
    given = ["--password", "harbour-10354-visit"]

    assert "has a sign-in already" in run(args=["officers", "add", "G10354", *given]).output
    assert "there is no officer G99999" in run(args=["officers", "add", "G99999", *given]).output


def test_a_photograph_is_shown_at_the_door_and_replaced(
    sqlite_app: Flask, sqlite_database: Database, keys: Keys, tmp_path: Path
) -> None:
    visit = sqlite_database.write(lambda s: announced(s, keys, borrower_id=people.lin(s, keys)))
    run, client = sqlite_app.test_cli_runner().invoke, sqlite_app.test_client()
    people.sign_in(client, visit.borrower_id)
    picture, junk = tmp_path / "face.png", tmp_path / "face.jpg"
    Image.new("RGB", (240, 300), "teal").save(picture)
    junk.write_bytes(b"\xff\xd8 no picture")

    assert client.get("/my/visits/V1/photo/1").status_code == 404
    for _ in range(2):
        made = run(args=["officers", "photo", "G10354", str(picture)])
        assert "240 x 300 pixels" in made.output
    shown = client.get("/my/visits/V1/photo/1")
    assert (shown.status_code, shown.mimetype) == (200, "image/jpeg")
    assert 'src="/my/visits/V1/photo/1"' in client.get("/my/visits/V1").text
    assert len(list(sqlite_app.extensions["portal"].store.keys_older_than(-1))) == 1

    assert run(args=["officers", "photo", "G10354", str(junk)]).exit_code != 0
    assert run(args=["officers", "photo", "G99999", str(picture)]).exit_code != 0


def test_revoking_is_for_those_there_are(sqlite_app: Flask, sqlite_database: Database, keys: Keys) -> None:
    sqlite_database.write(lambda s: announced(s, keys, borrower_id=people.lin(s, keys)))
    run, client = sqlite_app.test_cli_runner().invoke, sqlite_app.test_client()
    people.sign_in_officer(client)

    assert run(args=["officers", "revoke", "G9"]).exit_code != 0
    assert run(args=["officers", "revoke-agency", "A9"]).exit_code != 0
    assert client.get("/visiting").status_code == 200
    assert run(args=["officers", "revoke-agency", "A17"]).exit_code == 0
    assert client.get("/visiting").status_code == 303
