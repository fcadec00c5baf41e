"""Near-identical reports are one group whatever the order; unrelated ones are not."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from portal.fakes.grouping import Likeness, alike, groups, likeness, name_of, numbers, suspects

HOSTS = ("my.harbour.example",)
OURS = ("4000000001", "10690000000001", "96110")
TEXTS = (
    "【港弯银行客服】您的账户存在异常，将于今日冻结。请速联系专员，或点击链接办理解除手续，逾期后果自负。",
    "您好，您的快递因地址不详已被退回，请尽快登录网站补充收件信息并支付二次派送费用，谢谢配合。",
    "恭喜您获得本行周年庆典一等奖，请添加客服微信领取奖品，名额有限先到先得，过期不予补发。",
    "Your parcel is held at customs. Pay the release fee today or it goes back to the sender for good.",
    "Final notice: a legal officer will visit your employer tomorrow unless you settle the matter by phone.",
)
MANGLES = st.sampled_from(("spaces", "width", "lines", "prefix", "code", "cut", "word"))


def like(text: str, number: str = "", link: str = "") -> Likeness:
    return likeness(text, number, link, hosts=HOSTS, published=OURS)


def mangled(text: str, ways: list[str], seed: int) -> str:
    rng = random.Random(seed)
    for way in ways:
        place = rng.randrange(len(text))
        if way == "spaces":
            text = text[:place] + " " + text[place:]
        elif way == "width":
            text = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
        elif way == "lines":
            text = text[:place] + "\n" + text[place:]
        elif way == "prefix":
            text = "转发：" + text
        elif way == "code":
            text += f" {rng.randrange(10**6):06}"
        elif way == "cut":
            text = text[: -max(1, len(text) // 20)]
        else:
            text = text.replace("今日", "明日", 1).replace("today", "now", 1)
    return text


@given(st.sampled_from(TEXTS), st.lists(MANGLES, max_size=3), st.integers(0, 10**6))
def test_mangled_copies_are_alike(text: str, ways: list[str], seed: int) -> None:
    assert alike(like(text), like(mangled(text, ways, seed)))


@given(st.permutations(range(len(TEXTS))), st.lists(MANGLES, max_size=3), st.integers(0, 10**6))
def test_unrelated_texts_are_not(order: list[int], ways: list[str], seed: int) -> None:
    one, other = TEXTS[order[0]], TEXTS[order[1]]

    assert not alike(like(mangled(one, ways, seed)), like(other))


@given(st.randoms(use_true_random=False), st.integers(0, 10**6))
def test_the_order_of_arrival_decides_nothing(rng: random.Random, seed: int) -> None:
    reports = [like(mangled(text, ["spaces", "code"], seed + n)) for text in TEXTS for n in range(3)]
    reports += [
        like("", number="170 0000 1234"),
        like(TEXTS[0] + "17000001234"),
        like("", link="hb-kefu.top"),
    ]
    reports += [like(TEXTS[1] + " http://hb-kefu.top/x")]
    order = list(range(len(reports)))
    rng.shuffle(order)

    found = {frozenset(order[place] for place in group) for group in groups([reports[at] for at in order])}

    assert found == set(groups(reports))
    assert len(found) == len(TEXTS)


def test_an_address_or_a_number_alone_makes_one_group() -> None:
    assert alike(like("call 170-0000-1234 now"), like("", number="+86 170 0000 1234"))
    assert alike(like("see https://HB-kefu.top/a?b"), like("", link="hb-kefu.top"))
    assert not alike(like("", link="https://bit.ly/abc"), like("", link="https://bit.ly/xyz"))
    assert alike(like("", link="https://bit.ly/abc"), like("打开bit.ly/abc"))


def test_what_is_ours_joins_nothing() -> None:
    one = like("Open https://my.harbour.example/n/ABC or call 4000000001")
    other = like("Ring 400-000-0001 about https://my.harbour.example/check")

    assert one.strong == other.strong == frozenset()
    assert not alike(one, other)
    assert suspects("https://my.harbour.example.pay.cc/n/1", "", hosts=HOSTS)[0].kind == "sub_domain"
    assert numbers("call 96110 or 4000000001", "", published=OURS) == ()
    assert name_of("https://my.harbour.example@evil.cc/x") == "evil.cc"
