"""A spreadsheet small enough to read: it computes the formulas our workbooks use, exactly, from the cells.

SUM, SUMIFS, MIN, MAX, ABS, ROUND, + and -, references within and between sheets. Anything else fails.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from openpyxl import Workbook
from openpyxl.utils import range_boundaries

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>"[^"]*")|(?P<function>[A-Z]+)(?=\()"""
    r"""|(?P<reference>(?:'[^']+'!)?\$?[A-Z]+\$?\d+(?::\$?[A-Z]+\$?\d+)?)|(?P<mark>[-+(),&]))"""
)
Value = Any


class Sheets:
    """The computed values of a workbook's cells; what is kept in the file beside a formula is not looked at."""

    def __init__(self, workbook: Workbook) -> None:
        self.workbook = workbook
        self.known: dict[tuple[str, int, int], Value] = {}

    def value(self, sheet: str, cell: str) -> Value:
        """What a cell comes to."""
        column, row, _, _ = range_boundaries(cell)
        return self.at(sheet, row, column)

    def at(self, sheet: str, row: int, column: int) -> Value:
        """What the cell of a row and column comes to."""
        key = (sheet, row, column)
        if key not in self.known:
            content = self.workbook[sheet].cell(row, column).value
            if isinstance(content, str) and self.workbook[sheet].cell(row, column).data_type == "f":
                content = Formula(self, sheet, content[1:]).compute()
            elif isinstance(content, datetime):
                content = content.date()
            elif isinstance(content, int | float):
                content = Decimal(repr(content))
            self.known[key] = content
        return self.known[key]


class Formula:
    """One formula, read from left to right."""

    def __init__(self, sheets: Sheets, sheet: str, text: str) -> None:
        self.sheets, self.sheet = sheets, sheet
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(text):
            found = _TOKEN.match(text, place)
            assert found, f"not understood: {text[place:]}"
            self.tokens.append((str(found.lastgroup), found.group(str(found.lastgroup))))
            place = found.end()

    def compute(self) -> Value:
        """The formula's value; all of it must be read."""
        made = self.sum()
        assert not self.tokens, self.tokens
        return made

    def take(self, mark: str = "") -> tuple[str, str]:
        token = self.tokens.pop(0)
        assert mark in ("", token[1]), (mark, token)
        return token

    def next_is(self, *marks: str) -> bool:
        return bool(self.tokens) and self.tokens[0][0] == "mark" and self.tokens[0][1] in marks

    def sum(self) -> Value:
        made = self.one()
        while self.next_is("+", "-", "&"):
            mark, other = self.take()[1], self.one()
            if mark == "&":
                made = (made, other)
            else:
                made = number(made) + (number(other) if mark == "+" else -number(other))
        return made

    def one(self) -> Value:
        kind, text = self.take()
        if (kind, text) == ("mark", "-"):
            return -number(self.one())
        if (kind, text) == ("mark", "("):
            made = self.sum()
            self.take(")")
            return made
        if kind == "number":
            return Decimal(text)
        if kind == "text":
            return text[1:-1]
        if kind == "function":
            return getattr(self, f"do_{text.lower()}")(self.arguments())
        assert kind == "reference", text
        return self.cells(text)

    def arguments(self) -> list[Value]:
        self.take("(")
        made = [self.sum()]
        while self.next_is(","):
            self.take(",")
            made.append(self.sum())
        self.take(")")
        return made

    def cells(self, text: str) -> Value:
        sheet, _, cells = text.rpartition("!")
        name = sheet.strip("'") or self.sheet
        left, top, right, bottom = range_boundaries(cells.replace("$", ""))
        found = [
            self.sheets.at(name, row, column)
            for row in range(top, bottom + 1)
            for column in range(left, right + 1)
        ]
        return found if ":" in cells else found[0]

    def do_sum(self, given: list[Value]) -> Decimal:
        return sum((number(value) for value in flat(given)), Decimal(0))

    def do_max(self, given: list[Value]) -> Decimal:
        return max(number(value) for value in flat(given))

    def do_min(self, given: list[Value]) -> Decimal:
        return min(number(value) for value in flat(given))

    def do_abs(self, given: list[Value]) -> Decimal:
        return abs(number(given[0]))

    def do_round(self, given: list[Value]) -> Decimal:
        return number(given[0]).quantize(Decimal(1).scaleb(-int(given[1])), ROUND_HALF_UP)

    def do_sumifs(self, given: list[Value]) -> Decimal:
        summed, *conditions = given
        columns, criteria = conditions[0::2], conditions[1::2]
        assert all(len(column) == len(summed) for column in columns)
        return sum(
            (
                number(value)
                for value, *cells in zip(summed, *columns)
                if all(meets(cell, criterion) for cell, criterion in zip(cells, criteria))
            ),
            Decimal(0),
        )


def flat(given: list[Value]) -> list[Value]:
    return [value for part in given for value in (part if isinstance(part, list) else [part])]


def number(value: Value) -> Decimal:
    """An empty cell counts nothing, and so does a text in a sum."""
    return value if isinstance(value, Decimal) else Decimal(0)


def meets(cell: Value, criterion: Value) -> bool:
    if isinstance(criterion, tuple):
        sign, limit = criterion
        assert sign == "<="
        return isinstance(cell, date) and cell <= limit
    assert criterion is not None
    return bool(cell == criterion)
