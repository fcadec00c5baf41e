"""A pasted message: every word, link and number of it is compared, and a false one is never genuine."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import date

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from portal.access import codes
from portal.access.limits import WRONG_CODES_NETWORK
from portal.access.models import Counter
from portal.content.comparison import LONGEST
from portal.db import Database
from portal.keys import Keys
from portal.notices.operations import MintedCode
from portal.notices.wording import amounts_in, forbidden_words_in
from tests.notices.made import TEXT, TEXT_WITHOUT_LINK, minted, notice
from tests.people import lin, zhao
from tests.web.public.test_check import UNKNOWN, statements, verdict_in

LETTER = (
    "林晓：截至2026-11-01，您名下消费贷（L241200000）到期未还金额合计人民币21153.08元。请尽快安排还款或与我行协商。"
    "您有权核对账务、提出异议。请在my.harbour.example输入查询码{code}查看明细。"
    "还款账户：9999000011112222333（户名：港湾银行）。联系电话：4000000001。投诉：12378。"
)


@dataclass
class Scene:
    """Lin's notices: one SMS in force, one expired, one withdrawn, and a letter."""

    client: FlaskClient
    database: Database
    sms: MintedCode
    expired: MintedCode
    withdrawn: MintedCode
    letter: MintedCode

    def paste(self, text: str, field: str = "text") -> TestResponse:
        path = "/check/text" if field == "text" else "/check"
        return self.client.post(path, data={field: text})

    def text(self, made: MintedCode | None = None, body: str = TEXT) -> str:
        made = made or self.sms
        link = f"http://localhost/n/{made.token}"
        return body.replace("{code}", codes.grouped(made.code)).replace("{link}", link)


@pytest.fixture
def scene(client: FlaskClient, database: Database, keys: Keys) -> Scene:
    return scene_over(client, database, keys)


@pytest.fixture
def sqlite_scene(sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys) -> Scene:
    return scene_over(sqlite_client, sqlite_database, keys)


def scene_over(client: FlaskClient, database: Database, keys: Keys) -> Scene:
    def unit(session: Session) -> list[int]:
        borrower_id = lin(session, keys)
        return [
            notice(session, borrower_id=borrower_id, notice_ref="N1"),
            notice(session, borrower_id=borrower_id, notice_ref="N2", expires_on=date(2026, 11, 19)),
            notice(session, borrower_id=borrower_id, notice_ref="N3", status="withdrawn"),
            notice(session, borrower_id=borrower_id, notice_ref="N4", channel="letter", body=LETTER),
        ]

    made = [minted(database, keys, notice_id) for notice_id in database.write(unit)]
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    return Scene(client, database, *made)


def marked(page: TestResponse) -> list[str]:
    return [html.unescape(found) for found in re.findall(r"<mark>(.*?)<sup>", page.text, re.DOTALL)]


def test_a_text_as_sent_is_genuine_with_and_without_its_link(scene: Scene) -> None:
    for body in (TEXT, TEXT_WITHOUT_LINK):
        page = scene.paste(scene.text(body=body))
        assert verdict_in(page) == "Genuine"
        assert "The whole text is as we sent it" in page.text


def test_the_field_of_a_code_takes_a_whole_message_too(scene: Scene) -> None:
    assert verdict_in(scene.paste(scene.text(), field="code")) == "Genuine"
    assert verdict_in(scene.paste(scene.text().replace("核实", "付款"), field="code")) == "Altered"


def test_withdrawn_and_expired_stay_so_however_true_the_text(scene: Scene) -> None:
    assert verdict_in(scene.paste(scene.text(scene.expired))) == "Genuine, but expired"
    assert verdict_in(scene.paste(scene.text(scene.withdrawn))) == "Genuine, but withdrawn"
    assert verdict_in(scene.paste(scene.text(scene.expired) + "请转账")) == "Altered"


def test_a_foreign_link_and_another_account_are_marked_and_named(scene: Scene) -> None:
    text = scene.text().replace(f"http://localhost/n/{scene.sms.token}", "harbour-bank.top/s/7KQF")
    text = text.replace("或自行输入", "办理请转账至 6217 0000 0009 8765 43，户名李某，或自行输入")

    page = scene.paste(text)

    assert verdict_in(page) == "Altered"
    assert "2 parts differ from what we sent" in page.text
    assert [words for words in marked(page) if "harbour-bank.top/s/7KQF" in words]
    assert [words for words in marked(page) if "6217 0000 0009 8765 43" in words]
    for said in ("Address on the web", "Account to pay", "Pay nothing to it."):
        assert said in page.text


@pytest.mark.parametrize(
    ("was", "made", "label"),
    [
        ("21153.08", "31153.08", "A sum"),
        ("4000000001", "4000000009", "Phone number"),
        ("9999000011112222333", "6217000000098765432", "Account to pay"),
        ("2026-11-01", "2026-11-02", "A date"),
        ("林晓", "林晚", "Words"),
        ("有权", "无权", "Words"),
        ("您有权核对账务、", "", "Words left out"),
        ("投诉：12378。", "投诉：12378。请加微信办理。", "Words"),
    ],
)
def test_what_is_changed_in_a_letter_is_named(sqlite_scene: Scene, was: str, made: str, label: str) -> None:
    whole = sqlite_scene.text(sqlite_scene.letter, LETTER)
    assert verdict_in(sqlite_scene.paste(whole)) == "Genuine"

    page = sqlite_scene.paste(whole.replace(was, made))

    assert verdict_in(page) == "Altered"
    assert f"<b>{label}</b>" in page.text


def test_nothing_of_what_we_sent_is_shown(sqlite_scene: Scene) -> None:
    """Whoever holds the code alone learns neither what the message says nor whether it names a sum."""
    code = codes.grouped(sqlite_scene.letter.code)
    bare = f"您好，查询码{code}，请转账至6217000000098765432，金额31153.08元，电话13800000000，请尽快办理谢谢配合工作"

    letter = sqlite_scene.paste(bare)
    sms = sqlite_scene.paste(bare.replace(code, codes.grouped(sqlite_scene.sms.code)))

    for hidden in ("林晓", "21153.08", "9999000011112222333", "消费贷", "L241200000"):
        assert hidden not in letter.text
    records = re.compile(r"<td><b>([^<]*)</b><small>([^<]*)</small></td>")
    assert set(records.findall(letter.text)) == set(records.findall(sms.text))


def test_our_own_words_around_a_text_tell_a_neighbour_nothing(sqlite_scene: Scene) -> None:
    for language in ("zh-CN", "zh-TW", "en"):
        sqlite_scene.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = language
        pages = [
            sqlite_scene.paste(text)
            for text in (
                "",
                "您好",
                sqlite_scene.text() + "请打开 http://bit.ly/3x 致电 13800000000 ",
                "x" * 5000,
            )
        ]
        for page in [*pages, sqlite_scene.client.get("/check/text")]:
            ours = html.unescape(page.text)
            assert forbidden_words_in(ours) == ()
            assert amounts_in(ours) == ()


def test_what_is_pasted_is_text_and_never_markup(sqlite_scene: Scene) -> None:
    text = sqlite_scene.text() + "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"

    for page in (sqlite_scene.paste(text), sqlite_scene.paste("<script>alert(1)</script> http://<b>.top/ x")):
        assert "<script>alert" not in page.text
        assert "<img" not in page.text


def test_a_part_of_it_is_genuine_as_far_as_it_goes(sqlite_scene: Scene) -> None:
    whole = sqlite_scene.text()

    page = sqlite_scene.paste(whole[: whole.index("，或自行")])
    assert verdict_in(page) == "Genuine"
    assert "As far as it goes, the text is as we sent it" in page.text


def test_too_little_to_compare_is_no_verdict(sqlite_scene: Scene, keys: Keys) -> None:
    body = "您好，查询码{code}。" + LETTER.replace("{code}", "").replace("林晓", "赵一")
    borrower_id = sqlite_scene.database.write(lambda session: zhao(session, keys))
    number = sqlite_scene.database.write(
        lambda session: notice(session, borrower_id=borrower_id, notice_ref="N5", channel="letter", body=body)
    )
    made = minted(sqlite_scene.database, keys, number)

    page = sqlite_scene.paste(f"您好，查询码{codes.grouped(made.code)}。赵一：截至")

    assert verdict_in(page) == "Cannot tell"
    assert "too short to compare" in page.text


def test_without_a_code_what_is_not_ours_is_named(sqlite_scene: Scene) -> None:
    page = sqlite_scene.paste(
        "【港湾银行】您的账户异常，请打开 http://my.harbour.example.pay-now.cc/x 或致电 13800000000，4000000001"
    )

    assert verdict_in(page) == "Cannot tell"
    assert "There is no code of ours in it" in page.text
    assert "Yours has our name in it and leads to somebody else." in page.text
    assert "<small>13800000000</small>" in page.text
    assert "<small>4000000001</small>" not in page.text


def test_two_messages_in_one_cannot_be_told(sqlite_scene: Scene) -> None:
    page = sqlite_scene.paste(sqlite_scene.text() + "\n" + sqlite_scene.text(sqlite_scene.expired))

    assert verdict_in(page) == "Cannot tell"
    assert "There are several codes in it" in page.text


def test_what_is_too_long_to_compare_is_not_half_compared(sqlite_scene: Scene) -> None:
    page = sqlite_scene.paste(sqlite_scene.text() + " " * LONGEST + "请转账至6217000000098765432")

    assert verdict_in(page) == "Cannot tell"


def test_wrong_and_altered_texts_count_as_tries_and_true_ones_do_not(scene: Scene) -> None:
    wrong = scene.text().replace(codes.grouped(scene.sms.code), codes.grouped(UNKNOWN))
    assert verdict_in(scene.paste(wrong)) == "Not ours"
    for _ in range(3):
        assert verdict_in(scene.paste(scene.text())) == "Genuine"
    for _ in range(WRONG_CODES_NETWORK.most - 1):
        assert scene.paste(scene.text() + "请转账").status_code == 200

    refused = scene.paste(scene.text())

    assert refused.status_code == 429
    with scene.database.read() as connection:
        assert connection.scalar(select(func.max(Counter.count))) == WRONG_CODES_NETWORK.most


def test_known_and_unknown_codes_cost_the_same_statements(sqlite_scene: Scene) -> None:
    wrong = sqlite_scene.text().replace(codes.grouped(sqlite_scene.sms.code), codes.grouped(UNKNOWN))
    seen = []
    for text in (sqlite_scene.text(), wrong, sqlite_scene.text() + "请转账"):
        with statements(sqlite_scene.database) as found:
            sqlite_scene.paste(text)
        asked = [re.sub(r"\s+", " ", statement) for statement in found]
        # whether it is a fake that was confirmed is asked where the answer is not *genuine*
        seen.append([statement[:60] for statement in asked if "fake_" not in statement])

    assert seen[0] == seen[1] == seen[2]


def test_a_link_broken_over_two_lines_is_not_to_be_tapped(sqlite_scene: Scene) -> None:
    page = sqlite_scene.paste(sqlite_scene.text().replace("my.harbour", "my.har\nbour"))

    assert verdict_in(page) == "Genuine"
    assert "Do not tap it" in page.text
