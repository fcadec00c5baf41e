"""The workbook being written: its sheets, and where on them the rows stand that formulas add up.

Texts are written as texts: nothing that a bank's file holds can become a formula or a link.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from portal.money import EXPONENTS
from portal.statements.sheet import PARTS, Statement

#: The ledger sheet's columns: A number of the loan, B date, C loan, D entry, E effect, F number of the
#: entry, G reverses, then the parts, what has no part, the sum of the parts, and all together.
FIRST_PART = 7
UNASSIGNED = FIRST_PART + len(PARTS)
OF_PARTS, TOTAL = UNASSIGNED + 1, UNASSIGNED + 2
#: The rows of the summary's two tables, as a spreadsheet counts: heading, first part; the sum stands below.
MOVED_HEAD = 17
STANDING_HEAD = MOVED_HEAD + len(PARTS) + 5


@dataclass
class Book:
    """A workbook over one statement. Loans are told apart by a number of their own: a spreadsheet that
    looks for a long account number compares its first fifteen digits."""

    statement: Statement
    file: Any
    names: dict[str, str]
    formats: dict[str, Format] = field(default_factory=dict)

    def __post_init__(self) -> None:
        exponent = EXPONENTS[self.statement.currency]
        number = {"num_format": "#,##0" + ("." + "0" * exponent if exponent else "")}
        total = {"bold": True, "top": 1}
        styles: dict[str, dict[str, Any]] = {
            "title": {"bold": True, "font_size": 16},
            "h2": {"bold": True, "font_size": 12},
            "text": {},
            "head": {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"},
            "day": {"num_format": "yyyy-mm-dd", "align": "left"},
            "count": {"num_format": "0", "align": "left"},
            "money": number,
            "total": total | number,
            "total_text": total,
            "wrong": {"bold": True, "font_color": "#A51D1D", "bg_color": "#FDEAE9"},
        }
        self.formats = {name: self.file.add_format(style) for name, style in styles.items()}

    def sheet(self, key: str, widths: Sequence[int], *, landscape: bool = False) -> Worksheet:
        """A new sheet with its column widths, printed one page wide."""
        made: Worksheet = self.file.add_worksheet(self.names[key])
        for column, width in enumerate(widths):
            made.set_column(column, column, width)
        made.set_paper(9)
        made.fit_to_pages(1, 0)
        if landscape:
            made.set_landscape()
        return made

    def row(
        self, sheet: Worksheet, row: int, values: Sequence[str | int | date], style: str = "text"
    ) -> None:
        """Texts, dates and whole numbers side by side, from the first column on."""
        for column, value in enumerate(values):
            if isinstance(value, str):
                sheet.write_string(row, column, value, self.formats[style])
            elif isinstance(value, date):
                sheet.write_datetime(row, column, value, self.formats["day"])
            else:
                sheet.write_number(row, column, value, self.formats["count"])

    def given(self, sheet: Worksheet, row: int, column: int, minor: int) -> None:
        """An amount that is given."""
        sheet.write_number(row, column, self._number(minor), self.formats["money"])

    def made(
        self, sheet: Worksheet, row: int, column: int, formula: str, minor: int, style: str = "money"
    ) -> None:
        """An amount that is computed, and beside the formula what our own ledger gives: viewers that do
        not calculate show that."""
        sheet.write_formula(row, column, f"={formula}", self.formats[style], self._number(minor))

    def sums(self, sheet: Worksheet, first: int, rows: int, totals: Sequence[int], column: int = 1) -> None:
        """Below `rows` rows from `first` on, the sum of each column from `column` on."""
        for at, minor in enumerate(totals, start=column):
            letter = xl_col_to_name(at)
            self.made(
                sheet, first + rows, at, f"SUM({letter}{first + 1}:{letter}{first + rows})", minor, "total"
            )

    def _number(self, minor: int) -> Decimal:
        return Decimal(self.statement.money(minor).plain())

    def entries(self, column: int) -> str:
        """A column of the ledger sheet, as a formula names it."""
        return self._column("ledger", xl_col_to_name(column), self.statement.entry_count)

    def before(self, letter: str) -> str:
        """A column of the sheet of what was before the period."""
        return self._column("before", letter, len(self.statement.loans) * len(PARTS))

    def loans(self, letter: str) -> str:
        """A column of the sheet of loan accounts, without its sum."""
        return self._column("loans", letter, len(self.statement.loans))

    def instalments(self, letter: str) -> str:
        """A column of the sheet of instalments."""
        return self._column(
            "instalments", letter, sum(len(loan.instalments) for loan in self.statement.loans)
        )

    def cell(self, key: str, cell: str) -> str:
        """One cell of a sheet."""
        return f"'{self.names[key]}'!{cell}"

    def _column(self, key: str, letter: str, rows: int) -> str:
        return self.cell(key, f"${letter}$2:${letter}${max(rows, 1) + 1}")
