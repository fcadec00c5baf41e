"""File names as people's devices send them, made safe to show. They never name anything on our side. Pure."""

from __future__ import annotations

import unicodedata

from portal.documents.card_numbers import without_card_number

LONGEST = 80


def shown_name(sent: str) -> str:
    """The last part of a sent name without control and direction characters, at most 80 characters.

    Empty when nothing is left, or when the name holds a card number: pages then say "file".

    >>> shown_name("../../etc/证明\\x00.pdf"), shown_name("C:\\\\x\\\\slip\\u202egpj.exe")
    ('证明.pdf', 'slipgpj.exe')
    >>> shown_name("4111111111111111.jpg")
    ''
    """
    last = sent.replace("\\", "/").rsplit("/", 1)[-1]
    folded = unicodedata.normalize("NFC", last)
    kept = "".join(c for c in folded if unicodedata.category(c) not in _REFUSED)
    name = without_card_number(" ".join(kept.split()))
    if len(name) <= LONGEST:
        return name
    head, dot, tail = name.rpartition(".")
    ending = dot + tail if dot and len(tail) <= 5 else ""
    return (head if ending else name)[: LONGEST - 1 - len(ending)] + "…" + ending


#: Control, format (direction marks among them), surrogate, private and unassigned characters, and line ends.
_REFUSED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
