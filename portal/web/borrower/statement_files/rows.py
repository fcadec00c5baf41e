"""The sheets of rows: every entry, what was before, each loan, its instalments."""

from __future__ import annotations

from flask_babel import gettext as _
from xlsxwriter.utility import xl_col_to_name

from portal.statements.settlement import SettlementRow
from portal.statements.sheet import EFFECTS, PARTS, LoanStatement
from portal.web.borrower.statement_files.cells import (
    FIRST_PART,
    MOVED_HEAD,
    OF_PARTS,
    TOTAL,
    UNASSIGNED,
    Book,
)
from portal.web.borrower.statement_files.words import (
    effect_word,
    kind_word,
    part_word,
    product_word,
    settlement_words,
)


def ledger(book: Book) -> None:
    """Every entry of every loan: what all formulas add up."""
    sheet = book.sheet("ledger", (6, 12, 14, 22, 12, 20, 20, *(16,) * (len(PARTS) + 3)), landscape=True)
    classes = book.statement.product_classes
    words = [
        _("Loan no."),
        _("Date"),
        _("Loan account"),
        _("Entry"),
        _("Effect"),
        _("Number of the entry"),
        _("Reverses"),
    ]
    words += [part_word(name, classes) for name in (*PARTS, "suspense")]
    book.row(sheet, 0, [*words, _("All parts"), _("Total")], "head")
    sheet.freeze_panes(1, 3)
    row = 0
    for number, loan in enumerate(book.statement.loans, start=1):
        for entry in loan.entries:
            row += 1
            texts = [kind_word(entry), effect_word(entry.effect), entry.line_ref, entry.reverses_ref or ""]
            book.row(sheet, row, [number, entry.posted_on, loan.facts.loan_ref, *texts])
            amounts = [entry.amounts.get(name, 0) for name in PARTS]
            for column, minor in enumerate((*amounts, entry.suspense), start=FIRST_PART):
                book.given(sheet, row, column, minor)
            first, last, aside = (
                f"{xl_col_to_name(n)}{row + 1}" for n in (FIRST_PART, UNASSIGNED - 1, UNASSIGNED)
            )
            book.made(sheet, row, OF_PARTS, f"SUM({first}:{last})", sum(amounts))
            book.made(sheet, row, TOTAL, f"SUM({first}:{aside})", entry.total)
    sheet.autofilter(0, 0, max(row, 1), TOTAL)
    sheet.repeat_rows(0)


def before(book: Book) -> None:
    """What was charged, paid and forgiven of each loan's parts before the first day. Given: those entries
    are not in this statement."""
    sheet = book.sheet("before", (6, 14, 20, 16, 16, 16, 16))
    words = [_("Loan no."), _("Loan account"), _("Part"), _("Owed"), _("Paid"), _("Forgiven"), _("Left")]
    book.row(sheet, 0, words, "head")
    sheet.freeze_panes(1, 0)
    row = 0
    for number, loan in enumerate(book.statement.loans, start=1):
        for name in PARTS:
            row += 1
            part = loan.opening.parts[name]
            book.row(
                sheet, row, [number, loan.facts.loan_ref, part_word(name, book.statement.product_classes)]
            )
            for column, minor in enumerate((part.owed, part.paid, part.forgiven), start=3):
                book.given(sheet, row, column, minor)
            book.made(sheet, row, 6, f"D{row + 1}-E{row + 1}-F{row + 1}", part.left)


def loans(book: Book) -> None:
    """Each loan: owed, paid, forgiven, left, and how much of it is due."""
    sheet = book.sheet("loans", (6, 14, 20, 12, *(16,) * 10), landscape=True)
    words = [
        _("Loan no."),
        _("Loan account"),
        _("Product"),
        _("As of"),
        _("Owed"),
        _("Paid"),
        _("Forgiven"),
        _("Left"),
    ]
    words += [_("Principal fallen due"), _("Principal settled"), _("Principal left"), _("Principal due now")]
    book.row(sheet, 0, [*words, _("Due now"), _("Not yet due")], "head")
    sheet.freeze_panes(1, 2)
    totals = [0] * 10
    for row, loan in enumerate(book.statement.loans, start=1):
        product = product_word(loan.facts.product)
        book.row(sheet, row, [row, loan.facts.loan_ref, product, loan.as_of])
        values = loan_values(loan)
        totals = [sum(pair) for pair in zip(totals, values)]
        for column, (formula, minor) in enumerate(zip(loan_formulas(book, row + 1), values), start=4):
            book.made(sheet, row, column, formula, minor)
    count = len(book.statement.loans)
    book.row(sheet, count + 1, ["", _("Total"), "", ""], "total_text")
    book.sums(sheet, 1, count, totals, column=4)


def loan_formulas(book: Book, cell: int) -> list[str]:
    """The ten formulas of a loan's row: its numbers come from the ledger, the sheet of what was before and
    the instalments, each looked for by the loan's number in column A."""
    mine = f"$A{cell}"
    heads = {
        effect: book.cell("summary", f"${letter}${MOVED_HEAD}") for effect, letter in zip(EFFECTS, "CDE")
    }

    def moved(column: int, effect: str) -> str:
        return f"SUMIFS({book.entries(column)},{book.entries(0)},{mine},{book.entries(4)},{heads[effect]})"

    def earlier(letter: str) -> str:
        return f"SUMIFS({book.before(letter)},{book.before('A')},{mine})"

    def principal(letter: str) -> str:
        return f"SUMIFS({book.before(letter)},{book.before('A')},{mine},{book.before('C')},{book.cell('before', '$C$2')})"

    days, numbers = book.instalments("C"), book.instalments("A")
    settled = f"{principal('E')}+{principal('F')}-{moved(FIRST_PART, 'paid')}-{moved(FIRST_PART, 'forgiven')}"
    return [
        f"{earlier('D')}+{moved(OF_PARTS, 'charged')}",
        f"{earlier('E')}-{moved(OF_PARTS, 'paid')}",
        f"{earlier('F')}-{moved(OF_PARTS, 'forgiven')}",
        f"E{cell}-F{cell}-G{cell}",
        f'SUMIFS({book.instalments("D")},{numbers},{mine},{days},"<="&D{cell})',
        settled,
        f"{principal('D')}+{moved(FIRST_PART, 'charged')}-J{cell}",
        f"MAX(0,MIN(I{cell}-J{cell},K{cell}))",
        f"L{cell}+H{cell}-K{cell}",
        f"H{cell}-M{cell}",
    ]


def loan_values(loan: LoanStatement) -> tuple[int, ...]:
    """What our own ledger gives for the ten, minor units."""
    closing, principal = loan.closing, loan.closing.parts["principal"]
    fallen = sum(part.principal_minor for part in loan.instalments if part.due_on <= loan.as_of)
    return (
        closing.owed,
        closing.paid,
        closing.forgiven,
        closing.left,
        fallen,
        principal.paid + principal.forgiven,
        principal.left,
        loan.principal_due,
        loan.due_now,
        loan.not_yet_due,
    )


def instalments(book: Book) -> None:
    """The contract's principal instalments: when principal falls due."""
    sheet = book.sheet("instalments", (6, 14, 12, 16))
    book.row(sheet, 0, [_("Loan no."), _("Loan account"), _("Due on"), _("Principal")], "head")
    sheet.freeze_panes(1, 0)
    row = 0
    for number, loan in enumerate(book.statement.loans, start=1):
        for part in loan.instalments:
            row += 1
            book.row(sheet, row, [number, loan.facts.loan_ref, part.due_on])
            book.given(sheet, row, 3, part.principal_minor)


def settlement(book: Book) -> None:
    """What pays each loan off on the day that was asked for: what the books hold and what accrues are given,
    all else is computed."""
    sheet = book.sheet("settlement", (6, 14, 20, 16, 16, 16))
    words = [_("Loan no."), _("Loan account"), _("Part"), _("Left"), _("Accrued"), _("To pay in all")]
    book.row(sheet, 0, words, "head")
    sheet.freeze_panes(1, 0)
    lines = [
        line for number, row in enumerate(book.statement.settlement, start=1) for line in _parts(number, row)
    ]
    for row, (number, ref, part, left, accrued) in enumerate(lines, start=1):
        book.row(sheet, row, [number, ref, part])
        book.given(sheet, row, 3, left)
        book.given(sheet, row, 4, accrued)
        book.made(sheet, row, 5, f"D{row + 1}+E{row + 1}", left + accrued)
    book.row(sheet, len(lines) + 1, ["", _("Total"), ""], "total_text")
    totals = [sum(line[3] for line in lines), sum(line[4] for line in lines)]
    book.sums(sheet, 1, len(lines), [*totals, sum(totals)], column=3)
    days = [_("On this day"), *(row.on for row in book.statement.settlement[:1])]
    book.row(sheet, len(lines) + 3, ["", *days])
    for at, said in enumerate(settlement_words(book.statement), start=len(lines) + 4):
        book.row(sheet, at, ["", said])


def _parts(number: int, row: SettlementRow) -> list[tuple[int, str, str, int, int]]:
    """The lines of one loan: its components, a fee, and what was overpaid, so far as it is set off."""
    lines = [
        (number, row.loan_ref, part_word(name, (row.product_class,)), left, accrued)
        for name, (left, accrued) in row.parts.items()
    ]
    if row.fee:
        lines.append((number, row.loan_ref, str(_("Fee for paying early")), row.fee, 0))
    if row.overpaid:
        taken = row.left + row.accrued + row.fee - row.to_pay
        lines.append((number, row.loan_ref, str(_("Less overpaid")), -taken, 0))
    return lines
