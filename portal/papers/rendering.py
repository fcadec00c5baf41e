"""Making a PDF from a template and plain data.

The data goes in as JSON and is printed as it is: nothing in a name, a memo or an address is ever read
as markup. What is made depends on the template, the data, the language and the instant it is given,
and on nothing else: no clock, no font of the machine, no network.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import typst

from portal.papers import characters

#: Where the templates are; a paper reads nothing outside this folder.
TEMPLATES = Path(__file__).parent.parent.parent / "templates" / "papers"
#: Archivable with the data attached (PDF/A-3, tagged) and readable by a screen reader (PDF/UA-1).
STANDARDS: list[Literal["a-3a", "ua-1"]] = ["a-3a", "ua-1"]
#: What makes our PDFs: another version may write other bytes for the same paper.
MAKER = f"typst {version('typst')}"
#: typst remembers the layout of its last ten or so papers. After one of this many bytes it is made to
#: forget: ten statements of 400 entries would hold 500 MB.
LARGE, REMEMBERED = 300_000, 12


class NotDrawn(ValueError):
    """Characters that no font of ours draws; `characters` names them. Spell them out first."""

    def __init__(self, gone: tuple[str, ...]) -> None:
        super().__init__("no glyph for " + ", ".join(f"U+{ord(c):04X}" for c in gone))
        self.characters = gone


def render(template_name: str, data: Mapping[str, Any], *, language: str, timestamp: datetime) -> bytes:
    """The PDF of `template_name` over `data`, in `language` ("zh", "zh_Hant", "en"), dated `timestamp`.

    The same arguments give the same bytes. Floats have no place on a paper (TypeError). Raises NotDrawn
    where a text holds a character that no font draws: `characters.spelled` writes those as numbers.
    """
    text = _as_json(data)
    gone = characters.missing(text)
    if gone:
        raise NotDrawn(gone)
    compiler = typst.Compiler(
        str(TEMPLATES / f"{template_name}.typ"),
        root=str(TEMPLATES),
        font_paths=_fonts(),
        ignore_system_fonts=True,
        sys_inputs={"data": text, "language": language},
    )
    made = compiler.compile(format="pdf", pdf_standards=[*STANDARDS], timestamp=int(timestamp.timestamp()))
    if not isinstance(made, bytes):
        raise TypeError("one paper is one file")
    if len(made) > LARGE:
        _forget()
    return made


def _forget() -> None:
    """Empty papers push what was remembered out; some milliseconds in all."""
    for _ in range(REMEMBERED):
        typst.Compiler(b"", font_paths=_fonts(), ignore_system_fonts=True).compile(format="svg")


@functools.cache
def _fonts() -> typst.Fonts:
    """The fonts, read once."""
    return typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(characters.FOLDER)]
    )


def _as_json(data: Mapping[str, Any]) -> str:
    _refuse_floats(data)
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError("a paper holds no floats")
    for part in (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    ):
        _refuse_floats(part)
