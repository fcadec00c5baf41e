"""The QR code that fills in a bank transfer: the bank's own address for its app, or the European form. Pure.

EPC069-12 (European Payments Council, "Quick Response Code: Guidelines to Enable Data Capture for the
Initiation of a SEPA Credit Transfer", version 2.1): euro only, at most 331 bytes, error correction M.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any
from urllib.parse import quote

from portal.money import Money

FORMS = ("uri", "epc")
#: What a bank's template may name.
PLACES = ("account", "name", "amount", "currency", "reference")
_EPC_LONGEST = {"name": 70, "reference": 140}
_EPC_BYTES = 331
#: The least and the most the European form states: 0.01 to 999,999,999.99.
_EPC_MOST = 99_999_999_999


class BadTransferQr(ValueError):
    """A bank file whose description of the code cannot be used; the message names the key."""


@dataclass(frozen=True)
class Transfer:
    """What the payer's app is told."""

    name: str
    account: str
    amount: Money
    reference: str


def check(told: Mapping[str, Any] | None) -> None:
    """Refuse a description that no code can be made of; None is no code. Raises BadTransferQr."""
    if told is None:
        return
    form = told.get("form")
    if form not in FORMS:
        raise BadTransferQr("transfer_qr.form is uri or epc")
    if form == "uri":
        try:
            named = {name for _, name, _, _ in Formatter().parse(str(told["template"])) if name is not None}
        except (KeyError, ValueError):
            raise BadTransferQr("transfer_qr.template is missing or broken") from None
        if not {"account", "reference"} <= named <= set(PLACES):
            raise BadTransferQr(
                f"transfer_qr.template names account and reference, and only {', '.join(PLACES)}"
            )


def payload(told: Mapping[str, Any], transfer: Transfer) -> str:
    """The text of the code, or "" where this form cannot say this transfer (another currency, too long).

    >>> told = {"form": "uri", "template": "bank://pay?to={account}&sum={amount}&note={reference}"}
    >>> payload(told, Transfer("港湾银行", "6222 01", Money(30_000, "CNY"), "7KQF-3MWD-01ABC"))
    'bank://pay?to=6222%2001&sum=300.00&note=7KQF-3MWD-01ABC'
    """
    return _epc(told, transfer) if told["form"] == "epc" else _uri(told, transfer)


def _uri(told: Mapping[str, Any], transfer: Transfer) -> str:
    values = {
        "account": transfer.account,
        "name": transfer.name,
        "amount": transfer.amount.plain(),
        "currency": transfer.amount.currency,
        "reference": transfer.reference,
    }
    template: str = told["template"]
    return template.format(**{name: quote(value, safe="") for name, value in values.items()})


def _epc(told: Mapping[str, Any], transfer: Transfer) -> str:
    if transfer.amount.currency != "EUR" or not 0 < transfer.amount.minor <= _EPC_MOST:
        return ""
    name = transfer.name[: _EPC_LONGEST["name"]]
    lines = (
        "BCD",
        "002",
        "1",  # UTF-8
        "SCT",
        str(told.get("bic", "")),
        name,
        transfer.account.replace(" ", ""),
        f"EUR{transfer.amount.plain()}",
        "",  # purpose
        "",  # structured reference: ours is no ISO 11649 reference
        transfer.reference[: _EPC_LONGEST["reference"]],
    )
    text = "\n".join(lines)
    return text if len(text.encode()) <= _EPC_BYTES else ""
