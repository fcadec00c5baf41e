"""*This is not ours*: any of four things makes a report with a receipt; warnings show no reporter's data."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from portal.access.limits import PHOTOS_NETWORK
from portal.audit import Actor
from portal.db import Database
from portal.fakes import queries
from portal.fakes.lifecycle import GroupAction
from portal.fakes.models import FakePicture, FakeReport
from portal.fakes.operations import Word, decide
from portal.keys import Keys
from tests.conftest import BANK_MORNING
from tests.people import mei, sign_in_staff

FAKE = "【港弯银行客服】账户异常，请联系 17000001234 或打开 hb-kefu.top/a 办理。"


@pytest.fixture
def web(sqlite_client: FlaskClient) -> FlaskClient:
    sqlite_client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    return sqlite_client


def send(web: FlaskClient, form_key: str = "a form", **fields: object) -> TestResponse:
    return web.post("/report", data={"form_key": form_key, **fields}, content_type="multipart/form-data")


def count(database: Database, table: type = FakeReport) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def jpeg_with_a_place() -> bytes:
    image, made = Image.new("RGB", (40, 30), "red"), io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "taken at Gulf Road 7"
    image.save(made, "JPEG", exif=exif)
    return made.getvalue()


@pytest.mark.parametrize("field", ["text", "number", "link"])
def test_any_one_of_them_makes_a_report_with_a_receipt(
    web: FlaskClient, sqlite_database: Database, field: str
) -> None:
    value = {"text": FAKE, "number": "170 0000 1234", "link": "hb-kefu.top/a"}[field]
    answers = [send(web, **{field: value}) for _ in range(2)]

    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.location for answer in answers}) == 1
    page = web.get(answers[0].location)
    assert page.status_code == 200
    assert answers[0].location.rpartition("/")[2] in page.text
    assert "12378" in page.text
    assert value not in page.text
    assert count(sqlite_database) == 1


def test_a_picture_is_kept_sealed_and_without_what_the_phone_added(
    web: FlaskClient, sqlite_database: Database, keys: Keys
) -> None:
    answer = send(web, photo=(io.BytesIO(jpeg_with_a_place()), "a.jpg"))

    assert answer.status_code == 303
    with sqlite_database.read() as connection:
        report_id, sealed = connection.execute(select(FakePicture.report_id, FakePicture.jpeg_sealed)).one()
        jpeg = queries.picture(connection, keys, report_id)
    assert not sealed.startswith(b"\xff\xd8")
    assert jpeg is not None
    assert b"Gulf Road" not in jpeg
    assert not Image.open(io.BytesIO(jpeg)).getexif()


def test_what_cannot_be_taken_keeps_the_rest(web: FlaskClient, sqlite_database: Database) -> None:
    for data in (b"%PDF-1.7 x", b"no picture at all", b"\xff\xd8\xff broken"):
        answer = send(web, text=FAKE, photo=(io.BytesIO(data), "a.jpg"))
        assert answer.status_code == 422
        assert "hb-kefu.top/a" in answer.text
    card = send(web, text=FAKE + " 4111 1111 1111 1111")
    assert card.status_code == 422
    assert "hb-kefu.top/a" in card.text
    assert "4111 1111" not in card.text
    assert send(web).status_code == 422
    assert count(sqlite_database) == 0


def test_a_network_has_no_more_pictures_opened_here_than_at_the_check(web: FlaskClient) -> None:
    for _ in range(PHOTOS_NETWORK.most):
        assert send(web, photo=(io.BytesIO(b"no picture at all"), "a.jpg")).status_code == 422

    refused = send(web, photo=(io.BytesIO(jpeg_with_a_place()), "a.jpg"))
    at_the_check = web.post("/check/photo", data={"photo": (io.BytesIO(jpeg_with_a_place()), "a.jpg")})

    assert (refused.status_code, at_the_check.status_code) == (429, 429)
    assert send(web, text=FAKE).status_code == 303


def test_another_site_cannot_report_and_a_strange_reference_is_nobodys(web: FlaskClient) -> None:
    foreign = web.post(
        "/report", data={"text": FAKE, "form_key": "k"}, headers={"Sec-Fetch-Site": "cross-site"}
    )

    assert foreign.status_code == 403
    assert web.get("/report/F-7KQF-3MWD2").status_code == 404


def test_what_was_checked_is_in_the_form_and_kept_only_when_sent(
    web: FlaskClient, sqlite_database: Database
) -> None:
    page = web.post("/report/begin", data={"text": FAKE})

    assert page.status_code == 200
    assert "hb-kefu.top/a" in page.text
    assert count(sqlite_database) == 0


def test_the_warning_cannot_be_tapped_and_names_nobody(
    web: FlaskClient, sqlite_database: Database, keys: Keys
) -> None:
    send(web, text="尊敬的王明先生 您的账户 13900000034 " + FAKE)
    with sqlite_database.read() as connection:
        (row,) = queries.queue(connection, keys)
    text = "尊敬的王明先生 13900000034 请打开 hb-kefu.top/a"
    word = Word(GroupAction.CONFIRM, 1, "n", text=text, links=("hb-kefu.top",), numbers=("17000001234",))
    sqlite_database.write(
        lambda s: decide(
            s,
            keys=keys,
            group_id=row.group_id,
            word=word,
            staff_ref="R1",
            actor=Actor("staff", "1"),
            now=BANK_MORNING,
        )
    )

    page = web.get("/warnings")

    assert "hb-kefu[.]top" in page.text
    assert "17000001234" in page.text
    assert "hb-kefu.top" not in page.text
    assert "tel:17000001234" not in page.text
    assert "王明" not in page.text
    assert "13900000034" not in page.text
    assert "False messages we know of" in page.text.partition("</title>")[0]


def test_the_desk_decides_once_and_keeps_the_words_of_whoever_was_slower(
    web: FlaskClient, sqlite_database: Database, keys: Keys
) -> None:
    send(web, text=FAKE, photo=(io.BytesIO(jpeg_with_a_place()), "a.jpg"))
    token = sign_in_staff(web, sqlite_database.write(lambda session: mei(session, keys)))
    with sqlite_database.read() as connection:
        (row,) = queries.queue(connection, keys)
    address = f"/desk/fakes/{row.group_id}"

    assert "港弯银行" in web.get("/desk/fakes").text
    page = web.get(address).text
    assert "hb-kefu[.]top" in page
    assert "/desk/fakes/pictures/1.jpg" in page
    picture = web.get("/desk/fakes/pictures/1.jpg")
    assert picture.data.startswith(b"\xff\xd8\xff")
    fields = {
        "csrf_token": token,
        "version": "1",
        "action": "confirm",
        "words": "打开",
        "links": "hb-kefu.top",
    }
    assert web.post(address, data=fields).status_code == 422
    assert web.post(address, data={**fields, "note": "three calls"}).status_code == 303
    slower = web.post(address, data={**fields, "action": "clear", "note": "looks harmless to me"})
    assert slower.status_code == 409
    assert "looks harmless to me" in slower.text
    assert "three calls" in slower.text


def test_a_confirmed_number_and_address_are_named_in_the_verdict(
    web: FlaskClient, sqlite_database: Database, keys: Keys
) -> None:
    send(web, text=FAKE)
    assert "confirmed fakes" not in web.post("/check/number", data={"number": "170 0000 1234"}).text
    word = Word(GroupAction.CONFIRM, 1, "n", links=("hb-kefu.top",), numbers=("17000001234",))
    with sqlite_database.read() as connection:
        (row,) = queries.queue(connection, keys)
    actor = Actor("staff", "1")
    sqlite_database.write(
        lambda s: decide(
            s, keys=keys, group_id=row.group_id, word=word, staff_ref="R1", actor=actor, now=BANK_MORNING
        )
    )

    assert "confirmed fakes" in web.post("/check/number", data={"number": "170 0000 1234"}).text
    text = "Dear customer, please open hb-kefu.top/q at once, or your account is closed."
    assert "confirmed fakes" in web.post("/check/text", data={"text": text}).text
