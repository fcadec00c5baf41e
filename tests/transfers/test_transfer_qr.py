"""The code of a bank transfer, read back from its picture as a phone would."""

from __future__ import annotations

import io
from typing import Any

import pytest
import segno
import zxingcpp
from PIL import Image

from portal.keys import Keys
from portal.money import Money
from portal.payments.references import reference_from, transfer_reference
from portal.transfers.qr import BadTransferQr, Transfer, check, payload

URI = {"form": "uri", "template": "bank://pay?to={account}&name={name}&sum={amount}&note={reference}"}
EPC = {"form": "epc", "bic": "HARBDEFF"}


def read_back(text: str) -> str:
    """What a reader finds in the picture that a page shows."""
    picture = io.BytesIO()
    segno.make(text, error="m", micro=False).save(picture, kind="png", scale=4, border=2)
    (found,) = zxingcpp.read_barcodes(Image.open(picture))
    return str(found.text)


def test_the_banks_own_address_is_read_back_with_the_reference(keys: Keys) -> None:
    reference = transfer_reference(keys, "L-LIN-1")
    text = payload(URI, Transfer("港湾银行", "9999000011112222333", Money(1_212_000, "CNY"), reference))

    found = read_back(text)

    assert found.endswith(f"&sum=12120.00&note={reference}")
    assert "%E6%B8%AF" in found
    assert reference_from(found.rpartition("=")[2]) == reference


def test_the_european_form_is_read_back_line_by_line(keys: Keys) -> None:
    reference = transfer_reference(keys, "L-LIN-1")
    text = payload(
        EPC, Transfer("Harbour Bank", "DE75 5121 0800 1245 1261 99", Money(30_050, "EUR"), reference)
    )

    assert read_back(text).split("\n") == [
        "BCD", "002", "1", "SCT", "HARBDEFF", "Harbour Bank", "DE75512108001245126199", "EUR300.50", "", "",
        reference,
    ]  # fmt: skip


def test_what_the_european_form_cannot_say_gives_no_code() -> None:
    assert payload(EPC, Transfer("B", "DE75", Money(100, "CNY"), "R")) == ""
    assert payload(EPC, Transfer("B", "DE75", Money(0, "EUR"), "R")) == ""
    assert payload(EPC, Transfer("B", "DE75", Money(100_000_000_000, "EUR"), "R")) == ""
    assert payload(EPC, Transfer("银" * 70, "D" * 34, Money(100, "EUR"), "款" * 140)) == ""


def test_what_is_filled_in_cannot_change_the_address() -> None:
    text = payload(URI, Transfer("a&sum=1#{x}", "1/2", Money(100, "CNY"), "R?&"))

    assert text == "bank://pay?to=1%2F2&name=a%26sum%3D1%23%7Bx%7D&sum=1.00&note=R%3F%26"


@pytest.mark.parametrize(
    "told",
    [
        {"form": "swift"},
        {},
        {"form": "uri"},
        {"form": "uri", "template": "bank://{account}"},
        {"form": "uri", "template": "bank://{account}{reference}{settings}"},
        {"form": "uri", "template": "bank://{account}{reference.__class__}"},
        {"form": "uri", "template": "bank://{account}{reference"},
    ],
)
def test_a_description_no_code_can_be_made_of_stops_the_start(told: dict[str, Any]) -> None:
    with pytest.raises(BadTransferQr):
        check(told)


def test_right_descriptions_pass() -> None:
    for told in (None, URI, EPC):
        check(told)
