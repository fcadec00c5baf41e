"""The queue: what it shows, how the address filters and sorts it, and taking a case."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from portal.audit import AuditEntry
from portal.dates import Clock
from portal.db import Database
from portal.keys import Keys
from portal.plans.models import Negotiation, Proposal
from portal.signing import Signer
from tests import people
from tests.reviews import cases

pytestmark = pytest.mark.slow


@pytest.fixture
def lins(client: FlaskClient, database: Database, keys: Keys, signer: Signer, clock: Clock) -> cases.Case:
    """Lin's case, with Mei signed in."""
    case = cases.open_case(database, keys, signer, clock)
    people.sign_in_staff(client, case.mei)
    return case


def text_of(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def zhaos(database: Database, keys: Keys, signer: Signer, clock: Clock, **wish: Any) -> str:
    """Zhao's case beside Lin's; its reference."""

    def unit(session: Session) -> str:
        borrower_id = people.zhao(session, keys)
        cases.report(session, keys, borrower_id, clock.now(), salary=1_000_000, food=200_000)
        sent = cases.propose(session, keys, signer, borrower_id, now=clock.now(), today=clock.today(), **wish)
        return sent.negotiation_ref

    return database.write(unit)


def test_a_row_says_what_a_reviewer_chooses_by(client: FlaskClient, lins: cases.Case) -> None:
    page = text_of(client, "/desk")

    for shown in ("林晓", "C900001", lins.reference, "18,270.00", "24 ×", "761.25", "524"):
        assert shown in page
    assert "13900000034" not in page


def test_a_share_just_above_the_line_is_above_it_here_as_on_the_case(
    client: FlaskClient, database: Database, keys: Keys, signer: Signer, clock: Clock, lins: cases.Case
) -> None:
    """505.00 of 1,009.97 is 50.0015 %: neither "50 %" nor within it, on either page."""

    def unit(session: Session) -> str:
        zhao = people.zhao(session, keys)
        cases.report(session, keys, zhao, clock.now(), pension=300_000, food=199_003)
        return cases.propose(
            session, keys, signer, zhao, now=clock.now(), today=clock.today(), count=24
        ).negotiation_ref

    reference = database.write(unit)

    within, above = text_of(client, "/desk?rule=within"), text_of(client, "/desk?rule=above")
    case = text_of(client, f"/desk/cases/{reference}")
    assert "C900002" not in within
    assert "C900002" in above
    assert ">51%<" in above
    assert "51%" in case


def test_a_share_of_exactly_the_line_is_within_it(
    client: FlaskClient, database: Database, keys: Keys, signer: Signer, clock: Clock, lins: cases.Case
) -> None:
    """505.00 of 1,010.00."""

    def unit(session: Session) -> None:
        zhao = people.zhao(session, keys)
        cases.report(session, keys, zhao, clock.now(), pension=300_000, food=199_000)
        cases.propose(session, keys, signer, zhao, now=clock.now(), today=clock.today(), count=24)

    database.write(unit)

    assert "C900002" in text_of(client, "/desk?rule=within")
    assert "C900002" not in text_of(client, "/desk?rule=above")


def test_the_signed_out_are_sent_to_sign_in(client: FlaskClient) -> None:
    answer = client.get("/desk")

    assert answer.status_code == 303
    assert answer.location.endswith("/desk/sign-in")


def test_an_operator_may_not_see_the_queue(client: FlaskClient, database: Database, keys: Keys) -> None:
    operator = database.write(
        lambda session: people.staff(session, keys, staff_ref="O1", name="运维", role="operator")
    )
    people.sign_in_staff(client, operator)
    client.set_cookie("language", "en")

    refused = client.get("/desk")

    assert refused.status_code == 403
    assert "This page is for colleagues with another task" in refused.text
    assert 'href="/desk/dashboard"' in refused.text, "the way on leads to what this sign-in opens"
    assert "did not come from our site" not in refused.text


def test_with_nothing_to_do_the_page_says_so(client: FlaskClient, database: Database, keys: Keys) -> None:
    people.sign_in_staff(client, database.write(lambda session: people.mei(session, keys)))

    page = text_of(client, "/desk")

    assert 'id="empty-title"' in page
    assert "<table" not in page


#: address -> whose cases it finds
FILTERS = {
    "q=林": "lin",
    "q=C900001": "lin",
    "q=c900001": "lin",
    "q=L-LIN-1": "lin",
    "q=L-ZHAO-1": "zhao",
    "q=nobody": "",
    "q=李": "",
    "state=submitted": "lin zhao",
    "state=second_approval": "",
    "state=theirs": "",
    "owner=mine": "",
    "owner=nobody": "lin zhao",
    "rule=within": "lin",
    "rule=above": "zhao",
    "rule=unstated": "",
    "amount=small": "lin zhao",
    "amount=large": "",
    "state=invented&sort=invented&page=0": "lin zhao",
}


def test_the_address_filters(
    client: FlaskClient, database: Database, keys: Keys, signer: Signer, clock: Clock, lins: cases.Case
) -> None:
    zhaos(database, keys, signer, clock, count=2)

    pages = {query: text_of(client, f"/desk?{query}") for query in FILTERS}

    people_of = {"lin": "C900001", "zhao": "C900002"}
    found = {
        query: " ".join(name for name, shown in people_of.items() if f">{shown}<" in page)
        for query, page in pages.items()
    }
    assert found == FILTERS


def test_a_month_that_was_not_stated_is_neither_within_nor_above(
    client: FlaskClient, database: Database, keys: Keys, signer: Signer, clock: Clock, lins: cases.Case
) -> None:
    def unit(session: Session) -> None:
        zhao = people.zhao(session, keys)
        cases.propose(session, keys, signer, zhao, now=clock.now(), today=clock.today())

    database.write(unit)

    found = {
        rule: "C900002" in text_of(client, f"/desk?rule={rule}") for rule in ("within", "above", "unstated")
    }
    assert found == {"within": False, "above": False, "unstated": True}


def test_the_case_number_is_found_however_it_is_typed(client: FlaskClient, lins: cases.Case) -> None:
    typed = lins.reference.replace("-", " ").lower()

    assert "C900001" in text_of(client, f"/desk?q={typed}")


#: sort -> whose case stands first
SORTS = {"due": "C900002", "-due": "C900001", "-share": "C900002", "loans": "C900002", "-loans": "C900001"}


def test_the_address_sorts(
    client: FlaskClient, database: Database, keys: Keys, signer: Signer, clock: Clock, lins: cases.Case
) -> None:
    zhaos(database, keys, signer, clock, count=2)

    pages = {sort: text_of(client, f"/desk?sort={sort}") for sort in SORTS}

    first = {sort: min(("C900001", "C900002"), key=page.index) for sort, page in pages.items()}
    assert first == SORTS


def test_what_waits_for_the_bank_stands_first_and_the_nearest_day_before_it(
    client: FlaskClient, database: Database, keys: Keys, signer: Signer, clock: Clock, lins: cases.Case
) -> None:
    zhaos(database, keys, signer, clock)
    cases.age(database, lins, days=3)
    page = text_of(client, "/desk")
    assert page.index("C900002") < page.index("C900001")

    database.write(
        lambda session: session.execute(
            update(Proposal).where(Proposal.borrower_id != lins.borrower_id).values(state="approved")
        )
    )

    page = text_of(client, "/desk")
    assert page.index("C900001") < page.index("C900002")


def test_the_clock_warns_in_colour_and_words(
    client: FlaskClient, database: Database, lins: cases.Case
) -> None:
    shown = []
    for step in (-8, 1, 3):
        cases.age(database, lins, days=step)
        shown.append(text_of(client, "/desk"))

    late, today, after_the_weekend = shown
    assert ("tag bad" in late, "tag bad" in today, "tag bad" in after_the_weekend) == (True, True, False)
    assert "tag warn" in after_the_weekend


def test_a_long_queue_is_paged(
    client: FlaskClient, database: Database, keys: Keys, signer: Signer, clock: Clock, lins: cases.Case
) -> None:
    def unit(session: Session) -> None:
        for index in range(55):
            borrower_id = people.borrower(
                session, keys, customer_ref=f"C95{index:04}", name="多", phone=f"138{index:08}"
            )
            people.loan(session, borrower_id=borrower_id, loan_ref=f"L-{index}")
            cases.propose(
                session,
                keys,
                signer,
                borrower_id,
                now=clock.now() + timedelta(seconds=index),
                today=clock.today(),
            )

    database.write(unit)

    first, second = text_of(client, "/desk"), text_of(client, "/desk?page=2")
    beyond = text_of(client, "/desk?page=9")

    assert first.count("data-reference=") == 50
    assert second.count("data-reference=") == 6
    assert "page=2" in first
    assert beyond.count("data-reference=") == 50


def test_the_queue_takes_three_statements(client: FlaskClient, database: Database, lins: cases.Case) -> None:
    statements: list[str] = []

    def count(conn: object, cursor: object, statement: str, *rest: object) -> None:
        statements.append(statement)

    event.listen(database.reader, "before_cursor_execute", count)
    text_of(client, "/desk")
    event.remove(database.reader, "before_cursor_execute", count)

    assert len(statements) <= 3, statements


def claim(client: FlaskClient, staff_id: int, reference: str, **fields: str) -> str:
    token = people.sign_in_staff(client, staff_id)
    answer = client.post("/desk/claim", data={"csrf_token": token, "reference": reference, **fields})
    assert answer.status_code == 303
    return answer.location


def owner_of(database: Database) -> int | None:
    with database.read() as connection:
        return connection.execute(select(Negotiation.owner_staff_id)).scalar_one()


def test_a_case_is_taken_once_and_put_back_by_its_holder_only(
    client: FlaskClient, database: Database, lins: cases.Case
) -> None:
    claim(client, lins.mei, lins.reference, state="submitted")
    assert owner_of(database) == lins.mei

    lost = claim(client, lins.guo, lins.reference)
    assert owner_of(database) == lins.mei
    assert lins.reference in text_of(client, lost)
    claim(client, lins.guo, lins.reference, give_back="yes")
    assert owner_of(database) == lins.mei

    claim(client, lins.mei, lins.reference, give_back="yes")
    assert owner_of(database) is None
    with database.read() as connection:
        events = connection.execute(select(AuditEntry.event).order_by(AuditEntry.id)).scalars().all()
    assert [name for name in events if name.startswith("reviews.")] == [
        "reviews.claimed",
        "reviews.given_back",
    ]


def test_taking_keeps_the_filter(client: FlaskClient, lins: cases.Case) -> None:
    assert "state=submitted" in claim(client, lins.mei, lins.reference, state="submitted")


def test_a_case_that_is_not_there_is_not_taken(client: FlaskClient, lins: cases.Case) -> None:
    token = people.sign_in_staff(client, lins.mei)

    answer = client.post("/desk/claim", data={"csrf_token": token, "reference": "K-0000-00000"})

    assert answer.status_code == 404


def test_a_claim_without_the_token_is_refused(
    client: FlaskClient, database: Database, lins: cases.Case
) -> None:
    assert client.post("/desk/claim", data={"reference": lins.reference}).status_code == 403
    assert owner_of(database) is None
