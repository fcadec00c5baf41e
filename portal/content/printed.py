"""A paper as somebody copies it out of the file: its words in order, and the labels that programs put anywhere. Pure.

Most programs copy a paper's words in the order in which they were set. Some sort them by their place on the
page: then the words below a code, the bank's name and the seal stand between other lines. Those labels hold
nothing particular. So a paper is known in two forms: all of its lines in order, and without its labels.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from portal.content.folding import fold

#: A page's number at the end of a line of ours, and alone on a line in what was copied.
_PAGE_AT_END = re.compile(r"(?P<line>.*\S) +(?P<page>[0-9]+ / [0-9]+)")
_PAGE_ALONE = re.compile(r"^([0-9]+) ?/ ?([0-9]+)$", re.MULTILINE)
_AMOUNT = re.compile(r"[0-9][0-9,]*\.[0-9]{2}(?![0-9])")
#: A table's first words that stand before amounts in the same line.
_ANY = "[ \n]*"


@dataclass(frozen=True, slots=True)
class Forms:
    """A paper's text: whole, and without its labels; pages end with a form feed. `labels` are folded, without spaces."""

    whole: str
    bare: str
    labels: tuple[str, ...]


def forms(pages: Sequence[str], labels: Sequence[str], *, running: str = "", total: str = "") -> Forms:
    r"""The two forms of a paper with these pages. `running` is what stands beside the bank's name on its second page,
    `total` the word above the last column of its table and before its last row.

    >>> forms(["Bank\nDear you\nScan\nme\n1 / 2"], ["Bank", "Scan me"]).bare
    'Dear you\n1 / 2'
    """
    known = sorted({_squeezed(label) for label in (*labels, total) if label.strip()}, key=len, reverse=True)
    bare, met = [], list[str]()
    for page in pages:
        lines = [
            part
            for line in page.splitlines()
            for part in _parts(line.strip(), known, running, _squeezed(total))
        ]
        kept = list(_without(lines, known, met))
        bare.append("\n".join(kept))
    return Forms("\f".join(pages), "\f".join(bare), tuple(met))


def _parts(line: str, labels: Sequence[str], running: str, total: str) -> Iterator[str]:
    """A line, parted where another program would begin a new one: before a page's number, and after a label."""
    ended = _PAGE_AT_END.fullmatch(line)
    if ended:
        yield from (ended["line"], ended["page"])
        return
    several = _all_labels(line, labels)
    if several:
        yield from several
        return
    begun, _, last = line.rpartition(" ")
    if begun and total and _squeezed(last) == total:
        yield from (begun, last)
        return
    for place, character in enumerate(line):
        rest = line[place:].strip()
        if (
            character == " "
            and _squeezed(line[:place]) in labels
            and (rest == running or _AMOUNT.match(rest))
        ):
            yield from (line[:place], rest)
            return
    if line:
        yield line


def _all_labels(line: str, labels: Sequence[str]) -> list[str]:
    """The labels that a line consists of, such as the head of a table; none where it says more."""
    found, words = list[str](), list[str]()
    for word in line.split(" "):
        words.append(word)
        if _squeezed(" ".join(words)) in labels:
            found.append(" ".join(words))
            words.clear()
    return [] if words else found


def _without(lines: Sequence[str], labels: Sequence[str], met: list[str]) -> Iterator[str]:
    """The lines that are no label; a label may take several lines. Each one met is put to `met`."""
    at = 0
    while at < len(lines):
        for count in (3, 2, 1):
            label = _squeezed("".join(lines[at : at + count]))
            if label in labels and at + count <= len(lines):
                met.append(label)
                at += count
                break
        else:
            yield lines[at]
            at += 1


def unlabelled(lines: str, labels: tuple[str, ...]) -> str | None:
    """Folded lines without the labels among them; None where a label stands there more often than we print it."""
    left = _PAGE_ALONE.sub(r"\1 / \2", lines)
    for label in dict.fromkeys(labels):
        left, count = _line_of(label).subn("", left)
        if count > labels.count(label):
            return None
    return re.sub("\n+", "\n", left).strip("\n")


@functools.lru_cache(maxsize=500)
def _line_of(label: str) -> re.Pattern[str]:
    """Whole lines that say `label`."""
    return re.compile(rf"(?:^|(?<=\n)){_ANY.join(map(re.escape, label))}(?=\n|$)")


def _squeezed(text: str) -> str:
    return re.sub(r"\s", "", fold(text))
