"""Everything a batch must satisfy before a row is written: references, lines, sums, days overdue.

Nothing here writes. Rows pass once, file by file, in the order of `fields.FILES`; what is kept of
them is one reference a row and one set of sums a loan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from portal.accounts.balance import COMPONENTS, LoanTerms, Totals, instalments
from portal.intake import queries
from portal.intake.fields import KEYS, Value
from portal.intake.ledger_check import LedgerCheck
from portal.intake.manifest import TOTAL_DECIMALS, Manifest, show_total
from portal.intake.mapping import FileForm
from portal.intake.mapping import Mapping as BankMapping
from portal.intake.queries import KnownLoan
from portal.intake.reading import Read, Row, Source, read_rows
from portal.intake.rejections import Rejections, excerpt_of
from portal.intake.seen import SeenRefs
from portal.money import EXPONENTS, Money

Progress = Callable[[str, int, int], None]


@dataclass
class Checked:
    """What the check learnt that the writing needs."""

    rows: dict[str, int] = field(default_factory=dict)
    #: line reference -> (cost, fee), where the file states only their sum
    splits: dict[str, tuple[int, int]] = field(default_factory=dict)
    #: whether lines of this bank were taken in before, so that some of the file's may be known
    has_lines: bool = False


class Check:
    """One run over a batch's files."""

    def __init__(
        self,
        *,
        connection: Connection,
        directory: Path,
        manifest: Manifest,
        mapping: BankMapping,
        rejections: Rejections,
        progress: Progress,
    ) -> None:
        self.connection, self.directory, self.manifest, self.mapping = (
            connection,
            directory,
            manifest,
            mapping,
        )
        self.rejections, self.progress = rejections, progress
        self.refs: dict[str, set[str]] = queries.known_refs(connection)
        self.loans: dict[str, KnownLoan] = queries.known_loans(connection)
        self.totals: dict[str, Totals] = queries.core_totals(connection)
        self.refused: dict[str, set[str]] = {}
        #: files of which rows were not read: what is missing from them is not complained of elsewhere
        self.unread: set[str] = set()
        self.checked = Checked(has_lines=bool(self.totals))
        self.ledger = LedgerCheck(self)
        self.balanced: set[str] = set()
        self.row_checks: Mapping[str, Callable[[int, Row], None]] = {
            "agencies": self._agency,
            "officers": self._officer,
            "customers": lambda line, row: None,
            "loans": self._loan,
            "balances": self._balance,
            "notices": self._notice,
            "visits": self._visit,
        }

    def run(self) -> Checked:
        """Check every file of the batch; faults are in the rejections."""
        for kind, form in self.mapping.files.items():
            if kind in self.manifest.files:
                self._file(kind, form)
        self._unbalanced()
        self._days_overdue()
        return self.checked

    def currency_of(self, cells: Mapping[str, str]) -> str:
        """The currency in which a row's amounts are read: its own, its loan's, else the mapping's."""
        own = cells.get("currency")
        if own is not None:
            return own if own in EXPONENTS else self.mapping.currency
        ref = cells.get("loan_ref") or cells.get("loan_refs", "").split(self.mapping.forms.list_separator)[0]
        loan = self.loans.get(ref)
        return loan.currency if loan else self.mapping.currency

    def fault(
        self, kind: str, reason: str, line: int | None, column: str = "", value: Value = "", **facts: object
    ) -> None:
        """Refuse a row; `column` is a field, reported under the bank's own name."""
        form = self.mapping.files[kind]
        header = form.header_of.get(column, column)
        excerpt = excerpt_of("" if value is None else str(value), personal=False)
        self.rejections.add(reason, form.file, line=line, column=header, excerpt=excerpt, **facts)

    def known(self, kind: str, ref: Value) -> bool:
        """Whether a reference exists, or its row or file was refused already and is not complained of twice."""
        refs = self.loans if kind == "loans" else self.refs[kind]
        return ref in refs or ref in self.refused.get(kind, ()) or kind in self.unread

    def _file(self, kind: str, form: FileForm) -> None:
        listed, seen, before = self.manifest.files[kind], Read(), self.rejections.count
        totals = _ColumnTotals(self, form)
        named = SeenRefs()
        check = self.ledger.row if kind == "ledger" else self.row_checks[kind]
        self.refused[kind] = seen.refused
        source = Source(self.directory / form.file, form, self.mapping, self.currency_of)
        for line, row in read_rows(source, self.rejections, seen):
            if seen.rows % 1000 == 0:
                self.progress(f"check {form.file}", seen.rows, listed.rows)
            totals.add(row)
            ref = str(row[KEYS[kind]])
            first = named.first_line(ref, line)
            if first is not None:
                self.fault(kind, "duplicate", line, KEYS[kind], ref, first=first)
                continue
            if kind in self.refs:
                self.refs[kind].add(ref)
            check(line, row)
        self.progress(f"check {form.file}", seen.rows, listed.rows)
        self.checked.rows[kind] = seen.rows
        if not seen.complete or seen.rows < listed.rows:
            self.unread.add(kind)
        if kind == "ledger":
            self.ledger.finish(named)
        named.close()
        if seen.complete and seen.rows != listed.rows:
            difference = f"{seen.rows - listed.rows:+d}"
            self.rejections.add(
                "row_count", form.file, found=seen.rows, expected=listed.rows, difference=difference
            )
        if seen.sha256 != listed.sha256:
            self.rejections.add("changed_meanwhile", form.file)
        if self.rejections.count == before:
            totals.compare(seen.rows, listed.totals)

    def _agency(self, line: int, row: Row) -> None:
        if row["engaged_until"] < row["engaged_from"]:
            self.fault("agencies", "dates_order", line, "engaged_until", row["engaged_until"])

    def _officer(self, line: int, row: Row) -> None:
        self.refers("officers", line, "agencies", "agency_ref", row["agency_ref"])

    def refers(self, kind: str, line: int, to: str, column: str, ref: Value) -> bool:
        """Whether `ref` is known in file `to`; the row is refused when it is not."""
        if ref is None or self.known(to, ref):
            return True
        file = self.mapping.files[to].file
        self.fault(kind, "unknown_ref", line, column, ref, target=file)
        return False

    def _loan(self, line: int, row: Row) -> None:
        self.refers("loans", line, "customers", "customer_ref", row["customer_ref"])
        before = self.loans.get(str(row["loan_ref"]))
        if before is not None and before.customer_ref != row["customer_ref"]:
            self.fault("loans", "owner_changed", line, "customer_ref", row["customer_ref"])
        if before is not None and before.currency != row["currency"]:
            self.fault("loans", "terms_changed", line, "currency", row["currency"])
        for name in ("pay_day", "term_count"):
            if row[name] == 0:
                self.fault("loans", "number_zero", line, name, row[name])
                self.refused["loans"].add(str(row["loan_ref"]))
                return
        if row["principal"] == 0:
            self.fault("loans", "amount_zero", line, "principal", row["principal"])
        terms = terms_of_row(row)
        if next(instalments(terms)).due_on <= row["opened_on"]:
            self.fault("loans", "maturity", line, "matures_on", row["matures_on"])
        self.loans[str(row["loan_ref"])] = KnownLoan(
            str(row["customer_ref"]),
            str(row["currency"]),
            terms,
            int(row["days_overdue"]),
            line,
        )

    def _balance(self, line: int, row: Row) -> None:
        loan_ref = str(row["loan_ref"])
        self.balanced.add(loan_ref)
        if row["as_of"] != self.manifest.business_date:
            self.fault(
                "balances", "as_of", line, "as_of", row["as_of"], business_date=self.manifest.business_date
            )
        if not self.refers("balances", line, "loans", "loan_ref", loan_ref) or loan_ref not in self.loans:
            return
        if "ledger" in self.unread:
            return
        loan, totals = self.loans[loan_ref], self.totals.get(loan_ref, Totals())
        figures = totals.figures(loan.terms, as_of=self.manifest.business_date)
        by_lines = {"principal_due": figures.principal_due, "due_now": figures.due_now}
        for name, sums in figures.components.items():
            parts = {"owed": sums.owed, "paid": sums.paid, "forgiven": sums.forgiven, "left": sums.left}
            for what, minor in parts.items():
                by_lines[f"{name}_{what}"] = minor
            if sums.left < 0:
                self._amounts_differ("overpaid", line, f"{name}_left", loan.currency, 0, -sums.left)
        for what in ("owed", "paid", "forgiven", "left"):
            by_lines[f"charges_{what}"] = by_lines[f"fee_{what}"] + by_lines[f"cost_{what}"]
        self._left_is_owed_less_paid(line, row, loan.currency)
        for column, minor in by_lines.items():
            if column in row and row[column] != minor:
                self._amounts_differ("balance", line, column, loan.currency, minor, int(row[column]))

    def _left_is_owed_less_paid(self, line: int, row: Row, currency: str) -> None:
        for name in (*COMPONENTS, "charges"):
            if f"{name}_left" in row:
                owed, paid, left = (int(row[f"{name}_{what}"]) for what in ("owed", "paid", "left"))
                forgiven = int(row.get(f"{name}_forgiven") or 0)
                if left != owed - paid - forgiven and f"{name}_forgiven" in row:
                    self._amounts_differ("left", line, f"{name}_left", currency, owed - paid - forgiven, left)

    def _amounts_differ(
        self, reason: str, line: int, column: str, currency: str, found: int, expected: int
    ) -> None:
        shown = {
            "found": Money(found, currency).plain(),
            "expected": Money(expected, currency).plain(),
            "difference": Money(expected - found, currency).plain(),
        }
        self.fault("balances", reason, line, column, shown["expected"], **shown)

    def _notice(self, line: int, row: Row) -> None:
        self.refers("notices", line, "customers", "customer_ref", row["customer_ref"])
        self.refers("notices", line, "agencies", "agency_ref", row["agency_ref"])
        currencies = set()
        for ref in row["loan_refs"]:
            if self.refers("notices", line, "loans", "loan_refs", ref) and ref in self.loans:
                currencies.add(self.loans[ref].currency)
                if self.loans[ref].customer_ref != row["customer_ref"]:
                    self.fault("notices", "foreign_loan", line, "loan_refs", ref)
        if len(currencies) > 1:
            self.fault("notices", "loan_currencies", line, "loan_refs")
        issued = row["issued_at"]
        assert isinstance(issued, datetime)
        if row["expires_on"] < issued.date():
            self.fault("notices", "dates_order", line, "expires_on", row["expires_on"])
        for name in ("body", "body_without_link"):
            if "{code}" not in str(row[name]):
                self.fault("notices", "placeholder", line, name)

    def _visit(self, line: int, row: Row) -> None:
        self.refers("visits", line, "notices", "notice_ref", row["notice_ref"])
        self.refers("visits", line, "officers", "lead_officer_ref", row["lead_officer_ref"])
        self.refers("visits", line, "officers", "second_officer_ref", row["second_officer_ref"])
        if row["ends_at"] <= row["starts_at"]:
            self.fault("visits", "dates_order", line, "ends_at", row["ends_at"])

    def _unbalanced(self) -> None:
        """A loan with new lines needs a balance to check them by; in a full batch every loan does."""
        if self.refused.get("balances") or "balances" in self.unread:
            return
        wanted = set(self.ledger.touched)
        if self.manifest.mode == "full":
            wanted.update(ref for ref, loan in self.loans.items() if loan.line is not None)
        for loan_ref in sorted(wanted - self.balanced):
            self.fault("balances", "balance_missing", None, "loan_ref", loan_ref, loan=loan_ref)

    def _days_overdue(self) -> None:
        """The bank's days overdue against ours, for every loan of the batch whose lines are sound."""
        if self.rejections:
            return
        for loan_ref, loan in self.loans.items():
            if loan.line is None:
                continue
            totals = self.totals.get(loan_ref, Totals())
            figures = totals.figures(loan.terms, as_of=self.manifest.business_date)
            if figures.days_overdue != loan.days_overdue:
                self.fault(
                    "loans",
                    "days_overdue",
                    loan.line,
                    "days_overdue",
                    loan.days_overdue,
                    found=figures.days_overdue,
                    expected=loan.days_overdue,
                )


class _ColumnTotals:
    """The sums of a file's amount columns, in thousandths, against the manifest's."""

    def __init__(self, check: Check, form: FileForm) -> None:
        self.check, self.form = check, form
        self.columns = form.amount_columns
        self.sums = dict.fromkeys(self.columns, 0)
        self.decimals = EXPONENTS[check.mapping.currency]

    def add(self, row: Row) -> None:
        """Count one row."""
        if not self.columns:
            return
        scale = 10 ** (TOTAL_DECIMALS - EXPONENTS[self._currency(row)])
        for header, name in self.columns.items():
            self.sums[header] += int(row[name]) * scale

    def _currency(self, row: Row) -> str:
        own = row.get("currency")
        if own is not None:
            return str(own)
        refs = row.get("loan_refs") or (row.get("loan_ref"),)
        loan = self.check.loans.get(str(refs[0]))
        return loan.currency if loan else self.check.mapping.currency

    def compare(self, rows: int, listed: Mapping[str, int]) -> None:
        """Name every column whose sum is not the manifest's, with the difference."""
        for header, found in self.sums.items():
            expected = listed[header]
            if found != expected:
                self.check.rejections.add(
                    "total",
                    self.form.file,
                    column=header,
                    rows=rows,
                    found=show_total(found, self.decimals),
                    expected=show_total(expected, self.decimals),
                    difference=show_total(found - expected, self.decimals),
                )


def terms_of_row(row: Row) -> LoanTerms:
    """The contract terms that a row of the loans file states."""
    return LoanTerms(
        principal_minor=row["principal"],
        annual_rate=row["annual_rate"],
        method=row["method"],
        pay_day=row["pay_day"],
        term_count=row["term_count"],
        matures_on=row["matures_on"],
    )
