"""Which characters our fonts can draw, and what stands for one that none of them can."""

from __future__ import annotations

import functools
import struct
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

#: The fonts that come with the portal; nothing of the machine's own is used.
FOLDER = Path(__file__).parent / "fonts"
#: Characters that draw nothing and need no glyph.
_SPACES = frozenset("\n\t\u00a0")
_SEGMENTED, _GROUPED = 4, 12


@functools.cache
def drawable() -> frozenset[int]:
    """The code points that at least one of the fonts draws."""
    return frozenset().union(*(covered(path) for path in font_files()))


def font_files() -> tuple[Path, ...]:
    """The font files, in order of their names."""
    return tuple(sorted(path for path in FOLDER.iterdir() if path.suffix in (".otf", ".ttf")))


def covered(path: Path) -> frozenset[int]:
    """The code points in a font file's character map. ValueError for a file without one we can read."""
    data = path.read_bytes()
    (count,) = struct.unpack_from(">H", data, 4)
    tables = {data[at : at + 4]: data[at + 8 : at + 16] for at in range(12, 12 + 16 * count, 16)}
    start, length = struct.unpack(">II", tables[b"cmap"])
    return _mapped(data[start : start + length])


def _mapped(cmap: bytes) -> frozenset[int]:
    (count,) = struct.unpack_from(">H", cmap, 2)
    found: dict[int, int] = {}
    for at in range(4, 4 + 8 * count, 8):
        (offset,) = struct.unpack_from(">I", cmap, at + 4)
        (form,) = struct.unpack_from(">H", cmap, offset)
        found[form] = offset
    if _GROUPED in found:
        return frozenset(_of_groups(cmap, found[_GROUPED]))
    if _SEGMENTED in found:
        return frozenset(_of_segments(cmap, found[_SEGMENTED]))
    raise ValueError("no character map of a known form")


def _of_groups(cmap: bytes, offset: int) -> Iterator[int]:
    (count,) = struct.unpack_from(">I", cmap, offset + 12)
    for at in range(offset + 16, offset + 16 + 12 * count, 12):
        first, last, _glyph = struct.unpack_from(">III", cmap, at)
        yield from range(first, last + 1)


def _of_segments(cmap: bytes, offset: int) -> Iterator[int]:
    (twice,) = struct.unpack_from(">H", cmap, offset + 6)
    ends, starts = offset + 14, offset + 16 + twice
    for step in range(0, twice, 2):
        (last,), (first,) = (
            struct.unpack_from(">H", cmap, ends + step),
            struct.unpack_from(">H", cmap, starts + step),
        )
        yield from (code for code in range(first, last + 1) if code != 0xFFFF)


def missing(text: str) -> tuple[str, ...]:
    """The characters of `text` that no font draws, each once, in the order they come.

    >>> missing("港湾银行 Harbour ¥1.00"), missing("\\U0001f600")
    ((), ('😀',))
    """
    known = drawable()
    return tuple(dict.fromkeys(c for c in text if ord(c) not in known and c not in _SPACES))


def spelled_out(text: str) -> str:
    """`text` in composed form (NFC), with each character that no font draws written as its number:
    a reader sees that something stands there, and which it is, and never an empty box.

    >>> spelled_out("王\\U0001f600"), spelled_out("e\\u0301")
    ('王〔U+1F600〕', 'é')
    """
    composed = unicodedata.normalize("NFC", text)
    gone = missing(composed)
    if not gone:
        return composed
    return "".join(f"〔U+{ord(c):04X}〕" if c in gone else c for c in composed)


def spelled(value: Any) -> tuple[Any, tuple[str, ...]]:
    """A paper's data with every text spelled out, and the characters that no font draws."""
    lost: dict[str, None] = {}

    def walk(item: Any) -> Any:
        if isinstance(item, str):
            composed = unicodedata.normalize("NFC", item)
            lost.update(dict.fromkeys(missing(composed)))
            return spelled_out(composed)
        if isinstance(item, Mapping):
            return {str(key): walk(part) for key, part in item.items()}
        if isinstance(item, list | tuple):
            return [walk(part) for part in item]
        return item

    return walk(value), tuple(lost)
