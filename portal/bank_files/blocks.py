"""The rows of a file as blocks of cells: plain lines are matched a block at a time, the others read strictly.

A row that is handed on is one the strict reading accepts, whichever way it went; tests hold the two
readings equal. What is handed on are the cells, still text: a database turns them into values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from portal.bank_files.plain import block_patterns
from portal.bank_files.reading import Lines, Read, Rows, Source, header_is_right, reads_as_utf8
from portal.bank_files.rejections import Rejections

Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Good rows in a run of lines of which `line` is the first; `width` cells a row.

    `text` holds them as they stand in the file, with LF at the end of each, where none of them has a
    quotation mark; else it is None, and `own` has the cells of all rows one after the other.
    """

    line: int
    count: int
    width: int
    delimiter: str
    text: str | None
    own: Sequence[str] = ()

    def cells(self) -> Sequence[str]:
        """The cells of all rows, one after the other."""
        return self.own if self.text is None else cut(self.text, self.delimiter)

    def rows(self) -> Iterator[Cells]:
        """The cells of each row."""
        return zip(*[iter(self.cells())] * self.width, strict=True)


def cut(text: str, delimiter: str) -> list[str]:
    """The cells of lines without quotation marks that end in LF."""
    return text[:-1].replace("\n", delimiter).split(delimiter)


def read_blocks(
    source: Source, rejections: Rejections, seen: Read, *, exponent: int | None
) -> Iterator[Block]:
    """The good rows of a file; faults go to `rejections`, and `seen` is filled as by `read_rows`.

    `exponent`: decimals of every amount in the file; None where they differ from row to row, and each
    row is read strictly.
    """
    with source.path.open("rb") as stream:
        lines = Lines(stream)
        if header_is_right(source, lines.next(), rejections):
            reader = _Blocks(source, rejections, seen, exponent)
            yield from reader.draw(lines)
            seen.complete = not reader.rows.stopped
        lines.drain()
        seen.sha256 = lines.digest.hexdigest()


class _Blocks:
    def __init__(self, source: Source, rejections: Rejections, seen: Read, exponent: int | None) -> None:
        self.rows, self.seen = Rows(source, rejections, seen), seen
        mapping = source.mapping
        self.patterns = block_patterns(source.form, mapping, exponent) if exponent is not None else None
        self.encoding = "utf-8" if mapping.encoding == "utf-8-sig" else mapping.encoding
        self.width, self.delimiter = len(source.form.columns), mapping.delimiter

    def draw(self, lines: Lines) -> Iterator[Block]:
        while not self.rows.stopped:
            raw = lines.block()
            if not raw:
                return
            block = self._plain(raw, lines.number + 1)
            if block is not None:
                lines.took(raw, block.count)
                self.seen.rows += block.count
                yield block
            else:
                yield from self._strictly(lines, lines.back(raw))

    def _plain(self, raw: bytes, line: int) -> Block | None:
        """The block as a whole, where every line of it is plain."""
        if self.patterns is None:
            return None
        text = self._decoded(raw)
        if text is None or not text.endswith("\n"):
            return None
        bare, quoted = self.patterns
        is_quoted = text.startswith('"')
        if not (quoted if is_quoted else bare).fullmatch(text):
            return None
        # only in line ends: no cell of a plain line has either
        text = text.replace("\r\n", "\n")
        if not is_quoted:
            return Block(line, text.count("\n"), self.width, self.delimiter, text)
        between = f'"{self.delimiter}"'
        cells = text[1:-2].replace('"\n"', between).split(between)
        return Block(line, text.count("\n"), self.width, self.delimiter, None, cells)

    def _decoded(self, raw: bytes) -> str | None:
        if not raw.isascii() and self.encoding != "utf-8" and reads_as_utf8(raw):
            return None
        try:
            return raw.decode(self.encoding)
        except UnicodeDecodeError:
            return None

    def _strictly(self, lines: Lines, until: int) -> Iterator[Block]:
        """Each line for itself: first whether it is plain, then cell by cell."""
        while lines.offset < until and not self.rows.stopped:
            start = lines.offset
            raw = lines.next()
            plain = self._plain(raw, lines.number)
            if plain is not None:
                self.seen.rows += 1
                yield plain
                continue
            found = self.rows.read(raw, start, lines)
            if found.row is not None and found.cells is not None:
                yield Block(found.line, 1, self.width, self.delimiter, None, found.cells)
