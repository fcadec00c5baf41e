"""What every loan's lines and contract give, against what the bank states: balances and days overdue.

One pass over the book, in which each loan's figures as of the business date are worked out and kept for
the writing (`in_figures`); sums are compared by the database, and what differs is named component by
component.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from portal.accounts.balance import COMPONENTS, LoanTerms
from portal.accounts.due import due_of
from portal.bank_files.rejections import Rejections
from portal.money import Money
from portal.staging.sums import JOINS, create_core, sum_of

if TYPE_CHECKING:
    from portal.staging.checks import Check

_WHAT = ("owed", "paid", "forgiven", "left")
_NAMES = (*COMPONENTS, "charges")
#: Loans between two reports of progress.
_STEP = 5_000


@functools.lru_cache(1024)
def _rate(text: str) -> Decimal:
    return Decimal(text)


class BalanceCheck:
    """The balances file of one batch, and the figures of the whole book."""

    def __init__(self, check: Check) -> None:
        self.check, self.stage = check, check.stage
        #: days overdue that differ: told only where nothing else is wrong
        self.later = Rejections()

    @property
    def columns(self) -> list[str]:
        """The columns of sums that the bank's file has."""
        fields = set(self.check.mapping.files["balances"].columns.values())
        return [f"{name}_{what}" for name in _NAMES for what in _WHAT if f"{name}_{what}" in fields]

    def staged(self) -> None:
        """Check what the staged rows refer to, and their date."""
        day = self.check.manifest.business_date
        sql = f"SELECT line, as_of FROM in_balances WHERE as_of <> '{day.isoformat()}' ORDER BY line"  # noqa: S608
        for number, as_of in self.stage.rows(sql):
            self.check.refuse("balances", number, "as_of", "as_of", self.stage.day(as_of), business_date=day)
        self.check.refers("balances", "loans", "loan_ref")

    def finish(self) -> None:
        """Work out every loan's figures, and name each that differs from the bank's."""
        create_core(self.stage)
        self.stage.run("""
            CREATE TEMPORARY TABLE in_figures
            (loan_ref text PRIMARY KEY, principal_due bigint, due_now bigint, days_overdue bigint)""")
        self.stage.run("CREATE TEMPORARY TABLE in_wrong (loan_ref text PRIMARY KEY)")
        self.wrong: list[tuple[str]] = []
        self.stage.pour(
            "in_figures", ("loan_ref", "principal_due", "due_now", "days_overdue"), self._figures()
        )
        self.stage.fill("in_wrong", ("loan_ref",), self.wrong)
        if self.wrong and "ledger" not in self.check.unread:
            for row in self.stage.rows(self._full()):
                self._name(row)
        self._unbalanced()
        if not self.check.rejections:
            self.check.rejections.take(self.later)

    def _figures(self) -> Iterator[tuple[str, int, int, int]]:
        """Each loan's figures, compared on the way."""
        day, progress = self.check.manifest.business_date, self.check.progress
        total = self.stage.value("SELECT count(*) FROM in_book")
        for count, row in enumerate(self.stage.rows(self._brief())):
            if count % _STEP == 0:
                progress("check balances", count, total)
            ref, currency, principal, rate, method, pay_day, terms, matures_on, stated, number, *figures = row
            settled, left, charges, before, was_known, wrong, due_stated, now_stated = figures
            contract = LoanTerms(principal, _rate(rate), method, pay_day, terms, self.stage.day(matures_on))
            due = due_of(contract, settled=settled, as_of=day)
            principal_due = min(due.principal, max(left, 0))
            due_now = principal_due + charges
            if wrong or (now_stated is not None and (due_stated, now_stated) != (principal_due, due_now)):
                self._is_wrong(ref)
            if stated is not None and stated != due.days_overdue:
                self._days_differ(number, stated, due.days_overdue)
            self.check.drift.loan(ref, currency, before if was_known else None, left + charges)
            yield ref, principal_due, due_now, due.days_overdue
        progress("check balances", total, total)

    def _is_wrong(self, ref: str) -> None:
        self.wrong.append((ref,))

    def _days_differ(self, number: int, stated: int, found: int) -> None:
        form = self.check.mapping.files["loans"]
        self.later.add(
            "days_overdue",
            form.file,
            line=self.stage.line_of("loans", number),
            column=form.header_of["days_overdue"],
            excerpt=str(stated),
            found=found,
            expected=stated,
        )

    def _brief(self) -> str:
        """One row a loan: its terms, what is left, and whether the bank's sums differ."""
        charges = " + ".join(sum_of(name, "left") for name in COMPONENTS if name != "principal")
        differs = " OR ".join(
            [f"s.{column} <> {sum_of(*column.rsplit('_', 1))}" for column in self.columns]
            + [f"{sum_of(name, 'left')} < 0" for name in COMPONENTS]
        )
        before = " + ".join(sum_of(name, "left", before=True) for name in COMPONENTS)
        return f"""
            SELECT b.loan_ref, b.currency, b.principal, b.annual_rate, b.method, b.pay_day, b.term_count, b.matures_on,
                b.days_overdue, b.line,
                {sum_of("principal", "paid")} + {sum_of("principal", "forgiven")},
                {sum_of("principal", "left")}, {charges}, {before}, h.loan_id IS NOT NULL,
                CASE WHEN s.line IS NOT NULL AND ({differs}) THEN 1 ELSE 0 END, s.principal_due, s.due_now
            FROM in_book b {JOINS} LEFT JOIN in_balances s ON s.loan_ref = b.loan_ref"""  # noqa: S608

    def _full(self) -> str:
        """Everything of the loans whose balance differs."""
        sums = ", ".join(sum_of(name, what) for name in COMPONENTS for what in _WHAT)
        return f"""
            SELECT s.line, b.currency, f.principal_due, f.due_now, s.principal_due, s.due_now, {sums},
                {", ".join(f"s.{column}" for column in self.columns)}
            FROM in_wrong w JOIN in_book b ON b.loan_ref = w.loan_ref {JOINS}
            JOIN in_balances s ON s.loan_ref = b.loan_ref JOIN in_figures f ON f.loan_ref = b.loan_ref
            ORDER BY s.line"""  # noqa: S608

    def _name(self, row: tuple[Any, ...]) -> None:
        """Every figure of one loan that is not the bank's."""
        number, currency, *figures = row
        by_lines = dict(zip(("principal_due", "due_now"), figures[:2], strict=True))
        stated = dict(zip(("principal_due", "due_now"), figures[2:4], strict=True))
        names = [f"{name}_{what}" for name in COMPONENTS for what in _WHAT]
        by_lines |= dict(zip(names, figures[4 : 4 + len(names)], strict=True))
        by_lines |= {f"charges_{what}": by_lines[f"fee_{what}"] + by_lines[f"cost_{what}"] for what in _WHAT}
        stated |= dict(zip(self.columns, figures[4 + len(names) :], strict=True))
        for name in COMPONENTS:
            over = -by_lines[f"{name}_left"]
            if over > 0:
                self._amounts_differ("overpaid", number, f"{name}_left", currency, 0, over)
        for name in _NAMES:
            if f"{name}_forgiven" in stated:
                left = stated[f"{name}_owed"] - stated[f"{name}_paid"] - stated[f"{name}_forgiven"]
                if stated[f"{name}_left"] != left:
                    self._amounts_differ(
                        "left", number, f"{name}_left", currency, left, stated[f"{name}_left"]
                    )
        for column, minor in stated.items():
            if by_lines[column] != minor:
                self._amounts_differ("balance", number, column, currency, by_lines[column], minor)

    def _amounts_differ(
        self, reason: str, number: int, column: str, currency: str, found: int, expected: int
    ) -> None:
        shown = {
            "found": Money(found, currency).plain(),
            "expected": Money(expected, currency).plain(),
            "difference": Money(expected - found, currency).plain(),
        }
        self.check.refuse("balances", number, reason, column, shown["expected"], **shown)

    def _unbalanced(self) -> None:
        """A loan with new lines needs a balance to check them by; in a full batch every loan does."""
        refused = "SELECT EXISTS (SELECT 1 FROM in_refused WHERE kind = 'balances')"
        if "balances" in self.check.unread or self.stage.value(refused):
            return
        whole = "UNION SELECT loan_ref FROM in_loans" if self.check.manifest.mode == "full" else ""
        sql = f"""
            SELECT w.loan_ref FROM (SELECT loan_ref FROM in_sums {whole}) w
            WHERE NOT EXISTS (SELECT 1 FROM in_balances s WHERE s.loan_ref = w.loan_ref)
            ORDER BY w.loan_ref"""  # noqa: S608
        for (ref,) in self.stage.rows(sql):
            self.check.fault("balances", "balance_missing", None, "loan_ref", ref, loan=ref)
