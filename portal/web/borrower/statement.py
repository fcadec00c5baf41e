"""The statement: choose loans and days, have it issued, read and print it, take it along as a file."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import StringField

from portal.accounts import queries
from portal.accounts.queries import BorrowerBalance
from portal.interest.accrual import Stop
from portal.interest.settlement import earliest_day, latest_day
from portal.plans import standing as standings
from portal.plans.policy import Policy
from portal.plans.queries import holder_for, latest_plan_for
from portal.statements import issuing
from portal.statements import sheet as statements
from portal.statements.queries import Choice, Issued, issued_for, issued_list_for
from portal.web import errors
from portal.web.borrower.balance import stops_of
from portal.web.borrower.statement_files import book as workbook
from portal.web.borrower.statement_files import paper as pdf
from portal.web.borrower.statement_files import plain
from portal.web.borrower.statement_files.words import settlement_words
from portal.web.context import portal
from portal.web.forms import Form
from portal.web.locale import day_text
from portal.web.papers import as_pdf, keys_address
from portal.web.qr import qr_svg
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("statement", __name__)

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ChoiceForm(Form):
    """Which loan accounts, from when, until when."""

    of = StringField(_l("Which loan accounts?"))
    since = StringField(_l("From when?"))
    first = StringField(_l("First day"))
    until = StringField(_l("Last day"))
    settle = StringField(_l("Also what pays everything off on this day"))


@dataclass(frozen=True)
class Ground:
    """What a borrower can choose from."""

    balance: BorrowerBalance
    notices: tuple[standings.NoticeStanding, ...]

    def latest(self, currency: str, loan_ref: str | None) -> date:
        """The last day to which the bank's books of these loans go."""
        loans = [loan for loan in self.balance.loans if loan.currency == currency]
        return max(loan.as_of for loan in loans if loan_ref in (None, loan.loan_ref))

    @property
    def settling(self) -> tuple[date, date]:
        """The first and the last day for which a settlement figure is given."""
        books = max((loan.as_of for loan in self.balance.loans), default=date.min)
        today = portal().clock.today()
        return earliest_day(books, today), latest_day(books, today)


@blueprint.get("/statement")
@borrower_only
def page(borrower: SignedInBorrower) -> str:
    """The choice; the first loan or total is chosen already, from the start to the last day known."""
    form = ChoiceForm(formdata=None)
    form.of.data = request.args.get("of", "")
    form.since.data = "start"
    return ask(borrower, form)


@blueprint.post("/statement")
@borrower_only
def make(borrower: SignedInBorrower) -> Any:
    """Issue the statement that was chosen and show it; the same choice again shows the same one."""
    form = ChoiceForm()
    choice = chosen(form, ground_of(borrower))
    if choice is None:
        return ask(borrower, form), 422
    if choice.settle_on is not None:
        fee_rate = Policy.of(portal().settings.bank).early_repayment_fee
        choice = replace(choice, stops=stops_for(borrower), fee_rate=fee_rate)
    p = portal()
    now, real_now, today = p.clock.now(), p.clock.real_now(), p.clock.today()
    made = p.db.write(
        lambda session: issuing.issue(
            session,
            keys=p.keys,
            signer=p.signer,
            issuer=p.settings.bank.code,
            borrower_id=borrower.borrower_id,
            choice=choice,
            today=today,
            now=now,
            real_now=real_now,
        )
    )
    if isinstance(made, issuing.Wait):
        return errors.page(429, retry_after=made.seconds)
    return redirect(url_for("borrower.statement.paper", reference=made or abort(404)), 303)


@blueprint.get("/statement/<reference>")
@borrower_only
def paper(borrower: SignedInBorrower, reference: str) -> str:
    """One statement as it was issued, made to be read and printed."""
    p = portal()
    issued = own(borrower, reference)
    with p.db.read() as connection:
        holder = holder_for(connection, p.keys, borrower.borrower_id)
    stated = issued.statement
    return render_template(
        "borrower/statement/paper.html",
        issued=issued,
        stated=stated,
        holder=holder,
        running=statements.running,
        settlement_words=settlement_words,
        check_url=f"{p.settings.base_url.rstrip('/')}/statement/{issued.reference}",
        qr=qr_svg(check_address(issued), _("Address at which anybody can check this statement")),
    )


@blueprint.get("/statement/<reference>.pdf")
@borrower_only
def document(borrower: SignedInBorrower, reference: str) -> Response:
    """The statement as PDF, the same bytes each time, with the signed data attached."""
    p = portal()
    issued = own(borrower, reference)
    with p.db.read() as connection:
        holder = holder_for(connection, p.keys, borrower.borrower_id)
    content = pdf.pdf_of(
        issued, p.settings.bank, holder, check_address=check_address(issued), keys_url=keys_address()
    )
    return as_pdf(content, f"statement-{issued.reference}.pdf")


@blueprint.get("/statement/<reference>.xlsx")
@borrower_only
def book(borrower: SignedInBorrower, reference: str) -> Response:
    """The statement as a workbook whose totals are formulas."""
    issued = own(borrower, reference)
    content = workbook.book_of(issued, portal().settings.bank, check_address(issued))
    return as_file(content, XLSX, f"statement-{issued.reference}.xlsx")


@blueprint.get("/statement/<reference>.csv")
@borrower_only
def table(borrower: SignedInBorrower, reference: str) -> Response:
    """The entries as one table for any program."""
    issued = own(borrower, reference)
    return as_file(plain.csv_of(issued.statement), "text/csv", f"statement-{issued.reference}.csv")


@blueprint.get("/statement/<reference>.json")
@borrower_only
def signed(borrower: SignedInBorrower, reference: str) -> Response:
    """The signed content itself, for whoever checks the signature without us."""
    issued = own(borrower, reference)
    return as_file(
        plain.json_of(issued, keys_address()), "application/json", f"statement-{issued.reference}.json"
    )


def own(borrower: SignedInBorrower, reference: str) -> Issued:
    """The borrower's own statement, or 404: for somebody else's as for one that does not exist."""
    with portal().db.read() as connection:
        return issued_for(connection, borrower.borrower_id, reference) or abort(404)


def check_address(issued: Issued) -> str:
    """Where anybody can check the statement; the fingerprint goes along, so that scanning is enough."""
    base = portal().settings.base_url.rstrip("/")
    return f"{base}/statement/{issued.reference}?digest={issued.digest}"


def as_file(content: bytes, mimetype: str, name: str) -> Response:
    """A download that no cache keeps and no browser opens as a page."""
    response = Response(content, mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def ground_of(borrower: SignedInBorrower) -> Ground:
    """The borrower's loans, and the notices a statement can begin with; two statements."""
    p = portal()
    with p.db.read() as connection:
        balance = queries.balances_for(connection, borrower.borrower_id)
        standing = standings.standing_for(connection, borrower.borrower_id, now=p.clock.now())
    return Ground(balance, tuple(n for n in standing.notices if n.status != "withdrawn"))


def stops_for(borrower: SignedInBorrower) -> Mapping[int, Stop]:
    """What the borrower's plan stops accruing, by loan."""
    with portal().db.read() as connection:
        return stops_of(latest_plan_for(connection, borrower.borrower_id))


def ask(borrower: SignedInBorrower, form: ChoiceForm) -> str:
    """The page of the choice, with what was chosen and what is at fault."""
    ground = ground_of(borrower)
    with portal().db.read() as connection:
        issued = issued_list_for(connection, borrower.borrower_id)
    choices = [value for value, *_rest in sources(ground.balance)]
    if form.of.data not in choices and choices:
        form.of.data = choices[0]
    return render_template(
        "borrower/statement/page.html",
        form=form,
        ground=ground,
        sources=sources(ground.balance),
        issued=issued,
        latest=max((loan.as_of for loan in ground.balance.loans), default=None),
        settling=ground.settling if ground.balance.loans else None,
    )


def sources(balance: BorrowerBalance) -> list[tuple[str, str, str | None]]:
    """What a statement can be about, as (value of the form, currency, loan reference or None for all)."""
    made: list[tuple[str, str, str | None]] = []
    for total in balance.totals:
        if len(total.loans) > 1:
            made.append((f"all:{total.currency}", total.currency, None))
        made += [(f"loan:{loan.loan_ref}", loan.currency, loan.loan_ref) for loan in total.loans]
    return made


def chosen(form: ChoiceForm, ground: Ground) -> Choice | None:
    """The choice a form makes, or None with words at the field at fault. A choice that no form of ours
    offers is not found."""
    offered = {value: (currency, loan_ref) for value, currency, loan_ref in sources(ground.balance)}
    if form.of.data not in offered:
        abort(404)
    currency, loan_ref = offered[form.of.data]
    latest = ground.latest(currency, loan_ref)
    until = latest if not (form.until.data or "").strip() else day_from(form.until.data)
    first = first_day(form, ground.notices)
    settle_on = settling_day(form, ground)
    if until is None:
        form.until.errors = [NO_DAY]
    elif until > latest:
        form.until.errors = [
            _("The bank's books go to %(day)s. Choose that day or an earlier one.", day=day_text(latest))
        ]
    elif first is not None and first > until:
        form.first.errors = [_("The first day must not be after the last day.")]
    if until is None or form.problems():
        return None
    return Choice(currency, loan_ref, first, until, settle_on)


def settling_day(form: ChoiceForm, ground: Ground) -> date | None:
    """The day of the settlement figure, where one is asked for. Words at the field where it does not do."""
    if not (form.settle.data or "").strip():
        return None
    day, (earliest, latest) = day_from(form.settle.data), ground.settling
    if day is None:
        form.settle.errors = [NO_DAY]
    elif not earliest <= day <= latest:
        form.settle.errors = [
            _(
                "Choose a day from %(first)s to %(last)s.",
                first=day_text(earliest),
                last=day_text(latest),
            )
        ]
    return day


NO_DAY = _l("Enter a day, for example 2026-01-31.")


def first_day(form: ChoiceForm, notices: Iterable[standings.NoticeStanding]) -> date | None:
    """The first day whose entries are listed; None for the start. Words at the field where it cannot be read."""
    since = form.since.data or ""
    if since == "start":
        return None
    if since == "date":
        found = day_from(form.first.data)
        form.first.errors = [] if found else [NO_DAY]
        return found
    kind, _colon, notice_ref = since.partition(":")
    stated = [notice.stated_on for notice in notices if kind == "notice" and notice.notice_ref == notice_ref]
    return stated[0] + timedelta(days=1) if stated else abort(404)


def day_from(typed: str | None) -> date | None:
    """A day as a date field sends it or as people write one; None for anything else.

    >>> day_from("2026-01-31"), day_from("２０２６年1月31日"), day_from("31.1.2026"), day_from("2026-02-30")
    (datetime.date(2026, 1, 31), datetime.date(2026, 1, 31), None, None)
    """
    text = unicodedata.normalize("NFKC", typed or "").strip().rstrip("日")
    for mark in "年月/.":
        text = text.replace(mark, "-")
    parts = text.split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in parts):
        return None
    try:
        return date(*map(int, parts)) if len(parts[0]) == 4 else None
    except ValueError:
        return None
