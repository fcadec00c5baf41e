"""Codes people read, type and hear: how they are made, written, read back and checked. Pure.

The alphabet is Crockford's base 32 (no I, L, O, U). A notice code is 12 random characters and a
check character, a link token 26 random characters, an access number 11 and a check character, a
reference number a prefix, 8 and a check character. Length tells the first three apart.
"""

from __future__ import annotations

import secrets
import unicodedata

from portal.keys import Keys

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 13
TOKEN_LENGTH = 26
ACCESS_NUMBER_LENGTH = 12
REFERENCE_LENGTH = 9

#: What each kind of code is digested for: the same characters as a code and as a token differ.
PURPOSES = {"code": "notice.code", "token": "notice.token", "access": "access.number"}

_VALUE = {character: value for value, character in enumerate(ALPHABET)}
_SEPARATORS = frozenset("_.,:/\\·•・−〜~'\"“”‘’")
#: Look-alikes of other scripts, each with the one character of the alphabet it is drawn like. Letters
#: whose small form resembles another letter than their capital (ν, υ, η, μ) are refused: no guessing.
_LOOK_ALIKES = {
    **dict.fromkeys("iIlLıІіӀӏΙιⅼ", "1"),
    **dict.fromkeys("oOОоΟο", "0"),
    **dict.fromkeys("АаΑα", "A"),
    **dict.fromkeys("ВвΒβ", "B"),
    **dict.fromkeys("Сс", "C"),
    **dict.fromkeys("Ԁԁ", "D"),
    **dict.fromkeys("ЕеΕε", "E"),
    **dict.fromkeys("НнҺһΗ", "H"),
    **dict.fromkeys("Јј", "J"),
    **dict.fromkeys("КкΚκ", "K"),
    **dict.fromkeys("МмΜ", "M"),
    **dict.fromkeys("Ν", "N"),
    **dict.fromkeys("РрΡρ", "P"),
    **dict.fromkeys("Ԛԛ", "Q"),
    **dict.fromkeys("Ѕѕ", "S"),
    **dict.fromkeys("ТтΤτ", "T"),
    **dict.fromkeys("Ԝԝ", "W"),
    **dict.fromkeys("ХхΧχ", "X"),
    **dict.fromkeys("УуΥ", "Y"),
    **dict.fromkeys("Ζ", "Z"),
    **dict.fromkeys("Зз", "3"),
}


def random_characters(count: int) -> str:
    """`count` characters of the alphabet, 5 bits each, from the system's secure source."""
    bits = secrets.randbits(5 * count)
    return "".join(ALPHABET[(bits >> 5 * place) & 31] for place in range(count))


def new_code() -> str:
    """A notice code without separators: 60 random bits and a check character."""
    return with_check(random_characters(CODE_LENGTH - 1))


def new_token() -> str:
    """A link token: 130 random bits, never typed and so without a check character."""
    return random_characters(TOKEN_LENGTH)


def new_access_number() -> str:
    """An access number without separators: 55 random bits and a check character."""
    return with_check(random_characters(ACCESS_NUMBER_LENGTH - 1))


def new_reference(prefix: str) -> str:
    """A reference number as it is stored and shown, `K-7KQF-3MWD2`. `prefix` is letters of the alphabet."""
    if not prefix or not all(character in _VALUE for character in prefix):
        raise ValueError("a prefix is made of the alphabet")
    return f"{prefix}-{grouped(with_check(random_characters(REFERENCE_LENGTH - 1)))}"


def reference_from(text: str) -> str:
    """A reference as somebody typed it, in the form `new_reference` made, or "" when it cannot be one."""
    plain = normalise(text)
    prefix, body = plain[:-REFERENCE_LENGTH], plain[-REFERENCE_LENGTH:]
    return f"{prefix}-{grouped(body)}" if prefix and check_ok(body) else ""


def normalise(text: str) -> str:
    """What was meant, as plain characters of the alphabet, or "" when anything else is in it.

    Case, width, spaces, dashes and other separators do not matter; I and L read as 1, O as 0, and
    look-alikes of other scripts as the letter they are drawn like. U is refused.

    >>> normalise(" 7kqf－3mwd–Ol ")
    '7KQF3MWD01'
    """
    if text.isascii():  # nearly every code there is, in a tenth of the time
        plain = text.translate(_ASCII)
        return "" if "\0" in plain else plain
    made = []
    for character in unicodedata.normalize("NFKC", text):
        if is_separator(character):
            continue
        plain = _LOOK_ALIKES.get(character) or (character.upper() if character.isascii() else "")
        if plain not in _VALUE:
            return ""
        made.append(plain)
    return "".join(made)


def is_separator(character: str) -> bool:
    """Whether people write this character between those of a code, and mean nothing by it."""
    kind = unicodedata.category(character)
    return kind in ("Pd", "Zs", "Zl", "Zp", "Cf") or character.isspace() or character in _SEPARATORS


def _meant(character: str) -> str | None:
    if is_separator(character):
        return None
    plain = _LOOK_ALIKES.get(character, character.upper())
    return plain if plain in _VALUE else "\0"


_ASCII = {code: _meant(chr(code)) for code in range(128)}


def check_character(body: str) -> str:
    """The Luhn mod 32 check character of `body`: every wrong character is found, and every swap of
    neighbours but 0 with Z."""
    total, factor = 0, 2
    for character in reversed(body):
        quotient, remainder = divmod(_VALUE[character] * factor, 32)
        total += quotient + remainder
        factor = 3 - factor
    return ALPHABET[-total % 32]


def with_check(body: str) -> str:
    """`body` and its check character."""
    return body + check_character(body)


def check_ok(code: str) -> bool:
    """Whether a normalised code ends in the right check character."""
    return len(code) > 1 and all(c in _VALUE for c in code) and check_character(code[:-1]) == code[-1]


def kind_of(code: str) -> str:
    """What a normalised code can be by its length and check: "code", "token", "access" or ""."""
    if len(code) == TOKEN_LENGTH:
        return "token"
    named = {CODE_LENGTH: "code", ACCESS_NUMBER_LENGTH: "access"}.get(len(code), "")
    return named if named and check_ok(code) else ""


def digest_of(keys: Keys, code: str) -> str:
    """The keyed digest under which a normalised code, token or access number is stored; "" for none."""
    kind = kind_of(code)
    return keys.digest(PURPOSES[kind], code) if kind else ""


def grouped(code: str) -> str:
    """A code in groups of four for reading aloud; a single last character joins the group before it.

    >>> grouped("7KQF3MWD01ABC")
    '7KQF-3MWD-01ABC'
    """
    if len(code) < 6:
        return code
    groups = [code[place : place + 4] for place in range(0, len(code), 4)]
    if len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return "-".join(groups)


def plain_digits(text_typed: str) -> str:
    """A code as it was typed or pasted, full-width and with spaces, as plain characters.

    >>> plain_digits(" ４８2 913")
    '482913'
    """
    return "".join(unicodedata.normalize("NFKC", text_typed).split()).replace("-", "")


def plain_tail(text_typed: str) -> str:
    """The end of an ID number as it was typed; its last character may be an X.

    >>> plain_tail("01２x")
    '012X'
    """
    return plain_digits(text_typed).upper()
