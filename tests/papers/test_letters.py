"""Letters: all that art. 69 asks for, nothing of it on the first page, two codes that can be read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from portal import papers
from portal.notices.wording import amounts_in, forbidden_words_in
from portal.papers import qr
from portal.papers.letters import (
    ARTICLES,
    Code,
    Cover,
    IncompleteLetter,
    Inside,
    Letter,
    Passage,
    letter_data,
)
from tests.papers.reading import read

MADE = datetime(2026, 11, 10, 1, 0, tzinfo=UTC)
LINK = "https://my.harbour.example/n/7Kq3F0aD9vYt2LxWcP8sRz"
OFFLINE = (
    "eyJhbGciOiJFZERTQSIsImtpZCI6IkpVTzVMX0VKVlJGSGF0eUQifQ."
    + "Zm9yZ2VkLW5vdC1hLXJlYWwtcGF5bG9hZC0" * 6
    + ".c2ln" * 12
)

ZH: dict[str, Any] = {
    "title": "来访预约 N20261100333 · 港湾银行",
    "corner": ["2026年11月10日", "编号 N20261100333"],
    "running": "仅供本人阅读 · 编号 N20261100333",
    "foot": [
        "本页可以让家人转交。如果您不是收件人，请在网站点“这不是我”，或者打 400-000-0001，我们会停止寄送。",
        "本页装在封口内，只寄给您本人。",
    ],
}
EN: dict[str, Any] = {
    "title": "Letter N20261100333 · Harbour Bank",
    "corner": ["10 November 2026", "No. N20261100333"],
    "running": "For you alone · No. N20261100333",
    "foot": [
        "Anybody in the house may pass this page on. Not you? Tap “This is not me” on our site or call 400-000-0001.",
        "This page is sealed inside and is for you alone.",
    ],
}
BANK = {"name": "港湾银行", "other_name": "Harbour Bank", "accent": "#0b5a6e"}


def codes(language: str) -> tuple[Code, Code]:
    words = (
        ("扫码核实", "离线验证：用任何一台手机，不上网也能验")
        if language != "en"
        else ("Scan to check", "To verify without a network")
    )
    return Code(qr.drawing(LINK), words[0], words[0]), Code(qr.drawing(OFFLINE), words[1], words[1])


def cover(language: str) -> Cover:
    link, offline = codes(language)
    if language == "en":
        return Cover(
            "A letter for you",
            ("Please make sure first that it is from us.",),
            "Code",
            "7KQF-3MWD",
            link,
            offline,
            (
                Passage(
                    "Check first",
                    steps=(
                        "Type my.harbour.example into your browser and enter the code, or scan the picture.",
                        "Or call 400-000-0001 and read us the number above.",
                    ),
                ),
            ),
        )
    return Cover(
        "来访预约",
        ("蒋曦静：我行拟安排工作人员与您见面沟通。见不见面、什么时候见，由您决定。",),
        "查询码",
        "7KQF-3MWD",
        link,
        offline,
        (
            Passage(
                "见面之前，先核实",
                steps=(
                    "自己在浏览器输入 my.harbour.example，填查询码；或者扫右边的二维码。",
                    "来访当天，网页上会显示来访人的照片和一个口令。请对方先说口令，说对了再见面。",
                    "也可以打 400-000-0001，把编号念给我们听。",
                ),
            ),
            Passage(
                "您可以", ("改时间、换地点，或者不见面。不会因此增加任何费用。没有您同意，来访人不能进屋。",)
            ),
        ),
        ("来访人不收钱。", "现金、扫码、转账都不要给。有人索要，请打 96110。"),
    )


def inside(language: str) -> Inside:
    table = {
        "columns": ["fill", "even", "even", "even", "even"],
        "head": ["分期（单位：元）", "本金", "利息", "违约金", "合计"],
        "rows": [
            [{"text": "信用卡分期", "small": "L240901371"}, "39,529.44", "10,074.99", "350.00", "49,954.43"],
            [{"text": "信用卡分期", "small": "L250101370"}, "12,000.00", "2,133.28", "100.00", "14,233.28"],
        ],
        "foot": ["合计", "51,529.44", "12,208.27", "450.00", "64,187.71"],
    }
    figure = {"whole": "¥64,187", "rest": ".71"}
    if language == "en":
        table["head"] = ["Account (yuan)", "Principal", "Interest", "Late charges", "Total"]
        table["foot"] = ["Total", *table["foot"][1:]]
        return Inside(
            "About your card instalment plans",
            "蒋曦静: on 10 November 2026 this is due and unpaid on two card instalment plans in your name",
            figure,
            table,
            {
                "reason": Passage(
                    "Why we write, and on what basis",
                    (
                        "Both plans have fallen due and are not fully paid. The basis is your contract with us and art. 676 of the Civil Code.",
                    ),
                ),
                "consequences": Passage(
                    "What follows, and your rights",
                    (
                        "Interest goes on as the contract says. If you propose a plan, visits and calls pause.",
                    ),
                ),
                "how": Passage(
                    "How to check, pay, object and send evidence",
                    ("Sign in at my.harbour.example with the code 7KQF-3MWD, or come to any branch.",),
                ),
            },
            Passage(
                "Contact",
                ("Harbour Bank 400-000-0001, every day 8:00–22:00", "Complaints 12378 · fraud line 96110"),
            ),
            "Valid until 9 January 2027. Signed electronically: anybody can verify it with our published key.",
            {"top": "Harbour Bank", "bottom": "Customer service", "alt": "Seal of Harbour Bank"},
        )
    return Inside(
        "关于您名下信用卡分期的说明",
        "蒋曦静：截至 2026年11月10日，您名下两笔信用卡分期到期未还合计",
        figure,
        table,
        {
            "reason": Passage(
                "为什么写这封信，依据是什么",
                (
                    "上述两笔分期已经到期，还有部分没有还清。依据是您与我行签订的信用卡分期合同，《民法典》第六百七十六条，以及《商业银行信用卡业务监督管理办法》第六十八条至第七十条。逾期超过 90 天的信用卡，您还的钱先冲本金，再冲利息和违约金。",
                ),
            ),
            "consequences": Passage(
                "接下来会怎样，您有什么权利",
                (
                    "未还的部分会按合同继续计息，并如实报送征信。长期没有安排的，我行可能通过诉讼解决。提出还款方案，银行审核期间来访和来电暂停；协议签订后，催收停止。您有权核对每一笔记账、对金额提出异议、提交证据、要求平等协商，协商的期限最长 5 年。提出异议后，我行会标记账户并及时核实。",
                ),
            ),
            "how": Passage(
                "怎样核对、还款、提异议、交材料",
                (
                    "登录 my.harbour.example，用查询码 7KQF-3MWD；或者到任一网点。收款户名只有“港湾银行”，账号 9999 0000 1111 2222 333。请勿转给任何个人。全程免费，不需要中介。",
                ),
            ),
        },
        Passage("联系我们", ("港湾银行 400-000-0001（每天 8:00–22:00）", "投诉 12378 · 反诈 96110")),
        "本通知有效期至 2027年1月9日。内容经数字签名，任何人都可以用我行公布的公钥验证。",
        {"top": "港 湾 银 行", "bottom": "客户服务专用章", "alt": "港湾银行客户服务专用章"},
    )


VISIT = (
    ("时间", "2026年12月6日（星期日）15:00–16:00"),
    ("地点", "您的住所"),
    ("来访人", "韩晨敏，工号 G10354；同行 沈国，工号 G10058"),
    ("所属机构", "汇信资产服务有限公司（受港湾银行委托），电话 021-0000-0017"),
)


def letter(language: str, *, visit: bool = False) -> Letter:
    sheet = {"bank": BANK, **(EN if language == "en" else ZH)}
    return Letter(
        sheet,
        ("临港市海湾路37号22幢1807室",),
        "蒋曦静",
        "" if language == "en" else "收",
        cover(language),
        inside(language),
        VISIT if visit else (),
    )


def printed(made: Letter, language: str) -> bytes:
    template, data = letter_data(made)
    return papers.render(template, data, language=language, timestamp=MADE)


@pytest.mark.parametrize(("language", "visit"), [("zh", True), ("zh", False), ("en", False)])
def test_the_first_page_may_be_read_by_anybody_and_the_second_says_all(language: str, visit: bool) -> None:
    made = letter(language, visit=visit)
    content = printed(made, language)
    paper = read(content, scale=3)

    assert content == printed(made, language)
    assert len(paper.pages) == 2
    first, second = (" ".join(page.split()) for page in paper.pages)
    assert forbidden_words_in(first) == ()
    assert amounts_in(first) == ()
    assert "7KQF-3MWD" in first
    assert "64,187.71" in second
    assert made.inside is not None
    solid = "".join(second.split())
    for passage in (*made.inside.articles.values(), made.inside.contact):
        for words in (passage.heading, *passage.paragraphs):
            assert "".join(words.split()) in solid, words
    assert paper.codes == [LINK, OFFLINE]


def test_a_visit_notice_may_come_without_a_second_page() -> None:
    content = printed(replace(letter("zh", visit=True), inside=None), "zh")

    assert len(read(content).pages) == 1


def test_a_letter_that_lacks_something_is_not_printed() -> None:
    whole = letter("zh")
    assert whole.inside is not None
    for name in ARTICLES:
        articles = {key: passage for key, passage in whole.inside.articles.items() if key != name}
        with pytest.raises(IncompleteLetter, match=name):
            letter_data(replace(whole, inside=replace(whole.inside, articles=articles)))
    for broken in (
        replace(whole, inside=None),
        replace(whole, recipient=" "),
        replace(whole, inside=replace(whole.inside, contact=Passage("联系我们"))),
        replace(whole, cover=replace(whole.cover, code="")),
        replace(whole, cover=replace(whole.cover, paragraphs=("您欠 64,187.71",))),
    ):
        with pytest.raises(IncompleteLetter):
            letter_data(broken)
