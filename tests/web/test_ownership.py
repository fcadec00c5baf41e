"""Whatever a borrower's address names belongs to one borrower: everybody else is told that it is not there."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient
from sqlalchemy import select, update

from portal.documents.models import Document
from portal.gateways.storage import new_key
from portal.keys import Keys
from portal.money import Money
from portal.payments.models import Payment
from portal.payments.operations import create_attempt
from portal.plans.changes import Wish
from portal.plans.revisions import ChangeKind
from portal.signing import Signer
from portal.visits.models import Officer
from portal.visits.photos import sealed_photo
from tests import people
from tests.documents import corpus
from tests.intake.conftest import contents
from tests.plans.people import Story
from tests.plans.test_changes import change
from tests.plans.test_operations import payment as paid_in
from tests.plans.test_operations import receive
from tests.visits.door import announced
from tests.web.borrower.test_balance import notice

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
Named = dict[str, dict[str, str | int]]


@dataclass(frozen=True)
class House:
    """Lin with one of everything, her browser, and Zhao's browser with a token of his own."""

    app: Flask
    named: Named
    lin: FlaskClient
    zhao: FlaskClient
    zhao_csrf: str


@pytest.fixture
def house(sqlite_app: Flask, keys: Keys, signer: Signer) -> House:
    database = sqlite_app.extensions["portal"].db
    lin = database.write(lambda session: people.lin(session, keys))
    zhao = database.write(lambda session: people.zhao(session, keys))
    client, stranger = sqlite_app.test_client(), sqlite_app.test_client()
    csrf = people.sign_in(client, lin)
    named = everything_of(client, csrf, Story(database, keys, signer, lin))
    return House(sqlite_app, named, client, stranger, people.sign_in(stranger, zhao))


def everything_of(client: FlaskClient, csrf: str, story: Story) -> Named:
    """One of everything that an address can name, all of it Lin's; by endpoint, what the address is made of."""
    story.write(
        lambda s: notice(s, ref="N-LIN", borrower_id=story.lin, loan_refs=["L-LIN-1"], stated_minor=1)
    )
    report = tell(client, csrf)
    statement = post(client, "/my/statement", csrf, of="all:CNY", since="start").rsplit("/", 1)[1]
    payment = story.write(
        lambda s: (
            create_attempt(
                s,
                borrower_id=story.lin,
                loan_ref="L-LIN-1",
                amount=Money(100, "CNY"),
                form_key="pay",
                offered={},
                now=NOW,
                real_now=NOW,
            ).reference
        )
    )
    story.write(
        lambda s: s.execute(update(Payment).where(Payment.reference == payment).values(posted_at=NOW))
    )
    receipt = post(client, f"/my/pay/{payment}/receipt", csrf).rsplit("/", 1)[1]
    helper = {"loan": "L-LIN-1", "kind": "fixed", "amount": "1", "days": "7", "form_key": "link"}
    link = post(client, "/my/pay/someone-else", csrf, **helper).rsplit("/", 1)[1]
    with story.database.read() as connection:
        paper = connection.scalars(select(Document.public_ref)).one()
    proposal = story.propose()
    story.approve(proposal.proposal_id)
    plan = story.accept(proposal.proposal_id, proposal.terms, version=2)
    agreement, written = plan.reference, {"reference": plan.reference, "agreement": plan.agreements[0]}
    assert client.get(f"/my/plan/agreement/{agreement}/{plan.agreements[0]}.pdf").status_code == 200
    moved = change(story, Wish(ChangeKind.SKIP))
    whole = proposal.terms.instalments_total.minor
    receive(story, plan.plan_id, paid_in(story, plan.plan_id, whole, 1), whole)
    certificate = post(client, f"/my/plan/certificate/{agreement}", csrf).rsplit("/", 1)[1]
    loan, of_proposal = {"loan_ref": "L-LIN-1"}, {"reference": proposal.reference}
    made: Named = {
        "borrower.documents.picture": {"public_ref": paper, "number": 1},
        "borrower.documents.remove": {"public_ref": paper},
        "borrower.balance.loan": loan,
        "borrower.balance.explain": loan | {"figure": "interest"},
        "borrower.balance.accrued": loan,
        "borrower.balance.lines": loan,
        "borrower.since.notice": {"notice_ref": "N-LIN"},
        "borrower.since.statement": {"reference": statement},
        "borrower.settlement.page": loan,
        "borrower.why.terms": of_proposal | {"code": "terms.covered"},
        "borrower.why.statement": {"reference": statement, "scope": "all", "code": "due"},
        "borrower.pay.transfer": loan,
        "borrower.agreement.read": {"reference": agreement},
        "borrower.agreement.document": written,
        "borrower.plan.certify": {"reference": agreement},
        "borrower.plan_change.receipt": {"reference": moved},
        "borrower.receipts.issue": {"reference": payment},
        "borrower.receipts.paper": {"reference": receipt.removesuffix(".pdf")},
        "borrower.saved.stop": {"reference": agreement},
        "borrower.plan.certificate": {"reference": certificate.removesuffix(".pdf")},
        "borrower.negotiation.confirm": of_proposal | {"verb": "withdraw"},
        "borrower.negotiation.leave": of_proposal | {"verb": "withdraw"},
        "borrower.propose.receipt": of_proposal,
        "borrower.situation.sent": {"reference": report},
    }
    lead = story.write(lambda s: people.officer(s, story.keys))
    story.write(lambda s: announced(s, story.keys, borrower_id=story.lin, officer_id=lead))
    made |= {f"borrower.visits.{name}": {"visit_ref": "V1"} for name in VISITS}
    made |= {f"borrower.record.{name}": {"visit_ref": "V1"} for name in ("page", "answer", "complain")}
    wish = {"about": "other", "text": "no answer", "form_key": "complaint"}
    complaint = post(client, "/my/complaints/new", csrf, **wish).rsplit("/", 1)[1]
    made |= {f"borrower.complaints.{name}": {"reference": complaint} for name in ("one", "settle")}
    story.write(lambda s: s.execute(update(Officer).values(photo_ref=photo_of_officer(client))))
    made["borrower.visits.photo"] = {"visit_ref": "V1", "number": 1}
    made |= {f"borrower.pay.{name}": {"reference": payment} for name in ("payment", "receipt", "ask", "stop")}
    made |= {f"borrower.pay_links.{name}": {"reference": link} for name in ("link", "revoke")}
    made |= {f"borrower.agreement.{name}": of_proposal for name in AGREEING}
    made |= {f"borrower.statement.{name}": {"reference": statement} for name in STATEMENTS}
    return made


AGREEING = ("page", "send_code", "confirm_page", "confirm")
VISITS = ("door", "change", "move", "place", "refuse")
STATEMENTS = ("paper", "document", "table", "signed", "book")
#: What these name is nobody's: a currency and a figure of the borrower who asks.
NOBODYS = {"borrower.balance.total", "borrower.why.plan"}


def photo_of_officer(client: FlaskClient) -> str:
    """A picture in the store; where it lies."""
    portal, photo_ref = client.application.extensions["portal"], new_key()
    portal.store.put(photo_ref, sealed_photo(portal.keys, b"a picture"))
    return photo_ref


def tell(client: FlaskClient, csrf: str) -> str:
    """Send a report with one paper; its reference."""
    post(client, "/my/situation/reason", csrf, reason="income_lost", story="")
    post(client, "/my/situation/income", csrf, salary="6200")
    post(client, "/my/situation/spending", csrf, food="2500")
    files = [(io.BytesIO(corpus.picture()), "slip.jpg")]
    post(client, "/my/documents", csrf, form_key="paper", kind="income_proof", files=files)
    return post(client, "/my/situation/check", csrf, form_key="sent").rsplit("/", 1)[1]


def post(client: FlaskClient, address: str, csrf: str, **fields: object) -> str:
    """Post a form that leads on; where it leads."""
    answer = client.post(address, data={"csrf_token": csrf, **fields})
    assert answer.status_code == 303, (address, answer.text)
    return answer.location


def test_every_address_that_names_something_is_tried(house: House) -> None:
    naming = {
        rule.endpoint
        for rule in house.app.url_map.iter_rules()
        if rule.arguments and rule.endpoint.startswith("borrower.")
    }

    assert naming - NOBODYS == set(house.named)


def test_the_owner_is_let_in_and_nobody_else_sees_or_changes_anything(house: House) -> None:
    before, wrong = contents(house.app.extensions["portal"].db), []
    methods = {rule.endpoint: rule.methods or set() for rule in house.app.url_map.iter_rules()}
    for endpoint, values in house.named.items():
        with house.app.test_request_context():
            address = url_for(endpoint, **values)  # type: ignore[arg-type]
        if "POST" in methods[endpoint]:
            form = {"csrf_token": house.zhao_csrf, "version": "1", "code": "123456"}
            theirs = house.zhao.post(address, data=form)
        else:
            theirs = house.zhao.get(address)
            mine = house.lin.get(address).status_code
            if mine not in (200, 303):
                wrong.append((endpoint, "the owner", mine))
        if theirs.status_code != 404:
            wrong.append((endpoint, "somebody else", theirs.status_code))

    assert wrong == []
    assert contents(house.app.extensions["portal"].db) == before
