"""Applying the two files that a bank may leave out: incoming transfers, and changes of rates.

A transfer is only written down here; `payments.transfers.book_waiting` books it afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portal.accounts.models import LoanRate
from portal.intake.merges import row_as_json
from portal.transfers.matching import WAITING

if TYPE_CHECKING:
    from portal.intake.writing import BatchWriter


_RATES: Any = LoanRate.__table__


def rate_changes(batch: BatchWriter) -> None:
    """Rates from a day on; a later row for the same day takes the place of the one before, which is kept
    for an undo."""
    stage, sequence = batch.stage, batch.manifest.sequence
    rates = "in_rate_changes s JOIN loan l ON l.loan_ref = s.loan_ref"
    known = "t.loan_id = l.id AND t.from_on = s.from_on"
    differs = (
        f"{known} AND (t.annual_rate <> s.annual_rate OR t.penalty_rate IS DISTINCT FROM s.penalty_rate)"
    )
    stage.run(
        f"""INSERT INTO intake_before (created_at, batch_id, table_name, row_id, content)
        SELECT %(now)s, %(batch)s, 'loan_rate', t.id, {row_as_json(_RATES, stage)}
        FROM {rates} JOIN loan_rate t ON {differs}""",  # noqa: S608 - names of ours
        now=batch.instant,
        batch=batch.batch_id,
    )
    stage.run(
        f"""UPDATE loan_rate AS t SET annual_rate = s.annual_rate, penalty_rate = s.penalty_rate,
            batch_sequence = %(sequence)s FROM {rates} WHERE {differs}""",  # noqa: S608
        sequence=sequence,
    )
    stage.run(
        f"""INSERT INTO loan_rate (created_at, loan_id, from_on, annual_rate, penalty_rate, batch_sequence)
        SELECT %(now)s, l.id, s.from_on, s.annual_rate, s.penalty_rate, %(sequence)s FROM {rates}
        WHERE NOT EXISTS (SELECT 1 FROM loan_rate t WHERE {known}) ORDER BY s.line""",  # noqa: S608
        now=batch.instant,
        sequence=sequence,
    )


def transfers(batch: BatchWriter) -> None:
    """Write down the transfers that are new."""
    batch.stage.run(
        f"""INSERT INTO incoming_transfer (created_at, transfer_ref, value_on, amount_minor, currency, text_sealed,
            payer_sealed, content_digest, outcome, reason, reverses_ref, batch_sequence)
        SELECT %(now)s, s.transfer_ref, s.value_on, s.amount, s.currency, s.text_sealed, s.payer_sealed,
            s.content_digest, '{WAITING}', '', s.reverses_ref, %(sequence)s
        FROM in_transfers s
        WHERE NOT EXISTS (SELECT 1 FROM incoming_transfer t WHERE t.transfer_ref = s.transfer_ref)
        ORDER BY s.line""",  # noqa: S608
        now=batch.instant,
        sequence=batch.manifest.sequence,
    )
