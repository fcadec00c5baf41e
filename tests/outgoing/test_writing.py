"""What is written for the core reads back to the same values, in every declared form, and runs nowhere."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.bank_files.fields import Field
from portal.bank_files.manifest import check_files, read_manifest
from portal.bank_files.mapping import BadMapping, Mapping, load_mapping, parse_mapping
from portal.bank_files.reading import Read, Source, read_rows
from portal.bank_files.rejections import Rejections
from portal.money import LARGEST_MINOR
from portal.outgoing.fields import CODES, FILES
from portal.outgoing.mapping import outgoing_of
from portal.outgoing.writing import Written, file_bytes, manifest_bytes

NAMES = ("harbour", "portal")
FORMS = {name: outgoing_of(load_mapping(name)).forms for name in NAMES}
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''", "=cmd|' /C calc'!A0", "-2+3")

_letters = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffd")
_texts = st.text(_letters, min_size=1, max_size=60) | st.sampled_from([one.strip() for one in FORMULAS])
_refs = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,15}", fullmatch=True)
_outside = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._/:-]{0,40}", fullmatch=True)
_days = st.dates(date(1970, 1, 1), date(2199, 12, 31))
_FIRST, _LAST = datetime(1971, 1, 1), datetime(2199, 1, 1)  # noqa: DTZ001 - Hypothesis adds the zone
_moments = st.datetimes(_FIRST, _LAST, timezones=st.just(UTC))


def _values(kind: str, name: str, field: Field) -> st.SearchStrategy[Any]:
    made: dict[str, st.SearchStrategy[Any]] = {
        "ref": _refs,
        "outside_ref": _outside,
        "refs": st.lists(_refs, min_size=1, max_size=4, unique=True),
        "words": st.lists(st.sampled_from(["paper:income_proof", "answer:spending", "other"]), min_size=1),
        "cell_text": _texts,
        "date": _days.map(lambda day: day.isoformat()),
        "moment": _moments.map(lambda at: at.isoformat()),
        "amount": st.integers(0, LARGEST_MINOR),
        "signed": st.integers(-LARGEST_MINOR, LARGEST_MINOR),
        "number": st.integers(0, field.size),
        "currency": st.sampled_from(["CNY", "JPY", "KWD", "USD"]),
        "code": st.sampled_from(sorted(CODES.get((kind, name), {""}))),
    }
    return st.none() | made[field.kind] if field.optional else made[field.kind]


def _rows(kind: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    row = st.fixed_dictionaries({name: _values(kind, name, field) for name, field in FILES[kind].items()})
    return st.lists(row, max_size=4)


def _read(path: Path, kind: str, mapping: Mapping) -> list[Any]:
    rejections = Rejections()
    source = Source(path, mapping.files[kind], mapping, lambda cells: cells.get("currency", mapping.currency))
    rows = [row for _, row in read_rows(source, rejections, Read())]
    assert [(one.reason, one.column, one.excerpt) for one in rejections] == []
    return rows


def _typed(kind: str, row: dict[str, Any], zone: str) -> dict[str, Any]:
    """A row as the reader has to give it back."""
    made: dict[str, Any] = {}
    for name, field in FILES[kind].items():
        value = row.get(name)
        if value is not None and field.kind == "date":
            value = date.fromisoformat(value)
        elif value is not None and field.kind == "moment":
            value = datetime.fromisoformat(value).astimezone(ZoneInfo(zone)).replace(second=0, microsecond=0)
        elif isinstance(value, list):
            value = tuple(value)
        made[name] = value
    return made


@pytest.mark.parametrize("kind", sorted(FILES))
@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=25)
def test_a_file_reads_back_to_what_was_written(
    data: st.DataObject, name: str, kind: str, tmp_path: Path
) -> None:
    rows = data.draw(_rows(kind))
    forms = replace(
        FORMS[name],
        encoding=data.draw(st.sampled_from(["utf-8", "utf-8-sig", "gb18030"])),
        line_end=data.draw(st.sampled_from([b"\r\n", b"\n"])),
        delimiter=data.draw(st.sampled_from([",", ";", "\t"])),
        forms=replace(FORMS[name].forms, amount=data.draw(st.sampled_from(["point", "minor"]))),
    )
    path, written = tmp_path / "file.csv", Written()

    path.write_bytes(b"".join(file_bytes(kind, rows, forms, written)))

    assert _read(path, kind, forms) == [_typed(kind, row, forms.forms.zone) for row in rows]
    assert written.rows == len(rows)


@pytest.mark.parametrize("name", NAMES)
def test_the_manifest_is_one_the_intake_reads_with_counts_totals_and_hashes(
    name: str, tmp_path: Path
) -> None:
    forms, written = FORMS[name], {"plan_instalments": Written()}
    rows = [_instalment(number, 10_050 * number) for number in (1, 2, 3)]
    file = tmp_path / forms.files["plan_instalments"].file
    file.write_bytes(b"".join(file_bytes("plan_instalments", rows, forms, written["plan_instalments"])))
    facts = {
        "bank": "HARBOUR",
        "batch": "20261120-000001",
        "sequence": 1,
        "business_date": "2026-11-20",
        "encoding": forms.encoding,
        "mode": "delta",
        "demonstration": True,
    }

    (tmp_path / forms.manifest_file).write_bytes(manifest_bytes(facts, written, forms))

    rejections = Rejections()
    manifest = read_manifest(tmp_path, forms, rejections)
    assert manifest is not None
    check_files(tmp_path, manifest, forms, rejections)
    assert list(rejections) == []
    listed = manifest.files["plan_instalments"]
    assert (listed.rows, list(listed.totals.values()), manifest.sequence) == (3, [603_000], 1)


def _instalment(number: int, minor: int) -> dict[str, Any]:
    return {
        "entry_ref": "P-7KQF-3MWD2:made",
        "plan_ref": "P-7KQF-3MWD2",
        "number": number,
        "due_on": "2026-12-18",
        "currency": "CNY",
        "amount": minor,
    }


@pytest.mark.parametrize("text", FORMULAS)
@pytest.mark.parametrize("name", NAMES)
def test_no_cell_is_a_formula_to_a_spreadsheet(name: str, text: str) -> None:
    """A spreadsheet runs what begins with = + - @, but for numbers; it reads the rest as it stands."""
    row = {name: None for name in FILES["payments"]} | {
        "entry_ref": "P-1:2",
        "kind": "refund",
        "currency": "CNY",
        "posted_on": "2026-11-20",
        "recorded_at": "2026-11-20T01:00:00+00:00",
        "memo": text,
        **dict.fromkeys(("amount", "principal", "interest", "penalty_interest", "fee", "cost"), -5),
        "suspense": 0,
    }

    raw = b"".join(file_bytes("payments", [row], FORMS[name], Written()))

    cells = [cell for line in csv.reader(io.StringIO(raw.decode("gb18030"), newline="")) for cell in line]
    live = [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert all(cell == "-0.05" for cell in live)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda text: text[: text.index("[outgoing]")], "outgoing is missing"),
        (lambda text: text.replace('"拒付" = "charge_back"\n', ""), "outgoing.files.payments.codes.kind"),
        (lambda text: text.replace('"报送编号" = "entry_ref"\n', "", 1), "lacks: entry_ref"),
        (lambda text: text.replace('outcome = "outcome"', ""), "outcome is missing"),
        (lambda text: text.replace('"期次" = "number"', '"期次" = "no"'), "unknown fields: no"),
    ],
    ids=["part", "word", "field", "answer", "unknown"],
)
def test_a_mapping_that_cannot_tell_everything_is_named_by_key(change: Any, named: str) -> None:
    text = change(load_mapping("harbour").text)

    with pytest.raises(BadMapping, match="outgoing") as caught:
        outgoing_of(parse_mapping(text, source="mine.toml"))

    assert named in str(caught.value)


def test_a_batch_begun_with_an_older_mapping_is_finished_with_it() -> None:
    text = load_mapping("portal").text
    start, end = text.index("[outgoing.files.plan_changes]"), text.index("[outgoing.files.decisions]")
    older = parse_mapping(text[:start] + text[end:], source="older.toml")

    assert "payments" in outgoing_of(older, ("payments",)).forms.files
    with pytest.raises(BadMapping, match="plan_changes"):
        outgoing_of(older)
