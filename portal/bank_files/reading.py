"""From the bytes of one file to rows of typed values, one row in memory at a time.

The header must equal the mapping's byte for byte in the declared encoding; no encoding is ever
guessed, only named in the refusal. This is the strict reading, cell by cell, in which each fault is
named; blocks.py passes blocks of plain lines by without it.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from portal.bank_files.fields import FieldFault, Parser, Value, parser_for
from portal.bank_files.mapping import FileForm
from portal.bank_files.mapping import Mapping as BankMapping
from portal.bank_files.rejections import Rejections, excerpt_of

#: The longest row, quoted line breaks included.
LINE_LIMIT = 64 * 1024
#: How much of a file is looked at as a whole.
BLOCK = 128 * 1024
_MARKS = (
    (codecs.BOM_UTF8, "UTF-8"),
    (codecs.BOM_UTF16_LE, "UTF-16 LE"),
    (codecs.BOM_UTF16_BE, "UTF-16 BE"),
)
_READS_AS = ("utf-8", "gb18030", "big5", "utf-16-le", "utf-16-be")
_SEPARATORS = {",": ",", ";": ";", "\t": "TAB", "|": "|"}
#: Four Chinese characters in UTF-8; text in GB18030 does not look like this by chance.
_UTF8_RUN = re.compile(rb"(?:[\xe3-\xe9][\x80-\xbf]{2}){4}")

#: field -> value, of the type that the kind of the field says (fields.py)
Row = Mapping[str, Any]


@dataclass(slots=True)
class Read:
    """What was seen of a file once its rows have been drawn."""

    rows: int = 0
    sha256: str = ""
    complete: bool = False
    #: references of rows that were refused, so that rows naming them are not refused a second time
    refused: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Source:
    """One file to read under a mapping.

    `currency_of` gives the currency in which a row's amounts are read.
    """

    path: Path
    form: FileForm
    mapping: BankMapping
    currency_of: Callable[[Mapping[str, str]], str]


def read_rows(source: Source, rejections: Rejections, seen: Read) -> Iterator[tuple[int, Row]]:
    """Each good row with its line number (the header is line 1); faults go to `rejections`.

    `seen` is filled: rows counted good or bad, the file's SHA-256, and whether it was read to its end.
    """
    with source.path.open("rb") as stream:
        lines = Lines(stream)
        if header_is_right(source, lines.next(), rejections):
            rows = Rows(source, rejections, seen)
            yield from rows.draw(lines)
            seen.complete = not rows.stopped
        lines.drain()
        seen.sha256 = lines.digest.hexdigest()


class Lines:
    """Bounded reading of lines or of blocks of whole lines, hashing on the way."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.digest = hashlib.sha256()
        self.offset = 0
        self.number = 0
        self._waiting = io.BytesIO()

    def next(self) -> bytes:
        """The next line with its end, cut beyond the limit; empty at the end of the file."""
        raw = self._waiting.readline(LINE_LIMIT + 1)
        if not raw.endswith(b"\n") and len(raw) <= LINE_LIMIT:
            more = self.stream.readline(LINE_LIMIT + 1 - len(raw))
            self.digest.update(more)
            raw += more
        self.offset += len(raw)
        self.number += bool(raw)
        return raw

    def block(self) -> bytes:
        """Whole lines, about BLOCK bytes of them; what `next` has left of an earlier block goes first."""
        rest = self._waiting.read()
        if rest:
            return rest
        raw = self.stream.read(BLOCK)
        if raw and not raw.endswith(b"\n"):
            raw += self.stream.readline(LINE_LIMIT + 1)
        self.digest.update(raw)
        return raw

    def took(self, block: bytes, lines: int) -> None:
        """The block was read as a whole."""
        self.offset += len(block)
        self.number += lines

    def back(self, block: bytes) -> int:
        """The block is to be read line by line; how far the file will then have been read."""
        self._waiting = io.BytesIO(block)
        return self.offset + len(block)

    def drain(self) -> None:
        """Hash what is left."""
        while block := self.stream.read(1 << 20):
            self.digest.update(block)


@dataclass(frozen=True, slots=True)
class Found:
    """One row: its cells as text and, where it is good, its values."""

    line: int
    cells: list[str] | None
    row: Row | None


class Rows:
    """The rows below the header, read strictly."""

    def __init__(self, source: Source, rejections: Rejections, seen: Read) -> None:
        self.source, self.rejections, self.seen = source, rejections, seen
        self.stopped = False
        form, mapping = source.form, source.mapping
        self.fields = list(form.columns.values())
        self.headers = list(form.columns)
        specs = form.fields
        self.parsers: list[Parser] = [
            parser_for(specs[name], mapping.forms, form.codes.get(name, {})) for name in self.fields
        ]
        self.personal = [specs[name].personal for name in self.fields]
        self.legacy = mapping.encoding == "gb18030"

    def draw(self, lines: Lines) -> Iterator[tuple[int, Row]]:
        """Each good row with its line number."""
        while not self.stopped:
            found = self.one(lines)
            if found is None:
                return
            if found.row is not None:
                yield found.line, found.row

    def one(self, lines: Lines) -> Found | None:
        """The next row, good or refused; None at the end of the file."""
        start = lines.offset
        raw = lines.next()
        return self.read(raw, start, lines) if raw else None

    def read(self, raw: bytes, start: int, lines: Lines) -> Found:
        """The row that begins with the line `raw`, which was just taken from `lines` at byte `start`."""
        number = lines.number
        self.seen.rows += 1
        text = self._text(raw, start, number, lines)
        cells = self._cells(text, number) if text is not None else None
        row = self._values(cells, number) if cells is not None else None
        return Found(number, cells, row)

    def _fault(self, reason: str, number: int, **facts: Any) -> None:
        self.rejections.add(reason, self.source.form.file, line=number, **facts)

    def _text(self, raw: bytes, start: int, number: int, lines: Lines) -> str | None:
        """The whole record as text without its line end, quoted line breaks included; None if refused."""
        if len(raw) > LINE_LIMIT:
            self.stopped = True
            self._fault("line_long", number, limit=LINE_LIMIT)
            return None
        while raw.count(b'"') % 2:
            more = lines.next()
            if not more or len(raw) + len(more) > LINE_LIMIT:
                self.stopped = True
                self._fault("quote_open", number)
                return None
            raw += more
        end = self.source.mapping.line_end
        if not raw.endswith(end) or (end == b"\n" and raw.endswith(b"\r\n")):
            shown = "CR LF" if end == b"\r\n" else "LF"
            self._fault("line_end", number, expected=shown)
            return None
        return self._decoded(raw[: -len(end)], start, number)

    def _decoded(self, raw: bytes, start: int, number: int) -> str | None:
        encoding = "utf-8" if self.source.mapping.encoding == "utf-8-sig" else self.source.mapping.encoding
        if self.legacy and reads_as_utf8(raw) and _decodes(raw, "utf-8"):
            self._fault("mixed_encoding", number, offset=start, expected=encoding)
            return None
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as error:
            self._fault("undecodable", number, offset=start + error.start, expected=encoding)
            return None

    def _cells(self, text: str, number: int) -> list[str] | None:
        if text == "":
            self._fault("blank_line", number)
            return None
        try:
            # newline="" keeps quoted line breaks as they are
            reader = csv.reader(
                io.StringIO(text, newline=""), delimiter=self.source.mapping.delimiter, strict=True
            )
            (cells,) = reader
        except (csv.Error, ValueError):
            self._fault("quote", number)
            return None
        if len(cells) != len(self.fields):
            self._fault("cell_count", number, found=len(cells), expected=len(self.fields))
            return None
        return cells

    def _values(self, cells: list[str], number: int) -> Row | None:
        currency = self.source.currency_of(dict(zip(self.fields, cells, strict=True)))
        row: dict[str, Value] = {}
        for index, cell in enumerate(cells):
            try:
                row[self.fields[index]] = self.parsers[index](cell, currency)
            except FieldFault as fault:
                self._bad_cell(fault, index, cell, number)
        if len(row) == len(cells):
            return row
        self.seen.refused.add(self.source.form.key_of(row))
        return None

    def _bad_cell(self, fault: FieldFault, index: int, cell: str, number: int) -> None:
        self.rejections.add(
            fault.reason,
            self.source.form.file,
            line=number,
            column=self.headers[index],
            excerpt=excerpt_of(cell, personal=self.personal[index]),
            **fault.facts,
        )


def header_is_right(source: Source, raw: bytes, rejections: Rejections) -> bool:
    """Whether the header row is the declared one; otherwise everything that is wrong with it is named."""
    mapping, form = source.mapping, source.form
    if raw == mapping.header(form.kind) + mapping.line_end:
        return True
    before = rejections.count
    _explain_header(source, raw, rejections)
    return rejections.count == before


def _explain_header(source: Source, raw: bytes, rejections: Rejections) -> None:
    mapping, file = source.mapping, source.form.file
    wanted = mapping.header(source.form.kind)
    if raw == b"":
        return rejections.add("empty_file", file)
    for mark, name in _MARKS:
        if raw.startswith(mark) and not wanted.startswith(mark):
            return rejections.add("byte_order_mark", file, line=1, found=name)
    offset = _first_difference(raw, wanted)
    found = _reads_as(raw, wanted, mapping)
    if found is not None:
        return rejections.add(
            "encoding_header", file, line=1, offset=offset, found=found, expected=mapping.encoding
        )
    try:
        text = raw.decode(mapping.encoding).rstrip("\r\n")
    except UnicodeDecodeError as error:
        return rejections.add("undecodable", file, line=1, offset=error.start, expected=mapping.encoding)
    if raw.startswith((wanted + b"\r", wanted + b"\n")) or raw == wanted:
        return rejections.add(
            "line_end", file, line=1, expected="CR LF" if mapping.line_end == b"\r\n" else "LF"
        )
    _explain_columns(source, text, offset, rejections)


def _first_difference(one: bytes, other: bytes) -> int:
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))


def _reads_as(raw: bytes, wanted: bytes, mapping: BankMapping) -> str | None:
    """The name of another encoding in which the row is exactly the declared header: for the report only."""
    text = wanted.decode(mapping.encoding)
    for name in _READS_AS:
        try:
            if name != mapping.encoding and raw.startswith(text.encode(name)) and text.encode(name) != wanted:
                return name
        except UnicodeEncodeError:
            continue
    return None


def _explain_columns(source: Source, text: str, offset: int, rejections: Rejections) -> None:
    mapping, file = source.mapping, source.form.file
    wanted = list(source.form.columns)
    found = text.split(mapping.delimiter)
    for separator, name in _SEPARATORS.items():
        if len(found) == 1 and separator != mapping.delimiter and text.split(separator) == wanted:
            expected = _SEPARATORS[mapping.delimiter]
            return rejections.add("delimiter", file, line=1, found=name, expected=expected)
    if not set(found) & set(wanted):
        return rejections.add("header_absent", file, line=1)
    before = rejections.count
    _explain_names(file, wanted, found, rejections)
    if rejections.count > before:
        return None
    for expected, name in zip(wanted, found, strict=False):
        if name != expected:
            return rejections.add(
                "column_order", file, line=1, column=expected, found=name, expected=expected
            )
    return rejections.add("header_bytes", file, line=1, offset=offset)


def _explain_names(file: str, wanted: list[str], found: list[str], rejections: Rejections) -> None:
    for name in wanted:
        if name not in found:
            rejections.add("column_missing", file, line=1, column=name)
    for name in dict.fromkeys(found):
        if name not in wanted:
            rejections.add("column_extra", file, line=1, column=excerpt_of(name, personal=False))
        elif found.count(name) > 1:
            rejections.add("column_repeated", file, line=1, column=name)


def reads_as_utf8(raw: bytes) -> bool:
    """Whether there is a run of Chinese in UTF-8 in it, which no text in GB18030 looks like by chance."""
    return _UTF8_RUN.search(raw) is not None


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
