"""A neighbour with the letter learns nothing: every public surface, in every language, word by word.

Reached by a code or message: words, amounts and the fields of the notice. Home and check: words and
amounts. Help is chosen by its reader: its wording is free, its title and address are not.
"""

from __future__ import annotations

import gzip
import html
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.access import codes
from portal.access.limits import WRONG_CODES_NETWORK
from portal.db import Database
from portal.keys import Keys
from portal.messages.models import Message
from portal.notices import operations
from portal.notices.wording import amounts_in, forbidden_words_in
from tests.notices.made import CREATED, SENDING
from tests.web.public.test_check import Scene, scene_over
from tests.web.public.test_check_photo import picture
from tests.web.public.test_help import contractors

pytestmark = pytest.mark.slow

LANGUAGES = ("zh-CN", "zh-TW", "en")
UNKNOWN = codes.with_check("7KQF3MWD2A9R")
#: What the bank's rows say of Lin and of the notice; the mobile's last two digits may be shown.
FIELDS = (
    "林晓", "13900000034", "0034", "C900001", "海湾路", "L-LIN-1", "C-LIN-1", "消费贷", "信用卡", "20704.59",
    "20,704.59", "2070459", "9999000011112222333", "10690000000001", "N20261100001", "reminder", "服务通知，查询码",
)  # fmt: skip
MAX_FIRST_VISIT = 10 * 1024
ROOT = Path(__file__).parents[3]


@pytest.fixture
def scene(sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys) -> Scene:
    sqlite_database.write(contractors)
    return scene_over(sqlite_client, sqlite_database, keys)


def reached_by_code(scene: Scene) -> list[TestResponse]:
    client, post = scene.client, scene.client.post
    pages = [client.get(f"/n/{made.token}") for made in (scene.genuine, scene.expired, scene.withdrawn)]
    pages += [scene.check(made.code) for made in (scene.genuine, scene.expired, scene.withdrawn)]
    pages += [client.get("/n/0123456789ABCDEFGHJKMNPQRS"), client.get("/n/x"), scene.check(UNKNOWN)]
    pages += [scene.check(UNKNOWN[:-1]), scene.check("查询码"), scene.check("")]
    pages += [client.get("/not-me"), post("/not-me", data={"reference": UNKNOWN})]
    pages += [post("/not-me", data={"reference": scene.genuine.code}), client.get("/sign-in")]
    pages += [client.get(f"/pay/{'0' * 26}"), post(f"/pay/{'0' * 26}", data={"form_key": "k"})]
    pages += [client.get("/n"), client.get("/nowhere"), post("/nowhere"), client.get("/accessibility")]
    pages += [client.get(f"/check/{way}") for way in ("photo", "number", "visitor")]
    for number in ("4000000001", "13912345678", ""):
        asked = {"number": number, "time": "14:30", "code": scene.genuine.code}
        pages.append(post("/check/number", data=asked))
    for code in (scene.genuine.code, scene.expired.code, UNKNOWN, ""):
        pages.append(post("/check/visitor", data={"staff": "G10354", "code": code}))
    for texts in ((f"http://localhost/n/{scene.genuine.token}",), ("https://evil.example/",), ()):
        pages.append(post("/check/photo", data={"photo": (io.BytesIO(picture(*texts)), "a.png")}))
    for _ in range(WRONG_CODES_NETWORK.most):
        last = scene.check(UNKNOWN)
    pages += [last, scene.check(UNKNOWN)]
    assert pages[-1].status_code == 429
    return pages


def readable(page: TestResponse) -> str:
    """Everything a reader, a preview, a cache or a history can show of a page, headers included."""
    return html.unescape(page.text) + "\n" + "\n".join(f"{name}: {value}" for name, value in page.headers)


def without_what_is_held(text: str, scene: Scene) -> str:
    """A random code may spell a field by chance, and its holder knows it already."""
    for made in (scene.genuine, scene.expired, scene.withdrawn):
        for held in (made.token, made.code, codes.grouped(made.code)):
            text = text.replace(held, "")
    return text


def in_language(scene: Scene, language: str) -> None:
    scene.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = language


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_code_reaches_names_no_debt_and_no_field(scene: Scene, language: str) -> None:
    in_language(scene, language)

    for page in reached_by_code(scene):
        text = without_what_is_held(readable(page), scene)
        where = f"{page.request.path} in {language}"
        assert forbidden_words_in(text) == (), where
        assert amounts_in(text) == (), where
        assert [field for field in FIELDS if field in text] == [], where
        assert "Set-Cookie" not in page.headers, where


@pytest.mark.parametrize("language", LANGUAGES)
def test_home_and_check_name_no_debt(scene: Scene, language: str) -> None:
    in_language(scene, language)

    for path in ("/", "/check"):
        text = readable(scene.client.get(path))
        assert forbidden_words_in(text) == (), path
        assert amounts_in(text) == (), path


@pytest.mark.parametrize("language", LANGUAGES)
def test_help_has_neutral_titles_and_addresses(scene: Scene, language: str) -> None:
    in_language(scene, language)

    for path in ("/help", "/who-may-contact-you", "/accessibility"):
        page = scene.client.get(path)
        title = re.search(r"<title>([^<]+)</title>", page.text)
        assert title, path
        assert forbidden_words_in(title[1] + path) == ()
        assert "og:" not in page.text


@pytest.mark.parametrize("links", [True, False])
def test_the_message_itself_names_no_debt(
    sqlite_database: Database, scene: Scene, keys: Keys, links: bool
) -> None:
    sending = replace(SENDING, links_in_sms=links)
    sqlite_database.write(
        lambda session: operations.send(
            session, keys=keys, sending=sending, demonstration={}, now=CREATED, real_now=CREATED
        )
    )

    with sqlite_database.read() as connection:
        (sealed,) = connection.scalars(select(Message.text_sealed)).all()
    assert sealed is not None
    text = keys.unseal("message.text", sealed)
    assert forbidden_words_in(text) == ()
    assert amounts_in(text) == ()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/check",
        "/check/photo",
        "/check/number",
        "/check/visitor",
        "/help",
        "/who-may-contact-you",
        "/accessibility",
        "/not-me",
        f"/pay/{'0' * 26}",
        "link",
    ],
)
def test_a_first_visit_fits_in_ten_kilobytes(scene: Scene, path: str, language: str) -> None:
    in_language(scene, language)
    address = f"/n/{scene.genuine.token}" if path == "link" else path

    page = scene.client.get(address, headers={"Accept-Encoding": "gzip"})

    style = gzip.compress((ROOT / "static/portal.css").read_bytes(), 9)
    headers = sum(len(name) + len(value) + 4 for name, value in page.headers)
    assert page.headers.get("Content-Encoding") == "gzip"
    assert len(page.data) + len(style) + 2 * headers <= MAX_FIRST_VISIT


@pytest.mark.parametrize(
    "path",
    ["/", "/check", "/help", "/who-may-contact-you", "/accessibility", "/not-me", f"/pay/{'0' * 26}", "link"],
)
def test_every_public_page_is_well_formed(scene: Scene, path: str) -> None:
    text = scene.client.get(f"/n/{scene.genuine.token}" if path == "link" else path).text
    ids = re.findall(r'\sid="([^"]+)"', text)

    assert text.count("<h1") == 1
    assert len(ids) == len(set(ids))
    assert '<html lang="' in text
    assert "style=" not in text
    assert not re.search(r"\son[a-z]+=", text)
    for field in re.findall(r'<input(?![^>]*type="hidden")[^>]*\sid="([^"]+)"', text):
        assert f'<label for="{field}">' in text
    for described in re.findall(r'aria-(?:describedby|labelledby)="([^"]+)"', text):
        assert set(described.split()) <= set(ids)
