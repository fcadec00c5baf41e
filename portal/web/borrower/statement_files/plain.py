"""A statement as CSV for any program, and as JSON with its signature for whoever checks it without us."""

from __future__ import annotations

import csv
import io
import json

from flask_babel import gettext as _

from portal.statements.issuing import signed_facts
from portal.statements.queries import Issued
from portal.statements.settlement import SettlementRow
from portal.statements.sheet import PARTS, LoanStatement, Side, Statement
from portal.web.borrower.statement_files.words import effect_word, kind_word, part_word

#: What a spreadsheet takes for the beginning of a formula, in both widths, and what hides it.
_LIVE = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def as_text(text: str) -> str:
    """`text` so that no spreadsheet computes it: a formula gets an apostrophe before it; NUL is dropped.

    >>> as_text("=1+1"), as_text("L240901371")
    ("'=1+1", 'L240901371')
    """
    plain = text.replace("\0", "")
    return f"'{plain}" if plain.lstrip(" ").startswith(_LIVE) else plain


def csv_of(statement: Statement) -> bytes:
    """Opening, entries and closing of each loan. In every column of amounts, the opening and the entries
    of a loan add up to its closing. UTF-8 with the mark that spreadsheets look for."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    classes = statement.product_classes
    writer.writerow(
        as_text(word)
        for word in (
            _("Loan account"),
            _("Date"),
            _("Entry"),
            _("Effect"),
            _("Number of the entry"),
            _("Reverses"),
            *(part_word(name, classes) for name in (*PARTS, "suspense")),
            _("Total"),
            _("Currency"),
        )
    )
    for loan in statement.loans:
        for row in _rows(statement, loan):
            writer.writerow(row)
    for settled in statement.settlement:
        writer.writerow(_settlement(statement, settled))
    return b"\xef\xbb\xbf" + written.getvalue().encode()


def _rows(statement: Statement, loan: LoanStatement) -> list[list[str]]:
    ref = loan.facts.loan_ref
    first = statement.first.isoformat() if statement.first else ""
    rows = [_end(statement, ref, first, _("Before this period"), loan.opening)]
    for entry in loan.entries:
        amounts = [entry.amounts.get(name, 0) for name in PARTS]
        rows.append(
            [
                as_text(ref),
                entry.posted_on.isoformat(),
                as_text(kind_word(entry)),
                as_text(effect_word(entry.effect)),
                as_text(entry.line_ref),
                as_text(entry.reverses_ref or ""),
                *(statement.money(minor).plain() for minor in (*amounts, entry.suspense, entry.total)),
                statement.currency,
            ]
        )
    rows.append(_end(statement, ref, loan.as_of.isoformat(), _("Left at the end"), loan.closing))
    return rows


def _end(statement: Statement, ref: str, day: str, word: str, side: Side) -> list[str]:
    """An end of the period: what is left of each component. Overpaid money counts below zero, as it was paid."""
    amounts = [side.parts[name].left for name in PARTS]
    amounts += [-side.suspense, side.left - side.suspense]
    plain = (statement.money(minor).plain() for minor in amounts)
    return [as_text(ref), day, as_text(word), "", "", "", *plain, statement.currency]


def _settlement(statement: Statement, row: SettlementRow) -> list[str]:
    """What pays a loan off, on the day that was asked for: by component, a fee with the costs."""
    amounts = {name: sum(pair) for name, pair in row.parts.items()}
    amounts["cost"] += row.fee
    plain = [statement.money(amounts[name]).plain() for name in PARTS]
    plain += [statement.money(minor).plain() for minor in (-row.overpaid, row.to_pay)]
    word = as_text(_("To pay it off on this day"))
    return [as_text(row.loan_ref), row.on.isoformat(), word, "", "", "", *plain, statement.currency]


def json_of(issued: Issued, keys_url: str) -> bytes:
    """The content, its SHA-256, what the signature covers, and the signature. The digest is of the
    content with sorted keys and without spaces, in UTF-8; so is the text that is signed."""
    statement = issued.statement
    facts = signed_facts(
        issuer=statement.issuer,
        reference=issued.reference,
        issued_on=issued.issued_on,
        as_of=statement.as_of,
        digest=issued.digest,
    )
    made = {
        "content": issued.content,
        "signed": facts,
        "signature": issued.signature,
        "key_id": issued.key_id,
        "keys": keys_url,
    }
    return json.dumps(made, ensure_ascii=False, indent=1).encode() + b"\n"
