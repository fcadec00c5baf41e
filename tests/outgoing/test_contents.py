"""What is told of ledger lines, plans and decisions: everything once, and nothing that is not the core's."""

from __future__ import annotations

import hashlib
from datetime import date, time
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.accounts.corrections import post_charge_back, post_refund, post_reversal, post_write_down
from portal.accounts.models import LedgerLine, Loan
from portal.accounts.operations import post_waiver
from portal.accounts.reconcile_core import PostedBack, give_way
from portal.audit import Actor
from portal.contacts import log, wrong_numbers
from portal.contacts.lifecycle import NumberAction
from portal.dates import WorkingDays
from portal.db import Database
from portal.jurisdictions.cn import CN
from portal.keys import Keys
from portal.money import Money
from portal.outgoing import operations, proof
from portal.outgoing.acknowledging import Answer, apply_answer
from portal.plans.changes import Wish
from portal.plans.models import Plan, Proposal
from portal.plans.receipts import complete
from portal.plans.revisions import ChangeKind
from portal.plans.terms import Terms, TermsRequest
from portal.reviews.four_eyes import Kind
from portal.signing import Signer
from portal.visits import changes
from portal.visits.windows import rule_of
from tests.conftest import BANK_MORNING, StandingClock
from tests.outgoing.told import BUSINESS_DATE, lin, make, pay, rows_in, states
from tests.plans.people import Story
from tests.plans.test_changes import change
from tests.plans.test_extra import plan_of
from tests.reviews.cases import choice, decide, open_case
from tests.visits.door import announced


def _proved(database: Database) -> None:
    with database.read() as connection:
        assert proof.faults(connection) == []


def test_what_corrects_a_payment_is_a_row_of_its_own_that_names_it(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    lin(database, keys)
    line_id = pay(database, "P-1111-11111", {"interest": 10_000, "principal": 5_000}, suspense=700)
    said = {"posted_on": BUSINESS_DATE, "now": BANK_MORNING, "line_id": line_id}

    def corrections(session: Session) -> None:
        loan_id = session.scalars(select(Loan.id).where(Loan.loan_ref == "L-LIN-1")).one()
        back = {**said, "line_ref": "R-1", "memo": "=HYPERLINK(1)"}
        post_refund(session, parts={"principal": 2_000}, suspense_minor=700, **back)
        taken = post_charge_back(
            session,
            parts={"interest": 10_000},
            suspense_minor=0,
            **{**said, "line_ref": "C-1", "memo": ""},
        )
        won = {"line_ref": "W-1", "memo": "", "posted_on": BUSINESS_DATE, "now": BANK_MORNING}
        post_reversal(session, line_id=taken.line_id, **won)
        less = {**won, "loan_id": loan_id}
        post_waiver(session, parts={"penalty_interest": 500}, **{**less, "line_ref": "A-1"})
        post_write_down(session, parts={"penalty_interest": 600}, **{**less, "line_ref": "D-1"})

    database.write(corrections)
    (made,) = make(database, tmp_path / "out")

    rows = {row["entry_ref"]: row for row in rows_in(made.folder, "payments")}
    payment = next(ref for ref in rows if ref.startswith("P-1111"))
    kinds = {ref: row["kind"] for ref, row in rows.items()}
    assert kinds == {
        payment: "payment",
        "R-1": "refund",
        "C-1": "charge_back",
        "W-1": "reversal",
        "A-1": "waiver",
        "D-1": "write_down",
    }
    assert {row["corrects_ref"] for ref, row in rows.items() if ref in ("R-1", "C-1")} == {payment}
    assert rows["W-1"]["corrects_ref"] == "C-1"
    assert {rows[ref]["payment_ref"] for ref in (payment, "R-1", "C-1", "W-1")} == {"P-1111-11111"}
    assert (rows["R-1"]["amount"], rows["R-1"]["principal"], rows["R-1"]["suspense"]) == (2_700, 2_000, 700)
    assert rows["R-1"]["memo"] == "=HYPERLINK(1)"
    assert (rows[payment]["amount"], rows[payment]["suspense"]) == (-15_700, -700)
    assert b",'=HYPERLINK(1)" in (made.folder / "payments.csv").read_bytes()
    _proved(database)


def test_a_payment_the_core_has_posted_before_it_was_told_is_not_told(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    lin(database, keys)
    pay(database, "P-1111-11111", {"principal": 5_000})
    second = pay(database, "P-2222-22222", {"principal": 6_000})
    database.write(lambda session: operations.collect(session, now=BANK_MORNING))

    def posted(session: Session) -> None:
        loan_id = session.scalars(select(LedgerLine.loan_id).where(LedgerLine.id == second)).one()
        core = LedgerLine(
            created_at=BANK_MORNING,
            loan_id=loan_id,
            line_ref="T-77",
            source="core",
            posted_on=BUSINESS_DATE,
            kind="payment",
            principal_minor=-6_000,
            external_ref="P-2222-22222",
        )
        session.add(core)
        session.flush()
        back = PostedBack(second, "T-77", BUSINESS_DATE)
        give_way(session, posted_back=[back], now=BANK_MORNING)

    database.write(posted)
    (made,) = make(database, tmp_path / "out")

    rows = rows_in(made.folder, "payments")
    assert [row["payment_ref"] for row in rows] == ["P-1111-11111"]
    assert {ref[:6]: state for ref, state in states(database).items()} == {
        "P-1111": "sent",
        "P-2222": "closed",
    }


def test_a_plan_is_told_when_it_begins_and_when_it_ends(lin_story: Story, tmp_path: Path) -> None:
    terms = lin_story.terms(TermsRequest(count=12, upfront=Money(100_000, "CNY")))
    sent = lin_story.propose(TermsRequest(count=12, upfront=Money(100_000, "CNY")))
    lin_story.approve(sent.proposal_id)
    plan = lin_story.accept(sent.proposal_id, terms, version=2)
    (begun,) = make(lin_story.database, tmp_path / "out")

    lin_story.write(lambda session: complete(session, plan_id=plan.plan_id, now=BANK_MORNING))
    (ended,) = make(lin_story.database, tmp_path / "out")

    (row,) = rows_in(begun.folder, "plans")
    assert (row["event"], row["plan_ref"], row["covered"], row["payable"]) == (
        "made",
        plan.reference,
        terms.covered.minor,
        terms.payable.minor,
    )
    assert (row["terms_sha256"], row["agreement_refs"]) == (terms.digest(), plan.agreements)
    loans = rows_in(begun.folder, "plan_loans")
    assert {one["loan_ref"]: one["covered"] for one in loans} == {
        loan.loan_ref: loan.covered.minor for loan in terms.loans
    }
    instalments = rows_in(begun.folder, "plan_instalments")
    assert [(one["number"], one["due_on"], one["amount"]) for one in instalments] == [
        (part.number, part.due_on, part.amount.minor) for part in terms.payments
    ]
    assert sum(one["amount"] for one in instalments) == row["payable"]
    (end,) = rows_in(ended.folder, "plans")
    assert (end["event"], end["plan_ref"], end["interest"]) == ("completed", plan.reference, "runs")
    assert rows_in(ended.folder, "plan_loans") == []
    assert make(lin_story.database, tmp_path / "out") == []


def test_a_change_of_a_plan_is_told_once_with_the_days_from_then_on(lin_story: Story, tmp_path: Path) -> None:
    made = lin_story.plan()
    (begun,) = make(lin_story.database, tmp_path / "out")
    skip, later = Wish(ChangeKind.SKIP), Wish(ChangeKind.PAY_DAY, 5)
    references = [change(lin_story, wish, form_key=wish.kind) for wish in (skip, later)]

    (changed,) = make(lin_story.database, tmp_path / "out")

    first, second = rows_in(changed.folder, "plan_changes")
    view = plan_of(lin_story)
    assert [first["entry_ref"], second["entry_ref"]] == references
    assert (first["change"], first["plan_ref"], first["pay_day"]) == ("skip", made.reference, 18)
    assert (second["change"], second["number"], second["pay_day"]) == ("pay_day", 2, 5)
    assert first["before_sha256"] == first["terms_sha256"] == view.terms_hash
    assert second["before_sha256"] == first["schedule_sha256"]
    instalments = rows_in(changed.folder, "plan_instalments")
    by_change = {
        ref: [(one["number"], one["due_on"], one["amount"]) for one in instalments if one["entry_ref"] == ref]
        for ref in references
    }
    assert by_change[references[1]] == [
        (part.number, part.due_on, part.amount.minor) for part in view.instalments
    ]
    assert {sum(amount for _, _, amount in rows) for rows in by_change.values()} == {first["payable"]}
    assert rows_in(changed.folder, "plans") == rows_in(changed.folder, "plan_loans") == []
    assert make(lin_story.database, tmp_path / "out") == []
    assert begun.counts == {"plan": 1}
    assert changed.counts == {"plan_change": 2}


def test_a_change_the_core_refused_is_told_again_as_it_was(lin_story: Story, tmp_path: Path) -> None:
    lin_story.plan()
    reference = change(lin_story, Wish(ChangeKind.SKIP))
    (made,) = make(lin_story.database, tmp_path / "out")
    raw = next(made.folder.glob("*anifest*.json")).read_bytes()
    facts = {"batch_ref": made.folder.name, "sequence": made.sequence, "is_accepted": True, "reason": ""}
    answer = Answer(
        bank="HARBOUR",
        manifest_sha256=hashlib.sha256(raw).hexdigest(),
        refused={reference: "plan unknown"},
        digest="0" * 64,
        **facts,  # type: ignore[arg-type]
    )
    lin_story.write(lambda session: apply_answer(session, answer=answer, now=BANK_MORNING))
    assert states(lin_story.database)[reference] == "refused"

    lin_story.write(lambda session: operations.send_again(session, entry_ref=reference, now=BANK_MORNING))
    (again,) = make(lin_story.database, tmp_path / "out")

    assert rows_in(again.folder, "plan_changes") == rows_in(made.folder, "plan_changes")


def test_a_decision_is_told_with_who_gave_it_when_and_why(
    database: Database, keys: Keys, signer: Signer, clock: StandingClock, tmp_path: Path
) -> None:
    case = open_case(database, keys, signer, clock)
    clock.advance(hours=2)
    asked = choice(database, case, Kind.ASK, reasons=("paper:income_proof", "answer:spending"))
    decide(database, keys, clock, case, case.mei, asked)

    (made,) = make(database, tmp_path / "out", now=clock.now())

    (row,) = rows_in(made.folder, "decisions")
    assert (row["decision"], row["stage"], row["stands"]) == ("ask", 1, "no")
    assert (row["staff_ref"], row["reasons"]) == ("B2107", ("paper:income_proof", "answer:spending"))
    assert row["decided_at"] == clock.now()
    with database.read() as connection:
        proposal = connection.execute(select(Proposal.reference, Proposal.terms_text)).one()
    assert row["proposal_ref"] == proposal.reference
    assert row["payable"] == Terms.parse(proposal.terms_text).payable.minor
    assert "林晓".encode("gb18030") not in (made.folder / "decisions.csv").read_bytes()


@pytest.mark.parametrize("state", ["broken", "cancelled"])
def test_the_way_a_plan_ended_is_told(lin_story: Story, tmp_path: Path, state: str) -> None:
    terms = lin_story.terms(TermsRequest(count=12))
    sent = lin_story.propose()
    lin_story.approve(sent.proposal_id)
    plan = lin_story.accept(sent.proposal_id, terms, version=2)
    ended = update(Plan).where(Plan.id == plan.plan_id).values(state=state, ended_at=BANK_MORNING)
    lin_story.write(lambda session: session.execute(ended))

    (made,) = make(lin_story.database, tmp_path / "out")

    assert [row["event"] for row in rows_in(made.folder, "plans")] == ["made", state]
    assert date.fromisoformat("2026-11-20") == BUSINESS_DATE


def test_what_borrowers_want_of_visits_and_contacts_is_told_once_each(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    """Moved, refused, another place, none at all and again; wishes about contacts; what came of a wrong number."""
    lin_id = lin(database, keys)
    zone = WorkingDays("CN")
    rule = rule_of(CN, zone.is_holiday, "Asia/Shanghai")
    for ref in ("V1", "V2", "V3", "V4"):
        officer_id = None if ref == "V1" else 1
        database.write(
            lambda s, ref=ref, officer_id=officer_id: announced(
                s, keys, borrower_id=lin_id, visit_ref=ref, officer_id=officer_id
            )
        )
    offered = database.write(
        lambda s: changes.windows_for(s, lin_id, "V1", rule=rule, asked_on=BUSINESS_DATE, now=BANK_MORNING)
    )

    def unit(session: Session) -> None:
        own = {"borrower_id": lin_id, "now": BANK_MORNING}
        changes.move(
            session,
            visit_ref="V1",
            starts_at=offered[0].starts_at,
            rule=rule,
            asked_on=BUSINESS_DATE,
            **own,
        )
        changes.refuse(session, visit_ref="V2", **own)
        changes.ask_place(session, keys=keys, visit_ref="V3", place="支行", **own)
        changes.ask_no_visits(session, **own)
        changes.ask_no_visits(session, **own)
        changes.lift_no_visits(session, **own)
        wishes = log.Wish(no_calls=True, opens=time(10), closes=time(12))
        log.wish(session, wish=wishes, pack=CN, **own)
        wrong_numbers.report(session, keys=keys, is_new=True, **own)
        wrong_numbers.answer(
            session,
            keys=keys,
            number_id=1,
            action=NumberAction.BAR,
            version=1,
            note="somebody else's",
            staff_ref="B2107",
            actor=Actor("staff", "B2107"),
            now=BANK_MORNING,
        )

    database.write(unit)
    (batch,) = make(database, tmp_path / "out")
    rows = rows_in(batch.folder, "wishes")

    told = [(row["wish"], row["visit_ref"]) for row in rows]
    told[4:7] = sorted(told[4:7])  # refused by one statement, in no order
    assert told == [
        ("visit_moved", "V1"),
        ("visit_refused", "V2"),
        ("visit_place_asked", "V3"),
        ("no_visits", None),
        ("visit_refused", "V1"),
        ("visit_refused", "V3"),
        ("visit_refused", "V4"),
        ("visits_again", None),
        ("contact", None),
        ("number_barred", None),
    ]
    assert rows[0]["starts_at"] == offered[0].starts_at
    contact = rows[8]
    assert [contact[name] for name in ("calls", "messages", "visits", "opens", "closes")] == [
        "no",
        "yes",
        "yes",
        "10:00",
        "12:00",
    ]
    assert {row["customer_ref"] for row in rows} == {"C900001"}
    assert make(database, tmp_path / "out") == []
