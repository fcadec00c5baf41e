"""A bank's book of any size, written quickly: one customer and one loan a row, some ledger lines a loan.

Every figure is consistent to the cent, in the portal's own form; the same size and seed give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from portal.accounts.balance import LoanTerms
from portal.accounts.due import due_of
from portal.bank_files.mapping import Mapping, load_mapping

BUSINESS_DATE = date(2026, 11, 20)
PORTAL = load_mapping("portal")
_RATES = ("0.0360", "0.0880", "0.1200", "0.1740")
_METHODS = ("equal_principal", "equal_instalments")
_NAMES = ("林秀建", "赵明", "喻然勇", "金兰", "欧阳雨", "Anna Berg")


@dataclass
class BigBook:
    """`loans` loans with `lines` lines each, as of a business date."""

    loans: int
    lines: int = 5
    sequence: int = 1
    business_date: date = BUSINESS_DATE
    seed: int = 7
    mode: str = "full"
    #: loan -> its rows of the ledger, for a delta: only these loans are in it
    only: range | None = None
    totals: dict[str, dict[str, int]] = field(default_factory=dict)

    def write(self, directory: Path, mapping: Mapping = PORTAL) -> Path:
        """All files and the manifest."""
        directory.mkdir(parents=True, exist_ok=True)
        entries: dict[str, Any] = {}
        files = {kind: _File(directory, mapping, kind) for kind in mapping.files if kind in _KINDS}
        self._small(files)
        for number in self.only or range(self.loans):
            self._loan(number, files)
        for kind, file in files.items():
            if self.mode == "full" or file.rows:
                entries[mapping.files[kind].file] = file.close()
            else:
                file.close()
                (directory / mapping.files[kind].file).unlink()
        manifest = {
            "bank": "HARBOUR",
            "batch": f"B-{self.sequence:05d}",
            "sequence": self.sequence,
            "business_date": self.business_date.isoformat(),
            "encoding": mapping.encoding,
            "mode": self.mode,
            "demonstration": True,
            "files": entries,
        }
        (directory / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        return directory

    def _small(self, files: dict[str, _File]) -> None:
        if self.mode == "full":
            files["agencies"].put(["A00", "港湾银行", "bank", "4000000001", "2020-01-01", "2035-12-31"])
            files["officers"].put(["G1", "金兰", "A00", "外访专员", "19900010000", "2030-06-30", "active"])

    def _loan(self, number: int, files: dict[str, _File]) -> None:
        chance = random.Random(self.seed * 1_000_003 + number)
        loan_ref, customer_ref = f"L{number:09d}", f"C{number:09d}"
        terms_count = chance.choice((12, 18, 24, 36))
        opened = BUSINESS_DATE - timedelta(days=chance.randrange(40, 400))
        month = opened.year * 12 + opened.month - 1 + terms_count
        terms = LoanTerms(
            chance.randrange(100_000, 30_000_000),
            Decimal(chance.choice(_RATES)),
            chance.choice(_METHODS),
            5,
            terms_count,
            date(month // 12, month % 12 + 1, 5),
        )
        rows = list(self._lines(number, loan_ref, opened, terms, chance))
        stated = _balance(rows, terms, self.business_date)
        if self.mode == "full":
            phone = f"199{number % 100_000_000:08d}"
            id_number = f"9999991988{number % 100_000_000:08d}"
            name = _NAMES[number % len(_NAMES)]
            files["customers"].put(
                [
                    customer_ref,
                    name,
                    id_number,
                    phone,
                    "zh",
                    f"临港市海湾路{number % 900 + 1}号{number % 40 + 1}幢",
                ]
            )
            days, status = stated.days_overdue, "overdue" if stated.days_overdue else "current"
            files["loans"].put(
                [loan_ref, customer_ref, "消费贷", "loan", "CNY", opened.isoformat(), terms.matures_on.isoformat(),
                 plain(terms.principal_minor), format(terms.annual_rate, "f"), "1.5", "actual/360", terms.method,
                 "5", str(terms.term_count), str(days), status, "", "", ""]
            )  # fmt: skip
        new = rows if self.mode == "full" else [row for row in rows if row.posted_on == self.business_date]
        for row in new:
            files["ledger"].put(row.cells)
        files["balances"].put(
            [loan_ref, self.business_date.isoformat(), *(plain(minor) for minor in stated.columns)]
        )

    def _lines(
        self, number: int, loan_ref: str, opened: date, terms: LoanTerms, chance: random.Random
    ) -> Iterator[_Line]:
        yield _Line(f"T{number:09d}00", loan_ref, opened, "disbursement", principal=terms.principal_minor)
        left, span = terms.principal_minor, max((BUSINESS_DATE - opened).days, 1)
        part = terms.principal_minor // terms.term_count
        for index in range(1, self.lines):
            day = opened + timedelta(days=span * index // self.lines)
            if index % 2:
                interest = chance.randrange(1, max(2, terms.principal_minor // 100))
                yield _Line(f"T{number:09d}{index:02d}", loan_ref, day, "interest", interest=interest)
            else:
                paid = min(left, part)
                left -= paid
                memo = "手机银行还款" if number % 3 else ""
                yield _Line(
                    f"T{number:09d}{index:02d}", loan_ref, day, "payment",
                    principal=-paid, interest=-interest, memo=memo,
                )  # fmt: skip
        for later in range(2, self.sequence + 1):
            day = BUSINESS_DATE + timedelta(days=later - 1)
            yield _Line(f"T{number:09d}D{later}", loan_ref, day, "interest", interest=100 + number % 100)


@dataclass(slots=True)
class _Line:
    line_ref: str
    loan_ref: str
    posted_on: date
    kind: str
    principal: int = 0
    interest: int = 0
    memo: str = ""

    @property
    def cells(self) -> list[str]:
        amounts = [plain(self.principal), plain(self.interest), "0.00", "0.00", "0.00"]
        return [
            self.line_ref,
            self.loan_ref,
            self.posted_on.isoformat(),
            self.kind,
            *amounts,
            self.memo,
            "",
            "",
        ]


@dataclass(slots=True)
class _Stated:
    days_overdue: int
    columns: list[int]


def _balance(rows: Sequence[_Line], terms: LoanTerms, day: date) -> _Stated:
    owed = {"principal": 0, "interest": 0}
    paid = {"principal": 0, "interest": 0}
    for row in rows:
        for name, minor in (("principal", row.principal), ("interest", row.interest)):
            if row.kind == "payment":
                paid[name] -= minor
            else:
                owed[name] += minor
    left = {name: owed[name] - paid[name] for name in owed}
    due = due_of(terms, settled=paid["principal"], as_of=day)
    principal_due = min(due.principal, left["principal"])
    columns = []
    for sums in (owed, paid, {"principal": 0, "interest": 0}, left):
        columns += [sums["principal"], sums["interest"], 0, 0, 0]
    return _Stated(due.days_overdue, [*columns, principal_due, principal_due + left["interest"]])


_KINDS = ("agencies", "officers", "customers", "loans", "ledger", "balances", "notices", "visits")


class _File:
    """One file as it is written: bytes, hash, rows and control totals."""

    def __init__(self, directory: Path, mapping: Mapping, kind: str) -> None:
        form = mapping.files[kind]
        self.stream = (directory / form.file).open("wb", buffering=1 << 20)
        self.digest, self.rows = hashlib.sha256(), 0
        headers = list(form.columns)
        self.places = {header: headers.index(header) for header in form.amount_columns}
        self.sums = dict.fromkeys(self.places, 0)
        self.encoding = mapping.encoding
        self._bytes(mapping.header(kind) + mapping.line_end)

    def put(self, cells: Sequence[str]) -> None:
        """One row."""
        self.rows += 1
        for header, place in self.places.items():
            self.sums[header] += int(cells[place].replace(".", ""))
        self._bytes((",".join(cells) + "\n").encode(self.encoding))

    def _bytes(self, data: bytes) -> None:
        self.digest.update(data)
        self.stream.write(data)

    def close(self) -> dict[str, Any]:
        """The manifest's entry."""
        self.stream.close()
        totals = {header: plain(total) for header, total in self.sums.items()}
        return {"rows": self.rows, "sha256": self.digest.hexdigest(), "totals": totals}


def plain(minor: int) -> str:
    """An amount of a currency with two decimals."""
    sign, digits = ("-" if minor < 0 else ""), f"{abs(minor):03d}"
    return f"{sign}{digits[:-2]}.{digits[-2:]}"
