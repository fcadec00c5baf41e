"""A statement as PDF: what its page says, with the whole signature, and the signed data attached."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from portal.plans.queries import Holder
from portal.settings import Bank
from portal.statements.queries import Issued
from portal.statements.settlement import SettlementRow
from portal.statements.sheet import LoanStatement, Statement, running
from portal.web import papers
from portal.web.borrower.statement_files.plain import json_of
from portal.web.borrower.statement_files.words import (
    kind_word,
    part_word,
    product_word,
    settlement_words,
    unit_word,
)
from portal.web.locale import amount_text, current_locale, day_text, grouped_phone


def pdf_of(issued: Issued, bank: Bank, holder: Holder, *, check_address: str, keys_url: str) -> bytes:
    """The paper's bytes, in the reader's language; the same each time."""
    stated = issued.statement
    language = current_locale()
    name = bank.name(language)
    data = papers.sheet(
        language,
        title=str(_("Statement %(reference)s · %(bank)s", reference=issued.reference, bank=name)),
        corner=[
            str(_("For you alone · No. %(reference)s", reference=issued.reference)),
            day_text(issued.issued_on),
        ],
        foot=_(
            "Asking for a statement acknowledges nothing. Something wrong? Object to the figure: call %(phone)s, or at any branch.",
            phone=grouped_phone(bank.phone),
        ),
    )
    data |= {
        "heading": _("Statement of loan accounts"),
        "lines": _about(stated, issued, holder),
        "sections": [
            _standing(stated),
            _movement(stated),
            *([_settlement(stated)] if stated.settlement else []),
            *(_loan(stated, loan) for loan in stated.loans),
        ],
        "proof": _proof(issued, check_address, keys_url),
        "attachment": {
            "name": f"statement-{issued.reference}.json",
            "text": json_of(issued, keys_url).decode(),
            "description": _("The signed data, for whoever computes it alone (JSON)"),
        },
    }
    return papers.made("statement", data, language=language, timestamp=issued.created_at)


def _about(stated: Statement, issued: Issued, holder: Holder) -> list[str]:
    last = day_text(stated.as_of)
    period = (
        _("Entries from %(first)s to %(last)s", first=day_text(stated.first), last=last)
        if stated.first
        else _("All entries from the start to %(last)s", last=last)
    )
    return [
        _("Customer %(name)s, number %(number)s", name=holder.masked_name, number=stated.customer_ref),
        f"{period} · {_('issued on %(day)s', day=day_text(issued.issued_on))}",
    ]


def _text(stated: Statement, minor: int) -> str:
    return str(amount_text(stated.money(minor)))


def _signed(stated: Statement, minor: int, sign: str = "+") -> str:
    """An amount with its sign: `sign` for one above zero (a charge +, what was paid −), nothing for nought."""
    if minor < 0:
        sign = {"+": "−", "−": "+"}[sign]
    return f"{sign} {_text(stated, abs(minor))}"


def _standing(stated: Statement) -> dict[str, Any]:
    closing, waived = stated.closing, stated.closing.forgiven != 0
    head = [_("Part"), _("Owed"), _("Paid"), *([_("Forgiven")] if waived else []), _("Left")]
    sides = [(part_word(name, stated.product_classes), closing.parts[name]) for name in stated.shown]
    rows = [
        [word, *_sums(stated, part.owed, part.paid, part.forgiven, part.left, waived=waived)]
        for word, part in sides
    ]
    total = _sums(stated, closing.owed, closing.paid, closing.forgiven, closing.left, waived=waived)
    after = []
    if closing.suspense:
        waiting = _text(stated, closing.suspense)
        after.append(_("Overpaid, waiting to be assigned: %(amount)s.", amount=waiting))
    return {
        "heading": _("What stands at the end"),
        "figure": papers.large(stated.money(closing.left)),
        "paragraphs": [
            _(
                "Left to pay in all. Due now: %(due)s; not yet due: %(later)s.",
                due=_text(stated, stated.due_now),
                later=_text(stated, stated.not_yet_due),
            ),
            _(
                "In %(unit)s. Owed is all that was ever charged, principal included.",
                unit=unit_word(stated.currency),
            ),
        ],
        "table": {
            "columns": ["fill", *["even"] * (len(head) - 1)],
            "head": head,
            "rows": rows,
            "foot": [_("Total"), *total],
        },
        "after": after,
    }


def _sums(stated: Statement, owed: int, paid: int, forgiven: int, left: int, *, waived: bool) -> list[str]:
    return [_text(stated, minor) for minor in (owed, paid, *([forgiven] if waived else []), left)]


def _movement(stated: Statement) -> dict[str, Any]:
    """Before + charged - paid - forgiven = left at the end, part by part."""
    opening, moved, closing = stated.opening, stated.moved, stated.closing
    shown = stated.shown
    rows = [
        [
            _step(_("Before"), day_text(stated.first)),
            *(_text(stated, opening.parts[name].left) for name in shown),
            _text(stated, opening.left),
        ],
        [
            _("Charged"),
            *(_signed(stated, moved.parts[name].owed) for name in shown),
            _signed(stated, moved.owed),
        ],
        [
            _("Paid"),
            *(_signed(stated, moved.parts[name].paid, "−") for name in shown),
            _signed(stated, moved.paid, "−"),
        ],
    ]
    if moved.forgiven:
        waived = [_signed(stated, moved.parts[name].forgiven, "−") for name in shown]
        rows.append([_("Forgiven"), *waived, _signed(stated, moved.forgiven, "−")])
    left = [_text(stated, closing.parts[name].left) for name in shown]
    return {
        "heading": _("What moved in this period"),
        "paragraphs": [
            _(
                "Before + charged − paid − forgiven = left at the end, in %(unit)s.",
                unit=unit_word(stated.currency),
            )
        ],
        "table": {
            "columns": ["fill", *["even"] * (len(shown) + 1)],
            "head": [_("Step"), *(part_word(name, stated.product_classes) for name in shown), _("Total")],
            "rows": rows,
            "foot": [
                _step(_("Left at the end"), day_text(stated.as_of)),
                *left,
                _text(stated, closing.left),
            ],
        },
    }


def _step(word: str, small: str) -> dict[str, str]:
    return {"text": word, "small": small}


def _settlement(stated: Statement) -> dict[str, Any]:
    """What pays each loan off on the day that was asked for."""
    rows = stated.settlement
    sums = [sum(row.left for row in rows), sum(row.accrued for row in rows), sum(row.to_pay for row in rows)]
    return {
        "heading": _("What pays it off on %(day)s", day=day_text(rows[0].on)),
        "figure": papers.large(stated.money(sums[2])),
        "paragraphs": [
            _(
                "Left in the books + accrued until that day = to pay, in %(unit)s.",
                unit=unit_word(stated.currency),
            )
        ],
        "table": {
            "columns": ["fill", "even", "even", "even"],
            "head": [_("Loan account"), _("Left"), _("Accrued"), _("To pay in all")],
            "rows": [
                [
                    _step(row.loan_ref, _beside(stated, row)),
                    *(_text(stated, minor) for minor in (row.left, row.accrued, row.to_pay)),
                ]
                for row in rows
            ],
            "foot": [_("Total"), *(_text(stated, minor) for minor in sums)],
        },
        "after": settlement_words(stated),
    }


def _beside(stated: Statement, row: SettlementRow) -> str:
    said = []
    if row.fee:
        said.append(_("Fee for paying early %(amount)s", amount=_text(stated, row.fee)))
    if row.overpaid:
        said.append(_("Less overpaid %(amount)s", amount=_text(stated, row.overpaid)))
    return " · ".join(said)


def _loan(stated: Statement, loan: LoanStatement) -> dict[str, Any]:
    """Every entry of one loan, with what was left after it."""
    mine, shown = (loan.facts.product_class,), stated.shown
    said = [
        ngettext("%(num)s entry.", "%(num)s entries.", len(loan.entries)),
        _(
            "Due now %(due)s, not yet due %(later)s.",
            due=_text(stated, loan.due_now),
            later=_text(stated, loan.not_yet_due),
        ),
    ]
    if loan.as_of != stated.as_of:
        said.append(_("As of %(day)s", day=day_text(loan.as_of)))
    opening = [_text(stated, loan.opening.parts[name].left) for name in shown]
    closing = [_text(stated, loan.closing.parts[name].left) for name in shown]
    first = stated.first.isoformat() if stated.first else ""
    return {
        "heading": f"{product_word(loan.facts.product)} {loan.facts.loan_ref}",
        "dense": True,
        "paragraphs": [" ".join(map(str, said))],
        "table": {
            "columns": ["text", "fill", *["number"] * (len(shown) + 2)],
            "head": [
                _("Date"),
                _("Entry"),
                *(part_word(name, mine) for name in shown),
                _("Amount"),
                _("Left"),
            ],
            "rows": [
                [first, _("Before this period"), *opening, "", _text(stated, loan.opening.left)],
                *_entries(stated, loan),
            ],
            "foot": [
                loan.as_of.isoformat(),
                _("Left at the end"),
                *closing,
                "",
                _text(stated, loan.closing.left),
            ],
        },
    }


def _entries(stated: Statement, loan: LoanStatement) -> list[list[Any]]:
    made = []
    for entry, left in zip(loan.entries, running(loan)):
        small = [entry.line_ref]
        if entry.reverses_ref:
            small.append(_("reverses %(ref)s", ref=entry.reverses_ref))
        if entry.suspense:
            small.append(f"{part_word('suspense', ())} {_signed(stated, entry.suspense)}")
        amounts = [
            _signed(stated, minor) if (minor := entry.amounts.get(name)) else "" for name in stated.shown
        ]
        made.append(
            [
                entry.posted_on.isoformat(),
                {"text": kind_word(entry), "small": " · ".join(small)},
                *amounts,
                _signed(stated, entry.total),
                _text(stated, left),
            ]
        )
    return made


def _proof(issued: Issued, check_address: str, keys_url: str) -> dict[str, Any]:
    """All that the signature covers, so that the paper alone is enough beside the published key."""
    stated = issued.statement
    return papers.proof(
        heading=_("How to check this statement"),
        scan=_(
            "Scan the code or open %(address)s and type the reference and the fingerprint. The page says whether we issued this statement; it shows no name and no figure.",
            address=check_address.partition("?")[0],
        ),
        covers=papers.covers_figures(keys_url),
        facts=[
            [_("Reference"), issued.reference],
            [_("Issuer"), stated.issuer],
            [_("Issued on"), issued.issued_on.isoformat()],
            [_("As of"), stated.as_of.isoformat()],
            *papers.fingerprint_and_signature(issued.digest, issued.signature),
            [_("Key"), issued.key_id],
        ],
        check_address=check_address,
        alt=_("Address at which anybody can check this statement"),
    )
