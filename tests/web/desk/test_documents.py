"""Papers on the desk: reviewers see rendered pages of sent papers, and each opening is on record (A8)."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.audit import AuditEntry
from portal.documents import operations, queries
from tests import people
from tests.documents import corpus


class Desk:
    """Lin's paper in the store, Mei at the desk."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        client.application.config["PROPAGATE_EXCEPTIONS"] = True
        self.portal = client.application.extensions["portal"]
        self.lin = self.portal.db.write(lambda session: people.lin(session, self.portal.keys))
        self.mei = self.portal.db.write(lambda session: people.mei(session, self.portal.keys))
        lin_csrf = people.sign_in(client, self.lin)
        files = {"files": (io.BytesIO(corpus.photo_with_everything()), "slip.jpg")}
        client.post("/my/documents", data={"csrf_token": lin_csrf, "kind": "income_proof", **files})
        people.sign_in_staff(client, self.mei)

    def paper(self) -> queries.DocumentView:
        """Lin's only paper."""
        with self.portal.db.read() as connection:
            (paper,) = queries.documents_for(connection, self.portal.keys, self.lin)
        return paper

    def send(self) -> None:
        """Lin sends it."""
        report_id, now = self.paper().report_id, self.portal.clock.now()
        self.portal.db.write(
            lambda session: operations.send(session, borrower_id=self.lin, report_id=report_id, now=now)
        )

    def open(self, number: int = 1) -> TestResponse:
        """Mei opens a page."""
        return self.client.get(f"/desk/documents/{self.paper().public_ref}/pages/{number}")

    def openings(self) -> list[tuple[str, str, int]]:
        """Who opened which page."""
        with self.portal.db.read() as connection:
            rows = connection.execute(
                select(AuditEntry.actor_ref, AuditEntry.subject_ref, AuditEntry.facts).where(
                    AuditEntry.event == "document.page_opened"
                )
            )
            return [(row.actor_ref, row.subject_ref, row.facts["page"]) for row in rows]


@pytest.fixture
def desk(client: FlaskClient) -> Desk:
    return Desk(client)


def test_a_sent_page_is_pixels_and_the_opening_is_on_record(desk: Desk) -> None:
    desk.send()

    answer = desk.open()

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert b"CANARY" not in answer.data
    assert Image.open(io.BytesIO(answer.data)).size == (300, 400)
    assert desk.openings() == [("B2107", desk.paper().public_ref, 1)]


def test_a_paper_that_was_not_sent_is_not_there(desk: Desk) -> None:
    assert desk.open().status_code == 404
    desk.send()
    assert desk.open(2).status_code == 404
    assert desk.openings() == []


def test_a_borrower_and_a_stranger_do_not_reach_the_desks_pages(desk: Desk) -> None:
    desk.send()
    desk.client.delete_cookie("portal_desk")

    assert desk.open().status_code == 303
    assert desk.openings() == []
