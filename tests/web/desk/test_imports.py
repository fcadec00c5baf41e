"""The desk's page Imports: every try stands there with its reasons; a supervisor other than who ran a held
batch releases or rejects it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.bank_files.manifest import Manifest
from portal.bank_files.rejections import Rejections, write_report
from portal.db import Database
from portal.intake.holding import record_run, report_path
from portal.intake.lifecycle import RunState
from portal.keys import Keys
from portal.staging.drift import Finding
from tests.people import guo, mei, sign_in_staff

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
FINDINGS = [
    Finding("book", {"currency": "CNY", "before": 100_000_000, "after": 103_000_000, "change": 3_000_000}),
    Finding(
        "row", {"count": 1, "fold": 20, "loan": "L7", "currency": "CNY", "before": 100, "after": 500_000}
    ),
    Finding("terms", {"count": 3, "fold": 20}),
    Finding("phones", {"count": 80, "customers": 200}),
]


def _run(
    database: Database, state: RunState, *, asked_by: str = "", rejections: Rejections | None = None
) -> int:
    manifest = Manifest("HARBOUR", "20261120-002", 2, date(2026, 11, 20), "full", True, {}, "d" * 64)
    return database.write(
        lambda session: record_run(
            session,
            manifest=manifest,
            state=state,
            mapping="harbour",
            directory=Path("/in/20261120"),
            rows={"loans": 3, "ledger": 1200},
            asked_by=asked_by,
            now=NOW,
            findings=FINDINGS if state is RunState.HELD else (),
            rejections=rejections,
        )
    )


@pytest.fixture
def supervisor(sqlite_database: Database, sqlite_client: FlaskClient, keys: Keys) -> str:
    """Guo, a supervisor, signed in and reading English; her token."""
    sqlite_client.set_cookie("language", "en")
    return sign_in_staff(sqlite_client, sqlite_database.write(lambda session: guo(session, keys)))


def test_before_the_first_batch_the_page_says_what_will_stand_there(
    sqlite_client: FlaskClient, supervisor: str
) -> None:
    page = sqlite_client.get("/desk/imports", headers={"Accept-Language": "en"}).get_data(as_text=True)

    assert "No batch was taken in yet" in page


def test_a_held_batch_says_why_and_is_released_by_another(
    sqlite_database: Database, sqlite_client: FlaskClient, supervisor: str
) -> None:
    run_id = _run(sqlite_database, RunState.HELD, asked_by="somebody")
    english = {"Accept-Language": "en"}

    listed = sqlite_client.get("/desk/imports", headers=english).get_data(as_text=True)
    page = sqlite_client.get(f"/desk/imports/{run_id}", headers=english).get_data(as_text=True)

    assert "1 batch waits for a second person." in listed
    assert "from ¥1,000,000.00 to ¥1,030,000.00, a change of" in page
    assert "L7, from ¥1.00 to ¥5,000.00" in page
    assert "80 customers of 200 get another phone number." in page
    assert "On 3 loans the principal or a rate becomes 20 times" in page
    answer = sqlite_client.post(
        f"/desk/imports/{run_id}/release", data={"csrf_token": supervisor, "comment": "rang them"}
    )
    assert answer.status_code == 303
    after = sqlite_client.get(f"/desk/imports/{run_id}", headers=english).get_data(as_text=True)
    assert "Released, not taken in yet" in after
    assert "rang them" in after


def test_who_ran_it_cannot_release_it(
    sqlite_database: Database, sqlite_client: FlaskClient, supervisor: str, keys: Keys
) -> None:
    from sqlalchemy import select

    from portal.access.models import Staff

    with sqlite_database.read() as connection:
        human = connection.scalars(select(Staff.human_ref)).one()
    run_id = _run(sqlite_database, RunState.HELD, asked_by=human)

    page = sqlite_client.get(f"/desk/imports/{run_id}", headers={"Accept-Language": "en"})
    answer = sqlite_client.post(f"/desk/imports/{run_id}/release", data={"csrf_token": supervisor})

    assert "You ran this intake yourself." in page.get_data(as_text=True)
    assert "/release" not in page.get_data(as_text=True)
    assert answer.status_code == 409


def test_a_rejection_needs_a_reason(
    sqlite_database: Database, sqlite_client: FlaskClient, supervisor: str
) -> None:
    run_id = _run(sqlite_database, RunState.HELD, asked_by="somebody")

    silent = sqlite_client.post(f"/desk/imports/{run_id}/reject", data={"csrf_token": supervisor})
    said = sqlite_client.post(
        f"/desk/imports/{run_id}/reject", data={"csrf_token": supervisor, "comment": "cents"}
    )

    assert (silent.status_code, said.status_code) == (422, 303)
    again = sqlite_client.post(f"/desk/imports/{run_id}/release", data={"csrf_token": supervisor})
    assert again.status_code == 409


def test_a_refused_batch_names_its_faults_and_gives_the_report(
    sqlite_database: Database, sqlite_client: FlaskClient, supervisor: str, sqlite_app: Flask
) -> None:
    rejections = Rejections()
    for line in range(120):
        rejections.add("empty", "loans.csv", line=line + 2, column="期数", excerpt="=1<b>")
    run_id = _run(sqlite_database, RunState.REFUSED, rejections=rejections)
    data_dir = sqlite_app.extensions["portal"].settings.data_dir
    write_report(report_path(data_dir, run_id), rejections)

    page = sqlite_client.get(f"/desk/imports/{run_id}", headers={"Accept-Language": "en"}).get_data(
        as_text=True
    )
    report = sqlite_client.get(f"/desk/imports/{run_id}/faults.csv")

    assert "120 faults" in page
    assert "The first 100 are shown." in page
    assert "=1&lt;b&gt;" in page
    assert report.status_code == 200
    assert report.get_data(as_text=True).count("loans.csv") == 120
    assert sqlite_client.get("/desk/imports/999/faults.csv").status_code == 404
    assert sqlite_client.get("/desk/imports/999").status_code == 404


def test_a_reviewer_has_no_business_there(
    sqlite_database: Database, sqlite_client: FlaskClient, keys: Keys
) -> None:
    token = sign_in_staff(sqlite_client, sqlite_database.write(lambda session: mei(session, keys)))
    run_id = _run(sqlite_database, RunState.HELD, asked_by="somebody")

    assert sqlite_client.get("/desk/imports").status_code in (403, 404)
    answer = sqlite_client.post(f"/desk/imports/{run_id}/release", data={"csrf_token": token})
    assert answer.status_code in (403, 404)
