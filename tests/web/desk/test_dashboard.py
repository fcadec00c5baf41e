"""The dashboard: real figures, each picture with its table."""

from __future__ import annotations

from flask.testing import FlaskClient

from portal.dates import Clock
from portal.db import Database
from portal.keys import Keys
from portal.reviews.four_eyes import Kind
from portal.signing import Signer
from tests import people
from tests.reviews import cases


def text_of(client: FlaskClient) -> str:
    answer = client.get("/desk/dashboard")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_an_empty_bank_has_designed_empty_places(client: FlaskClient, database: Database, keys: Keys) -> None:
    people.sign_in_staff(client, database.write(lambda session: people.mei(session, keys)))

    page = text_of(client)

    assert page.count('class="empty"') == 2
    assert "0.00" in page


def test_the_figures_are_those_of_the_book_and_of_the_work_done(
    client: FlaskClient, database: Database, keys: Keys, signer: Signer, clock: Clock
) -> None:
    case = cases.open_case(database, keys, signer, clock)
    people.sign_in_staff(client, case.mei)
    before = text_of(client)
    assert before.count("18,270.00") == 2
    assert 'id="d2t"' not in before

    clock.advance(days=3)  # type: ignore[attr-defined]
    cases.decide(database, keys, clock, case, case.mei, cases.choice(database, case, Kind.APPROVE))
    people.sign_in_staff(client, case.mei)

    page = text_of(client)
    assert 'id="d2t"' in page
    assert "100%" in page


def test_the_signed_out_see_no_figures(sqlite_client: FlaskClient) -> None:
    assert sqlite_client.get("/desk/dashboard").status_code == 303
