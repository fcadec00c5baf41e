"""The checks of the loans file, and the book as it will be: every loan with the terms it then has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portal.accounts.balance import LoanTerms
from portal.accounts.due import due_on
from portal.money import EXPONENTS, rate
from portal.staging.drift import Limits

if TYPE_CHECKING:
    from portal.staging.checks import Check


class LoanCheck:
    """The loans file of one batch; leaves the view `in_book` for the files after it."""

    def __init__(self, check: Check) -> None:
        self.check, self.stage = check, check.stage

    def staged(self) -> None:
        """Check the staged rows, and name what is wrong."""
        self._rates()
        self._book()
        if "loans" in self.check.manifest.files:
            self.check.refers("loans", "customers", "customer_ref")
            self._changed()
            self._numbers()
        self._odd()

    def leaps(self, limits: Limits) -> int:
        """Known contracts of which a figure becomes so many times what it was, or so small a part."""
        fold = limits.row_fold
        if self.stage.is_sqlite:
            rates = [
                ("CAST(r.rate AS real)", "CAST(l.annual_rate AS real)"),
                ("CAST(m.rate AS real)", "CAST(l.penalty_multiple AS real)"),
            ]
        else:
            rates = [
                ("r.rate::numeric", "l.annual_rate::numeric"),
                ("m.rate::numeric", "l.penalty_multiple::numeric"),
            ]
        pairs = [("s.principal", "l.principal_minor"), *rates]
        leap = " OR ".join(
            f"({after} > 0 AND {before} > 0 AND ({after} >= {fold} * {before} OR {before} >= {fold} * {after}))"
            for after, before in pairs
        )
        found: int = self.stage.value(f"""
            SELECT count(*) FROM in_loans s JOIN loan l ON l.loan_ref = s.loan_ref
            JOIN in_rate r ON r.cell = s.annual_rate JOIN in_rate m ON m.cell = s.penalty_multiple
            WHERE {leap}""")  # noqa: S608
        return found

    def _rates(self) -> None:
        """Each rate as an exact decimal beside the text that the file has for it."""
        self.stage.run("CREATE TEMPORARY TABLE in_rate (cell text PRIMARY KEY, rate text)")
        sql = "SELECT annual_rate FROM in_loans UNION SELECT penalty_multiple FROM in_loans"
        found = [text for (text,) in self.stage.rows(sql)]
        self.stage.fill("in_rate", ("cell", "rate"), ((text, format(rate(text), "f")) for text in found))
        self.stage.analyze("in_rate")

    def _book(self) -> None:
        """Every loan there will be: those of the file, then those taken in before that it does not have."""
        self.stage.run("""
            CREATE TEMPORARY VIEW in_book AS
            SELECT s.loan_ref, s.customer_ref, s.currency, s.principal, r.rate AS annual_rate, s.method,
                s.pay_day, s.term_count, s.matures_on, s.opened_on, s.days_overdue, s.line
            FROM in_loans s JOIN in_rate r ON r.cell = s.annual_rate
            UNION ALL
            SELECT l.loan_ref, c.customer_ref, l.currency, l.principal_minor, l.annual_rate, l.method,
                l.pay_day, l.term_count, l.matures_on, l.opened_on, NULL, NULL
            FROM loan l JOIN borrower c ON c.id = l.borrower_id
            WHERE NOT EXISTS (SELECT 1 FROM in_loans s WHERE s.loan_ref = l.loan_ref)""")

    def _changed(self) -> None:
        """A loan changes neither hands nor currency."""
        sql = """
            SELECT s.line, s.customer_ref, c.customer_ref, s.currency, l.currency FROM in_loans s
            JOIN loan l ON l.loan_ref = s.loan_ref JOIN borrower c ON c.id = l.borrower_id
            WHERE c.customer_ref <> s.customer_ref OR l.currency <> s.currency ORDER BY s.line"""
        for number, owner, before, currency, currency_before in self.stage.rows(sql):
            if owner != before:
                self.check.refuse("loans", number, "owner_changed", "customer_ref", owner)
            if currency != currency_before:
                self.check.refuse("loans", number, "terms_changed", "currency", currency)

    def _numbers(self) -> None:
        """No principal, pay day or count of nought; and the instalments fit the dates."""
        zero = (
            "SELECT line, pay_day, term_count FROM in_loans WHERE pay_day = 0 OR term_count = 0 ORDER BY line"
        )
        for number, pay_day, _ in self.stage.rows(zero):
            self.check.refuse("loans", number, "number_zero", "pay_day" if pay_day == 0 else "term_count", 0)
        self.stage.run("""
            INSERT INTO in_refused (kind, ref)
            SELECT 'loans', loan_ref FROM in_loans WHERE pay_day = 0 OR term_count = 0""")
        self.stage.run("DELETE FROM in_loans WHERE pay_day = 0 OR term_count = 0")
        for (number,) in self.stage.rows("SELECT line FROM in_loans WHERE principal = 0 ORDER BY line"):
            self.check.refuse("loans", number, "amount_zero", "principal", 0)
        # only where a loan is opened in the month of its first instalment or later does the day matter
        before = "CASE WHEN method = 'bullet' THEN 0 ELSE term_count - 1 END"
        sql = f"""
            SELECT line, method, pay_day, term_count, matures_on, opened_on FROM in_loans
            WHERE {self._month("opened_on")} >= {self._month("matures_on")} - {before} ORDER BY line"""  # noqa: S608
        for number, method, pay_day, count, matures_on, opened_on in self.stage.rows(sql):
            matures_on, opened_on = self.stage.day(matures_on), self.stage.day(opened_on)
            terms = LoanTerms(1, rate("0"), method, pay_day, count, matures_on)
            if due_on(terms, 0) <= opened_on:
                self.check.refuse("loans", number, "maturity", "matures_on", matures_on)

    def _month(self, column: str) -> str:
        """The number of a date's month, counted from the year nought."""
        if self.stage.is_sqlite:
            return f"(CAST(substr({column}, 1, 4) AS integer) * 12 + CAST(substr({column}, 6, 2) AS integer))"
        return f"(extract(year FROM {column}) * 12 + extract(month FROM {column}))"

    def _odd(self) -> None:
        """Loans whose currency has other decimals than the mapping's: in a bank's book, few or none."""
        usual = EXPONENTS[self.check.mapping.currency]
        same = ", ".join(f"'{code}'" for code, exponent in EXPONENTS.items() if exponent == usual)
        sql = f"SELECT loan_ref, currency FROM in_book WHERE currency NOT IN ({same})"  # noqa: S608
        self.check.odd.update({ref: currency for ref, currency in self.stage.rows(sql)})
        self.stage.fill("in_odd", ("loan_ref", "currency"), self.check.odd.items())
