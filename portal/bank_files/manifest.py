"""The manifest that comes with a batch: what the bank says it sent, checked before any row is read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping as Table
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from portal.bank_files.fields import OPTIONAL_FILES, date_pattern
from portal.bank_files.mapping import Mapping
from portal.bank_files.rejections import Rejections

#: Control totals of columns are compared in thousandths, the finest unit of any currency.
TOTAL_DECIMALS = 3
_TOTAL = re.compile(rf"(-?)(0|[1-9][0-9]{{0,15}})(?:\.([0-9]{{1,{TOTAL_DECIMALS}}}))?")
_SHA = re.compile("[0-9a-f]{64}")
_REF = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,47}")
_MANIFEST_LIMIT = 1 << 20

_REQUIRED = {
    "text": ("text", "文本"),
    "sequence": ("a whole number from 1", "不小于 1 的整数"),
    "date": ("a date in the declared form", "声明格式的日期"),
    "mode": ("full or delta", "full 或 delta"),
    "truth": ("true or false", "true 或 false"),
    "files": ("a table of files", "文件列表"),
    "rows": ("a whole number", "整数"),
    "sha256": ("64 hexadecimal digits", "64 位十六进制数字"),
    "totals": ("a table of amounts as text", "以文本表示的金额表"),
}


@dataclass(frozen=True, slots=True)
class ListedFile:
    """What the manifest says of one file. `totals`: column header -> sum in thousandths."""

    name: str
    rows: int
    sha256: str
    totals: Table[str, int]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that has the declared form. `digest` identifies its content, not its layout."""

    bank: str
    batch: str
    sequence: int
    business_date: date
    mode: str
    demonstration: bool
    files: Table[str, ListedFile]
    digest: str


@dataclass(frozen=True, slots=True)
class LastBatch:
    """The last batch taken in."""

    bank: str
    sequence: int
    business_date: date


def read_manifest(directory: Path, mapping: Mapping, rejections: Rejections) -> Manifest | None:
    """The manifest of a batch, or None with everything that is wrong with its form named."""
    path = directory / mapping.manifest_file
    try:
        raw = path.read_bytes() if path.stat().st_size <= _MANIFEST_LIMIT else b""
    except OSError:
        rejections.add("manifest_missing", mapping.manifest_file, name=mapping.manifest_file)
        return None
    try:
        data = json.loads(raw.decode("utf-8"), object_pairs_hook=_once)
        if not isinstance(data, dict):
            raise ValueError("not an object")
    except (ValueError, RecursionError) as error:
        rejections.add("manifest_unreadable", mapping.manifest_file, fault=str(error)[:120])
        return None
    before = rejections.count
    found = _Entries(mapping, data, rejections).manifest()
    return found if rejections.count == before else None


def check_order(
    manifest: Manifest,
    mapping: Mapping,
    last: LastBatch | None,
    today: date,
    repeated_sequence: bool,
    rejections: Rejections,
) -> None:
    """Whether this batch is the bank's next one: right bank, right place in the order, possible date."""
    file = mapping.manifest_file
    expected = last.bank if last else mapping.bank
    if (mapping.bank not in ("*", manifest.bank)) or (last and last.bank != manifest.bank):
        wanted = mapping.bank if mapping.bank != "*" else expected
        rejections.add(
            "bank_other", file, column=mapping.manifest_keys["bank"], found=manifest.bank, expected=wanted
        )
    if manifest.business_date > today:
        rejections.add("date_future", file, found=manifest.business_date, today=today)
    if last is None:
        if manifest.mode != "full":
            rejections.add("mode_first", file)
        return
    facts: dict[str, Any] = {"found": manifest.sequence, "last": last.sequence, "expected": last.sequence + 1}
    if repeated_sequence:
        rejections.add("sequence_repeat", file, **facts)
    elif manifest.sequence <= last.sequence:
        rejections.add("sequence_old", file, **facts)
    elif manifest.sequence > last.sequence + 1:
        rejections.add("sequence_gap", file, **facts)
    if manifest.business_date < last.business_date:
        rejections.add("date_old", file, found=manifest.business_date, last=last.business_date)


def check_files(directory: Path, manifest: Manifest, mapping: Mapping, rejections: Rejections) -> None:
    """Whether the folder holds exactly the listed files, each with the listed SHA-256."""
    for form in mapping.files.values():
        path = directory / form.file
        listed = manifest.files.get(form.kind)
        if listed is None:
            if path.exists():
                rejections.add("file_unlisted", form.file)
            elif manifest.mode == "full" and form.kind not in OPTIONAL_FILES:
                rejections.add("file_not_listed", form.file)
        elif not path.is_file():
            rejections.add("file_missing", form.file)
        else:
            found = file_digest(path)
            if found != listed.sha256:
                rejections.add("sha256", form.file, found=found[:12], expected=listed.sha256[:12])


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in constant memory."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def parse_total(text: str) -> int | None:
    """A control total in thousandths, or None where it is not a plain decimal.

    >>> parse_total("-12.3"), parse_total("1,2"), parse_total("7")
    (-12300, None, 7000)
    """
    match = _TOTAL.fullmatch(text)
    if match is None:
        return None
    minor = int(match.group(2) + (match.group(3) or "").ljust(TOTAL_DECIMALS, "0"))
    return -minor if match.group(1) else minor


def show_total(thousandths: int, decimals: int) -> str:
    """A control total as a plain decimal of `decimals` places (more where it has more).

    >>> show_total(-12_340, 2), show_total(5, 2)
    ('-12.34', '0.005')
    """
    digits = str(abs(thousandths)).rjust(TOTAL_DECIMALS + 1, "0")
    whole, fraction = digits[:-TOTAL_DECIMALS], digits[-TOTAL_DECIMALS:]
    while len(fraction) > decimals and fraction.endswith("0"):
        fraction = fraction[:-1]
    return ("-" if thousandths < 0 else "") + whole + (f".{fraction}" if fraction else "")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an entry appears twice")
    return found


class _Entries:
    """Draws typed entries from the manifest and names each that is missing or of the wrong type."""

    def __init__(self, mapping: Mapping, data: dict[str, Any], rejections: Rejections) -> None:
        self.mapping, self.data, self.rejections = mapping, data, rejections
        self.keys = mapping.manifest_keys

    def manifest(self) -> Manifest:
        encoding = self._text("encoding")
        if encoding and encoding.lower() != self.mapping.encoding:
            self._fault("manifest_encoding", found=encoding, expected=self.mapping.encoding)
        return Manifest(
            bank=self._reference("bank"),
            batch=self._reference("batch"),
            sequence=self._sequence(),
            business_date=self._date("business_date"),
            mode=self._mode(),
            demonstration=self._truth("demonstration"),
            files=self._files(),
            digest=hashlib.sha256(
                json.dumps(self.data, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")
            ).hexdigest(),
        )

    def _fault(self, reason: str, **facts: Any) -> None:
        self.rejections.add(reason, self.mapping.manifest_file, **facts)

    def _wrong(self, entry: str, expected: str) -> None:
        en, zh = _REQUIRED[expected]
        self._fault("manifest_entry", column=entry, entry=entry, expected=en, expected_zh=zh)

    def _text(self, name: str) -> str:
        value = self.data.get(self.keys[name])
        if isinstance(value, str) and value:
            return value
        self._wrong(self.keys[name], "text")
        return ""

    def _reference(self, name: str) -> str:
        value = self.data.get(self.keys[name])
        if isinstance(value, str) and _REF.fullmatch(value):
            return value
        self._wrong(self.keys[name], "text")
        return ""

    def _sequence(self) -> int:
        value = self.data.get(self.keys["sequence"])
        if type(value) is int and 1 <= value < 2**53:
            return value
        self._wrong(self.keys["sequence"], "sequence")
        return 0

    def _date(self, name: str) -> date:
        value = self.data.get(self.keys[name])
        match = date_pattern(self.mapping.manifest_date).fullmatch(value) if isinstance(value, str) else None
        try:
            if match is not None:
                return date(*(int(part) for part in match.groups()))
        except ValueError:
            pass
        self._wrong(self.keys[name], "date")
        return date.min

    def _mode(self) -> str:
        value = self.data.get(self.keys["mode"])
        if value in ("full", "delta"):
            return str(value)
        self._wrong(self.keys["mode"], "mode")
        return ""

    def _truth(self, name: str) -> bool:
        value = self.data.get(self.keys[name])
        if isinstance(value, bool):
            return value
        self._wrong(self.keys[name], "truth")
        return False

    def _files(self) -> dict[str, ListedFile]:
        listed = self.data.get(self.keys["files"])
        if not isinstance(listed, dict) or not listed:
            self._wrong(self.keys["files"], "files")
            return {}
        kinds = {form.file: form.kind for form in self.mapping.files.values()}
        found = {}
        for name, entry in listed.items():
            if name not in kinds:
                self.rejections.add("file_unknown", name)
            elif isinstance(entry, dict):
                found[kinds[name]] = self._file(name, kinds[name], entry)
            else:
                self._wrong(name, "files")
        return found

    def _file(self, name: str, kind: str, entry: dict[str, Any]) -> ListedFile:
        rows, sha = entry.get(self.keys["rows"]), entry.get(self.keys["sha256"])
        if type(rows) is not int or rows < 0:
            self._wrong(f"{name}: {self.keys['rows']}", "rows")
            rows = 0
        if not isinstance(sha, str) or _SHA.fullmatch(sha) is None:
            self._wrong(f"{name}: {self.keys['sha256']}", "sha256")
            sha = ""
        return ListedFile(name, rows, sha, self._totals(name, kind, entry.get(self.keys["totals"])))

    def _totals(self, name: str, kind: str, listed: object) -> dict[str, int]:
        totals: dict[str, int] = {}
        if not isinstance(listed, dict):
            self._wrong(f"{name}: {self.keys['totals']}", "totals")
            return totals
        columns = self.mapping.files[kind].amount_columns
        for column in columns:
            if column not in listed:
                self.rejections.add("total_missing", name, column=column)
        for column, text in listed.items():
            total = parse_total(text) if isinstance(text, str) else None
            if column not in columns:
                self.rejections.add("total_unknown", name, column=column)
            elif total is None:
                self._wrong(f"{name}: {self.keys['totals']}: {column}", "totals")
            else:
                totals[column] = total
        return totals
