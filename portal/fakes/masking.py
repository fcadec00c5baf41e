"""What may stand in a public warning: the words of a fake without anybody's data in them. Pure."""

from __future__ import annotations

import re

from portal.content.links import links_in
from portal.documents.card_numbers import has_card_number

#: The longest excerpt a warning shows.
LONGEST = 300
MASK = "***"
_NAMES = re.compile(r"(?:(?:尊敬的|亲爱的|尊敬的客户)\s?)?[㐀-鿿]{1,4}?(?=先生|女士|小姐|同志)")
_DEAR = re.compile(r"\b(Dear|Mr|Mrs|Ms|Miss)(\.?\s+)[A-Z][\w'-]*(?:\s+[A-Z][\w'-]*)?")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_CODE = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]{4}[- ]?[0-9A-Za-z]{4}[- ]?[0-9A-Za-z]{5}(?![0-9A-Za-z])")
_LONG_DIGITS = re.compile(r"\d(?:[ \-]?[\dXx*]){3,}")
_CARDS = re.compile(r"\d(?:[ \-－—.]?\d){11,}")


def masked(text: str) -> str:
    """`text` as a warning shows it: names with a form of address, mail addresses, codes and every run of
    four digits or more are masked, and it ends after LONGEST characters.

    >>> masked("尊敬的王小明先生，您的尾号1234的卡，请联系 13900000034")
    '***先生，您的尾号***的卡，请联系 ***'
    """
    shown = _MAIL.sub(MASK, text)
    shown = _DEAR.sub(rf"\1\2{MASK}", _NAMES.sub(MASK, shown))
    shown = _LONG_DIGITS.sub(MASK, _CODE.sub(_code, shown))
    shown = " ".join(shown.split())
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def without_cards(text: str) -> str:
    """`text` with what may be a card number masked, so that the rest of a report is not lost; "" where a
    card number can still be read out of it.

    >>> without_cards("pay to 4111 1111 1111 1111 now")
    'pay to *** now'
    """
    if not has_card_number(text):
        return text
    shown = _CARDS.sub(MASK, text)
    return "" if has_card_number(shown) else shown


def unclickable(address: str) -> str:
    """An address nobody can tap by mistake.

    >>> unclickable("hb-kefu.top/a")
    'hb-kefu[.]top/a'
    """
    return address.replace(".", "[.]")


def unlinked(text: str) -> str:
    """`text` with every address in it broken up: phones make a link of an address wherever it stands.

    >>> unlinked("请打开 hb-kefu.top/a 办理。")
    '请打开 hb-kefu[.]top/a 办理。'
    """
    for link in reversed(links_in(text, ours=("invalid.example",))):
        text = text[: link.start] + unclickable(link.text) + text[link.end :]
    return text


def _code(found: re.Match[str]) -> str:
    text = found.group()
    return MASK if any(character.isdigit() for character in text) else text
