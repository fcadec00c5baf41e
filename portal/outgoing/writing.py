"""From entries to the bytes of a batch's files, in the form a mapping declares. Pure; the intake's reader
reads them back to the same values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from portal.bank_files.cells import marked
from portal.bank_files.fields import Field, Forms
from portal.bank_files.manifest import TOTAL_DECIMALS, show_total
from portal.bank_files.mapping import FileForm
from portal.bank_files.mapping import Mapping as BankMapping
from portal.money import EXPONENTS, Money

#: field -> value as an entry keeps it: text, whole number, list of texts, nothing; days and instants as ISO
Row = Mapping[str, Any]
_TOKENS = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "hh": "%H", "mm": "%M"}


@dataclass
class Written:
    """What the manifest says of one file. `totals`: column header -> sum in thousandths."""

    rows: int = 0
    totals: dict[str, int] = field(default_factory=dict)
    digest: Any = field(default_factory=hashlib.sha256)


def file_bytes(kind: str, rows: Iterable[Row], mapping: BankMapping, written: Written) -> Iterator[bytes]:
    """The file's header and rows, one at a time; `written` is filled on the way."""
    form = mapping.files[kind]
    written.totals = dict.fromkeys(form.amount_columns, 0)
    writers = {name: _writer(form, name, mapping.forms) for name in form.columns.values()}
    for line in _lines(rows, form, mapping, writers, written):
        raw = line.encode("utf-8" if mapping.encoding == "utf-8-sig" else mapping.encoding)
        if written.rows == 0 and mapping.encoding == "utf-8-sig":
            raw = b"\xef\xbb\xbf" + raw
        raw += mapping.line_end
        written.digest.update(raw)
        yield raw


def manifest_bytes(facts: Mapping[str, Any], files: Mapping[str, Written], mapping: BankMapping) -> bytes:
    """The manifest, in the form the intake documents; `facts` are its entries but the files."""
    keys = mapping.manifest_keys
    decimals = EXPONENTS[mapping.currency]
    listed = {
        mapping.files[kind].file: {
            keys["rows"]: one.rows,
            keys["sha256"]: one.digest.hexdigest(),
            keys["totals"]: {header: show_total(total, decimals) for header, total in one.totals.items()},
        }
        for kind, one in files.items()
    }
    content = {keys[name]: value for name, value in facts.items()} | {keys["files"]: listed}
    return (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode()


def date_text(day: date | datetime, form: str) -> str:
    """A day or moment in a declared form.

    >>> date_text(date(2026, 11, 20), "YYYYMMDD"), date_text(datetime(2026, 1, 2, 9, 5), "YYYY-MM-DD hh:mm")
    ('20261120', '2026-01-02 09:05')
    """
    for token, meaning in _TOKENS.items():
        form = form.replace(token, day.strftime(meaning).rjust(len(token), "0"))
    return form


def _lines(
    rows: Iterable[Row],
    form: FileForm,
    mapping: BankMapping,
    writers: Mapping[str, Callable[[Any, str], str]],
    written: Written,
) -> Iterator[str]:
    yield mapping.delimiter.join(form.columns)
    quoted = (mapping.delimiter, '"', "\r", "\n")
    for row in rows:
        currency = row.get("currency") or mapping.currency
        cells = [writers[name](row[name], currency) for name in form.columns.values()]
        written.rows += 1
        for header, name in form.amount_columns.items():
            written.totals[header] += int(row[name]) * 10 ** (TOTAL_DECIMALS - EXPONENTS[currency])
        yield mapping.delimiter.join(
            '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in quoted) else cell
            for cell in cells
        )


def _writer(form: FileForm, name: str, forms: Forms) -> Callable[[Any, str], str]:
    spec = form.fields[name]
    write = _WRITERS.get(spec.kind, _plain)(spec, forms, form.codes.get(name, {}))
    return lambda value, currency: "" if value is None or value == "" else write(value, currency)


Made = Callable[[Any, str], str]


def _plain(spec: Field, forms: Forms, codes: Mapping[str, str]) -> Made:
    return lambda value, currency: str(value)


def _amount(spec: Field, forms: Forms, codes: Mapping[str, str]) -> Made:
    if forms.amount == "minor":
        return lambda value, currency: str(value)
    return lambda value, currency: Money(value, currency).plain()


def _date(spec: Field, forms: Forms, codes: Mapping[str, str]) -> Made:
    return lambda value, currency: date_text(date.fromisoformat(value), forms.date)


def _moment(spec: Field, forms: Forms, codes: Mapping[str, str]) -> Made:
    zone = ZoneInfo(forms.zone)
    return lambda value, currency: date_text(datetime.fromisoformat(value).astimezone(zone), forms.moment)


def _code(spec: Field, forms: Forms, codes: Mapping[str, str]) -> Made:
    words = {stored: word for word, stored in codes.items()}
    return lambda value, currency: words[value]


def _list(spec: Field, forms: Forms, codes: Mapping[str, str]) -> Made:
    return lambda value, currency: forms.list_separator.join(value)


def _cell_text(spec: Field, forms: Forms, codes: Mapping[str, str]) -> Made:
    return lambda value, currency: marked(value)


_WRITERS: Mapping[str, Callable[[Field, Forms, Mapping[str, str]], Made]] = {
    "amount": _amount,
    "signed": _amount,
    "date": _date,
    "moment": _moment,
    "code": _code,
    "refs": _list,
    "words": _list,
    "cell_text": _cell_text,
}
