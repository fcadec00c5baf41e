"""What is sent: nothing debt-like in any kind and language, and codes bound to our host."""

from __future__ import annotations

import itertools

import pytest

from portal.messages.texts import KINDS, TEXTS, signed, text_for
from portal.notices.wording import amounts_in, forbidden_words_in

HOST = "my.harbour.example"
PARAMS = {
    "one_time_code": {"code": "482913", "host": HOST, "minutes": "10", "purpose": "sign_in"},
    "decision": {"host": HOST},
    "agreement": {"host": HOST, "reference": "A-7KQF-3MWD2"},
    "receipt": {"host": HOST, "reference": "K-7KQF-3MWD2"},
    "payment_news": {"host": HOST, "reference": "K-7KQF-3MWD2"},
    "news": {"host": HOST, "reference": "V-7KQF-3MWD2"},
    "code_replaced": {"host": HOST, "day": "20 November 2026", "phone": "400-000-0001"},
    "charge_ahead": {"host": HOST, "day": "20 November 2026"},
    "charge_failed": {"host": HOST, "reference": "K-7KQF-3MWD2"},
}
LANGUAGES = ("zh", "zh_Hant", "en")
OWN_WORDS = [kind for kind in KINDS if kind != "notice"]


@pytest.mark.parametrize(("kind", "language"), list(itertools.product(OWN_WORDS, LANGUAGES)))
def test_no_text_says_a_debt_or_an_amount(kind: str, language: str) -> None:
    for purpose in ("sign_in", "accept"):
        text = signed(text_for(kind, language, PARAMS[kind] | {"purpose": purpose}), "港湾银行")

        assert forbidden_words_in(text) == ()
        assert amounts_in(text) == ()
        assert HOST in text


@pytest.mark.parametrize(("purpose", "language"), list(itertools.product(("sign_in", "accept"), LANGUAGES)))
def test_a_code_names_host_and_purpose_and_is_bound_to_the_host(purpose: str, language: str) -> None:
    text = text_for("one_time_code", language, PARAMS["one_time_code"] | {"purpose": purpose})
    other = {"sign_in": "accept", "accept": "sign_in"}[purpose]

    assert text.splitlines()[-1] == f"@{HOST} #482913"
    assert text.splitlines()[0].count("482913") == 1
    assert text != text_for("one_time_code", language, PARAMS["one_time_code"] | {"purpose": other})


def test_a_notice_is_the_banks_own_text() -> None:
    assert text_for("notice", "en", {"text": "【港湾银行】100% {code}"}) == "【港湾银行】100% {code}"


def test_the_signature_stands_in_front_once() -> None:
    assert signed("Hello", "港湾银行") == "【港湾银行】Hello"
    assert signed("【港湾银行】Hello", "港湾银行") == "【港湾银行】Hello"


@pytest.mark.parametrize(
    ("kind", "params"), [("advert", {}), ("decision", {}), ("one_time_code", {"code": "1"})]
)
def test_an_unknown_kind_or_a_missing_word_is_an_error(kind: str, params: dict[str, str]) -> None:
    with pytest.raises(KeyError):
        text_for(kind, "en", params)


def test_every_text_has_its_kind() -> None:
    assert {name.partition(".")[0] for name in TEXTS} == set(OWN_WORDS)
