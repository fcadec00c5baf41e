"""My situation: what happened, a month in figures, check the answers, send. One thing a page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response
from wtforms import BooleanField, StringField, TextAreaField

from portal.documents import queries as documents
from portal.documents.card_numbers import has_card_number
from portal.hardship import operations, queries
from portal.hardship.affordability import left_over
from portal.hardship.budget import LINES, REASONS, SENSITIVE_REASONS, read_amounts
from portal.hardship.operations import STORY_LENGTH, NoDraft, NotReady
from portal.hardship.queries import ReportView
from portal.money import Money
from portal.web.card_numbers import says_so_itself
from portal.web.context import portal
from portal.web.forms import AMOUNT_WORDS, Form
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("situation", __name__)

#: The amount pages and the kinds of lines each asks for.
PAGES = {"income": ("income",), "spending": ("spending", "priority_debt")}


#: Said where a card number was typed; nothing of the page is stored then.
CARD_NUMBER = _l(
    "This looks like a card number. For your safety we do not keep it: please take it out. "
    "If it is something else, write it another way."
)


class ReasonForm(Form):
    """What happened, as a choice and in one's own words."""

    reason = StringField(_l("What happened?"))
    story = TextAreaField(_l("In your own words (you can leave this out)"))

    def check(self) -> bool:
        """Whether the page can be kept; the words of what is wrong are at the fields."""
        if self.reason.data not in REASONS:
            self.reason.errors = [_l("Choose what comes closest. “Something else” is fine.")]
        if len(self.story.data or "") > STORY_LENGTH:
            self.story.errors = [_l("This is longer than 2,000 characters. Please shorten it.")]
        if has_card_number(self.story.data or ""):
            self.story.errors = [CARD_NUMBER]
        return not self.problems()


class SendForm(Form):
    """The last page: nothing to fill in but the separate consent where it is needed."""

    consent = BooleanField(_l("I agree that the bank uses what I tell about health to decide on my request."))


@blueprint.get("/situation")
@borrower_only
def page(borrower: SignedInBorrower) -> str:
    """What was begun and what was sent."""
    p = portal()
    with p.db.read() as connection:
        draft = queries.draft_for(connection, p.keys, borrower.borrower_id)
        latest = queries.latest_report_for(connection, p.keys, borrower.borrower_id)
        papers = documents.documents_for(connection, p.keys, borrower.borrower_id)
    return render_template(
        "borrower/situation/page.html",
        draft=draft,
        latest=latest,
        left=_left(latest),
        steps=_steps(draft),
        papers=[paper for paper in papers if latest and paper.report_id == latest.report_id],
        begun_papers=[paper for paper in papers if draft and paper.report_id == draft.report_id],
    )


@blueprint.route("/situation/reason", methods=["GET", "POST"])
@says_so_itself
@borrower_only
def reason(borrower: SignedInBorrower) -> Response | str:
    """What happened."""
    draft = _draft(borrower)
    form = ReasonForm(reason=draft.reason, story=draft.story) if draft else ReasonForm()
    if request.method == "POST" and form.check():
        _save_reason(borrower, form)
        return redirect(url_for("borrower.situation.income"), 303)
    return render_template("borrower/situation/reason.html", form=form, reasons=REASONS)


@blueprint.route("/situation/income", methods=["GET", "POST"])
@borrower_only
def income(borrower: SignedInBorrower) -> Response | str:
    """What comes in each month."""
    return _amounts_page(borrower, "income", "borrower.situation.spending")


@blueprint.route("/situation/spending", methods=["GET", "POST"])
@borrower_only
def spending(borrower: SignedInBorrower) -> Response | str:
    """What goes out each month, and the debts that come first."""
    return _amounts_page(borrower, "spending", "borrower.documents.page")


@blueprint.route("/situation/check", methods=["GET", "POST"])
@borrower_only
def check(borrower: SignedInBorrower) -> Response | str:
    """Every answer once more, then send."""
    form = SendForm()
    missing: tuple[str, ...] = ()
    if request.method == "POST":
        try:
            reference = _send(borrower, form)
        except NoDraft:
            return redirect(url_for("borrower.situation.page"), 303)
        except NotReady as error:
            missing = error.missing
        else:
            return redirect(url_for("borrower.situation.sent", reference=reference), 303)
    draft = _draft(borrower)
    if draft is None:
        return redirect(url_for("borrower.situation.page"), 303)
    return _check_page(borrower, draft, form, missing)


@blueprint.get("/situation/sent/<reference>")
@borrower_only
def sent(borrower: SignedInBorrower, reference: str) -> str:
    """The receipt: a reference and what happens next."""
    p = portal()
    with p.db.read() as connection:
        report = queries.report_for(connection, p.keys, borrower.borrower_id, reference)
        papers = documents.sent_documents_for(connection, p.keys, borrower.borrower_id)
    if report is None:
        abort(404)
    mine = [paper for paper in papers if paper.report_id == report.report_id]
    return render_template("borrower/situation/sent.html", report=report, papers=mine)


def _draft(borrower: SignedInBorrower) -> ReportView | None:
    p = portal()
    with p.db.read() as connection:
        return queries.draft_for(connection, p.keys, borrower.borrower_id)


def _save_reason(borrower: SignedInBorrower, form: ReasonForm) -> None:
    p = portal()
    p.db.write(
        lambda session: operations.save_reason(
            session,
            keys=p.keys,
            borrower_id=borrower.borrower_id,
            reason=form.reason.data,
            story=form.story.data or "",
            now=p.clock.now(),
        )
    )


def _amounts_form(names: tuple[str, ...], typed: dict[str, str] | None) -> Form:
    class AmountsForm(Form):
        pass

    for name in names:
        setattr(AmountsForm, name, StringField(name))
    return AmountsForm(formdata=None, data=typed)


def _amounts_page(borrower: SignedInBorrower, name: str, onward: str) -> Response | str:
    p = portal()
    currency = p.settings.bank.currency
    labels = tuple(label for kind in PAGES[name] for label in LINES[kind])
    if request.method == "GET":
        form = _amounts_form(labels, _kept_amounts(borrower))
        return render_template(f"borrower/situation/{name}.html", form=form, labels=LINES, currency=currency)
    texts = {label: request.form.get(label, "") for label in labels}
    read = read_amounts(texts, currency)
    p.db.write(
        lambda session: operations.save_amounts(
            session, borrower_id=borrower.borrower_id, amounts=read.amounts, now=p.clock.now()
        )
    )
    form = _amounts_form(labels, texts)
    for label, reason_code in read.problems.items():
        form[label].errors = [AMOUNT_WORDS[reason_code]]
    if read.all_blank:
        form[labels[0]].errors = [_l("Enter at least one amount. If there is none, enter 0.")]
    if form.problems():
        return render_template(f"borrower/situation/{name}.html", form=form, labels=LINES, currency=currency)
    return redirect(url_for(onward), 303)


def _kept_amounts(borrower: SignedInBorrower) -> dict[str, str]:
    draft = _draft(borrower)
    return {line.label: line.amount.plain() for line in draft.lines} if draft else {}


def _send(borrower: SignedInBorrower, form: SendForm) -> str:
    p = portal()
    return p.db.write(
        lambda session: operations.submit(
            session,
            borrower_id=borrower.borrower_id,
            form_key=request.form.get("form_key", "")[:64],
            consents=bool(form.consent.data),
            now=p.clock.now(),
        )
    )


def _check_page(
    borrower: SignedInBorrower, draft: ReportView, form: SendForm, missing: tuple[str, ...]
) -> str:
    p = portal()
    with p.db.read() as connection:
        papers = documents.documents_for(connection, p.keys, borrower.borrower_id, report_id=draft.report_id)
    if "consent" in missing:
        form.consent.errors = [_l("Tick this box to send: without it we may not use what concerns health.")]
    open_steps = tuple(name for name, is_done in _steps(draft) if not is_done and name != "documents")
    return render_template(
        "borrower/situation/check.html",
        form=form,
        draft=draft,
        papers=papers,
        open_steps=open_steps,
        ask_consent=draft.reason in SENSITIVE_REASONS and draft.sensitive_consent_at is None,
        left=_left(draft),
        retention_days=p.settings.bank.policy["document_retention_days"],
    )


def _left(report: ReportView | None) -> Money | None:
    """What the month leaves by the borrower's own figures, before ordinary instalments."""
    if report is None or report.budget is None:
        return None
    return left_over(report.budget, Money.zero(report.budget.income.currency))


def _steps(draft: ReportView | None) -> list[tuple[str, bool]]:
    """The pages in order, and whether each has an answer."""
    if draft is None:
        return []
    spent: Any = draft.of_kind("spending") or draft.of_kind("priority_debt")
    return [
        ("reason", draft.reason is not None),
        ("income", bool(draft.of_kind("income"))),
        ("spending", bool(spent)),
    ]
