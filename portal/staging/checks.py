"""Everything a batch must satisfy before a row is written: references, lines, sums, days overdue.

Nothing of the book is changed. Rows are staged file by file, in the order of `fields.FILES`; what holds
for all of them at once is proved by the database over the staged rows, and only what fails the proof is
looked at row by row, to be named. No list of references is held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from portal.bank_files.blocks import read_blocks
from portal.bank_files.fields import KEY_FIELDS, Value
from portal.bank_files.manifest import TOTAL_DECIMALS, ListedFile, Manifest, show_total
from portal.bank_files.mapping import FileForm
from portal.bank_files.mapping import Mapping as BankMapping
from portal.bank_files.reading import Read, Source
from portal.bank_files.rejections import Rejections, excerpt_of
from portal.keys import Keys
from portal.money import EXPONENTS
from portal.staging.balance_check import BalanceCheck
from portal.staging.drift import Drift, Finding, Limits
from portal.staging.ledger_check import LedgerCheck
from portal.staging.loan_check import LoanCheck
from portal.staging.row_check import RowCheck
from portal.staging.stage import Stage
from portal.staging.values import loaded

Progress = Callable[[str, int, int], None]

#: The files whose rows go to the database as they are, and what is checked of each once they are there.
_LOADED = ("loans", "ledger", "balances")


@dataclass
class Checked:
    """What the check learnt that the writing needs."""

    rows: dict[str, int] = field(default_factory=dict)
    #: whether lines of this bank were taken in before, so that some of the file's may be known
    has_lines: bool = False
    #: the table of staged lines that were not taken in before
    lines: str = "in_ledger"
    new_lines: int = 0


class Check:
    """One run over a batch's files, into `stage`."""

    def __init__(
        self,
        *,
        stage: Stage,
        directory: Path,
        manifest: Manifest,
        mapping: BankMapping,
        keys: Keys,
        rejections: Rejections,
        progress: Progress,
        limits: Limits,
    ) -> None:
        self.stage, self.directory, self.manifest, self.mapping = stage, directory, manifest, mapping
        self.keys, self.rejections, self.progress = keys, rejections, progress
        self.drift = Drift(limits)
        #: files of which rows were not read: what is missing from them is not complained of elsewhere
        self.unread: set[str] = set()
        self.checked = Checked()
        self.odd: dict[str, str] = {}
        self.rows = RowCheck(self)
        self.loans, self.ledger, self.balances = LoanCheck(self), LedgerCheck(self), BalanceCheck(self)

    def run(self) -> Checked:
        """Check every file of the batch; faults are in the rejections."""
        self.stage.run("CREATE TEMPORARY TABLE in_refused (kind text, ref text)")
        self.stage.run("CREATE TEMPORARY TABLE in_odd (loan_ref text PRIMARY KEY, currency text)")
        self.rows.create()
        self.checked.has_lines = self._any_line()
        for kind, form in self.mapping.files.items():
            self._file(kind, form)
        self.balances.finish()
        return self.checked

    def findings(self) -> list[Finding]:
        """Why a second person must look at a batch that is right in itself."""
        known = self.stage.value("SELECT count(*) FROM borrower")
        phones = self.stage.value("SELECT count(*) FROM in_customers WHERE phone_changed = 1")
        return self.drift.findings(phones=phones, customers=known, terms=self.loans.leaps(self.drift.limits))

    def _any_line(self) -> bool:
        return bool(self.stage.value("SELECT EXISTS (SELECT 1 FROM ledger_line WHERE source = 'core')"))

    def currency_of(self, cells: Mapping[str, str]) -> str:
        """The currency in which a row's amounts are read: its own, its loan's where that has other
        decimals than the mapping's, else the mapping's."""
        own = cells.get("currency")
        if own is not None:
            return own if own in EXPONENTS else self.mapping.currency
        ref = cells.get("loan_ref") or cells.get("loan_refs", "").split(self.mapping.forms.list_separator)[0]
        return self.odd.get(ref, self.mapping.currency)

    def fault(
        self, kind: str, reason: str, line: int | None, column: str = "", value: Value = "", **facts: object
    ) -> None:
        """Refuse a row; `column` is a field, reported under the bank's own name."""
        form = self.mapping.files[kind]
        header = form.header_of.get(column, column)
        excerpt = excerpt_of("" if value is None else str(value), personal=False)
        self.rejections.add(reason, form.file, line=line, column=header, excerpt=excerpt, **facts)

    def refuse(
        self, kind: str, number: int, reason: str, column: str = "", value: Value = "", **facts: object
    ) -> None:
        """Refuse the staged row of this number."""
        self.fault(kind, reason, self.stage.line_of(kind, number), column, value, **facts)

    def refers(self, kind: str, to: str, column: str, *, table: str = "") -> None:
        """Refuse rows whose reference is neither in the batch nor taken in before. One whose row or whole
        file was refused already is not complained of twice."""
        if to in self.unread:
            return
        home, key = HOMES[to]
        sql = f"""
            SELECT s.line, s.{column} FROM {table or f"in_{kind}"} s
            WHERE s.{column} IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM in_{to} t WHERE t.{key} = s.{column})
            AND NOT EXISTS (SELECT 1 FROM {home} h WHERE h.{key} = s.{column})
            AND NOT EXISTS (SELECT 1 FROM in_refused r WHERE r.kind = '{to}' AND r.ref = s.{column})
            ORDER BY s.line"""  # noqa: S608 - names of ours
        for number, ref in self.stage.rows(sql):
            self.refuse(kind, number, "unknown_ref", column, ref, target=self.mapping.files[to].file)

    def _file(self, kind: str, form: FileForm) -> None:
        listed = self.manifest.files.get(kind)
        if kind in _LOADED:
            table = loaded(form, self.mapping, is_sqlite=self.stage.is_sqlite)
            table.create(self.stage)
        if listed is None:
            if kind == "loans":
                self.loans.staged()
            elif kind == "ledger":
                self.ledger.staged()
            return
        seen, before = Read(), self.rejections.count
        source = Source(self.directory / form.file, form, self.mapping, self.currency_of)
        exponent = None if self.odd and kind not in HAS_CURRENCY else EXPONENTS[self.mapping.currency]
        blocks = read_blocks(source, self.rejections, seen, exponent=exponent)
        if kind in _LOADED:
            with self.stage.loading(kind, table) as loader:
                for block in blocks:
                    loader.put(block)
                    self.progress(f"check {form.file}", min(seen.rows, listed.rows - 1), listed.rows)
        else:
            for block in blocks:
                self.rows.put(kind, form, block)
                self.progress(f"check {form.file}", min(seen.rows, listed.rows - 1), listed.rows)
            self.rows.flush(kind)
        self.stage.analyze(f"in_{kind}")
        found = self._sums(kind, form)
        self._staged(kind, form, seen, listed)
        if self.rejections.count == before:
            self._totals(form, seen.rows, found, listed.totals)
        self.progress(f"check {form.file}", seen.rows, listed.rows)

    def _staged(self, kind: str, form: FileForm, seen: Read, listed: ListedFile) -> None:
        """All rows of a file are there: what they must be among each other."""
        self.checked.rows[kind] = seen.rows
        if not seen.complete or seen.rows < listed.rows:
            self.unread.add(kind)
        self.stage.fill("in_refused", ("kind", "ref"), ((kind, ref) for ref in seen.refused))
        self._once(kind, KEY_FIELDS[kind])
        checks: Mapping[str, Callable[[], None]] = {
            "loans": self.loans.staged,
            "ledger": self.ledger.staged,
            "balances": self.balances.staged,
        }
        checks.get(kind, lambda: self.rows.staged(kind))()
        if seen.complete and seen.rows != listed.rows:
            difference = f"{seen.rows - listed.rows:+d}"
            self.rejections.add(
                "row_count", form.file, found=seen.rows, expected=listed.rows, difference=difference
            )
        if seen.sha256 != listed.sha256:
            self.rejections.add("changed_meanwhile", form.file)

    def _once(self, kind: str, key: tuple[str, ...]) -> None:
        """No reference twice: where the database cannot index them as unique, each repetition is named and
        left out of what follows."""
        table, named = f"in_{kind}", ", ".join(key)
        if self.stage.unique(table, named):
            return
        sql = f"""
            SELECT line, first, {named} FROM (
                SELECT line, {named}, min(line) OVER (PARTITION BY {named}) AS first FROM {table}
            ) AS numbered WHERE line > first ORDER BY line"""  # noqa: S608
        for number, first, *ref in self.stage.rows(sql):
            shown = "/".join(str(part) for part in ref)
            self.refuse(kind, number, "duplicate", key[0], shown, first=self.stage.line_of(kind, first))
        self.stage.run(
            f"DELETE FROM {table} WHERE line NOT IN (SELECT min(line) FROM {table} GROUP BY {named})"  # noqa: S608
        )
        self.stage.unique(table, named)

    def _sums(self, kind: str, form: FileForm) -> dict[str, int]:
        """The sums of a file's amount columns, in thousandths, by header."""
        columns = form.amount_columns
        if not columns:
            return {}
        scale, join = self._scale(kind)
        sums = ", ".join(f"sum(({_amount_of(name, kind)}) * {scale})" for name in columns.values())
        found = self.stage.one(f"SELECT {sums} FROM in_{kind} s {join}")  # noqa: S608
        return {header: int(total or 0) for header, total in zip(columns, found, strict=True)}

    def _totals(self, form: FileForm, rows: int, found: Mapping[str, int], listed: Mapping[str, int]) -> None:
        """Name every amount column whose sum is not the manifest's, with the difference."""
        decimals = EXPONENTS[self.mapping.currency]
        for header, total in found.items():
            expected = listed[header]
            if total != expected:
                self.rejections.add(
                    "total",
                    form.file,
                    column=header,
                    rows=rows,
                    found=show_total(total, decimals),
                    expected=show_total(expected, decimals),
                    difference=show_total(total - expected, decimals),
                )

    def _scale(self, kind: str) -> tuple[str, str]:
        """From minor units to the manifest's thousandths, and the join that tells the currency."""
        usual = 10 ** (TOTAL_DECIMALS - EXPONENTS[self.mapping.currency])
        cases = " ".join(
            f"WHEN '{code}' THEN {10 ** (TOTAL_DECIMALS - exponent)}" for code, exponent in EXPONENTS.items()
        )
        if kind in HAS_CURRENCY:
            return f"CASE s.currency {cases} END", ""
        if not self.odd:
            return str(usual), ""
        return f"CASE o.currency {cases} ELSE {usual} END", "LEFT JOIN in_odd o ON o.loan_ref = s.loan_ref"


#: file -> the table its rows end in, and the column that names one
HOMES = {
    "agencies": ("agency", "agency_ref"),
    "officers": ("officer", "officer_ref"),
    "customers": ("borrower", "customer_ref"),
    "loans": ("loan", "loan_ref"),
    "notices": ("notice", "notice_ref"),
}

#: Files whose rows say their own currency, or are given it when they are staged.
HAS_CURRENCY = ("loans", "transfers", "notices")


def _amount_of(name: str, kind: str) -> str:
    return "s.fee + s.cost + s.open" if (kind, name) == ("ledger", "charges") else f"s.{name}"
