"""Papers as a borrower adds them: a plain form, or the script's requests; each file with its own answer."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import func, select
from werkzeug.serving import make_server
from werkzeug.test import EnvironBuilder, TestResponse

from portal.documents import operations, queries
from portal.documents.lifecycle import DocumentState
from portal.documents.models import Document
from portal.web.borrower import documents
from tests import people
from tests.documents import corpus

pytestmark = pytest.mark.slow

File = tuple[bytes, str]


class Table:
    """Lin signed in with a pile of papers."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        client.application.config["PROPAGATE_EXCEPTIONS"] = True
        self.portal = client.application.extensions["portal"]
        self.lin = self.portal.db.write(lambda session: people.lin(session, self.portal.keys, language="en"))
        self.csrf = people.sign_in(client, self.lin)

    def add(
        self, *files: File, kind: str = "income_proof", form_key: str = "k", script: bool = False, **more: str
    ) -> TestResponse:
        """Post the form with these files."""
        fields: dict[str, object] = {"csrf_token": self.csrf, "form_key": form_key, "kind": kind, **more}
        fields["files"] = [(io.BytesIO(data), name) for data, name in files]
        headers = {"Accept": "application/json"} if script else {}
        return self.client.post("/my/documents", data=fields, headers=headers)

    def cookie(self) -> str:
        """The session's cookie as the browser sends it."""
        found = self.client.get_cookie("portal_session")
        assert found is not None
        return found.value

    def page(self) -> str:
        """The papers page."""
        answer = self.client.get("/my/documents")
        assert answer.status_code == 200
        return answer.get_data(as_text=True)

    def papers(self) -> tuple[queries.DocumentView, ...]:
        """What the database says."""
        with self.portal.db.read() as connection:
            return queries.documents_for(connection, self.portal.keys, self.lin)

    def rows(self) -> int:
        """Every document row, removed ones too."""
        with self.portal.db.read() as connection:
            return connection.execute(select(func.count()).select_from(Document)).scalar_one()

    def stored(self) -> list[bytes]:
        """Every byte that lies on disk."""
        folder: Path = self.portal.store.root
        return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def table(client: FlaskClient) -> Table:
    return Table(client)


@pytest.fixture
def small_table(sqlite_client: FlaskClient) -> Table:
    """Where the database does not matter."""
    return Table(sqlite_client)


def test_several_files_at_once_each_become_ready(table: Table) -> None:
    answer = table.add(
        (corpus.picture(), "slip.jpg"), (corpus.HEIC, "IMG_0001.HEIC"), (corpus.pdf(2), "statement.pdf")
    )

    assert answer.status_code == 303
    papers = table.papers()
    assert [(paper.name, paper.state, paper.page_count) for paper in papers] == [
        ("slip.jpg", DocumentState.READY, 1),
        ("IMG_0001.HEIC", DocumentState.READY, 1),
        ("statement.pdf", DocumentState.READY, 2),
    ]
    page = table.page()
    assert page.count("Ready") == 3
    assert "2 pages" in page


def test_good_files_stay_when_another_is_refused_and_the_page_says_why(table: Table) -> None:
    answer = table.add((corpus.picture(), "slip.jpg"), (corpus.office(), "salary.docx"))

    text = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "Word, Excel and PowerPoint files are not taken" in text
    assert "salary.docx" in text
    assert [paper.name for paper in table.papers()] == ["slip.jpg"]


def test_refused_kinds_leave_no_row_and_no_byte(small_table: Table) -> None:
    for data, _ in corpus.REFUSED.values():
        assert small_table.add((data, "photo.jpg")).status_code == 422

    assert small_table.rows() == 0
    assert small_table.stored() == []


def test_a_file_that_asks_for_a_password_says_what_to_do(small_table: Table) -> None:
    assert small_table.add((corpus.encrypted_pdf(), "bank.pdf")).status_code == 303

    page = small_table.page()
    assert "Could not be read" in page
    assert "Save it without a password" in page
    assert small_table.stored() == []


def test_a_file_over_ten_megabytes_is_refused_before_it_is_opened(small_table: Table) -> None:
    answer = small_table.add((corpus.picture() + b"\0" * (10 * 2**20), "big.jpg"))

    assert answer.status_code == 422
    assert "larger than 10 MB" in answer.get_data(as_text=True)
    assert small_table.rows() == 0


def test_too_much_at_once_is_a_page_that_names_the_limit(small_table: Table) -> None:
    small_table.client.application.config["MAX_CONTENT_LENGTH"] = 100_000

    answer = small_table.add((b"\0" * 200_000, "big.jpg"))

    assert answer.status_code == 413
    assert "10 MB" in answer.get_data(as_text=True)


def test_many_slow_files_do_not_hold_a_thread_one_after_another(
    small_table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "CHECKING_SECONDS", 0.0)

    answer = small_table.add((corpus.picture(), "a.jpg"), (corpus.picture((9, 9)), "b.jpg"))

    assert answer.status_code == 303
    assert [paper.state for paper in small_table.papers()] == [DocumentState.READY, DocumentState.RECEIVED]


def test_the_same_form_posted_twice_takes_each_file_once(table: Table) -> None:
    files = ((corpus.picture(), "a.jpg"), (corpus.picture((9, 9)), "b.jpg"))

    assert table.add(*files).status_code == 303
    assert table.add(*files).status_code == 303

    assert table.rows() == 2


def test_the_script_gets_each_files_words_and_entry(small_table: Table) -> None:
    good = json.loads(small_table.add((corpus.picture(), "a<b>.jpg"), script=True).data)
    bad = json.loads(small_table.add((corpus.GIF_SCRIPT, "x.gif"), script=True, form_key="k2").data)

    (paper,) = small_table.papers()
    assert good["files"][0]["ok"]
    assert good["files"][0]["ref"] == paper.public_ref
    assert "a&lt;b&gt;.jpg" in good["files"][0]["entry"]
    assert bad["files"][0] == {
        "ok": False,
        "words": "GIF pictures are not taken. Send a photo (JPEG, PNG, HEIC) or a PDF.",
    }


def test_no_file_and_no_kind_are_said(small_table: Table) -> None:
    assert "Choose at least one file" in small_table.add().get_data(as_text=True)
    answer = small_table.add((corpus.picture(), "a.jpg"), kind="nonsense")
    assert "Choose what kind of paper it is" in answer.get_data(as_text=True)
    assert small_table.rows() == 0


def test_papers_about_health_need_the_tick_once(small_table: Table) -> None:
    without = small_table.add((corpus.picture(), "a.jpg"), kind="medical")
    agreed = small_table.add((corpus.picture(), "a.jpg"), kind="medical", consent="y")
    again = small_table.add((corpus.picture((9, 9)), "b.jpg"), kind="medical")

    assert "your separate agreement" in without.get_data(as_text=True)
    assert 'href="#consent"' in without.get_data(as_text=True)
    assert (without.status_code, agreed.status_code, again.status_code) == (422, 303, 303)
    assert 'name="consent"' not in small_table.page()


def test_a_paper_is_taken_back_until_it_is_sent(table: Table) -> None:
    table.add((corpus.picture(), "a.jpg"), (corpus.picture((9, 9)), "b.jpg"))
    first, second = table.papers()

    gone = table.client.post(f"/my/documents/{first.public_ref}/remove", data={"csrf_token": table.csrf})
    assert gone.status_code == 303
    assert [paper.name for paper in table.papers()] == ["b.jpg"]
    assert len(table.stored()) == 2

    table.portal.db.write(
        lambda session: operations.send(
            session, borrower_id=table.lin, report_id=second.report_id, now=table.portal.clock.now()
        )
    )
    kept = table.client.post(f"/my/documents/{second.public_ref}/remove", data={"csrf_token": table.csrf})
    assert kept.status_code == 409
    assert "/remove" not in table.page()


def test_ones_own_page_is_pixels_of_ours_with_nothing_that_can_run(table: Table) -> None:
    data = corpus.photo_with_everything()
    table.add((data, "home.jpg"))
    (paper,) = table.papers()

    answer = table.client.get(f"/my/documents/{paper.public_ref}/pages/1")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert b"CANARY" not in answer.data
    assert answer.data != data
    assert Image.open(io.BytesIO(answer.data)).size == (300, 400)


def test_strangers_and_guesses_find_no_page(table: Table) -> None:
    table.add((corpus.picture(), "a.jpg"))
    (paper,) = table.papers()
    zhao = table.portal.db.write(lambda session: people.zhao(session, table.portal.keys))

    for path in (f"{paper.public_ref}/pages/2", f"{paper.public_ref}/pages/0", f"{'0' * 32}/pages/1"):
        assert table.client.get(f"/my/documents/{path}").status_code == 404
    csrf = people.sign_in(table.client, zhao)
    assert table.client.get(f"/my/documents/{paper.public_ref}/pages/1").status_code == 404
    stolen = table.client.post(f"/my/documents/{paper.public_ref}/remove", data={"csrf_token": csrf})
    assert stolen.status_code == 404
    table.client.delete_cookie("portal_session")
    assert table.client.get(f"/my/documents/{paper.public_ref}/pages/1").status_code == 303


@pytest.mark.slow
def test_hostile_names_are_shown_escaped_and_name_nothing(small_table: Table) -> None:
    tiny = corpus.picture((8, 8))
    for start in range(0, len(corpus.NAMES), 5):
        names = corpus.NAMES[start : start + 5]
        files = [(data, name) for data in (tiny, corpus.HTML) for name in names]
        answer = small_table.add(*files, form_key=f"k{start}")
        assert answer.status_code == 422
        assert "<script>alert" not in answer.get_data(as_text=True)
        assert not set(answer.headers) & {"Set-Cookie"}

    page = small_table.page()
    assert "<script>alert" not in page
    assert not set(page) & {"\u202e", "\u200b", "\0"}
    root: Path = small_table.portal.store.root
    everything = [path for path in root.parent.rglob("*") if path.is_file() and "sqlite" not in path.name]
    assert all(path.is_relative_to(root) and len(path.name) == 64 for path in everything)
    # a name with a line break ends its own part of the form: such a file is not seen at all
    assert len(everything) == 2 * len(small_table.papers())
    assert len(small_table.papers()) >= len(corpus.NAMES) - 2
    assert not [data for data in small_table.stored() if data.startswith(b"\xff\xd8")]


def test_a_card_number_in_a_files_name_is_kept_nowhere(small_table: Table) -> None:
    small_table.add((corpus.picture(), "4111 1111 1111 1111.jpg"))

    (paper,) = small_table.papers()
    assert paper.name == ""
    assert "4111" not in small_table.page()


@pytest.mark.slow
def test_the_twenty_first_file_is_refused_with_words(small_table: Table) -> None:
    tiny = [(corpus.picture((8, 8 + number)), f"{number}.jpg") for number in range(21)]

    answer = small_table.add(*tiny)

    assert answer.status_code == 422
    assert "20 files or 100 MB are reached" in answer.get_data(as_text=True)
    assert len(small_table.papers()) == 20


def test_papers_added_after_sending_are_sent_with_their_own_button(small_table: Table) -> None:
    post = small_table.client.post
    csrf = {"csrf_token": small_table.csrf}
    post("/my/situation/reason", data={**csrf, "reason": "income_lost"})
    post("/my/situation/income", data={**csrf, "salary": "1"})
    post("/my/situation/spending", data={**csrf, "food": "1"})
    post("/my/situation/check", data={**csrf, "form_key": "s"})
    small_table.add((corpus.picture(), "later.jpg"))
    assert "Send these papers to the bank" in small_table.page()

    sent = post("/my/documents/send", data=csrf)

    assert sent.status_code == 303
    assert all(paper.sent_at for paper in small_table.papers())
    assert "Send these papers to the bank" not in small_table.page()


def test_a_forged_post_takes_nothing_in(small_table: Table) -> None:
    small_table.csrf = "forged"

    assert small_table.add((corpus.picture(), "a.jpg")).status_code == 403
    assert small_table.rows() == 0


def test_an_upload_cut_off_anywhere_leaves_no_row_and_no_byte(small_table: Table) -> None:
    body, kind = multipart({"csrf_token": small_table.csrf, "kind": "income_proof"}, corpus.picture())
    head = (
        f"POST /my/documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
        f"Cookie: portal_session={small_table.cookie()}\r\nContent-Length: {len(body)}\r\n\r\n"
    )

    with serving(small_table.client.application) as address:
        for part in range(20):
            cut = len(body) * part // 20
            with socket.create_connection(address, timeout=10) as wire:
                wire.sendall(head.encode() + body[:cut])
                wire.shutdown(socket.SHUT_WR)
                while wire.recv(65536):
                    pass
        assert (small_table.rows(), small_table.stored()) == (0, [])
        with socket.create_connection(address, timeout=20) as wire:
            wire.sendall(head.encode() + body)
            assert b" 303 " in wire.recv(65536).split(b"\r\n")[0]

    assert small_table.rows() == 1


def multipart(fields: dict[str, str], data: bytes) -> tuple[bytes, str]:
    """The body a browser sends, and its content type."""
    builder = EnvironBuilder(method="POST", data={**fields, "files": (io.BytesIO(data), "a.jpg")})
    environ = builder.get_environ()
    return environ["wsgi.input"].read(), environ["CONTENT_TYPE"]


@contextlib.contextmanager
def serving(app: Flask) -> Iterator[tuple[str, int]]:
    """The portal on a free port, for requests that no well-behaved client makes."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield "127.0.0.1", server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
