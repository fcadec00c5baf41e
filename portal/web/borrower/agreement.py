"""Agreeing: read the whole agreement, confirm with a one-time code, and find it again later."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response
from wtforms import StringField

from portal.access.challenges import ACCEPT, Accepted, Refused, answer_challenge, start_challenge
from portal.jurisdictions import pack
from portal.papers import MAKER
from portal.plans.acceptance import BalanceChanged, LoanInPlan, OfferLapsed
from portal.plans.agreement import AgreementDraft, WrittenItem, drafts
from portal.plans.agreement_papers import file_digest, keep, papers_of
from portal.plans.operations import PlanMade, Signatory, StaleProposal, accept
from portal.plans.queries import ProposalView, agreements_for, holder_for, plan_for, proposal_for
from portal.states import NotAllowed
from portal.web.borrower import agreement_paper, agreement_words
from portal.web.context import portal
from portal.web.forms import Form
from portal.web.locale import current_locale
from portal.web.papers import as_pdf, keys_address, paper_address
from portal.web.security import SignedInBorrower, borrower_only, code_sender

blueprint = Blueprint("agreement", __name__)


class CodeForm(Form):
    """The one-time code."""

    code = StringField(_l("Code from the text message"))


@blueprint.get("/plan/accept/<reference>")
@borrower_only
def page(borrower: SignedInBorrower, reference: str) -> str | Response:
    """The whole agreement, and in plain words what confirming does."""
    offer = offer_for(borrower, reference)
    if offer is None:
        return redirect(url_for("borrower.plan.page"), 303)
    return render_template("borrower/agreement/page.html", offer=offer, written=written_for(borrower, offer))


@blueprint.post("/plan/accept/<reference>/code")
@borrower_only
def send_code(borrower: SignedInBorrower, reference: str) -> Response:
    """Send the code that stands for these exact terms to the number the bank has."""
    offer = offer_for(borrower, reference)
    if offer is None:
        return redirect(url_for("borrower.plan.page"), 303)
    p = portal()
    real_now = p.clock.real_now()
    sent = p.db.write(
        lambda session: start_challenge(
            session,
            keys=p.keys,
            borrower_id=borrower.borrower_id,
            notice_id=None,
            purpose=ACCEPT,
            subject=offer.terms_hash,
            browser=borrower.session_digest,
            real_now=real_now,
            sender=code_sender(),
        )
    )
    wait = None if sent else 1
    return redirect(url_for("borrower.agreement.confirm_page", reference=reference, wait=wait), 303)


@blueprint.get("/plan/accept/<reference>/confirm")
@borrower_only
def confirm_page(borrower: SignedInBorrower, reference: str) -> str | Response:
    """Where the code is typed."""
    offer = offer_for(borrower, reference)
    if offer is None:
        return redirect(url_for("borrower.plan.page"), 303)
    return confirm_again(borrower, offer, CodeForm(formdata=None))


@blueprint.post("/plan/accept/<reference>/confirm")
@borrower_only
def confirm(borrower: SignedInBorrower, reference: str) -> str | tuple[str, int] | Response:
    """Compare the code and make the plan, in one transaction and once."""
    offer = offer_for(borrower, reference)
    if offer is None:
        return redirect(url_for("borrower.plan.page"), 303)
    form = CodeForm()
    try:
        answer = agree(borrower, offer, form.code.data or "")
    except (StaleProposal, NotAllowed, OfferLapsed):
        return redirect(url_for("borrower.plan.page", moved=1), 303)
    except (LoanInPlan, BalanceChanged):
        return render_template("borrower/agreement/changed.html", offer=offer), 409
    if isinstance(answer, PlanMade):
        papers_made(borrower, answer.reference)
        return redirect(url_for("borrower.plan.page", made=1), 303)
    form.code.errors = [CODE_WORDS[answer.reason]]
    return confirm_again(borrower, offer, form), 422


CODE_WORDS = {
    "wrong": _l("This code is not right. Check the text message and type its six digits."),
    "spent": _l("This code does not count any more. Ask for a new one below."),
}


@blueprint.get("/plan/agreement/<reference>")
@borrower_only
def read(borrower: SignedInBorrower, reference: str) -> str:
    """The agreements of one's own plan, as they were read and signed; made to be printed."""
    p = portal()
    with p.db.read() as connection:
        plan = plan_for(connection, borrower.borrower_id, reference)
        if plan is None:
            abort(404)
        agreements = agreements_for(connection, borrower.borrower_id, plan.plan_id)
        kept = papers_of(connection, borrower.borrower_id, plan.plan_id)
    return render_template("borrower/agreement/read.html", plan=plan, agreements=agreements, kept=kept)


@blueprint.get("/plan/agreement/<reference>/<agreement>.pdf")
@borrower_only
def document(borrower: SignedInBorrower, reference: str, agreement: str) -> Response:
    """One agreement as PDF, the same bytes each time."""
    made = papers_made(borrower, reference, only=agreement)
    return as_pdf(made.get(agreement) or abort(404), f"agreement-{agreement}.pdf")


def papers_made(borrower: SignedInBorrower, reference: str, *, only: str | None = None) -> dict[str, bytes]:
    """The PDFs of the agreements of one's own plan (or of `only` that one), by reference. A file that was not
    made before is remembered by its digest."""
    p = portal()
    with p.db.read() as connection:
        plan = plan_for(connection, borrower.borrower_id, reference) or abort(404)
        agreements = agreements_for(connection, borrower.borrower_id, plan.plan_id)
        holder = holder_for(connection, p.keys, borrower.borrower_id)
        kept = {
            (one.agreement_id, one.digest)
            for one in papers_of(connection, borrower.borrower_id, plan.plan_id)
        }
    made = {
        one: agreement_paper.pdf_of(
            one, holder, check_address=paper_address(one.reference, one.content_hash), keys_url=keys_address()
        )
        for one in agreements
        if only in (None, one.reference)
    }
    fresh = [(one.id, one.reference, file_digest(content)) for one, content in made.items()]
    fresh = [(one, ref, digest) for one, ref, digest in fresh if (one, digest) not in kept]
    if fresh:
        now = p.clock.now()
        p.db.write(lambda session: keep(session, papers=fresh, maker=MAKER, now=now))
    return {one.reference: content for one, content in made.items()}


def offer_for(borrower: SignedInBorrower, reference: str) -> ProposalView | None:
    """The offer of that reference while it can be accepted; None where the plan page knows better."""
    p = portal()
    with p.db.read() as connection:
        offer = proposal_for(connection, borrower.borrower_id, reference)
    if offer is None:
        abort(404)
    return offer if offer.is_offer(p.clock.now()) else None


def written_for(
    borrower: SignedInBorrower, offer: ProposalView
) -> list[tuple[AgreementDraft, tuple[WrittenItem, ...]]]:
    """Each agreement of the offer with its words, as it will be kept."""
    p = portal()
    with p.db.read() as connection:
        holder = holder_for(connection, p.keys, borrower.borrower_id)
    write = agreement_words.writer(holder)
    return [(draft, write(draft)) for draft in drafts(offer.terms, pack(p.settings.bank.jurisdiction))]


def agree(borrower: SignedInBorrower, offer: ProposalView, code: str) -> PlanMade | Refused:
    """One unit of work: the code, and with the right one the plan."""
    p = portal()
    bank, language = p.settings.bank, current_locale()
    now, real_now, today = p.clock.now(), p.clock.real_now(), p.clock.today()

    def unit(session: Session) -> PlanMade | Refused:
        answer = answer_challenge(
            session,
            keys=p.keys,
            browser=borrower.session_digest,
            purpose=ACCEPT,
            subject=offer.terms_hash,
            code=code,
            id_tail=None,
            real_now=real_now,
        )
        if not isinstance(answer, Accepted) or answer.borrower_id != borrower.borrower_id:
            return answer if isinstance(answer, Refused) else Refused("spent")
        holder = holder_for(session.connection(), p.keys, borrower.borrower_id)
        return accept(
            session,
            keys=p.keys,
            signer=p.signer,
            pack=pack(bank.jurisdiction),
            signatory=Signatory(borrower.borrower_id, answer.challenge_id, language),
            proposal_id=offer.id,
            version=offer.version,
            terms_hash=offer.terms_hash,
            write=agreement_words.writer(holder),
            host=bank.host,
            demonstration=p.settings.is_demonstration,
            today=today,
            now=now,
            real_now=real_now,
        )

    return p.db.write(unit)


def confirm_again(borrower: SignedInBorrower, offer: ProposalView, form: CodeForm) -> str:
    """The page with the code field; `wait` in the address says that no further code was sent."""
    p = portal()
    with p.db.read() as connection:
        holder = holder_for(connection, p.keys, borrower.borrower_id)
    return render_template(
        "borrower/agreement/confirm.html", offer=offer, form=form, holder=holder, wait="wait" in request.args
    )
