"""Cases on the desk, by name: a proposal of Lin's, and the reviewers who decide it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.dates import Clock, WorkingDays
from portal.db import Database
from portal.hardship.models import BudgetLine, HardshipReport
from portal.keys import Keys
from portal.money import Money
from portal.plans import operations as plans
from portal.plans.models import Negotiation, Proposal
from portal.plans.policy import Policy
from portal.plans.queries import ground_for
from portal.plans.terms import Terms, TermsRequest
from portal.reviews import operations as reviews
from portal.reviews.four_eyes import Kind
from portal.reviews.offers import assess_counter, change_of
from portal.reviews.queries import figures_version
from portal.reviews.ruling import Choice
from portal.settings import Bank
from portal.signing import Signer
from tests import people

BANK = Bank.load(Path(__file__).parents[2] / "portal/demo/harbour.toml")
POLICY = Policy.of(BANK)
DAYS = WorkingDays("CN")


@dataclass(frozen=True)
class Case:
    """One open case and who may decide it."""

    borrower_id: int
    proposal_id: int
    reference: str
    mei: int
    guo: int


def bench(keys: Keys, clock: Clock) -> reviews.Bench:
    """What deciding needs, at the clock's instant."""
    return reviews.Bench(
        keys=keys,
        policy=POLICY,
        working_days=DAYS,
        local=clock.local,
        today=clock.today(),
        real_now=clock.real_now(),
        host=BANK.host,
    )


def report(session: Session, keys: Keys, borrower_id: int, now: datetime, **month: int) -> int:
    """A sent report with the mock-up's month (pension 3,900 and 2,300 more in, 3,400 out), or `month`."""
    row = HardshipReport(
        created_at=now,
        reference=f"H-{borrower_id}",
        borrower_id=borrower_id,
        reason="illness",
        story_sealed=keys.seal("hardship.story", "老伴住院，积蓄用完了。"),
        updated_at=now,
        submitted_at=now,
    )
    session.add(row)
    session.flush()
    lines = month or {"pension": 390_000, "other_income": 230_000, "food": 250_000, "rent": 90_000}
    kinds = {"food": "spending", "rent": "priority_debt"}
    for position, (label, minor) in enumerate(lines.items()):
        session.add(
            BudgetLine(
                report_id=row.id,
                label=label,
                kind=kinds.get(label, "income"),
                position=position,
                amount_minor=minor,
                currency="CNY",
            )
        )
    session.flush()
    return row.id


def propose(
    session: Session,
    keys: Keys,
    signer: Signer,
    borrower_id: int,
    *,
    now: datetime,
    today: date,
    form_key: str = "proposal-1",
    **wish: Any,
) -> plans.Receipt:
    """The borrower's proposal: 24 instalments unless `wish` says otherwise."""
    ground = ground_for(
        session.connection(), keys, borrower_id, policy=POLICY, working_days=DAYS, today=today
    )
    return plans.propose(
        session,
        borrower_id=borrower_id,
        request=TermsRequest(**({"count": 24} | wish)),
        comment="每月退休金到账后还款。",
        form_key=form_key,
        ground=ground,
        report_id=None,
        signer=signer,
        now=now,
    )


def open_case(database: Database, keys: Keys, signer: Signer, clock: Clock, **wish: Any) -> Case:
    """Lin's case, fresh from the borrower's hand, with Mei and Guo to decide it."""

    def unit(session: Session) -> Case:
        borrower_id = people.lin(session, keys)
        report(session, keys, borrower_id, clock.now())
        sent = propose(session, keys, signer, borrower_id, now=clock.now(), today=clock.today(), **wish)
        return Case(
            borrower_id,
            sent.proposal_id,
            sent.negotiation_ref,
            people.mei(session, keys),
            people.guo(session, keys),
        )

    return database.write(unit)


def choice(database: Database, case: Case, kind: Kind, **fields: Any) -> Choice:
    """The decision somebody sends who has the page as it stands now."""
    with database.read() as connection:
        row = connection.execute(
            select(Proposal.version, Proposal.terms_hash).where(Proposal.id == case.proposal_id)
        ).one()
        seen = figures_version(connection, case.borrower_id)
    given: dict[str, Any] = {
        "kind": kind,
        "version": row.version,
        "terms_hash_seen": row.terms_hash,
        "figures_seen": seen,
        "form_key": f"{kind}-{row.version}",
        "note": "我们看过了您的材料。",
    }
    return Choice(**(given | fields))


def counter(database: Database, keys: Keys, clock: Clock, case: Case, **changes: Any) -> Choice:
    """A counter-offer that was shown before it is sent: Lin's terms with `changes`."""
    from dataclasses import replace

    with database.read() as connection:
        text = connection.execute(
            select(Proposal.terms_text).where(Proposal.id == case.proposal_id)
        ).scalar_one()
        ground = ground_for(
            connection, keys, case.borrower_id, policy=POLICY, working_days=DAYS, today=clock.today()
        )
    proposed = Terms.parse(text)
    change = replace(change_of(proposed), **(changes or {"upfront": Money(100_000, "CNY"), "count": 20}))
    shown = assess_counter(proposed, change, ground).terms
    assert shown is not None
    return choice(database, case, Kind.COUNTER, change=change, offer_hash_seen=shown.digest())


def decide(
    database: Database, keys: Keys, clock: Clock, case: Case, staff_id: int, given: Choice
) -> reviews.Outcome:
    """One unit of work, as the door does it."""
    return database.write(
        lambda session: reviews.decide(
            session,
            staff_id=staff_id,
            proposal_id=case.proposal_id,
            choice=given,
            bench=bench(keys, clock),
            now=clock.now(),
        )
    )


def state_of(database: Database, proposal_id: int) -> str:
    """The state of a round as it is stored."""
    with database.read() as connection:
        return connection.execute(select(Proposal.state).where(Proposal.id == proposal_id)).scalar_one()


def age(database: Database, case: Case, *, days: int) -> None:
    """Move the case's answer day by so many days."""

    def unit(session: Session) -> None:
        row = session.execute(select(Negotiation).where(Negotiation.reference == case.reference)).scalar_one()
        row.answer_due_on = row.answer_due_on + timedelta(days=days)

    database.write(unit)
