"""The certificate that everything under a plan is paid: issued once, kept as issued, and checked by anybody."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.orm import Session

from portal import audit
from portal.access.codes import new_reference
from portal.accounts.models import Loan, LoanBalance
from portal.borrowers.models import Borrower
from portal.db import upsert
from portal.money import Money
from portal.papers.faces import PaperFace
from portal.plans.lifecycle import PlanState
from portal.plans.models import Certificate, Plan, PlanInstalment, PlanLoan, PlanReceipt
from portal.signing import Signer, canonical

#: Of a certificate's reference.
PREFIX = "C"
#: The form of the content; a change of meaning gets the next number.
VERSION = 1
#: How often a reference is drawn again that stands already.
DRAWS = 4

_CERTIFICATE: Table = Certificate.__table__  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class CertifiedLoan:
    """One loan under the plan: what the plan covered of it, and what was left of it on the day."""

    loan_ref: str
    covered: Money
    left: Money

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left of the whole loan."""
        return not self.left


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate as it was issued: nothing of it changes any more."""

    reference: str
    issued_on: date
    created_at: datetime
    digest: str
    key_id: str
    signature: str
    content: Mapping[str, Any]

    @property
    def loans(self) -> tuple[CertifiedLoan, ...]:
        """The loans under the plan."""
        return tuple(
            CertifiedLoan(row["loan"], self._money(row["covered"]), self._money(row["left"]))
            for row in self.content["loans"]
        )

    @property
    def paid(self) -> Money:
        """What was paid under the plan."""
        return self._money(self.content["paid"])

    @property
    def made_on(self) -> date:
        """The day the agreement was made."""
        return date.fromisoformat(self.content["made_on"])

    @property
    def completed_on(self) -> date:
        """The day the last of it was paid."""
        return date.fromisoformat(self.content["completed_on"])

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left of any loan under the plan, beyond what the plan covered."""
        return all(loan.is_settled for loan in self.loans)

    @property
    def facts(self) -> dict[str, str]:
        """What the signature covers."""
        return signed_facts(self.content["issuer"], self.reference, self.issued_on, self.digest)

    def _money(self, minor: int) -> Money:
        return Money(minor, self.content["currency"])


def signed_facts(issuer: str, reference: str, issued_on: date, digest: str) -> dict[str, str]:
    """What the signature covers. With the content's digest in it, it covers the content."""
    return {
        "kind": "certificate",
        "issuer": issuer,
        "reference": reference,
        "issued_on": issued_on.isoformat(),
        "digest": digest,
    }


def issue(
    session: Session,
    *,
    signer: Signer,
    issuer: str,
    borrower_id: int,
    plan_reference: str,
    zone_day: Mapping[str, date],
    today: date,
    now: datetime,
) -> str | None:
    """Issue the certificate of the borrower's own finished plan; its reference, or None where there is no such
    plan or it is not finished. Asked again, it is the one that was issued. `zone_day` has the days "made_on"
    and "completed_on" as the bank's calendar counts them.
    """
    plan = session.execute(
        select(Plan.id, Plan.currency, Borrower.customer_ref)
        .join(Borrower, Borrower.id == Plan.borrower_id)
        .where(
            Plan.borrower_id == borrower_id,
            Plan.reference == plan_reference,
            Plan.state == PlanState.COMPLETED,
        )
    ).one_or_none()
    if plan is None:
        return None
    content = {
        "kind": "certificate",
        "version": VERSION,
        "issuer": issuer,
        "customer": plan.customer_ref,
        "plan": plan_reference,
        "currency": plan.currency,
        **{name: day.isoformat() for name, day in zone_day.items()},
        **_figures(session, plan.id),
    }
    return _keep(session, signer, borrower_id, plan.id, content, today=today, now=now)


def _figures(session: Session, plan_id: int) -> dict[str, Any]:
    loans = session.execute(
        select(Loan.loan_ref, PlanLoan.covered_minor, LoanBalance)
        .join(PlanLoan, PlanLoan.loan_id == Loan.id)
        .join(LoanBalance, LoanBalance.loan_id == Loan.id)
        .where(PlanLoan.plan_id == plan_id)
        .order_by(Loan.loan_ref)
    ).all()
    paid = session.scalar(select(func.sum(PlanReceipt.amount_minor)).where(PlanReceipt.plan_id == plan_id))
    count = session.scalar(
        select(func.count()).select_from(PlanInstalment).where(PlanInstalment.plan_id == plan_id)
    )
    return {
        "loans": [
            {
                "loan": loan_ref,
                "covered": covered,
                "left": balance.left_minor,
                "as_of": balance.as_of.isoformat(),
            }
            for loan_ref, covered, balance in loans
        ],
        "paid": int(paid or 0),
        "instalments": int(count or 0),
    }


def _keep(
    session: Session,
    signer: Signer,
    borrower_id: int,
    plan_id: int,
    content: dict[str, Any],
    *,
    today: date,
    now: datetime,
) -> str:
    digest = hashlib.sha256(canonical(content)).hexdigest()
    for _ in range(DRAWS):
        reference = new_reference(PREFIX)
        facts = signed_facts(content["issuer"], reference, today, digest)
        made = session.execute(
            upsert(_CERTIFICATE)
            .values(
                created_at=now,
                reference=reference,
                plan_id=plan_id,
                issued_on=today,
                digest=digest,
                content=content,
                key_id=signer.key_id,
                signature=signer.sign(facts),
            )
            .on_conflict_do_nothing()
            .returning(_CERTIFICATE.c.reference)
        ).scalar()
        if made is not None:
            _publish(session, borrower_id, reference, content["plan"], digest, today=today, now=now)
            return reference
        known = session.scalar(select(Certificate.reference).where(Certificate.plan_id == plan_id))
        if known is not None:
            return known
    raise RuntimeError("no free reference")


def _publish(
    session: Session, borrower_id: int, reference: str, plan: str, digest: str, *, today: date, now: datetime
) -> None:
    """The face that anybody may ask, and the record."""
    session.add(PaperFace(reference=reference, issued_on=today, digest=digest))
    audit.record(
        session,
        actor=audit.Actor("borrower", str(borrower_id)),
        event="plans.certificate_issued",
        subject_kind="certificate",
        subject_ref=reference,
        now=now,
        facts={"digest": digest, "plan": plan},
    )
    session.flush()


def certificate_for(connection: Connection, borrower_id: int, reference: str) -> Certified | None:
    """The borrower's own certificate of that reference, as issued; somebody else's is nothing."""
    row = connection.execute(
        select(
            Certificate.reference,
            Certificate.issued_on,
            Certificate.created_at,
            Certificate.digest,
            Certificate.key_id,
            Certificate.signature,
            Certificate.content,
        )
        .join(Plan, Plan.id == Certificate.plan_id)
        .where(Plan.borrower_id == borrower_id, Certificate.reference == reference)
    ).one_or_none()
    return Certified(*row) if row else None
