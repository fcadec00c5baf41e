"""A statement as a workbook that computes itself: totals are formulas over the ledger rows, and a sheet
sets our ledger's own figures beside them."""

from __future__ import annotations

import io
from collections.abc import Iterator

import xlsxwriter
from flask_babel import gettext as _
from xlsxwriter.worksheet import Worksheet

from portal.money import EXPONENTS
from portal.settings import Bank
from portal.statements.queries import Issued
from portal.statements.sheet import EFFECTS, PARTS
from portal.web.borrower.statement_files import rows
from portal.web.borrower.statement_files.cells import FIRST_PART, MOVED_HEAD, STANDING_HEAD, Book
from portal.web.borrower.statement_files.words import effect_word, part_word
from portal.web.locale import current_locale

#: Every text stays a text.
OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def book_of(issued: Issued, bank: Bank, check_address: str) -> bytes:
    """The workbook's bytes, in the reader's language."""
    written = io.BytesIO()
    title = f"{bank.name(current_locale())} {issued.reference}"
    with xlsxwriter.Workbook(written, OPTIONS) as file:
        file.set_properties({"title": title, "created": issued.created_at.replace(tzinfo=None)})
        book = Book(issued.statement, file, _names())
        _summary(book, issued, bank, check_address)
        for write in (rows.ledger, rows.before, rows.loans, rows.instalments):
            write(book)
        if book.statement.settlement:
            rows.settlement(book)
        _checks(book)
    return written.getvalue()


def _names() -> dict[str, str]:
    """The sheets' names: at most 31 characters, and a quote would end the name in a formula."""
    words = {
        "summary": _("Summary"),
        "ledger": _("Ledger"),
        "before": _("Before the period"),
        "loans": _("Loan accounts"),
        "instalments": _("Instalments"),
        "settlement": _("Settlement"),
        "checks": _("Checks"),
    }
    return {key: str(word).replace("'", "")[:31] for key, word in words.items()}


def _summary(book: Book, issued: Issued, bank: Bank, check_address: str) -> None:
    """What this is, what moved, what stands."""
    sheet = book.sheet("summary", (26, *(18,) * 6))
    stated = book.statement
    book.row(sheet, 0, [bank.name(current_locale())])
    book.row(sheet, 1, [_("Statement")], "title")
    facts = [
        (_("Reference"), issued.reference),
        (_("Customer number"), stated.customer_ref),
        (_("Loan accounts"), ", ".join(loan.facts.loan_ref for loan in stated.loans)),
        (_("First day"), stated.first or _("From the start")),
        (_("Last day"), stated.as_of),
        (_("Currency"), stated.currency),
        (_("Issued on"), issued.issued_on),
        (_("Fingerprint"), issued.digest),
        (_("Signature"), issued.signature),
        (_("Anybody can check it at"), check_address),
    ]
    for row, fact in enumerate(facts, start=2):
        book.row(sheet, row, fact)
    book.row(sheet, len(facts) + 3, [_("Every figure below is a formula over the sheets that follow.")])
    _moved(book, sheet)
    _standing(book, sheet)


def _moved(book: Book, sheet: Worksheet) -> None:
    """Before + charged - paid - forgiven = left at the end, by part. The formulas find the entries of an
    effect by the word in the heading."""
    stated = book.statement
    book.row(sheet, MOVED_HEAD - 2, [_("What moved in this period")], "h2")
    words = [_("Part"), _("Before"), *map(effect_word, EFFECTS), _("Left at the end")]
    book.row(sheet, MOVED_HEAD - 1, words, "head")
    for row, name in enumerate(PARTS, start=MOVED_HEAD):
        cell = row + 1
        opening, moved = stated.opening.parts[name], stated.moved.parts[name]
        column = book.entries(FIRST_PART + PARTS.index(name))
        book.row(sheet, row, [part_word(name, stated.product_classes)])
        earlier = f"SUMIFS({book.before('G')},{book.before('C')},$A{cell})"
        book.made(sheet, row, 1, earlier, opening.left)
        for at, minor in enumerate((moved.owed, moved.paid, moved.forgiven), start=2):
            sign, letter = ("", "-", "-")[at - 2], "CDE"[at - 2]
            formula = f"{sign}SUMIFS({column},{book.entries(4)},{letter}${MOVED_HEAD})"
            book.made(sheet, row, at, formula, minor)
        book.made(sheet, row, 5, f"B{cell}+C{cell}-D{cell}-E{cell}", stated.closing.parts[name].left)
    moved_in_all = stated.moved
    totals = [stated.opening.left, moved_in_all.owed, moved_in_all.paid, moved_in_all.forgiven]
    book.row(sheet, MOVED_HEAD + len(PARTS), [_("Total")], "total_text")
    book.sums(sheet, MOVED_HEAD, len(PARTS), [*totals, stated.closing.left])


def _standing(book: Book, sheet: Worksheet) -> None:
    """Owed - paid - forgiven = left since the start, by part, and how much of it is due."""
    stated, closing = book.statement, book.statement.closing
    book.row(sheet, STANDING_HEAD - 2, [_("What stands at the end")], "h2")
    words = [_("Part"), _("Owed"), _("Paid"), _("Forgiven"), _("Left"), _("Due now"), _("Not yet due")]
    book.row(sheet, STANDING_HEAD - 1, words, "head")
    for offset, name in enumerate(PARTS):
        row, cell, moved = STANDING_HEAD + offset, STANDING_HEAD + offset + 1, MOVED_HEAD + offset + 1
        part = closing.parts[name]
        book.row(sheet, row, [part_word(name, stated.product_classes)])
        for at, minor in enumerate((part.owed, part.paid, part.forgiven), start=1):
            earlier = f"SUMIFS({book.before('DEF'[at - 1])},{book.before('C')},$A{cell})"
            book.made(sheet, row, at, f"{earlier}+{'CDE'[at - 1]}{moved}", minor)
        book.made(sheet, row, 4, f"B{cell}-C{cell}-D{cell}", part.left)
        is_principal = name == "principal"
        due = sum(loan.principal_due for loan in stated.loans) if is_principal else part.left
        book.made(sheet, row, 5, f"SUM({book.loans('L')})" if is_principal else f"E{cell}", due)
        book.made(sheet, row, 6, f"E{cell}-F{cell}", part.left - due)
    totals = [closing.owed, closing.paid, closing.forgiven, closing.left, stated.due_now, stated.not_yet_due]
    book.row(sheet, STANDING_HEAD + len(PARTS), [_("Total")], "total_text")
    book.sums(sheet, STANDING_HEAD, len(PARTS), totals)


def _checks(book: Book) -> None:
    """Our ledger's own figures beside what the formulas give: every difference is nought."""
    sheet = book.sheet("checks", (44, 20, 20, 16))
    words = [_("Figure"), _("In the bank's books"), _("From the formulas"), _("Difference")]
    book.row(sheet, 0, words, "head")
    sheet.freeze_panes(1, 0)
    exponent = EXPONENTS[book.statement.currency]
    row = 0
    for word, minor, formula in compared(book):
        row += 1
        book.row(sheet, row, [word])
        book.given(sheet, row, 1, minor)
        book.made(sheet, row, 2, formula, minor)
        book.made(sheet, row, 3, f"ABS(ROUND(B{row + 1}-C{row + 1},{exponent}))", 0)
    book.row(sheet, row + 1, [_("All differences together"), "", ""], "total_text")
    book.sums(sheet, 1, row, [0], column=3)
    is_off = {"type": "cell", "criteria": "!=", "value": 0, "format": book.formats["wrong"]}
    sheet.conditional_format(1, 3, row + 1, 3, is_off)


def compared(book: Book) -> Iterator[tuple[str, int, str]]:
    """What is compared: the words, the figure of our ledger in minor units, the cell of the formula."""
    stated = book.statement
    for offset, name in enumerate((*PARTS, None)):
        word = part_word(name, stated.product_classes) if name else _("Total")
        closing = stated.closing.parts[name] if name else stated.closing
        moved, standing = MOVED_HEAD + offset + 1, STANDING_HEAD + offset + 1
        yield f"{word} · {_('Owed')}", closing.owed, book.cell("summary", f"B{standing}")
        yield f"{word} · {_('Paid')}", closing.paid, book.cell("summary", f"C{standing}")
        yield f"{word} · {_('Left')}", closing.left, book.cell("summary", f"E{standing}")
        yield f"{word} · {_('Left at the end')}", closing.left, book.cell("summary", f"F{moved}")
    total = STANDING_HEAD + len(PARTS) + 1
    yield _("Due now"), stated.due_now, book.cell("summary", f"F{total}")
    yield _("Not yet due"), stated.not_yet_due, book.cell("summary", f"G{total}")
    for row, loan in enumerate(stated.loans, start=2):
        yield f"{loan.facts.loan_ref} · {_('Left')}", loan.closing.left, book.cell("loans", f"H{row}")
        yield f"{loan.facts.loan_ref} · {_('Due now')}", loan.due_now, book.cell("loans", f"M{row}")
