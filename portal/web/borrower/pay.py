"""Paying: what, how, check, off to the provider, and back to a page that shows our own rows only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from wtforms import StringField

from portal.accounts.queries import BorrowerBalance, LoanView, balances_for
from portal.jurisdictions import pack
from portal.money import EXPONENTS, AmountError, Money
from portal.payments import checkout, queries, saved
from portal.payments.checkout import ProviderRefused, ProviderUnavailable
from portal.payments.lifecycle import OPEN_STATES, PaymentState
from portal.payments.limits import TooManyTries, count_attempt
from portal.payments.operations import Attempt, UnableToPay, create_attempt
from portal.payments.queries import InstalmentDue, PaymentView
from portal.payments.references import transfer_reference
from portal.payments.return_views import ReturnView, returns_of, saved_for
from portal.plans.outlook import Outlook, outlooks
from portal.plans.standing import past_limitation
from portal.schedules.extra import ExtraChoice
from portal.transfers.qr import Transfer, payload
from portal.web.borrower.saved import consent_words, keepable
from portal.web.context import portal
from portal.web.forms import Form, MoneyField
from portal.web.locale import current_locale, money_text
from portal.web.methods import online_methods
from portal.web.qr import qr_svg
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("pay", __name__)

#: How often the return page asks for itself again while the answer is on its way, and how soon.
LOOKS, SOON_SECONDS, LATER_SECONDS = 40, 3, 10
#: A checkout that ends this soon is not worth going to.
ALMOST_OVER = timedelta(minutes=2)


class PayForm(Form):
    """What to pay: the plan's next instalment, what is due on a loan, or another amount."""

    what = StringField(_l("What do you want to pay?"))
    amount = MoneyField(_l("Amount"), optional=True)
    loan = StringField(_l("For which loan account?"))


class TransferForm(Form):
    """How much the transfer shall be."""

    amount = MoneyField(_l("Amount"), optional=True)


@dataclass(frozen=True)
class Means:
    """What a borrower can pay, and with what."""

    balance: BorrowerBalance
    instalment: InstalmentDue | None
    references: dict[str, str]
    methods: tuple[str, ...]
    transfer_first: bool
    aged: tuple[str, ...]
    #: a way to pay is kept for the plan already
    kept: bool

    @property
    def loans(self) -> tuple[LoanView, ...]:
        """The loans with something left."""
        return tuple(loan for loan in self.balance.loans if loan.left)


@dataclass(frozen=True)
class Chosen:
    """What the form asks for: an amount for a loan, or for the plan when there is no `loan_ref`; `extra` says
    what more than the plan's instalment goes to."""

    loan_ref: str | None
    amount: Money
    extra: ExtraChoice | None = None


@blueprint.get("/pay")
@borrower_only
def page(borrower: SignedInBorrower) -> str:
    """Bank transfer and online payment, each with what it needs."""
    means = _means(borrower)
    wanted = "plan" if means.instalment else ""
    return _choose(borrower, PayForm(formdata=None, what=wanted), means)


@blueprint.get("/pay/check")
@borrower_only
def check(borrower: SignedInBorrower) -> Any:
    """The answers once more, with the plain word on what paying acknowledges."""
    means = _means(borrower)
    form = PayForm(request.args)
    chosen = _chosen(form, means)
    if chosen is None:
        return _choose(borrower, form, means), 422
    return _checked(chosen, means)


@blueprint.post("/pay/start")
@borrower_only
def start(borrower: SignedInBorrower) -> Any:
    """Write the attempt, open the provider's page, and go there."""
    chosen = _posted()
    try:
        attempt = _begin(borrower, chosen)
        if attempt.repeated and not _still_open(attempt):
            if attempt.state in OPEN_STATES:
                checkout.ask(portal(), attempt)
            return redirect(url_for("borrower.pay.payment", reference=attempt.reference), 303)
        return redirect(checkout.open_checkout(portal(), attempt).checkout_url or "/", 303)
    except TooManyTries:
        return _checked(chosen, _means(borrower), problem=_too_many(), again=False), 429
    except UnableToPay as error:
        return _checked(chosen, _means(borrower), problem=_why(error)), 422
    except ProviderUnavailable:
        return _checked(chosen, _means(borrower), problem=_no_answer()), 503
    except ProviderRefused:
        return _checked(chosen, _means(borrower), problem=_refused(), again=False), 502


@blueprint.get("/pay/start")
@borrower_only
def start_again(borrower: SignedInBorrower) -> Any:
    """Whoever comes back to the address of a payment that did not begin chooses again."""
    return redirect(url_for("borrower.pay.page"), 303)


@blueprint.get("/pay/history")
@borrower_only
def history(borrower: SignedInBorrower) -> str:
    """Every payment begun here, newest first."""
    with portal().db.read() as connection:
        payments = queries.payments_for(connection, borrower.borrower_id)
    return render_template("borrower/pay/history.html", payments=payments)


@blueprint.get("/pay/transfer/<loan_ref>")
@borrower_only
def transfer(borrower: SignedInBorrower, loan_ref: str) -> Any:
    """A bank transfer for one loan: every part to copy, and a code that fills it in."""
    means, bank = _means(borrower), portal().settings.bank
    loan = means.balance.loan(loan_ref) or abort(404)
    form = TransferForm(request.args if "amount" in request.args else None)
    form.amount.currency = loan.currency
    is_right = "amount" not in request.args or form.validate()
    amount = form.amount.money or loan.due_now or loan.left
    wanted = Transfer(bank.payee_name["zh"], bank.payee_account, amount, means.references[loan_ref])
    text = payload(bank.transfer_qr, wanted) if bank.transfer_qr and amount and is_right else ""
    picture = qr_svg(text, _("QR code of the bank transfer")) if text else ""
    is_address = (bank.transfer_qr or {}).get("form") == "uri"
    html = render_template(
        "borrower/pay/transfer_page.html",
        loan=loan,
        amount_wanted=amount,
        form=form,
        means=means,
        picture=picture,
        address=text if is_address else "",
        grouped=grouped,
    )
    return make_response(html, 200 if is_right else 422)


@blueprint.get("/pay/<reference>")
@borrower_only
def payment(borrower: SignedInBorrower, reference: str) -> Response:
    """Where one payment stands. What the address says of coming back only decides how often to look."""
    view = _payment(borrower, reference)
    looks = _looks()
    waiting = view.state == PaymentState.PROCESSING or (view.state == PaymentState.CREATED and looks > 0)
    over = view.expires_at <= portal().clock.real_now()
    html = render_template(
        "borrower/pay/payment.html",
        payment=view,
        waiting=waiting,
        looks=looks,
        over=over,
        returns=_returns(view),
        beyond=view.posted_at is not None and view.went_beyond(portal().clock.local(view.posted_at).date()),
    )
    response = make_response(html)
    if waiting and looks < LOOKS:
        next_look = url_for("borrower.pay.payment", reference=reference, back=looks + 1)
        pause = SOON_SECONDS if looks < LOOKS // 2 else LATER_SECONDS
        response.headers["Refresh"] = f"{pause}; url={next_look}"
    return response


@blueprint.get("/pay/<reference>/receipt")
@borrower_only
def receipt(borrower: SignedInBorrower, reference: str) -> str:
    """The receipt of a credited payment, made for paper: each step of its placement with the rule."""
    view = _payment(borrower, reference)
    if view.posted_at is None:
        abort(404)
    return render_template("borrower/pay/receipt.html", payment=view)


@blueprint.post("/pay/<reference>/ask")
@borrower_only
def ask(borrower: SignedInBorrower, reference: str) -> Any:
    """Ask the provider now how the payment stands."""
    attempt = _attempt(borrower, reference)
    try:
        if attempt.state in OPEN_STATES:
            checkout.ask(portal(), attempt)
    except ProviderUnavailable:
        return render_template("borrower/pay/silent.html", reference=reference), 503
    return redirect(url_for("borrower.pay.payment", reference=reference, back=1), 303)


@blueprint.post("/pay/<reference>/stop")
@borrower_only
def stop(borrower: SignedInBorrower, reference: str) -> Any:
    """Close a payment that was begun and is not wanted."""
    attempt = _attempt(borrower, reference)
    try:
        if attempt.state == PaymentState.CREATED:
            checkout.give_up(portal(), attempt)
    except ProviderUnavailable:
        return render_template("borrower/pay/silent.html", reference=reference), 503
    return redirect(url_for("borrower.pay.payment", reference=reference), 303)


def _means(borrower: SignedInBorrower) -> Means:
    p = portal()
    rules = pack(p.settings.bank.jurisdiction)
    with p.db.read() as connection:
        balance = balances_for(connection, borrower.borrower_id)
        instalment = queries.next_instalment_for(connection, borrower.borrower_id)
        kept = instalment and saved_for(connection, borrower.borrower_id, instalment.plan_id)
    years = rules.limitation_years.value if rules.limitation_years else None
    old = past_limitation(balance.loans, years=years, today=p.clock.today())
    return Means(
        balance=balance,
        instalment=instalment,
        references={loan.loan_ref: transfer_reference(p.keys, loan.loan_ref) for loan in balance.loans},
        methods=online_methods(),
        transfer_first=rules.payment_methods[0] == "bank_transfer",
        aged=tuple(loan.loan_ref for loan in old),
        kept=kept is not None,
    )


def _choose(borrower: SignedInBorrower, form: PayForm, means: Means) -> str:
    with portal().db.read() as connection:
        payments = queries.payments_for(connection, borrower.borrower_id, limit=3)
    return render_template(
        "borrower/pay/page.html", form=form, means=means, payments=payments, grouped=grouped
    )


def grouped(account: str) -> str:
    """An account number in groups of four, for reading aloud."""
    return " ".join(account[place : place + 4] for place in range(0, len(account), 4))


def _checked(chosen: Chosen, means: Means, *, problem: str = "", again: bool = True) -> str:
    loan = means.balance.loan(chosen.loan_ref) if chosen.loan_ref else None
    return render_template(
        "borrower/pay/check.html",
        chosen=chosen,
        loan=loan,
        means=means,
        problem=problem,
        again=again,
        outlooks=_outlooks(chosen, means),
        saving=_saving(chosen, means),
    )


def _saving(chosen: Chosen, means: Means) -> str:
    """The words of the consent, where this payment can be the one a way to pay is kept with."""
    plan = means.instalment
    if plan is None or means.kept or chosen.loan_ref is not None or not keepable(means.methods):
        return ""
    return consent_words(plan.plan_reference)


def _outlooks(chosen: Chosen, means: Means) -> tuple[Outlook, ...]:
    """What each choice would make of the plan, where the money counts for one and is more than is due."""
    plan = means.instalment
    if plan is None or chosen.amount.currency != plan.amount.currency:
        return ()
    if chosen.loan_ref is not None and chosen.loan_ref not in plan.loan_refs:
        return ()
    return outlooks(plan.open, chosen.amount, today=portal().clock.today())


def _chosen(form: PayForm, means: Means) -> Chosen | None:
    """What the form asks for, or nothing with the words at the fields."""
    what = form.what.data or ""
    kind, _sign, loan_ref = what.partition(":")
    loan = means.balance.loan(loan_ref)
    if kind == "plan" and means.instalment:
        return Chosen(None, means.instalment.amount)
    if kind == "due" and loan and loan.due_now:
        return Chosen(loan.loan_ref, loan.due_now)
    if kind != "other":
        form.what.errors = [_("Choose what you want to pay.")]
        return None
    return _other(form, means)


def _other(form: PayForm, means: Means) -> Chosen | None:
    """Another amount, at most what is left where it shall go; all that is wrong is said at once."""
    target = form.loan.data or (means.loans[0].loan_ref if len(means.loans) == 1 else "")
    loan = means.balance.loan(target)
    on_plan = means.instalment.plan_left if means.instalment and target == "plan" else None
    limit = loan.left if loan else on_plan
    form.amount.optional = False
    form.amount.currency = limit.currency if limit else portal().settings.bank.currency
    form.validate()
    if limit is None:
        form.loan.errors = [_("Choose the loan account the money is for.")]
        return None
    amount = form.amount.money
    if amount is not None and amount > limit:
        form.amount.errors = [_("At most %(amount)s is left to pay there.", amount=money_text(limit))]
        return None
    return Chosen(loan.loan_ref if loan else None, amount) if amount is not None else None


def _posted() -> Chosen:
    """The amount and target a check page sent; anything that is no amount of ours is a bad request."""
    currency = request.form.get("currency", "")
    if currency not in EXPONENTS or not request.form.get("form_key"):
        abort(400)
    try:
        amount = Money.from_file(request.form.get("amount", ""), currency)
    except AmountError:
        abort(400)
    extra = request.form.get("extra", "")
    if extra and extra not in tuple(ExtraChoice):
        abort(400)
    return Chosen(request.form.get("loan") or None, amount, ExtraChoice(extra) if extra else None)


def _begin(borrower: SignedInBorrower, chosen: Chosen) -> Attempt:
    p, locale = portal(), current_locale()
    methods = online_methods()
    if not methods:
        raise ProviderRefused("not_available")
    offered: dict[str, Any] = {
        "methods": list(methods),
        "locale": locale,
        "title": p.settings.bank.name(locale),
    }
    plan = _plan_to_save(borrower, chosen, methods)
    if plan is not None:
        offered |= {"methods": keepable(methods), "save": True}

    def unit(session: Session) -> Attempt:
        attempt = create_attempt(
            session,
            borrower_id=borrower.borrower_id,
            loan_ref=chosen.loan_ref,
            amount=chosen.amount,
            form_key=request.form["form_key"][:64],
            offered=offered,
            now=p.clock.now(),
            real_now=p.clock.real_now(),
            extra=chosen.extra,
        )
        if not attempt.repeated:
            who = (f"session:{borrower.session_digest}", f"borrower:{borrower.borrower_id}")
            count_attempt(session, keys=p.keys, who=who, real_now=p.clock.real_now())
        if plan is not None and attempt.offered.get("save"):
            saved.agree(
                session,
                payment_id=attempt.payment_id,
                plan_id=plan.plan_id,
                borrower_id=borrower.borrower_id,
                text=consent_words(plan.plan_reference),
                language=locale,
                today=p.clock.today(),
                now=p.clock.now(),
            )
        return attempt

    return p.db.write(unit)


def _plan_to_save(borrower: SignedInBorrower, chosen: Chosen, methods: Sequence[str]) -> InstalmentDue | None:
    """The plan whose instalments shall be taken with what this payment is made with, as was ticked."""
    if request.form.get("save") != "yes" or chosen.loan_ref or not keepable(methods):
        return None
    with portal().db.read() as connection:
        return queries.next_instalment_for(connection, borrower.borrower_id)


def _still_open(attempt: Attempt) -> bool:
    ends = attempt.expires_at - ALMOST_OVER
    return attempt.state == PaymentState.CREATED and ends > portal().clock.real_now()


def _looks() -> int:
    text = request.args.get("back", "0")
    return min(int(text), LOOKS) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def _payment(borrower: SignedInBorrower, reference: str) -> PaymentView:
    with portal().db.read() as connection:
        return queries.payment_for(connection, borrower.borrower_id, reference) or abort(404)


def _returns(view: PaymentView) -> tuple[ReturnView, ...]:
    with portal().db.read() as connection:
        return returns_of(connection, view.payment_id)


def _attempt(borrower: SignedInBorrower, reference: str) -> Attempt:
    with portal().db.read() as connection:
        return queries.attempt_for(connection, borrower.borrower_id, reference) or abort(404)


def _why(error: UnableToPay) -> str:
    if error.reason == "above_left" and error.limit is not None:
        return str(_("At most %(amount)s is left to pay there.", amount=money_text(error.limit)))
    if error.reason == "too_large_online" and error.limit is not None:
        most = money_text(error.limit)
        return str(
            _("At most %(amount)s can be paid online at once. Please use a bank transfer.", amount=most)
        )
    return str(_("This cannot be paid here now. Please choose again."))


def _no_answer() -> str:
    return str(_("The payment provider does not answer. Nothing was taken. Please try again in a minute."))


def _too_many() -> str:
    return str(
        _(
            "Too many payments were begun in a few minutes. Nothing was taken. Wait ten minutes, please, or use a bank transfer."
        )
    )


def _refused() -> str:
    return str(_("The payment could not be begun. Nothing was taken. Please use a bank transfer."))
