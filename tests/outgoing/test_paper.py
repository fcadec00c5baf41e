"""The worked example in docs/bank-integration.md is what the portal writes, and its answer is one it takes."""

from __future__ import annotations

import json
import re
from datetime import time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.accounts.corrections import post_refund
from portal.bank_files.mapping import load_mapping
from portal.contacts import log
from portal.contacts.models import ContactNews
from portal.db import Database
from portal.jurisdictions.cn import CN
from portal.keys import Keys
from portal.outgoing.acknowledging import apply_answer, read_answer
from portal.outgoing.fields import CODES, FILES
from portal.outgoing.making import BatchMade
from portal.outgoing.mapping import outgoing_of
from portal.plans.changes import Wish
from portal.plans.models import Agreement, Negotiation, Plan, PlanChange, Proposal
from portal.plans.revisions import ChangeKind
from portal.plans.terms import TermsRequest
from portal.reviews.models import Decision, Seat
from portal.signing import Signer
from tests import people
from tests.conftest import BANK_MORNING
from tests.outgoing.told import BUSINESS_DATE, lin, make, pay, states
from tests.plans.people import Story
from tests.plans.test_changes import change

PAPER = Path(__file__).parent.parent.parent / "docs/bank-integration.md"
REFERENCES = {
    Negotiation: ("K-2H7V-9QXM4",),
    Proposal: ("K-5TRC-0WPN8",),
    Plan: ("P-8ZGE-4JKSA",),
    Agreement: ("A-1MDB-6YHF3", "A-3XKW-7CVTQ"),
}


@pytest.fixture
def example(sqlite_database: Database, keys: Keys, signer: Signer, tmp_path: Path) -> BatchMade:
    """A payment, a part of it given back, a plan, the decision it came of, a change of it, and a wish."""
    database = sqlite_database
    line_id = None
    lin_story = Story(database, keys, signer, lin(database, keys))
    request = TermsRequest(count=3, loan_refs=("C-LIN-1",))
    sent = lin_story.propose(request)

    def decided(session: Session) -> None:
        mei = people.mei(session, keys)
        session.add(Seat(proposal_id=sent.proposal_id, human_ref="H-B2107", stage=1))
        session.flush()
        session.add(
            Decision(
                created_at=BANK_MORNING + timedelta(hours=2),
                proposal_id=sent.proposal_id,
                staff_id=mei,
                human_ref="H-B2107",
                kind="approve",
                stage=1,
                terms_hash=sent.terms.digest(),
                reasons=[],
                effective=True,
                form_key="decision-1",
            )
        )

    database.write(decided)
    lin_story.approve(sent.proposal_id)
    lin_story.accept(sent.proposal_id, sent.terms, version=2, now=BANK_MORNING + timedelta(hours=3))
    line_id = pay(
        database, "P-7KQF-3MWD2", {"penalty_interest": 2_000, "interest": 10_000, "principal": 18_000}
    )

    def settled(session: Session) -> None:
        post_refund(
            session,
            line_id=line_id,
            parts={"principal": 5_000},
            suspense_minor=0,
            posted_on=BUSINESS_DATE,
            line_ref="R-4NBS-2VCD7",
            memo="重复扣款",
            now=BANK_MORNING + timedelta(hours=4),
        )
        for model, references in REFERENCES.items():
            for row_id, reference in zip(session.scalars(select(model.id).order_by(model.id)), references):
                session.execute(update(model).where(model.id == row_id).values(reference=reference))

    database.write(settled)
    change(lin_story, Wish(ChangeKind.SKIP), now=BANK_MORNING + timedelta(hours=5))
    with database.writer.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER plan_change_no_update")
        connection.execute(update(PlanChange).values(reference="M-6HVX-2TBN9"))
    wish = log.Wish(no_calls=True, opens=time(10), closes=time(12))
    at = BANK_MORNING + timedelta(hours=6)
    database.write(lambda s: log.wish(s, borrower_id=lin_story.lin, wish=wish, pack=CN, now=at))
    with database.writer.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER contact_news_no_update")
        connection.execute(update(ContactNews).values(reference="W-9KDT-4RMZ2"))
    (made,) = make(database, tmp_path / "out", mapping="portal", now=BANK_MORNING + timedelta(hours=8))
    return made


def _printed(name: str) -> str:
    """The block of the paper under a file's name."""
    found = re.search(rf"^`{re.escape(name)}`\n\n```[a-z]*\n(.*?)^```", PAPER.read_text("utf-8"), re.M | re.S)
    assert found is not None, name
    return found.group(1)


def test_every_file_of_the_example_is_as_printed(example: BatchMade) -> None:
    written = {path.name: path.read_text("utf-8") for path in example.folder.iterdir()}

    assert {name: _printed(name) for name in written} == written
    assert set(written) == {f"{kind}.csv" for kind in FILES} | {"manifest.json"}


def test_the_example_of_an_answer_is_taken(example: BatchMade, sqlite_database: Database) -> None:
    names = outgoing_of(load_mapping("portal")).answer

    answer = read_answer(_printed("answer-000001.json").encode(), names)
    done = sqlite_database.write(lambda session: apply_answer(session, answer=answer, now=BANK_MORNING))

    assert (done.accepted, done.refused) == (5, 1)
    assert states(sqlite_database)["R-4NBS-2VCD7"] == "refused"
    assert json.loads(_printed("answer-000001.json"))["manifest_sha256"] == answer.manifest_sha256


@pytest.mark.parametrize("kind", sorted(FILES))
def test_the_paper_names_every_field_and_code_that_goes_out(kind: str) -> None:
    row = next(line for line in PAPER.read_text("utf-8").splitlines() if line.startswith(f"| `{kind}.csv` |"))

    assert [name for name in FILES[kind] if f"`{name}`" not in row] == []
    told = [code for (file, _), codes in CODES.items() if file == kind for code in codes]
    assert [code for code in told if code not in row] == []
