"""What changed since a notice or an issued statement: then + charged - paid = now, with every line in between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, abort, render_template

from portal.accounts import explanation, queries
from portal.accounts.queries import LineView, LoanView
from portal.money import Money
from portal.plans import standing as standings
from portal.statements.queries import IssuedRow, issued_for, issued_list_for
from portal.statements.sheet import LoanStatement, Statement
from portal.web.borrower.balance import since_facts
from portal.web.context import portal
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("since", __name__)

#: How many earlier statements are offered to compare with.
STATEMENTS = 10


@blueprint.get("/since/<notice_ref>")
@borrower_only
def notice(borrower: SignedInBorrower, notice_ref: str) -> str:
    """From the figure of one notice to now, with every line posted in between."""
    p = portal()
    with p.db.read() as connection:
        balance = queries.balances_for(connection, borrower.borrower_id)
        standing = standings.standing_for(
            connection, borrower.borrower_id, now=p.clock.now(), notice_ref=notice_ref
        )
        issued = issued_list_for(connection, borrower.borrower_id, limit=STATEMENTS)
    at = standing.at_hand
    facts = since_facts(standing, balance)
    if at is None or at.notice_ref != notice_ref or facts["since"] is None:
        abort(404)
    named = [loan for loan in balance.loans if loan.loan_id in standing.named_loan_ids]
    return render_template(
        "borrower/balance/since.html",
        origin=at,
        notices=standing.notices,
        issued=issued,
        entries=standing.lines,
        instalments=instalments_since((loan, at.stated_on) for loan in named),
        **shared(named),
        **facts,
    )


@blueprint.get("/since-statement/<reference>")
@borrower_only
def statement(borrower: SignedInBorrower, reference: str) -> str:
    """From what was due in an issued statement to now: the lines that are not in it, loan by loan."""
    p = portal()
    with p.db.read() as connection:
        issued = issued_for(connection, borrower.borrower_id, reference) or abort(404)
        balance = queries.balances_for(connection, borrower.borrower_id)
        stated = issued.statement
        parts = {one.facts.loan_ref: one for one in stated.loans}
        named = [loan for loan in balance.loans if loan.loan_ref in parts]
        standing = standings.standing_for(connection, borrower.borrower_id, now=p.clock.now())
        others = issued_list_for(connection, borrower.borrower_id, limit=STATEMENTS)
        lines = queries.lines_since_for(
            connection,
            borrower.borrower_id,
            loan_ids=[loan.loan_id for loan in named],
            after=stated.first - timedelta(days=1) if stated.first else date.min,
        )
    of_loan = {loan.loan_id: parts[loan.loan_ref] for loan in named}
    days = [(loan, parts[loan.loan_ref].as_of) for loan in named]
    entries = [line for line in lines if not is_stated(line, of_loan[line.loan_id])]
    return render_template(
        "borrower/balance/since.html",
        origin=IssuedRow(reference, issued.issued_on, stated.as_of),
        notices=standing.notices,
        issued=others,
        entries=entries,
        instalments=instalments_since(days),
        since=since_statement(stated, entries, days),
        since_as_of=min((loan.as_of for loan in named), default=stated.as_of),
        since_classes=stated.product_classes,
        **shared(named),
    )


def since_statement(
    stated: Statement, entries: Iterable[LineView], days: Iterable[tuple[LoanView, date]]
) -> explanation.Since:
    """The itemisation from what was due in a statement to what is due now on the same loans."""
    known, currency = list(days), stated.currency
    fallen = (
        explanation.fallen_due(loan.terms, after=day, until=loan.as_of, currency=currency)
        for loan, day in known
    )
    return explanation.itemised(
        entries,
        then=stated.money(stated.due_now),
        fallen_due=Money.sum(fallen, currency),
        now=Money.sum((loan.due_now for loan, _day in known), currency),
    )


def is_stated(line: LineView, stated: LoanStatement) -> bool:
    """Whether a statement lists the line: one posted later on its last day, or dated back, is not in it."""
    return any(entry.line_ref == line.line_ref for entry in stated.entries)


def shared(named: Iterable[LoanView]) -> dict[str, Any]:
    """What both pages print beside their figures; the rows lead to the same page's tables."""
    return {
        "refs": {loan.loan_id: loan.loan_ref for loan in named},
        "part_of": explanation.part_of,
        "details": "",
    }


def instalments_since(days: Iterable[tuple[LoanView, date]]) -> list[tuple[LoanView, Mapping[str, Any]]]:
    """The instalments that fell due after each loan's day."""
    return [
        (view, {"due_on": part.due_on, "amount": Money(part.principal_minor, view.currency)})
        for view, day in days
        for part in explanation.instalments_between(view.terms, after=day, until=view.as_of)
    ]
