"""The reference a borrower writes on a bank transfer: one per loan, made from it, with a check digit. Pure.

It is derived with the installation's key, so a page can show it without writing anything, and it says
nothing of the loan to whoever sees the transfer.
"""

from __future__ import annotations

import unicodedata

from portal.access.codes import ALPHABET, check_ok, grouped, is_separator, normalise, with_check
from portal.keys import Keys

#: How the money of a transfer is named among money without a place, and a transfer taken back among disputes.
TRANSFER = "transfer:"
#: characters before the check character: 60 bits, so a million loans do not meet
_LENGTH = 12


def transfer_reference(keys: Keys, loan_ref: str) -> str:
    """The reference of a loan, in groups: always the same for the same loan."""
    number = int(keys.digest("transfer.reference", loan_ref), 16)
    body = "".join(ALPHABET[(number >> (5 * place)) & 31] for place in range(_LENGTH))
    return grouped(with_check(body))


def reference_from(text: str) -> str:
    """A transfer's reference as somebody typed it, in the form it is stored, or "" when it is none.

    Case, spaces, separators and look-alikes do not matter; a wrong character is found by the check.
    """
    plain = normalise(text)
    return grouped(plain) if len(plain) == _LENGTH + 1 and check_ok(plain) else ""


def references_in(text: str) -> tuple[str, ...]:
    """Everything in the text of a transfer that could be a reference: characters whose check fits, whatever
    case, width, separators and look-alikes they were written with and whatever words stand around them.

    One in 32 of any other thirteen characters fits too, so what is found still has to be a reference that
    was given out; with 60 bits none is by chance. Each once, in the order of the text.

    >>> references_in("还款 7kqf-3mwd-0iabs 谢谢"), references_in("7KQF-3MWD-01ABC")
    (('7KQF-3MWD-01ABS',), ())
    """
    found: dict[str, None] = {}
    run: list[str] = []
    for character in unicodedata.normalize("NFKC", text):
        if is_separator(character):
            continue
        plain = normalise(character)
        run = [*run[-_LENGTH:], plain] if plain else []
        code = "".join(run)
        if len(code) == _LENGTH + 1 and check_ok(code):
            found[grouped(code)] = None
    return tuple(found)
