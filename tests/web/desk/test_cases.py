"""The case screen: what is on it, the four answers through the door, and that nothing typed is lost."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from portal.accounts.models import Loan, LoanBalance
from portal.dates import Clock
from portal.db import Database
from portal.documents.models import Document
from portal.keys import Keys
from portal.plans.models import Proposal
from portal.reviews.four_eyes import Kind
from portal.reviews.models import Decision
from portal.signing import Signer
from tests import people
from tests.documents.stage import Stage
from tests.reviews import cases


@pytest.fixture
def lins(client: FlaskClient, database: Database, keys: Keys, signer: Signer, clock: Clock) -> cases.Case:
    """Lin's case, with Mei signed in."""
    case = cases.open_case(database, keys, signer, clock)
    people.sign_in_staff(client, case.mei)
    return case


def see(client: FlaskClient, case: cases.Case, staff_id: int | None = None) -> str:
    people.sign_in_staff(client, staff_id or case.mei)
    answer = client.get(f"/desk/cases/{case.reference}")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of the decision's form."""
    form = page[page.index('id="decide"') :]
    form = form[: form.index("</form>")]
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form)
    return dict(found)


def send(
    client: FlaskClient, case: cases.Case, page: str, verb: str = "decide", **typed: object
) -> TestResponse:
    fields = {"count": "24", "pay_day": "18", **hidden(page), **typed}
    return client.post(f"/desk/cases/{case.reference}/{verb}", data=fields)


def states(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(select(Proposal.state).order_by(Proposal.id)).scalars())


def decisions(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(Decision)).scalar_one()


def test_everything_a_decision_needs_is_on_one_screen(client: FlaskClient, lins: cases.Case) -> None:
    page = see(client, lins)

    for shown in (
        "林晓",
        "C900001",
        lins.reference,
        "18,270.00",
        "L-LIN-1",
        "C-LIN-1",
        "老伴住院，积蓄用完了。",
        "每月退休金到账后还款。",
        "2,800.00",
        "761.25",
        "27%",
    ):
        assert shown in page, shown
    assert "13900000034" not in page
    assert "0001</" not in page.replace("C900001", "")


def test_a_loan_that_may_be_too_old_to_claim_is_flagged(
    client: FlaskClient, database: Database, lins: cases.Case
) -> None:
    assert "期限久远" not in see(client, lins)
    ended = update(Loan).where(Loan.loan_ref == "L-LIN-1").values(matures_on=date(2020, 1, 15))
    database.write(lambda session: session.execute(ended))

    page = see(client, lins)

    assert page.count("期限久远") == 1
    assert "L-LIN-1 已于 2020年1月15日全部到期，距今超过 3 年" in page


def test_a_case_that_is_not_there_is_not_found(client: FlaskClient, lins: cases.Case) -> None:
    assert client.get("/desk/cases/K-0000-00000").status_code == 404
    assert client.post("/desk/cases/K-0000-00000/decide", data={"csrf_token": "x"}).status_code in (403, 404)


def test_an_approval_goes_through_the_door(client: FlaskClient, database: Database, lins: cases.Case) -> None:
    answer = send(client, lins, see(client, lins), kind="approve", note="同意。")

    assert answer.status_code == 303
    assert states(database) == ["approved"]
    after = see(client, lins)
    assert 'id="c-standing"' in after
    assert "何敏" in after


def test_a_decision_without_the_token_is_refused(
    client: FlaskClient, database: Database, lins: cases.Case
) -> None:
    fields = hidden(see(client, lins)) | {"csrf_token": "forged", "kind": "approve"}

    assert client.post(f"/desk/cases/{lins.reference}/decide", data=fields).status_code == 403
    assert decisions(database) == 0


def test_nothing_chosen_keeps_what_was_typed(
    client: FlaskClient, database: Database, lins: cases.Case
) -> None:
    answer = send(client, lins, see(client, lins), note="先看看流水。")

    assert answer.status_code == 422
    assert "先看看流水。" in answer.get_data(as_text=True)
    assert decisions(database) == 0


def test_a_counter_offer_is_shown_before_it_is_sent(
    client: FlaskClient, database: Database, lins: cases.Case
) -> None:
    typed = {"kind": "counter", "upfront": "1，000", "count": "２０", "note": "先付一千。"}

    unseen = send(client, lins, see(client, lins), **typed)
    shown = unseen.get_data(as_text=True)
    assert unseen.status_code == 409
    assert states(database) == ["submitted"]
    for kept in ("863.50", "先付一千。", 'value="1，000"', "1,000.00"):
        assert kept in shown, kept

    assert send(client, lins, shown, **typed).status_code == 303
    assert states(database) == ["superseded", "countered"]


def test_the_recalculated_offer_is_the_same_with_and_without_script(
    client: FlaskClient, lins: cases.Case
) -> None:
    page = see(client, lins)
    typed = {"kind": "counter", "upfront": "1000", "count": "20"}

    whole = send(client, lins, page, "preview", **typed).get_data(as_text=True)
    part = send(client, lins, page, "offer", **typed).get_data(as_text=True)

    assert hidden(whole)["offer_hash"] in part
    assert "863.50" in part
    assert "<html" not in part


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"count": "abc"}, 'id="count-error"'),
        ({"upfront": "1e9"}, 'id="upfront-error"'),
        ({"pay_day": "31"}, 'id="pay_day-error"'),
        ({"count": "", "amount": ""}, 'id="count-error"'),
        ({"count": "500"}, "note bad"),
        ({"upfront": "9999999"}, "note bad"),
    ],
)
def test_a_counter_offer_that_cannot_be_is_answered_in_words(
    sqlite_client: FlaskClient,
    sqlite_database: Database,
    keys: Keys,
    signer: Signer,
    clock: Clock,
    typed: dict[str, str],
    says: str,
) -> None:
    case = cases.open_case(sqlite_database, keys, signer, clock)

    answer = send(sqlite_client, case, see(sqlite_client, case), kind="counter", **typed)

    assert answer.status_code == 422
    assert says in answer.get_data(as_text=True)
    assert states(sqlite_database) == ["submitted"]


def test_two_people_on_one_case_end_in_one_decision_and_a_clear_word(
    client: FlaskClient, database: Database, lins: cases.Case
) -> None:
    guos_page = see(client, lins, lins.guo)
    send(client, lins, see(client, lins), kind="approve", note="同意。")
    people.sign_in_staff(client, lins.guo)

    answer = send(
        client, lins, guos_page, kind="decline", note="材料不足，请补充。", reasons=["papers_missing"]
    )

    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert states(database) == ["approved"]
    for shown in ("何敏", "B2107", "材料不足，请补充。", 'id="kept-note"'):
        assert shown in page, shown


def test_figures_that_moved_ask_for_another_look_and_keep_what_was_typed(
    client: FlaskClient, database: Database, lins: cases.Case
) -> None:
    page = see(client, lins)
    database.write(lambda session: session.execute(update(LoanBalance).values(version=7)))

    answer = send(client, lins, page, kind="approve", note="同意，按时还。")

    again = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "同意，按时还。" in again
    assert send(client, lins, again, kind="approve", note="同意，按时还。").status_code == 303


def test_more_is_asked_for_by_name(client: FlaskClient, database: Database, lins: cases.Case) -> None:
    answer = send(client, lins, see(client, lins), kind="ask", asked=["paper:income_proof"], note="请补。")

    assert answer.status_code == 303
    assert states(database) == ["more_asked"]
    assert 'id="c-asked"' in see(client, lins)


def test_a_first_decider_sees_why_he_cannot_confirm_and_a_supervisor_can(
    client: FlaskClient, database: Database, keys: Keys, signer: Signer, clock: Clock
) -> None:
    case = cases.open_case(database, keys, signer, clock, freeze_interest=True)
    send(client, case, see(client, case), kind="approve", note="同意停计利息。")

    own = see(client, case)
    assert 'value="confirm"' not in own
    assert 'id="c-second"' in own
    forged = hidden(own) | {"proposal": str(case.proposal_id), "version": "2", "stage": "2"}
    refused = client.post(f"/desk/cases/{case.reference}/decide", data=forged | {"kind": "confirm"})
    assert refused.status_code == 403
    assert states(database) == ["second_approval"]

    page = see(client, case, case.guo)
    assert 'value="confirm"' in page
    assert "同意停计利息。" in page
    assert send(client, case, page, kind="confirm").status_code == 303
    assert states(database) == ["approved"]


def test_the_second_person_sees_how_the_counter_offer_sits_in_the_month_and_why_two_decide(
    client: FlaskClient, database: Database, keys: Keys, clock: Clock, lins: cases.Case
) -> None:
    offer = cases.counter(database, keys, clock, lins, count=8, freeze_interest=True)
    cases.decide(database, keys, clock, lins, lins.mei, offer)

    page = see(client, lins, lins.guo)

    second = page.partition('id="c-second"')[2].partition("<form")[0]
    assert "占结余 82%" in second
    assert "停计利息" in second


def test_what_is_sent_back_says_why_and_the_one_who_sent_it_does_not_decide_it(
    client: FlaskClient, database: Database, keys: Keys, signer: Signer, clock: Clock
) -> None:
    case = cases.open_case(database, keys, signer, clock, freeze_interest=True)
    cases.decide(database, keys, clock, case, case.mei, cases.choice(database, case, Kind.APPROVE))

    answer = send(client, case, see(client, case, case.guo), kind="send_back", note="请先核实收入。")

    assert answer.status_code == 303
    assert states(database) == ["submitted"]
    assert "请先核实收入。" in see(client, case)
    assert 'value="approve"' not in see(client, case, case.guo)


def test_a_paper_is_judged_without_losing_the_draft(
    client: FlaskClient, database: Database, keys: Keys, tmp_path: Path, signer: Signer, clock: Clock
) -> None:
    stage = Stage(database, keys, tmp_path)
    paper = stage.ready()
    stage.send()

    def unit(session: Session) -> cases.Case:
        sent = cases.propose(session, keys, signer, stage.lin, now=clock.now(), today=clock.today())
        return cases.Case(stage.lin, sent.proposal_id, sent.negotiation_ref, people.mei(session, keys), 0)

    case = database.write(unit)
    page = see(client, case)
    assert f"/desk/documents/{paper.public_ref}/pages/1" in page

    unnamed = send(client, case, page, "paper", paper=f"unsuitable:{paper.public_ref}", note="草稿一")
    assert unnamed.status_code == 422
    answer = send(client, case, page, "paper", paper=f"accept:{paper.public_ref}", note="草稿一", kind="ask")

    assert answer.status_code == 200
    assert "草稿一" in answer.get_data(as_text=True)
    with database.read() as connection:
        assert connection.execute(select(Document.state)).scalar_one() == "accepted"
    assert send(client, case, page, "paper", paper="accept:somebody-elses").status_code == 404


def test_the_ledger_and_the_whole_history_are_one_key_away(client: FlaskClient, lins: cases.Case) -> None:
    page = see(client, lins)
    assert 'data-key="l"' in page
    assert 'data-key="h"' in page

    ledger = client.get(f"/desk/cases/{lins.reference}/ledger")
    history = client.get(f"/desk/cases/{lins.reference}/history")

    assert "L-LIN-1-0" in ledger.get_data(as_text=True)
    assert history.status_code == 200


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_screen_has_one_heading_unique_ids_and_named_fields(
    sqlite_client: FlaskClient,
    sqlite_database: Database,
    keys: Keys,
    signer: Signer,
    clock: Clock,
    language: str,
) -> None:
    from portal.access.models import Staff

    case = cases.open_case(sqlite_database, keys, signer, clock)
    sqlite_database.write(lambda session: session.execute(update(Staff).values(language=language)))

    for page in (see(sqlite_client, case), sqlite_client.get("/desk").get_data(as_text=True)):
        ids = re.findall(r'\bid="([^"]+)"', page)
        assert page.count("<h1") == 1
        assert len(ids) == len(set(ids)), sorted(one for one in ids if ids.count(one) > 1)
        for name in set(re.findall(r'\bfor="([^"]+)"', page)):
            assert name in ids
        assert "style=" not in page
        assert "onclick" not in page
