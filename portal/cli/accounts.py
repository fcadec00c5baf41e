"""Loan accounts from the operator's side: does the interest the bank posted follow from its loans' terms?"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from portal.cli import installation
from portal.cli.groups import OperatorGroup
from portal.intake.queries import last_batch
from portal.interest.accrual import LoanLedger, core_ledgers, loan_count
from portal.interest.engine import Compounding, InterestTerms
from portal.interest.reproduction import Check, Reproduction, reproduce
from portal.money import EXPONENTS, Money, Rounding

group = OperatorGroup("accounts", help="Loan accounts and their interest.")

#: Loans whose first difference is printed; the CSV file has every line.
SHOWN = 50

COLUMNS = (
    "loan_ref",
    "posted_on",
    "component",
    "line_refs",
    "since",
    "balance_days",
    "exact_minor",
    "expected",
    "posted",
    "difference",
)


@dataclass
class Summary:
    """What a run has found so far."""

    loans: int = 0
    lines: int = 0
    equal: int = 0
    waiting: int = 0
    by_component: dict[str, int] = field(default_factory=dict)
    differing: int = 0
    differences: int = 0
    first: list[tuple[LoanLedger, Check]] = field(default_factory=list)

    def add(self, ledger: LoanLedger, found: Reproduction) -> None:
        """Count one loan."""
        self.loans += 1
        self.lines += found.lines
        self.equal += found.equal
        self.waiting += len(found.waiting)
        for check in found.checks:
            count = self.by_component.get(check.component, 0)
            self.by_component[check.component] = count + len(check.line_refs)
        if (first := found.first_difference) is not None:
            self.differing += 1
            self.differences += len(found.differences)
            if len(self.first) < SHOWN:
                self.first.append((ledger, first))


@group.command("reconcile")
@click.option("--loan", "loan_ref", metavar="REF", help="Only this loan.")
@click.option(
    "--csv",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where every line compared goes, with how it was computed.",
)
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Compare what was posted up to this day (default: the business date of the last intake).",
)
@click.option(
    "--rounding",
    type=click.Choice([one.value for one in Rounding]),
    help="Round like this instead of as each loan says.",
)
@click.option(
    "--unit", type=click.Choice(["cent", "whole"]), help="Round to this instead of to each loan's unit."
)
@click.option(
    "--compounding",
    type=click.Choice([one.value for one in Compounding]),
    help="Compound or not instead of as each loan says.",
)
def reconcile(
    loan_ref: str | None,
    file: Path | None,
    as_of: datetime | None,
    rounding: str | None,
    unit: str | None,
    compounding: str | None,
) -> None:
    """Compute every interest and penalty line the bank posted, and name those that differ. Changes nothing.

    Each loan's own knobs and changes of rate are used; an option overrules one knob for all.

    Exit code 1 when a line differs.
    """
    with installation().db.read() as connection, _rows(file) as write:
        total = loan_count(connection, loan_ref=loan_ref)
        if not total:
            raise click.UsageError("There is no such loan." if loan_ref else "There are no loans.")
        day = as_of.date() if as_of else _business_date(connection)
        summary = Summary()
        with click.progressbar(
            core_ledgers(connection, loan_ref=loan_ref), length=total, label="loans"
        ) as ledgers:
            for ledger in ledgers:
                terms = _overruled(ledger, rounding, unit, compounding)
                found = reproduce(terms, ledger.entries, as_of=day or ledger.as_of)
                summary.add(ledger, found)
                write(ledger, found)
    _tell(summary)
    if summary.differences:
        raise SystemExit(1)


def _overruled(
    ledger: LoanLedger, rounding: str | None, unit: str | None, compounding: str | None
) -> InterestTerms:
    """The loan's terms with the knobs that the operator named."""
    own = ledger.terms
    units = {None: own.unit_minor, "cent": 1, "whole": 10 ** EXPONENTS[ledger.currency]}
    return replace(
        own,
        rounding=Rounding(rounding) if rounding else own.rounding,
        unit_minor=units[unit],
        compounding=Compounding(compounding) if compounding else own.compounding,
    )


def _business_date(connection: Connection) -> date | None:
    """The day up to which the bank has told what it posted."""
    batch = last_batch(connection)
    return batch.business_date if batch else None


@contextmanager
def _rows(file: Path | None) -> Iterator[Any]:
    """Something that writes a loan's checks to the CSV file, or nowhere."""
    if file is None:
        yield lambda ledger, found: None
        return
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        yield lambda ledger, found: writer.writerows(_row(ledger, check) for check in found.checks)


def _row(ledger: LoanLedger, check: Check) -> tuple[object, ...]:
    posting = check.posting
    parts = posting.amount.parts if posting else ()
    days = "; ".join(
        f"{Money(part.minor_days, ledger.currency).plain()} x {part.rate} / {part.year_days}"
        for part in parts
    )
    return (
        ledger.loan_ref,
        check.posted_on.isoformat(),
        check.component,
        " ".join(check.line_refs),
        posting.since.isoformat() if posting else "",
        days,
        str(posting.amount.exact) if posting else "",
        *(
            Money(minor, ledger.currency).plain()
            for minor in (check.expected_minor, check.posted_minor, check.difference_minor)
        ),
    )


def _tell(summary: Summary) -> None:
    parts = ", ".join(f"{name} {number:,}" for name, number in sorted(summary.by_component.items()))
    for ledger, check in summary.first:
        expected, posted, by = (
            Money(minor, ledger.currency).plain()
            for minor in (check.expected_minor, check.posted_minor, check.difference_minor)
        )
        line = " ".join(check.line_refs) or "no line"
        click.echo(
            f"{ledger.loan_ref} {check.posted_on} {line} {check.component}:"
            f" posted {posted}, expected {expected}, difference {by}"
        )
    if summary.differing > len(summary.first):
        click.echo(f"... and {summary.differing - len(summary.first):,} more loans")
    click.echo(
        f"loans {summary.loans:,}, lines {summary.lines:,} ({parts}): equal {summary.equal:,},"
        f" different {summary.differences:,} on {summary.differing:,} loans,"
        f" due on the last day and not posted yet {summary.waiting:,}"
    )
