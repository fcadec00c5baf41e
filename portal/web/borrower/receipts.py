"""The receipt of a payment as PDF: issued once, the same file each time."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, url_for
from werkzeug.wrappers import Response

from portal.payments import papers
from portal.web import receipt_paper
from portal.web.context import portal
from portal.web.papers import as_pdf, keys_address, paper_address
from portal.web.security import SignedInBorrower, borrower_only

blueprint = Blueprint("receipts", __name__)


@blueprint.post("/pay/<reference>/receipt")
@borrower_only
def issue(borrower: SignedInBorrower, reference: str) -> Response:
    """Issue the receipt of a credited payment, once, and open it."""
    p = portal()
    issuer = papers.Issuer(p.settings.bank.code, p.signer, p.clock.local)
    now, today = p.clock.now(), p.clock.today()
    made = p.db.write(
        lambda session: papers.issue_for(
            session,
            issuer=issuer,
            borrower_id=borrower.borrower_id,
            reference=reference,
            today=today,
            now=now,
        )
    )
    return redirect(url_for("borrower.receipts.paper", reference=made or abort(404)), 303)


@blueprint.get("/receipts/<reference>.pdf")
@borrower_only
def paper(borrower: SignedInBorrower, reference: str) -> Response:
    """One receipt as PDF."""
    with portal().db.read() as connection:
        issued = papers.receipt_for(connection, borrower.borrower_id, reference) or abort(404)
    content = receipt_paper.pdf_of(
        issued, check_address=paper_address(issued.reference, issued.digest), keys_url=keys_address()
    )
    return as_pdf(content, f"receipt-{issued.reference}.pdf")
