"""`flask notices print` and `handed-over`, and the signing keys, as an operator types them."""

from __future__ import annotations

import csv
import json
import stat
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select, update

from app import create_app
from portal.access import codes
from portal.audit import AuditEntry
from portal.contacts.operations import place_hold
from portal.db import Database
from portal.keys import Keys
from portal.notices.models import Notice
from portal.notices.operations import open_code
from portal.settings import Settings, load
from portal.signing import KeyRing, Signer
from portal.visits.models import Visit
from tests.conftest import BANK_MORNING, SEED, StandingClock
from tests.notices.letters import written
from tests.test_settings import GOOD


def typed(app: Flask, *words: object) -> Result:
    return app.test_cli_runner().invoke(args=[str(word) for word in words])


def code_of(database: Database, keys: Keys, ref: str) -> str:
    with database.read() as connection:
        sealed = connection.scalar(select(Notice.code_sealed).where(Notice.notice_ref == ref))
    assert sealed is not None
    return codes.grouped(open_code(keys, sealed).code)


def change(database: Database, statement: object) -> None:
    database.write(lambda session: session.execute(statement) and None)  # type: ignore[call-overload]


def test_one_is_printed_by_its_code_or_number_for_its_owner_s_eyes(
    sqlite_app: Flask, sqlite_database: Database, keys: Keys, tmp_path: Path
) -> None:
    written(sqlite_database, keys)
    first, second = tmp_path / "a.pdf", tmp_path / "b.pdf"

    by_code = typed(
        sqlite_app, "notices", "print", code_of(sqlite_database, keys, "N-V").lower(), "--out", first
    )
    by_ref = typed(sqlite_app, "notices", "print", "N-V", "--out", second)

    assert (by_code.exit_code, by_ref.exit_code) == (0, 0), by_code.output + by_ref.output
    assert first.read_bytes() == second.read_bytes()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    with sqlite_database.read() as connection:
        events = connection.scalars(
            select(AuditEntry.event).where(AuditEntry.event == "notices.printed")
        ).all()
    assert len(events) == 2


def test_a_batch_prints_what_waits_and_the_codes_end_with_the_hand_over(
    portal_app: Flask, database: Database, keys: Keys, tmp_path: Path
) -> None:
    written(database, keys)
    folder = tmp_path / "letters"
    batch = ("notices", "print", "--all", "--channel", "letter", "--language", "en", "--out", folder)

    first = typed(portal_app, *batch)
    before = (folder / "N-L.pdf").read_bytes()
    again = typed(portal_app, *batch)

    assert "printed 1, not printed 0" in first.output
    assert (folder / "N-L.pdf").read_bytes() == before, again.output
    assert {path.name for path in folder.iterdir()} == {"N-L.pdf", "printed.csv"}
    (row,) = csv.DictReader((folder / "printed.csv").open(encoding="utf-8"))
    assert (row["notice_ref"], row["file"], row["language"]) == ("N-L", "N-L.pdf", "en")

    (folder / "N-L.pdf").write_bytes(before + b"%")
    changed = typed(portal_app, "notices", "handed-over", folder)
    assert changed.exit_code == 1
    assert "missing or changed: N-L.pdf" in changed.output
    (folder / "N-L.pdf").write_bytes(before)
    done = typed(portal_app, "notices", "handed-over", folder)
    repeated = typed(portal_app, "notices", "handed-over", folder)

    assert "handed over 1, before 0" in done.output
    assert "handed over 0, before 1" in repeated.output
    assert "printed 0, not printed 0" in typed(portal_app, *batch).output
    refused = typed(portal_app, "notices", "print", "N-L", "--out", tmp_path / "x.pdf")
    assert refused.exit_code == 1
    assert "handed over" in refused.output
    assert code_of(database, keys, "N-V")


def test_what_must_not_be_printed_is_named(
    sqlite_app: Flask, sqlite_database: Database, keys: Keys, tmp_path: Path
) -> None:
    borrower_id = written(sqlite_database, keys)
    out = ("--out", tmp_path / "x.pdf")

    def reason(ref: str) -> str:
        answer = typed(sqlite_app, "notices", "print", ref, *out)
        assert answer.exit_code == 1
        return answer.output

    assert "no such notice" in reason("N-0")
    change(sqlite_database, update(Visit).values(state="cancelled"))
    assert "the visit is off" in reason("N-V")
    folder = tmp_path / "visits"
    visits = typed(sqlite_app, "notices", "print", "--all", "--channel", "visit", "--out", folder)
    assert visits.exit_code == 1
    assert "printed 0, not printed 1" in visits.output
    change(sqlite_database, update(Notice).where(Notice.notice_ref == "N-J").values(status="withdrawn"))
    assert "withdrawn" in reason("N-J")
    change(
        sqlite_database, update(Notice).where(Notice.notice_ref == "N-J").values(status="live", channel="sms")
    )
    assert "not a notice on paper" in reason("N-J")
    hold = {"borrower_id": borrower_id, "kind": "pause", "reason": "proposal_open", "source": "negotiation:1"}
    sqlite_database.write(lambda session: place_hold(session, now=BANK_MORNING, **hold) and None)  # type: ignore[arg-type,func-returns-value]
    assert "contacts to this person rest" in reason("N-L")
    change(sqlite_database, update(Notice).values(expires_on=date(2026, 11, 19)))
    assert "expired" in reason("N-L")
    assert not (tmp_path / "x.pdf").exists()
    assert typed(sqlite_app, "notices", "print").exit_code == 2
    assert typed(sqlite_app, "notices", "print", "--all").exit_code == 2


def test_a_new_key_is_published_before_it_signs_and_the_old_one_s_papers_stay_good(
    sqlite_app: Flask, settings: Settings, sqlite_database: Database, clock: StandingClock, tmp_path: Path
) -> None:
    set_file, seed_file = tmp_path / "keys.json", tmp_path / "seed.txt"
    old = Signer.from_seed(SEED).key_id

    assert f"{old}  signs" in typed(sqlite_app, "keys", "list").output
    made = typed(sqlite_app, "keys", "rotate", "--keys", set_file, "--seed", seed_file)

    assert made.exit_code == 0, made.output
    assert seed_file.read_text().strip() not in made.output
    assert stat.S_IMODE(seed_file.stat().st_mode) == 0o600
    new_seed = load(GOOD | {"PORTAL_SIGNING_SEED": seed_file.read_text().strip()}).signing_seed
    new = Signer.from_seed(new_seed).key_id
    published = json.loads(set_file.read_text())
    assert [key["kid"] for key in published["keys"]] == [new, old]
    assert typed(sqlite_app, "keys", "rotate", "--keys", set_file, "--seed", seed_file).exit_code == 2

    rotated = create_app(
        replace(settings, signing_seed=new_seed, signing_keys=published), clock=clock, db=sqlite_database
    )
    answer = json.loads(rotated.test_client().get("/.well-known/portal-keys.json").data)
    assert answer == published
    assert f"{new}  signs" in typed(rotated, "keys", "list").output

    assert typed(rotated, "keys", "revoke", old, "--reason", "seen", "--keys", set_file).exit_code == 0
    ring = KeyRing.of("my.harbour.example", json.loads(set_file.read_text()))
    revoked = ring.find(old)
    assert revoked is not None
    assert revoked.reason == "seen"
    assert typed(rotated, "keys", "revoke", "nobody", "--reason", "x", "--keys", set_file).exit_code == 2


def test_a_key_that_signs_no_more_prints_nothing(
    settings: Settings, sqlite_database: Database, keys: Keys, clock: StandingClock, tmp_path: Path
) -> None:
    written(sqlite_database, keys)
    old = Signer.from_seed(SEED)
    ring = KeyRing.of("my.harbour.example", {}, old).revoked(old.key_id, at=BANK_MORNING, reason="seen")
    app = create_app(replace(settings, signing_keys=ring.as_jwks()), clock=clock, db=sqlite_database)

    answer = typed(app, "notices", "print", "N-L", "--out", tmp_path / "x.pdf")

    assert answer.exit_code == 2
    assert "signs no more" in answer.output


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"keys": 1}', '{"keys": [{"kty": "OKP", "d": "secret"}]}'],
)
def test_a_file_that_is_no_public_key_set_stops_the_start(content: str, tmp_path: Path) -> None:
    from portal.settings import BadSettings

    file = tmp_path / "keys.json"
    file.write_text(content)
    with pytest.raises(BadSettings, match="PORTAL_SIGNING_KEYS"):
        load(GOOD | {"PORTAL_SIGNING_KEYS": str(file)})
