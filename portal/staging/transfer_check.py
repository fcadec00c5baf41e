"""The checks of the two files that a bank may leave out: incoming transfers, and changes of rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from portal.bank_files.reading import Row
from portal.money import Money
from portal.transfers.matching import Transfer, row_of

if TYPE_CHECKING:
    from portal.staging.row_check import Numbered, RowCheck

#: file -> column -> what it holds, as row_check.TABLES; who paid and what was written are sealed
TABLES: Mapping[str, Mapping[str, str]] = {
    "rate_changes": {
        "loan_ref": "text",
        "from_on": "date",
        "annual_rate": "text",
        "penalty_rate": "text",
    },
    "transfers": {
        "transfer_ref": "text",
        "value_on": "date",
        "amount": "number",
        "currency": "text",
        "text_sealed": "bytes",
        "payer_sealed": "bytes",
        "reverses_ref": "text",
        "content_digest": "text",
    },
}


def rate_changes(rows: RowCheck, numbered: list[Numbered]) -> None:
    """Put away a chunk of rate changes."""
    rows.keep(
        "rate_changes",
        [
            (line, row["loan_ref"], rows.day(row["from_on"]), _rate(row["annual_rate"]), _rate(row.get("penalty_rate")))
            for line, row in numbered
        ],
    )  # fmt: skip


def transfers(rows: RowCheck, numbered: list[Numbered]) -> None:
    """Put away a chunk of transfers; one of nothing, or of a day to come, is refused."""
    check, made = rows.check, []
    for line, row in numbered:
        if row["amount"] == 0:
            check.fault("transfers", "amount_zero", line, "amount", row["amount"])
        if row["value_on"] > check.manifest.business_date:
            day = check.manifest.business_date
            check.fault("transfers", "posted_future", line, "value_on", row["value_on"], business_date=day)
        held = row_of(check.keys, _transfer(row))
        values = held | {"value_on": rows.day(row["value_on"]), "amount": held["amount_minor"]}
        made.append((line, *(values[name] for name in TABLES["transfers"])))
    rows.keep("transfers", made)


def rate_changes_staged(rows: RowCheck) -> None:
    """A rate belongs to a loan that is known."""
    rows.check.refers("rate_changes", "loans", "loan_ref")


def transfers_staged(rows: RowCheck) -> None:
    """A known transfer says what it said before; a reversal is the whole of one that still stands."""
    stage, check = rows.stage, rows.check
    other = """
        SELECT s.line, s.transfer_ref FROM in_transfers s
        JOIN incoming_transfer t ON t.transfer_ref = s.transfer_ref
        WHERE t.content_digest <> s.content_digest ORDER BY s.line"""
    for line, ref in stage.rows(other):
        check.fault("transfers", "transfer_changed", line, "transfer_ref", ref)
    # what it names: in this file, or taken in before
    sql = """
        SELECT s.line, s.reverses_ref, s.amount, s.currency,
            COALESCE(o.amount, t.amount_minor), COALESCE(o.currency, t.currency),
            o.reverses_ref IS NOT NULL OR COALESCE(t.outcome, '') = 'reversal',
            COALESCE(t.outcome, '') = 'reversed',
            (SELECT count(*) FROM in_transfers x WHERE x.reverses_ref = s.reverses_ref)
        FROM in_transfers s
        LEFT JOIN in_transfers o ON o.transfer_ref = s.reverses_ref
        LEFT JOIN incoming_transfer t ON t.transfer_ref = s.reverses_ref
        LEFT JOIN incoming_transfer k ON k.transfer_ref = s.transfer_ref
        WHERE s.reverses_ref IS NOT NULL AND k.id IS NULL ORDER BY s.line"""
    for line, ref, minor, currency, of_minor, of_currency, is_reversal, is_back, count in stage.rows(sql):
        reason = ""
        if of_minor is None:
            reason = "unknown_ref"
        elif is_reversal:
            reason = "reversal_kind"
        elif is_back or count > 1:
            reason = "reversal_again"
        elif (minor, currency) != (of_minor, of_currency):
            reason = "reversal_amount"
        if reason:
            target = check.mapping.files["transfers"].file
            check.fault("transfers", reason, line, "reverses_ref", ref, original=ref, target=target)


def _transfer(row: Row) -> Transfer:
    return Transfer(
        transfer_ref=row["transfer_ref"],
        value_on=row["value_on"],
        amount=Money(row["amount"], row["currency"]),
        text=row["text"] or "",
        payer_name=row.get("payer_name") or "",
        payer_tail=row.get("payer_tail") or "",
        reverses_ref=row.get("reverses_ref") or None,
    )


def _rate(value: Any) -> str | None:
    return None if value is None else format(value, "f")
