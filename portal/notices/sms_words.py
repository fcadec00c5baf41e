"""The text message of a notice in English, where the bank wrote its own in Chinese. Pure."""

from __future__ import annotations

_WITH_LINK = (
    "【{signature}】You have a service notice, code {{code}}. To check it, open {{link}} or type {host} yourself. "
    "Not for you? Please say so on that page."
)
_WITHOUT_LINK = (
    "【{signature}】You have a service notice, code {{code}}. To check it, type {host} into your browser yourself, "
    "or call {phone}."
)


def english(with_link: bool, *, signature: str, host: str, phone: str) -> str:
    """The text with its placeholders {code} and {link}. It fits every notice: what it is about stands on the page.

    >>> english(False, signature="港湾银行", host="my.harbour.example", phone="4000000001")
    '【港湾银行】You have a service notice, code {code}. To check it, type my.harbour.example into your browser yourself, or call 4000000001.'
    """
    return (_WITH_LINK if with_link else _WITHOUT_LINK).format(signature=signature, host=host, phone=phone)
