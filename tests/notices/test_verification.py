"""From what somebody typed to a verdict: slips are told from codes that are not ours."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from portal.access import codes
from portal.keys import Keys
from portal.notices.verification import Face, Verdict, asked_for, verdict_on

KEYS = Keys(pepper=bytes(range(32)), master=bytes(range(32, 64)))
TODAY = date(2026, 11, 20)
bodies = st.text(alphabet=codes.ALPHABET, min_size=12, max_size=12)
genuine_codes = bodies.map(codes.with_check)
separators = st.sampled_from(["", "-", " ", "－", "　", "–", "."])


def face(*, status: str = "live", expires_on: date = date(2026, 12, 13)) -> Face:
    return Face(1, date(2026, 10, 14), expires_on, status, "34")


def manglings(code: str, draw: st.DrawFn) -> str:
    parts = [draw(st.sampled_from([c, c.lower(), chr(ord(c) + 0xFEE0)])) for c in code]
    return "".join(part + draw(separators) for part in parts)


@st.composite
def mangled(draw: st.DrawFn) -> tuple[str, str]:
    code = draw(genuine_codes)
    return code, manglings(code, draw)


@given(mangled())
def test_case_width_and_separators_do_not_matter(pair: tuple[str, str]) -> None:
    code, text = pair

    assert asked_for(KEYS, text) == asked_for(KEYS, code)
    assert asked_for(KEYS, text).kind == "code"


@given(genuine_codes)
def test_look_alikes_read_as_meant(code: str) -> None:
    for plain, drawn in (("0", "O"), ("1", "l"), ("A", "А"), ("1", "I")):
        assert asked_for(KEYS, code.replace(plain, drawn)) == asked_for(KEYS, code)


@given(genuine_codes, st.integers(0, 12), st.sampled_from(codes.ALPHABET))
def test_one_wrong_character_is_a_slip_and_never_another_code(code: str, place: int, other: str) -> None:
    assume(code[place] != other)

    asked = asked_for(KEYS, code[:place] + other + code[place + 1 :])

    assert asked.kind == "check"
    assert verdict_on(asked, None, today=TODAY) is Verdict.SLIP


@given(st.text(max_size=300))
def test_any_text_at_all_gets_an_answer_that_is_not_genuine(text: str) -> None:
    asked = asked_for(KEYS, text)

    assert verdict_on(asked, None, today=TODAY) in (Verdict.SLIP, Verdict.NOT_OURS)
    assert len(asked.digest) == 64


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("7KQF-3MWD-2A9RB", "code"),
        ("7KQF-3MWD-2A9R", "length"),
        ("7KQF-3MWD-2A9RC", "check"),
        ("查询码是多少", "letters"),
        ("", "letters"),
        (codes.with_check("7KQF3MWD2A9"), "access"),
        ("7KQF3MWD2A9RB7KQF3MWD2A9RB", "token"),
    ],
)
def test_each_slip_explains_itself(text: str, kind: str) -> None:
    assert asked_for(KEYS, text).kind == kind


def test_a_link_is_a_whole_token_or_none() -> None:
    assert asked_for(KEYS, "7KQF-3MWD-2A9RB", link=True).kind == "no_link"
    assert verdict_on(asked_for(KEYS, "x", link=True), None, today=TODAY) is Verdict.NOT_OURS


@pytest.mark.parametrize(
    ("status", "expires_on", "verdict"),
    [
        ("live", TODAY, Verdict.GENUINE),
        ("live", date(2026, 11, 19), Verdict.EXPIRED),
        ("withdrawn", date(2026, 12, 13), Verdict.WITHDRAWN),
        ("withdrawn", date(2026, 11, 19), Verdict.WITHDRAWN),
    ],
)
def test_only_a_live_unexpired_notice_is_genuine(status: str, expires_on: date, verdict: Verdict) -> None:
    asked = asked_for(KEYS, "7KQF-3MWD-2A9RB")

    assert verdict_on(asked, face(status=status, expires_on=expires_on), today=TODAY) is verdict
