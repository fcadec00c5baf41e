"""What stands around a genuine text may be an hour or a day, and never a number that somebody could pay to or call."""

from __future__ import annotations

import pytest

from portal.checking import pasted
from portal.checking.pasted import TextVerdict
from tests.notices.book import BASE, HOST, KEYS, OURS, Printed, harbour

ACCOUNT = "6222020200112233445"
MOBILE = "13800013800"


def _one() -> Printed:
    return next(one for one in harbour().printed if "/n/" in one.text and one.sender)


def _in_pairs(number: str, mark: str) -> str:
    """A number in pieces that each look like a day or an hour: 62-2202-0200-..."""
    pairs = [number[at : at + 2] for at in range(0, len(number), 2)]
    return "".join(pair + (mark if at % 2 == 0 else "") for at, pair in enumerate(pairs)).rstrip(mark)


@pytest.mark.parametrize("number", [ACCOUNT, MOBILE, "4000001234", "12121212121212"])
@pytest.mark.parametrize("mark", ["-", "/", ":", "："])
@pytest.mark.parametrize("lead", ["转：", "来自：", "发件人", "内容", ""])
def test_a_number_spelled_in_days_and_hours_is_not_ours(number: str, mark: str, lead: str) -> None:
    one, spelled = _one(), _in_pairs(number, mark)

    found = [harbour().judge(text) for text in (f"{lead}{spelled}{one.text}", f"{one.text}{lead}{spelled}")]

    assert not set(found) & set(OURS)


@pytest.mark.parametrize(
    "above",
    [
        "2026-11-01 14:10\n",
        "11月1日 上午9:05\n",
        "今天 下午2:05\n",
        "2026年11月1日 星期日\n",
        "周一 09:30\n",
        "1-9 0:59 ",
    ],
)
def test_a_day_and_an_hour_are_still_let_pass(above: str) -> None:
    assert harbour().judge(above + _one().text) is TextVerdict.GENUINE


@pytest.mark.parametrize(
    "put",
    ["\u200b", "\u00ad", "\u2060", "\ufe0f", "\u034f", "\u3164", "\U000e0041", "'", "”", "′", "\n", "\r\n"],
)
@pytest.mark.parametrize("at", [2, 3, 10, len(HOST) - 1])
def test_an_address_that_is_ours_only_without_what_is_put_into_it_is_not_to_be_tapped(
    put: str, at: int
) -> None:
    text = _one().text.replace(f"//{HOST}", f"//{HOST[:at]}{put}{HOST[at:]}")

    assert pasted.read(KEYS, text, base=BASE).has_broken_link((HOST,))


@pytest.mark.parametrize("put", ["", "\u200b", "“", "\n"])
def test_what_is_put_before_or_behind_an_address_breaks_nothing(put: str) -> None:
    text = _one().text.replace("https://", f"{put}https://").replace("。非本人", f"{put}。非本人")

    assert not pasted.read(KEYS, text, base=BASE).has_broken_link((HOST,))
