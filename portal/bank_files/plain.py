"""What a row without surprises looks like, as one expression for a run of whole lines.

Pure. Whatever the expression matches, the strict reading of `fields.parser_for` accepts; a row it does
not match may still be good, and is read cell by cell. So a million good rows cost one look each, and
every fault is still named by the strict reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from portal.bank_files.fields import Field, Forms
from portal.bank_files.mapping import FileForm
from portal.bank_files.mapping import Mapping as BankMapping
from portal.money import EXPONENTS

_TOKENS = {"YYYY": "(?:19[7-9][0-9]|2[01][0-9]{2})", "hh": "(?:[01][0-9]|2[0-3])", "mm": "[0-5][0-9]"}


def block_patterns(
    form: FileForm, mapping: BankMapping, exponent: int
) -> tuple[re.Pattern[str], re.Pattern[str]] | None:
    """Expressions for any number of whole plain lines with their ends: with no cell quoted, and with every
    cell quoted. Amounts have `exponent` decimals. None where a field has no plain form.

    No groups: the cells of lines known to be plain stand between their delimiters, and cutting them there
    costs half of what groups cost.
    """
    cells = [cell_pattern(spec, name, form, mapping, exponent) for name, spec in _specs(form)]
    if any(cell is None for cell in cells):
        return None
    end = mapping.line_end.decode().replace("\r", r"\r").replace("\n", r"\n")
    bare = re.escape(mapping.delimiter).join(f"(?:{cell})" for cell in cells)
    quoted = re.escape(mapping.delimiter).join(f'"(?:{cell})"' for cell in cells)
    # possessive: a line that matched is not tried in another way, and nothing is kept to do so
    return re.compile(f"(?:{bare}{end})*+"), re.compile(f"(?:{quoted}{end})*+")


def _specs(form: FileForm) -> list[tuple[str, Field]]:
    return [(name, form.fields[name]) for name in form.columns.values()]


def cell_pattern(spec: Field, name: str, form: FileForm, mapping: BankMapping, exponent: int) -> str | None:
    """What a plain cell of this field looks like; None where there is none."""
    found = _pattern(spec, name, form, mapping, exponent)
    return f"(?:{found})?" if found is not None and spec.optional else found


def _pattern(spec: Field, name: str, form: FileForm, mapping: BankMapping, exponent: int) -> str | None:
    forms, size = mapping.forms, spec.size
    if spec.kind in ("amount", "signed"):
        return _amount(forms, exponent, signed=spec.kind == "signed")
    if spec.kind == "code":
        return _one_of(form.codes[name])
    if spec.kind == "text":
        return rf'[^{re.escape(mapping.delimiter)}"\x00-\x1f\x7f\ufffd]{{1,{size}}}'
    simple = {
        "ref": rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{size - 1}}}",
        "outside_ref": rf"[A-Za-z0-9][A-Za-z0-9._/:-]{{0,{size - 1}}}",
        # one of several is left to the strict reading, which also sees that none is named twice
        "refs": rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{size - 1}}}",
        "date": _stamp(forms.date),
        "moment": _stamp(forms.moment),
        "rate": r"[0-9](?:\.[0-9]{1,8})?|[0-9]{1,3}(?:\.[0-9]{1,8})?%",
        "number": up_to(size),
        "phone": r"\+?[0-9]{6,15}" if size >= 16 else None,
        "id_number": rf"[0-9A-Z]{{4,{size}}}",
        "currency": _one_of(code for code, decimals in EXPONENTS.items() if decimals == exponent),
    }
    return simple.get(spec.kind)


def _one_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in words)


def _amount(forms: Forms, exponent: int, *, signed: bool) -> str:
    sign = "-?" if signed else ""
    if forms.amount == "minor":
        return f"0|{sign}[1-9][0-9]{{0,11}}"
    if exponent == 0:
        return f"0|{sign}[1-9][0-9]{{0,9}}"
    some = "|".join(
        f"[0-9]{{{place}}}[1-9]" + (f"[0-9]{{{exponent - place - 1}}}" if place + 1 < exponent else "")
        for place in range(exponent)
    )
    nought = "0" * exponent
    return rf"0\.{nought}|{sign}(?:[1-9][0-9]{{0,8}}\.[0-9]{{{exponent}}}|0\.(?:{some}))"


def _stamp(form: str) -> str:
    """A date of the declared form that surely exists; 29 February is left to the strict reading."""
    # a mapping's forms have year, month and day in this order
    year, between, rest = re.fullmatch("(.*)MM(.*)DD(.*)", form).groups()  # type: ignore[union-attr]
    literal = re.escape(between)
    month, day = "(?:0[1-9]|1[0-2])", "(?:0[1-9]|1[0-9]|2[0-8])"
    long = f"(?:0[13-9]|1[0-2]){literal}(?:29|30)|(?:0[13578]|1[02]){literal}31"
    return f"{_pieces(year)}(?:{month}{literal}{day}|{long}){_pieces(rest)}"


def _pieces(form: str) -> str:
    return "".join(_TOKENS.get(piece) or re.escape(piece) for piece in re.split("(YYYY|hh|mm)", form))


def up_to(largest: int) -> str:
    """Whole numbers from 0 to `largest` without leading noughts, as an expression.

    >>> up_to(31), up_to(600)
    ('[0-9]|[12][0-9]|3[01]', '[0-9]|[1-9][0-9]|[1-5][0-9]{2}|600')
    """
    text = str(largest)
    shorter = ["[0-9]"] + [f"[1-9]{_any(length - 1)}" for length in range(2, len(text))]
    if len(text) == 1:
        return f"[0-{text}]"
    same = []
    for place, digit in enumerate(text):
        low, high = (1 if place == 0 else 0), int(digit) - (place + 1 < len(text))
        if low <= high:
            same.append(text[:place] + _span(low, high) + _any(len(text) - place - 1))
    if int(text[-1]) == 0:
        same[-1] = text
    return "|".join(shorter + same)


def _any(count: int) -> str:
    return "" if count <= 0 else "[0-9]" if count == 1 else f"[0-9]{{{count}}}"


def _span(low: int, high: int) -> str:
    if low == high:
        return str(low)
    return f"[{low}{high}]" if high == low + 1 else f"[{low}-{high}]"
