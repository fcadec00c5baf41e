"""A bank's mapping: which file and column is which field, and the declared forms.

One TOML file per bank; the portal ships `harbour` and its own `portal` in mappings/.
"""

from __future__ import annotations

import codecs
import tomllib
from collections.abc import Collection
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from portal.bank_files.fields import (
    AMOUNTS,
    CODES,
    FILES,
    KEY_FIELDS,
    OPTIONAL_FILES,
    Field,
    Forms,
    missing_fields,
)
from portal.money import EXPONENTS

SHIPPED = Path(__file__).parent / "mappings"

#: Encodings a mapping may declare. GBK and GB2312 are GB18030 without the rare characters names need.
ENCODINGS = ("utf-8", "utf-8-sig", "gb18030")
LINE_ENDS = {"CRLF": b"\r\n", "LF": b"\n"}
MANIFEST_KEYS = (
    "bank",
    "batch",
    "sequence",
    "business_date",
    "encoding",
    "mode",
    "demonstration",
    "files",
    "rows",
    "sha256",
    "totals",
)


class BadMapping(ValueError):
    """A mapping that cannot be used; the message names the file and the key."""


@dataclass(frozen=True)
class FileForm:
    """One file: its name, its columns in order (header -> field), code translations per field, what each
    field holds and which of them name a row."""

    kind: str
    file: str
    columns: Table[str, str]
    codes: Table[str, Table[str, str]]
    fields: Table[str, Field]
    key: tuple[str, ...]
    cost_memos: frozenset[str] = frozenset()

    @property
    def header_of(self) -> dict[str, str]:
        """field -> the bank's own column name, for reports."""
        return {field: header for header, field in self.columns.items()}

    def key_of(self, row: Table[str, Any]) -> str:
        """What names a row of this file, as text."""
        return "/".join(str(row.get(name)) for name in self.key)

    @property
    def amount_columns(self) -> dict[str, str]:
        """header -> field, of the columns that the manifest totals."""
        return {header: field for header, field in self.columns.items() if self.fields[field].kind in AMOUNTS}


@dataclass(frozen=True)
class Mapping:
    """All that is particular to one bank's export."""

    name: str
    #: the manifest's bank id, or "*" for the portal's own form
    bank: str
    currency: str
    encoding: str
    delimiter: str
    line_end: bytes
    forms: Forms
    manifest_file: str
    manifest_date: str
    #: our name of a manifest entry -> the bank's
    manifest_keys: Table[str, str]
    #: in the order of FILES
    files: Table[str, FileForm]
    #: the file's own text, and its `[outgoing]` part as it stands there
    text: str = ""
    outgoing: Table[str, Any] = field(default_factory=dict)

    def header(self, kind: str) -> bytes:
        """The header row of a file, byte for byte, without its line end."""
        return self.delimiter.join(self.files[kind].columns).encode(self.encoding)


def load_mapping(name: str) -> Mapping:
    """The shipped mapping called `name`, or the TOML file at that path. Raises BadMapping."""
    path = SHIPPED / f"{name}.toml"
    if "/" in name or name.endswith(".toml"):
        path = Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        shipped = ", ".join(sorted(found.stem for found in SHIPPED.glob("*.toml")))
        raise BadMapping(f"{name}: no such mapping (shipped: {shipped})") from None
    except UnicodeDecodeError as error:
        raise BadMapping(f"{path.name}: {error}") from None
    return parse_mapping(text, source=path.name)


def parse_mapping(text: str, *, source: str) -> Mapping:
    """The mapping that a TOML text describes; `source` names it in complaints. Raises BadMapping."""
    try:
        return _mapping(tomllib.loads(text), text)
    except KeyError as error:
        raise BadMapping(f"{source}: {error.args[0]} is missing") from None
    except (BadMapping, tomllib.TOMLDecodeError) as error:
        raise BadMapping(f"{source}: {error}") from None


def _mapping(data: dict[str, Any], text: str) -> Mapping:
    form, manifest = data["form"], data["manifest"]
    _one_of("form.encoding", form["encoding"], ENCODINGS)
    _one_of("form.line_end", form["line_end"], LINE_ENDS)
    _one_of("form.amount", form["amount"], ("point", "minor"))
    _one_of("form.delimiter", form["delimiter"], (",", ";", "\t", "|"))
    _one_of("currency", data["currency"], EXPONENTS)
    _one_of("zone", data["zone"], available_timezones())
    return Mapping(
        name=data["name"],
        bank=data["bank"],
        currency=data["currency"],
        encoding=codecs.lookup(form["encoding"]).name,
        delimiter=form["delimiter"],
        line_end=LINE_ENDS[form["line_end"]],
        forms=Forms(
            date=_date_form("form.date", form["date"], moment=False),
            moment=_date_form("form.moment", form["moment"], moment=True),
            amount=form["amount"],
            list_separator=form["list_separator"],
            zone=data["zone"],
        ),
        manifest_file=manifest["file"],
        manifest_date=_date_form("manifest.date", manifest["date"], moment=False),
        manifest_keys={key: manifest[key] for key in MANIFEST_KEYS},
        files={
            kind: _file_form(kind, data["files"][kind])
            for kind in FILES
            if kind in data["files"] or kind not in OPTIONAL_FILES
        },
        text=text,
        outgoing=data.get("outgoing", {}),
    )


def _one_of(key: str, value: object, allowed: Collection[str]) -> None:
    if value not in allowed:
        known = ", ".join(map(repr, sorted(allowed)[:20]))
        raise BadMapping(f"{key} is {value!r}, not one of {known}")


def _date_form(key: str, form: str, *, moment: bool) -> str:
    tokens = ("YYYY", "MM", "DD", "hh", "mm") if moment else ("YYYY", "MM", "DD")
    places = [form.find(token) for token in tokens]
    if -1 in places or places != sorted(places):
        raise BadMapping(f"{key} is {form!r}; it needs {' '.join(tokens)} in this order")
    return form


def _file_form(kind: str, data: dict[str, Any]) -> FileForm:
    columns, codes = data["columns"], data.get("codes", {})
    names = list(columns.values())
    for name in names:
        _one_of(f"files.{kind}.columns", name, tuple(FILES[kind]))
    if len(set(names)) != len(names):
        raise BadMapping(f"files.{kind}.columns names a field twice")
    missing = missing_fields(kind, frozenset(names))
    if missing:
        raise BadMapping(f"files.{kind}.columns lacks {', '.join(missing)}")
    for name in names:
        if FILES[kind][name].kind == "code":
            _check_codes(kind, name, codes)
    memos = data.get("cost_memos", {})
    return FileForm(kind, data["file"], columns, codes, FILES[kind], KEY_FIELDS[kind], frozenset(memos))


def _check_codes(kind: str, field: str, codes: dict[str, dict[str, str]]) -> None:
    if field not in codes:
        raise BadMapping(f"files.{kind}.codes.{field} is missing")
    for stored in codes[field].values():
        _one_of(f"files.{kind}.codes.{field}", stored, sorted(CODES[kind, field]))
