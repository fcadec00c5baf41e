"""The balance pages: what is owed, paid, left and due; every figure opens into the lines behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from sqlalchemy import Connection

from portal import jurisdictions
from portal.accounts import explanation, figures, queries
from portal.accounts.queries import READING_ORDER, BorrowerBalance, CurrencyTotals, LineView, LoanView
from portal.disputes.complaint_queries import disputed_for
from portal.interest import accrual, as_of
from portal.money import Money
from portal.plans import standing as standings
from portal.plans.lifecycle import PlanState
from portal.plans.queries import PlanView, latest_plan_for
from portal.web import kept
from portal.web.context import portal
from portal.web.forms import whole_number
from portal.web.locale import percent_text
from portal.web.pages import address
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("balance", __name__)

#: Ledger lines a page.
PAGE = 50


@blueprint.get("/")
@borrower_only
def home(borrower: SignedInBorrower) -> Any:
    """The borrower's first page is the balance."""
    return redirect(url_for("borrower.balance.page"))


@blueprint.get("/balance")
@borrower_only
def page(borrower: SignedInBorrower) -> bytes:
    """What is due now, what is left, what changed since the notice, and what one can do."""
    p = portal()
    now = p.clock.now()
    with p.db.read() as connection:
        loans = queries.balance_rows(connection, borrower.borrower_id)
        around = standings.standing_rows(connection, borrower.borrower_id, now=now)

    def make() -> str:
        balance, standing = queries.balance_of(loans), standings.standing_of(around)
        ladder = standings.ladder_of(standing, now=now, local=p.clock.local)
        return render_template(
            "borrower/balance/page.html",
            balance=balance,
            standing=standing,
            ladder=ladder,
            next_step=standings.next_step_of(
                ladder,
                standing,
                now=now,
                local=p.clock.local,
                pack=jurisdictions.pack(p.settings.bank.jurisdiction),
            ),
            orders=allocation_orders(balance.loans),
            address_of=address_of,
            **since_facts(standing, balance),
        )

    return kept.page(borrower, (loans, around), make)


@blueprint.get("/loans/<loan_ref>")
@borrower_only
def loan(borrower: SignedInBorrower, loan_ref: str) -> str:
    """One loan account: its figures, its terms, and the way to its ledger."""
    p = portal()
    with p.db.read() as connection:
        view = own_loan(queries.balances_for(connection, borrower.borrower_id), loan_ref)
        rates = accrual.rate_changes(connection, [view.loan_id]).get(view.loan_id, ())
    return render_template(
        "borrower/balance/loan.html",
        view=view,
        rates=rates,
        exact_percent=exact_percent,
        principal=principal_of(view),
        orders=allocation_orders([view]),
        link=links_of(view),
    )


@blueprint.get("/loans/<loan_ref>/lines")
@borrower_only
def lines(borrower: SignedInBorrower, loan_ref: str) -> str:
    """Every posted line of one loan, the newest first, a page at a time."""
    number = max(1, whole_number(request.args.get("page")))
    with portal().db.read() as connection:
        view = own_loan(queries.balances_for(connection, borrower.borrower_id), loan_ref)
        found = queries.lines_for(
            connection,
            borrower.borrower_id,
            loan_ref,
            newest_first=True,
            limit=PAGE,
            offset=(number - 1) * PAGE,
        )
        disputed = disputed_for(connection, borrower.borrower_id, loan_ref)
    if not found and number > 1:
        abort(404)
    pages = max(1, -(-view.line_count // PAGE))
    return render_template(
        "borrower/balance/lines.html", view=view, lines=found, number=number, pages=pages, disputed=disputed
    )


@blueprint.get("/loans/<loan_ref>/accrued")
@borrower_only
def accrued(borrower: SignedInBorrower, loan_ref: str) -> str:
    """What one loan accrued since interest was last posted, to today or to the day asked for: an estimate,
    and how it is computed."""
    p, on = portal(), day_asked()
    with p.db.read() as connection:
        view = own_loan(queries.balances_for(connection, borrower.borrower_id), loan_ref)
        stops = stops_of(latest_plan_for(connection, borrower.borrower_id))
        found = accrual.accrued_for(
            connection, borrower.borrower_id, as_of=day_ahead(view, on or p.clock.today()), stops=stops
        )
    return render_template(
        "borrower/balance/accrued.html",
        view=view,
        estimate=found.get(view.loan_id) or abort(404),
        stop=stops.get(view.loan_id),
        exact_percent=exact_percent,
    )


@blueprint.get("/loans/<loan_ref>/<figure>")
@borrower_only
def explain(borrower: SignedInBorrower, loan_ref: str, figure: str) -> str:
    """How one figure of one loan comes about: the rule in words, the lines, the sum that equals it."""
    on = day_asked()
    with portal().db.read() as connection:
        view = own_loan(balance_on(connection, borrower, on), loan_ref)
        lines = queries.lines_for(connection, borrower.borrower_id, loan_ref, until=view.as_of)
        disputed = disputed_for(connection, borrower.borrower_id, loan_ref)
    explained = figures.loan_figure(view, lines, figure) or abort(404)
    link = links_of(view, on)
    facts = {"explained": explained, "principal": principal_of(view), "orders": allocation_orders([view])}
    if figure in READING_ORDER:
        touching = [line for line in lines if line.amounts[figure]]
        entries = running(touching, figure, view.currency)
        return render_template(
            "borrower/balance/explain.html",
            view=view,
            name=figure,
            entries=entries,
            link=link,
            disputed=disputed,
            **facts,
        )
    return render_template(
        "borrower/balance/figure.html",
        loan=view,
        classes=(view.product_class,),
        as_of=view.as_of,
        href=lambda one: link(one.figure),
        **facts,
    )


@blueprint.get("/totals/<currency>/<figure>")
@borrower_only
def total(borrower: SignedInBorrower, currency: str, figure: str) -> str:
    """How a figure over several loans is their sum, each leading to its own lines."""
    on = day_asked()
    with portal().db.read() as connection:
        found = balance_on(connection, borrower, on).total(currency)
    if found is None:
        abort(404)
    loans = {loan.loan_ref: loan for loan in found.loans}
    return render_template(
        "borrower/balance/figure.html",
        explained=figures.whole_figure(found.loans, figure, currency) or abort(404),
        classes=found.product_classes,
        as_of=found.as_of,
        href=lambda one: links_of(loans[one.loan_ref], on)(one.figure),
        orders=(),
    )


def day_ahead(view: LoanView, day: date) -> date:
    """`day`, no earlier than the books of the loan end and no later than a year after."""
    return min(max(view.as_of, day), view.as_of + timedelta(days=as_of.DAYS_AHEAD))


def day_asked() -> date | None:
    """The day that the address names as `on`, or nothing: the day to which the books go."""
    try:
        return date.fromisoformat(request.args.get("on", ""))
    except ValueError:
        return None


def balance_on(connection: Connection, borrower: SignedInBorrower, on: date | None) -> BorrowerBalance:
    """The borrower's balance, as of `on` where a day is named."""
    if on is None:
        return queries.balances_for(connection, borrower.borrower_id)
    return as_of.balances_as_of(connection, borrower.borrower_id, on=on)


def stops_of(plan: PlanView | None) -> dict[int, accrual.Stop]:
    """What stops accruing on the loans of a plan in force, from the day it was made."""
    if plan is None or plan.state != PlanState.ACTIVE:
        return {}
    from_on = portal().clock.local(plan.made_at).date()
    return dict.fromkeys(plan.loan_ids, accrual.Stop(from_on, interest=plan.terms.freeze_interest))


def exact_percent(rate: Decimal) -> str:
    """A yearly rate with all its digits, at least two: 0.106050 is 10.605%."""
    exponent = rate.normalize().as_tuple().exponent
    return percent_text(rate, max(2, -exponent - 2 if isinstance(exponent, int) else 2))


def own_loan(balance: BorrowerBalance, loan_ref: str) -> LoanView:
    """The borrower's own loan, or 404: for somebody else's as for one that does not exist."""
    return balance.loan(loan_ref) or abort(404)


def since_facts(standing: standings.Standing, balance: BorrowerBalance) -> dict[str, Any]:
    """What the since-the-notice table prints beside the notice itself."""
    named = [loan for loan in balance.loans if loan.loan_id in standing.named_loan_ids]
    return {
        "since": standings.since_of(standing, balance),
        "since_as_of": min((loan.as_of for loan in named), default=None),
        "since_classes": tuple(dict.fromkeys(loan.product_class for loan in named)),
    }


def allocation_orders(loans: Iterable[LoanView]) -> list[tuple[LoanView, tuple[str, ...]]]:
    """Beside each loan the order in which a payment meets its components today."""
    pack = jurisdictions.pack(portal().settings.bank.jurisdiction)
    return [(loan, pack.allocation_order(loan.product_class, loan.days_overdue).components) for loan in loans]


def address_of(total: CurrencyTotals, on: date | None = None) -> Callable[[str], str]:
    """Where a figure of the total is explained: at the loan itself when there is only one."""
    if len(total.loans) == 1:
        return links_of(total.loans[0], on)
    more = {} if on is None else {"on": on.isoformat()}
    return lambda name: address("borrower.balance.total", currency=total.currency, figure=name, **more)


def links_of(view: LoanView, on: date | None = None) -> Callable[[str], str]:
    """Where a figure of the loan is explained; `on` is the day it is of, where that is not the books' last."""
    more = {} if on is None else {"on": on.isoformat()}
    return lambda name: address("borrower.balance.explain", loan_ref=view.loan_ref, figure=name, **more)


def principal_of(view: LoanView) -> explanation.DuePrincipal:
    """The instalments behind the principal that is due."""
    part = view.components["principal"]
    return explanation.due_principal(
        view.terms, settled=part.paid + part.forgiven, due=view.principal_due, as_of=view.as_of
    )


def running(found: Iterable[LineView], figure: str, currency: str) -> list[tuple[LineView, Money, Money]]:
    """Each line with its amount of the component and the sum so far."""
    return list(explanation.running(found, figure, currency))
