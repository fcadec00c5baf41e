"""What a transfer said, for whoever has to find its place at the desk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, select

from portal.keys import Keys
from portal.payments.models import IncomingTransfer


@dataclass(frozen=True, slots=True)
class TransferView:
    """A transfer without a place: the bank's number of it, its value date, what was written, who paid."""

    transfer_ref: str
    value_on: date
    text: str
    payer_name: str
    payer_tail: str
    #: the bank has taken it back
    is_reversed: bool


def transfer_of(connection: Connection, keys: Keys, *, unplaced_id: int) -> TransferView | None:
    """The transfer that money without a place came with, if it was one."""
    row = connection.execute(
        select(
            IncomingTransfer.transfer_ref,
            IncomingTransfer.value_on,
            IncomingTransfer.text_sealed,
            IncomingTransfer.payer_sealed,
            IncomingTransfer.outcome,
        ).where(IncomingTransfer.unplaced_id == unplaced_id)
    ).one_or_none()
    if row is None:
        return None
    name, tail = json.loads(keys.unseal("transfer.payer", row.payer_sealed))
    text = keys.unseal("transfer.text", row.text_sealed)
    return TransferView(row.transfer_ref, row.value_on, text, name, tail, row.outcome == "reversed")
