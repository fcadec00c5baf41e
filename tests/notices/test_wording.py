"""The list of words that must not be read by a neighbour."""

from __future__ import annotations

import pytest

from portal.notices.wording import amounts_in, forbidden_words_in, may_be_seen


@pytest.mark.parametrize(
    "text",
    [
        "您的贷款已逾期",
        "欠款",
        "您的貸款",
        "Your LOAN",
        "an overdue debt",
        "credit  card".replace("  ", " "),
        "请尽快还款",
        "分期",
    ],
)
def test_debt_words_are_found_in_every_script(text: str) -> None:
    assert forbidden_words_in(text)
    assert not may_be_seen(text)


@pytest.mark.parametrize("text", ["¥30", "￥ 1,200", "20704.59", "1,200.00", "300元", "30 yuan"])
def test_amounts_are_found(text: str) -> None:
    assert amounts_in(text)
    assert not may_be_seen(text)


@pytest.mark.parametrize(
    "text",
    [
        "【港湾银行】您有一份服务通知，查询码7KQF-3MWD-2A9RB。请打开https://my.harbour.example/n/0核实。",
        "You have a service notice. Valid until 2026-12-13, daily 08:00-22:00.",
        "alone, disinterested, Gibraltar loanword",
    ],
)
def test_plain_texts_may_be_seen(text: str) -> None:
    assert may_be_seen(text)
