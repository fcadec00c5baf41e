"""Lin's proposals: what the tests of negotiations and plans begin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy.orm import Session

from portal.access.models import Challenge
from portal.audit import Actor
from portal.db import Database
from portal.jurisdictions import pack
from portal.keys import Keys
from portal.plans.agreement import AgreementDraft, WrittenItem
from portal.plans.operations import (
    PlanMade,
    Receipt,
    Signatory,
    accept,
    mark_approved,
    mark_countered,
    propose,
)
from portal.plans.queries import ground_for, open_negotiation_for
from portal.plans.terms import Terms, TermsRequest
from portal.signing import Signer
from tests import people
from tests.plans.scene import DAYS, POLICY, TODAY

T = TypeVar("T")

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
MEI = Actor("staff", "B2107")
TWELVE = TermsRequest(count=12)


def written(draft: AgreementDraft) -> tuple[WrittenItem, ...]:
    """Words enough for an agreement."""
    return tuple(WrittenItem(code, code, (f"{code} of {draft.product_class}",)) for code in draft.items)


@dataclass(frozen=True)
class Story:
    """One database, Lin in it, and the verbs of her story."""

    database: Database
    keys: Keys
    signer: Signer
    lin: int

    def write(self, unit: Callable[[Session], T]) -> T:
        return self.database.write(unit)

    def propose(
        self,
        request: TermsRequest = TWELVE,
        *,
        form_key: str = "form-1",
        comment: str = "",
        now: datetime = NOW,
        borrower_id: int | None = None,
    ) -> Receipt:
        who = borrower_id or self.lin

        def unit(session: Session) -> Receipt:
            ground = ground_for(
                session.connection(), self.keys, who, policy=POLICY, working_days=DAYS, today=TODAY
            )
            return propose(
                session,
                borrower_id=who,
                request=request,
                comment=comment,
                form_key=form_key,
                ground=ground,
                report_id=None,
                signer=self.signer,
                now=now,
            )

        return self.write(unit)

    def approve(self, proposal_id: int, *, version: int = 1, now: datetime = NOW) -> None:
        self.write(
            lambda session: mark_approved(
                session, proposal_id=proposal_id, version=version, policy=POLICY, actor=MEI, now=now
            )
        )

    def counter(self, proposal_id: int, offer: Terms, *, version: int = 1, now: datetime = NOW) -> int:
        return self.write(
            lambda session: (
                mark_countered(
                    session,
                    proposal_id=proposal_id,
                    version=version,
                    offer=offer,
                    note="先付一笔首付，每期能少还一些。",
                    affordability={"share_bp": None},
                    policy=POLICY,
                    actor=MEI,
                    now=now,
                ).proposal_id
            )
        )

    def terms(self, request: TermsRequest) -> Terms:
        with self.database.read() as connection:
            ground = ground_for(
                connection, self.keys, self.lin, policy=POLICY, working_days=DAYS, today=TODAY
            )
        return ground.terms(request)

    def accept(
        self,
        proposal_id: int,
        terms: Terms,
        *,
        version: int,
        now: datetime = NOW,
        borrower_id: int | None = None,
    ) -> PlanMade:
        who = borrower_id or self.lin

        def unit(session: Session) -> PlanMade:
            challenge = Challenge(
                created_at=now,
                borrower_id=who,
                purpose="accept",
                subject=terms.digest(),
                code_digest="0" * 64,
                browser_digest="0" * 64,
                expires_at=now + timedelta(minutes=10),
                used_at=now,
            )
            session.add(challenge)
            session.flush()
            return accept(
                session,
                keys=self.keys,
                signer=self.signer,
                pack=pack("cn"),
                signatory=Signatory(who, challenge.id, "zh"),
                proposal_id=proposal_id,
                version=version,
                terms_hash=terms.digest(),
                write=written,
                host="my.harbour.example",
                demonstration=True,
                today=TODAY,
                now=now,
                real_now=now,
            )

        return self.write(unit)

    def plan(self, request: TermsRequest = TWELVE) -> PlanMade:
        """A plan in force, by way of a proposal and an approval."""
        receipt = self.propose(request)
        self.approve(receipt.proposal_id)
        return self.accept(receipt.proposal_id, receipt.terms, version=2)

    def current_state(self) -> str | None:
        with self.database.read() as connection:
            negotiation = open_negotiation_for(connection, self.lin)
        return negotiation.current.state if negotiation else None


def story(database: Database, keys: Keys, signer: Signer) -> Story:
    """Lin with her two overdue loans."""
    return Story(database, keys, signer, database.write(lambda session: people.lin(session, keys)))
