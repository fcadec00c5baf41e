"""The reference a borrower writes on a bank transfer: one per loan, made from it, with a check digit. Pure.

It is derived with the installation's key, so a page can show it without writing anything, and it says
nothing of the loan to whoever sees the transfer.
"""

from __future__ import annotations

from portal.access.codes import ALPHABET, check_ok, grouped, normalise, with_check
from portal.keys import Keys

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
