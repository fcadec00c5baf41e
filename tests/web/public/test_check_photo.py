"""A picture's verdict is that of its worst code, and nothing of the picture is kept."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest
import segno
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from portal.access.limits import FRAMES_NETWORK, PHOTOS_NETWORK, WRONG_CODES_NETWORK
from portal.access.models import Counter
from portal.db import Database
from portal.documents import scanning
from portal.keys import Keys
from portal.notices import offline
from portal.notices.faces import NoticeSeen
from portal.schema import metadata
from portal.settings import Settings
from portal.signing import Signer
from portal.web.public import check_photo
from tests.conftest import BANK_MORNING
from tests.web.public.test_check import UNKNOWN_TOKEN, Scene, scene_over, verdict_in

HOST = "https://my.harbour.example"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """At the address that is printed: a link of ours is never without https."""
    return replace(settings, base_url=HOST)


@pytest.fixture
def scene(sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys) -> Scene:
    return scene_over(sqlite_client, sqlite_database, keys)


def picture(*texts: str) -> bytes:
    """A photograph of these codes, one beneath another."""
    codes = []
    for text in texts:
        made = io.BytesIO()
        segno.make(text, error="m", micro=False).save(made, kind="png", scale=5, border=4)
        codes.append(Image.open(made).convert("L"))
    page = Image.new("L", (900, 40 + sum(code.height + 40 for code in codes)), 235)
    at = 40
    for code in codes:
        page.paste(code, (40, at))
        at += code.height + 40
    sent = io.BytesIO()
    page.save(sent, "PNG")
    return sent.getvalue()


def send(scene: Scene, data: bytes, name: str = "photo") -> TestResponse:
    return scene.client.post("/check/photo", data={name: (io.BytesIO(data), "a.jpg")})


def link(token: str) -> str:
    return f"{HOST}/n/{token}"


def signed(signer: Signer, code: str, days: int = 30) -> str:
    expires = BANK_MORNING + timedelta(days=days)
    issued = BANK_MORNING - timedelta(days=40)
    return offline.sign(
        signer, issuer="my.harbour.example", code=code, text="words", issued=issued, expires=expires
    )


def test_a_link_in_a_picture_has_the_verdict_of_the_link(scene: Scene) -> None:
    verdicts = {
        link(scene.genuine.token): "Genuine",
        link(scene.expired.token): "Genuine, but no longer in force",
        link(scene.withdrawn.token): "Genuine, but no longer in force",
        link(UNKNOWN_TOKEN): "Not ours",
        scene.genuine.code: "Genuine",
    }

    for text, verdict in verdicts.items():
        page = send(scene, picture(text))
        assert (page.status_code, verdict_in(page)) == (200, verdict), text


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/n/0123456789ABCDEFGHJKMNPQRS",
        "https://my.harbour.example.evil.example/n/1",
        "http://my.harbour.example/n/1",
        "https://my.harbour.example@evil.example/",
        "https://bit.ly/3abcdef",
        "https://qr.alipay.com/fkx1234567",
        "wxp://f2f0abcdefg",
        "weixin://dl/business/?t=abc",
        "my-harbour.example",
    ],
)
def test_a_foreign_code_is_not_ours_even_beside_our_own(scene: Scene, text: str) -> None:
    alone, beside = send(scene, picture(text)), send(scene, picture(link(scene.genuine.token), text))

    assert verdict_in(alone) == "Not ours"
    assert verdict_in(beside) == "Not ours"
    assert "At least one code in the picture is not ours" in beside.text
    assert "Sign in and read it" not in beside.text


def test_a_foreign_code_does_not_hide_behind_many_of_ours(scene: Scene) -> None:
    ours = [f"{link(scene.genuine.token)}?{number}" for number in range(7)]

    page = send(scene, picture(*ours, "https://evil.example/pay"))

    assert verdict_in(page) == "Not ours"


def test_a_signed_code_alone_is_not_plainly_genuine(scene: Scene, signer: Signer) -> None:
    code = scene.genuine.code
    alone = send(scene, picture(signed(signer, code)))
    both = send(scene, picture(link(scene.genuine.token), signed(signer, code)))
    old = send(scene, picture(signed(signer, code, days=-1)))
    forged = send(scene, picture(signed(Signer.from_seed(bytes(range(1, 33))), code)))

    assert verdict_in(alone) == "Genuine, but not compared"
    assert "The words around it were not compared" in alone.text
    assert "20 December 2026" in alone.text
    assert verdict_in(both) == "Genuine"
    assert "Ours and in force" in both.text
    assert "The words around it were not compared" in both.text
    for made in (scene.withdrawn, scene.expired):
        page = send(scene, picture(signed(signer, code), link(made.token)))
        assert verdict_in(page) == "Genuine, but no longer in force"
    assert verdict_in(old) == "Genuine, but no longer in force"
    assert verdict_in(forged) == "Not ours"


@pytest.mark.parametrize("text", ["call 13912345678", "你好", f"{HOST}/statement/S-7KQF-3MWD2", f"{HOST}/"])
def test_what_is_neither_ours_nor_an_address_tells_nothing(scene: Scene, text: str) -> None:
    assert verdict_in(send(scene, picture(text))) == "Cannot tell"
    assert verdict_in(send(scene, picture(link(scene.genuine.token), text))) == "Cannot tell"


def test_a_picture_without_a_code_asks_to_type_or_paste_and_says_whom_to_call(scene: Scene) -> None:
    page = send(scene, picture())

    assert (page.status_code, verdict_in(page)) == (200, "Cannot tell")
    for needed in ('name="code"', 'name="text"', 'name="photo"', "tel:4000000001"):
        assert needed in page.text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "Choose a picture first"),
        (b"%PDF-1.7 x", "This is a PDF"),
        (b"GIF89a", "no picture that we can open"),
    ],
)
def test_what_is_no_picture_says_so_kindly(scene: Scene, data: bytes, words: str) -> None:
    page = send(scene, data)

    assert page.status_code == 422
    assert words in page.text


def test_a_picture_taken_by_the_camera_field_counts_too(scene: Scene) -> None:
    assert verdict_in(send(scene, picture(link(scene.genuine.token)), "camera")) == "Genuine"


def test_more_than_a_phone_s_photograph_is_refused(scene: Scene) -> None:
    assert send(scene, b"\xff\xd8\xff" + bytes(10 * 2**20 + 1)).status_code in (413, 422)
    assert send(scene, b"\xff\xd8\xff" + bytes(12 * 2**20)).status_code == 413


def test_nothing_is_kept_but_the_counts_and_that_somebody_looked(scene: Scene) -> None:
    def filled() -> dict[str, int]:
        with scene.database.read() as connection:
            counts = {
                table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                for table in metadata.sorted_tables
            }
        return {name: count for name, count in counts.items() if count}

    before = filled()
    send(scene, picture(link(scene.genuine.token), "https://evil.example/x"))
    after = filled()

    changed = {name for name, count in after.items() if before.get(name) != count}
    assert changed == {Counter.__tablename__, NoticeSeen.__tablename__}
    assert after[NoticeSeen.__tablename__] == before.get(NoticeSeen.__tablename__, 0) + 1


def test_wrong_links_count_as_wrong_codes_do(scene: Scene) -> None:
    for _ in range(WRONG_CODES_NETWORK.most):
        scene.check("7KQF-3MWD-2A9RB")
    last = [send(scene, picture(link(UNKNOWN_TOKEN[:-1] + c))) for c in "TV"]

    assert last[-1].status_code == 429
    assert send(scene, picture(link(scene.genuine.token))).status_code == 429
    beside = send(scene, picture(link(scene.genuine.token), "https://evil.example/pay"))
    assert (beside.status_code, verdict_in(beside)) == (200, "Not ours")
    assert "Ours and in force" not in beside.text


def test_one_network_has_only_so_many_pictures_looked_at(scene: Scene, keys: Keys) -> None:
    for _ in range(PHOTOS_NETWORK.most):
        send(scene, b"no picture at all")

    assert send(scene, b"no picture at all").status_code == 429


def test_another_site_cannot_send_a_picture(scene: Scene) -> None:
    page = scene.client.post(
        "/check/photo",
        data={"photo": (io.BytesIO(b"x"), "a.jpg")},
        headers={"Origin": "https://evil.example"},
    )

    assert page.status_code == 403


def frame(scene: Scene, data: bytes) -> TestResponse:
    return scene.client.post("/check/photo/frame", data={"photo": (io.BytesIO(data), "frame.jpg")})


def test_a_frame_of_the_camera_is_told_whether_it_has_a_code_and_nothing_else(scene: Scene) -> None:
    before = rows(scene.database)
    genuine, foreign, empty = (
        frame(scene, picture(*texts))
        for texts in ((link(scene.genuine.token),), ("https://evil.example/",), ())
    )

    assert [answer.status_code for answer in (genuine, foreign, empty)] == [200, 200, 204]
    assert {answer.data for answer in (genuine, foreign, empty)} == {b""}
    assert rows(scene.database) == before, "a frame asks about no code"


def test_a_frame_that_is_no_picture_or_too_large_is_refused(scene: Scene) -> None:
    assert frame(scene, b"").status_code == 422
    assert frame(scene, b"\xff\xd8\xff" + b"\0" * 100).status_code == 422
    assert frame(scene, picture("x") + b"\0" * 1024 * 1024).status_code == 422


def test_frames_have_a_limit_of_their_own_and_one_child_at_most(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scanning._frames:
        assert frame(scene, picture("x")).status_code == 503
        assert send(scene, picture(link(scene.genuine.token))).status_code == 200, (
            "a picture is looked at all the same"
        )

    monkeypatch.setattr(check_photo, "FRAMES_NETWORK", replace(FRAMES_NETWORK, scope="few", most=1))
    assert [frame(scene, picture("x")).status_code for _ in range(2)] == [200, 429]
    assert send(scene, picture(link(scene.genuine.token))).status_code == 200


def test_the_camera_may_be_used_on_the_page_of_pictures_alone(scene: Scene) -> None:
    allowed = {
        path: "camera=(self)" in scene.client.get(path).headers["Permissions-Policy"]
        for path in (
            "/",
            "/check",
            "/check/photo",
            "/check/text",
            "/check/number",
            "/check/visitor",
            "/nowhere",
        )
    }

    assert [path for path, may in allowed.items() if may] == ["/check/photo"]
    page = scene.client.get("/check/photo").text
    assert "js/camera.js" in page
    assert "js/camera.js" not in scene.client.get("/check").text


def rows(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(NoticeSeen)) or 0
