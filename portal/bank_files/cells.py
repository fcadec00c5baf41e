"""Free text in a cell that a spreadsheet may open: it must not run there, and must read back exactly. Pure."""

from __future__ import annotations

_MARK = "'"
#: How a cell begins that a spreadsheet may run as a formula, or that was marked so that it does not.
_STARTS = ("=", "+", "-", "@", "\t", "\r", _MARK)


def marked(text: str) -> str:
    """A text as a cell that no spreadsheet runs: behind an apostrophe where it begins like a formula or
    with an apostrophe; `unmarked` takes exactly that one away.

    >>> print(marked("=1+1"), unmarked(marked("=1+1")), marked("'t"), unmarked("''t"), marked("plain"))
    '=1+1 =1+1 ''t 't plain
    """
    return f"{_MARK}{text}" if text.startswith(_STARTS) else text


def unmarked(cell: str) -> str:
    """The text that `marked` made the cell of."""
    return cell.removeprefix(_MARK)
