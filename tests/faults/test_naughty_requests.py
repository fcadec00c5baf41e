"""Whatever a request carries in its address or its fields, every route has an answer: never a bare 500."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.dates import Clock
from portal.db import Database
from portal.keys import Keys
from portal.plans.models import Proposal
from portal.signing import Signer
from tests import people
from tests.reviews import cases

#: As they stand in an address, already quoted.
ADDRESSES = (
    "%00",
    "a%00b",
    "%FF%FE",
    "%ED%A0%80",
    "9" * 25,
    "9" * 5000,
    "2147483648",
    "%0d%0aX-Evil:1",
    "'%20OR%201=1--",
    "{{7*7}}",
)
#: As they stand in a field.
TEXTS = (
    "\0",
    "\ud800".encode("utf-8", "surrogatepass"),
    "9" * 25,
    "9" * 5000,
    "9223372036854775808",
    "-9223372036854775809",
    "1e9",
    "NaN",
    "٣",
    "//[",
    "/\r\nX-Evil: 1",
    "💩" * 500,
    "\u202e\ue000code\ue001",
    "%s%(x)s{0}{{7*7}}",
    "",
)


@pytest.fixture
def case(database: Database, keys: Keys, signer: Signer, clock: Clock) -> cases.Case:
    """Lin's case, so that references lead somewhere."""
    return cases.open_case(database, keys, signer, clock)


@pytest.fixture
def readers(portal_app: Flask, case: cases.Case) -> dict[str, tuple[FlaskClient, str]]:
    """Nobody, Lin and Mei, each with the token their forms carry."""
    nobody, lin, mei = (portal_app.test_client() for _ in range(3))
    return {
        "nobody": (nobody, ""),
        "lin": (lin, people.sign_in(lin, case.borrower_id)),
        "mei": (mei, people.sign_in_staff(mei, case.mei)),
    }


def addresses(app: Flask) -> Iterator[tuple[str, set[str]]]:
    """Every route with naughty things in its places, and one with them in its query."""
    for rule in app.url_map.iter_rules():
        methods = (rule.methods or set()) & {"GET", "POST"}
        for naughty in ADDRESSES:
            made = re.sub(r"<int[^:]*:[^>]+>", naughty if naughty.isdigit() else "1", str(rule))
            made = re.sub(r"<[^>]+>", lambda _: naughty, made)  # noqa: B023 - used at once
            if made != str(rule):
                yield made, methods


def troubles(answers: dict[str, int]) -> dict[str, int]:
    return {asked[:100]: status for asked, status in answers.items() if status >= 500}


@pytest.mark.slow
def test_no_place_of_an_address_is_too_odd(
    portal_app: Flask, readers: dict[str, tuple[FlaskClient, str]]
) -> None:
    portal_app.testing = False
    answers = {}
    for address, methods in addresses(portal_app):
        client, token = readers["mei" if address.startswith("/desk") else "lin"]
        for method in methods:
            data = {"csrf_token": token} if method == "POST" else None
            answers[f"{method} {address}"] = client.open(address, method=method, data=data).status_code

    assert len(answers) > 200
    assert troubles(answers) == {}


@pytest.mark.slow
def test_no_query_is_too_odd(
    portal_app: Flask, readers: dict[str, tuple[FlaskClient, str]], case: cases.Case
) -> None:
    portal_app.testing = False
    pages = {
        "/my/loans/L-LIN-1/lines": ("page",),
        "/my/plan/propose": ("plan", "count", "amount", "day", "loans", "frequency", "waive", "upfront", "currency"),
        "/my/plan/propose/check": ("plan", "count", "amount", "step_count", "step_amount", "loans"),
        "/my/pay/check": ("what", "loan", "amount", "currency"),
        "/my/plan": ("moved", "done", "made", "all"),
        "/desk": ("q", "page", "state", "owner", "rule", "amount", "sort", "taken"),
        f"/desk/cases/{case.reference}": ("x",),
        "/sign-in/code": ("again",),
    }  # fmt: skip
    usual = {
        "sent": "1",
        "plan": "own",
        "count": "24",
        "loans": "L-LIN-1",
        "what": "other",
        "loan": "L-LIN-1",
    }
    answers = {}
    for page, names in pages.items():
        client, _token = readers["mei" if page.startswith("/desk") else "lin"]
        for name in names:
            rest = "&".join(f"{key}={value}" for key, value in usual.items() if key != name)
            for naughty in ADDRESSES:
                asked = f"{page}?{name}={naughty}&{rest}"
                answers[asked] = client.get(asked).status_code

    assert troubles(answers) == {}


def forms(database: Database, case: cases.Case) -> dict[tuple[str, str], dict[str, str]]:
    """The forms there are, filled in as somebody would."""
    with database.read() as connection:
        reference, terms_hash = connection.execute(
            select(Proposal.reference, Proposal.terms_hash).where(Proposal.id == case.proposal_id)
        ).one()
    return {
        ("nobody", "/check"): {"code": "7KQF-3MWD-01ABC"},
        ("nobody", "/not-me"): {"reference": "7KQF-3MWD-01ABC"},
        ("nobody", "/preferences"): {"back": "/", "language": "en", "text_size": "large"},
        ("nobody", "/sign-in"): {"reference": "7KQF-3MWD-01ABC"},
        ("nobody", "/sign-in/code"): {"code": "123456", "id_tail": "0001"},
        ("nobody", "/desk/sign-in"): {"login": "mei", "password": "x", "totp": "123456"},
        ("lin", "/my/more/language"): {"language": "zh"},
        ("lin", "/my/situation/reason"): {"reason": "job_lost", "story": "…"},
        ("lin", "/my/situation/income"): {"wages": "3000"},
        ("lin", "/my/situation/check"): {"form_key": "k1", "consent": "y"},
        ("lin", "/my/documents"): {"kind": "other", "form_key": "k2", "consent": "y"},
        ("lin", "/my/plan/propose/send"): {
            "form_key": "k3", "sent": "1", "plan": "own", "count": "24", "day": "18", "frequency": "monthly",
            "upfront": "100", "loans": "L-LIN-1", "comment": "…", "currency": "CNY", "waive": "fee",
        },
        ("lin", "/my/pay/start"): {"form_key": "k4", "currency": "CNY", "amount": "0.01", "loan": "L-LIN-1"},
        ("lin", f"/my/plan/negotiation/withdraw/{reference}"): {"version": "99"},
        ("mei", "/desk/claim"): {"reference": case.reference, "from": "queue", "q": "x", "page": "1"},
        ("mei", f"/desk/cases/{case.reference}/offer"): {"kind": "counter", "count": "24", "pay_day": "18"},
        ("mei", f"/desk/cases/{case.reference}/preview"): {"kind": "counter", "amount": "5", "pay_day": "18"},
        ("mei", f"/desk/cases/{case.reference}/paper"): {"paper": "accept:x", "reason-x": "illegible"},
        ("mei", f"/desk/cases/{case.reference}/decide"): {
            "kind": "decline", "proposal": str(case.proposal_id), "version": "1", "stage": "1", "form_key": "k5",
            "terms_hash": terms_hash, "figures": "1", "note": "…", "reasons": "other", "asked": "paper:x",
        },
    }  # fmt: skip


@pytest.mark.slow
def test_no_field_is_too_odd(
    portal_app: Flask, readers: dict[str, tuple[FlaskClient, str]], database: Database, case: cases.Case
) -> None:
    portal_app.testing = False
    answers = {}
    for (who, address), usual in forms(database, case).items():
        client, token = readers[who]
        for name in usual:
            for number, naughty in enumerate(TEXTS):
                data = {**usual, name: naughty, "csrf_token": token}
                answers[f"{address} {name} {number}"] = client.post(address, data=data).status_code

    # without a provider's answer a payment says 503
    answers = {
        asked: status for asked, status in answers.items() if not ("/my/pay" in asked and status == 503)
    }
    assert troubles(answers) == {}


def test_no_file_name_is_too_odd(readers: dict[str, tuple[FlaskClient, str]], portal_app: Flask) -> None:
    portal_app.testing = False
    client, token = readers["lin"]
    answers = {}
    for number, naughty in enumerate(TEXTS):
        name = naughty.decode("utf-8", "replace") if isinstance(naughty, bytes) else naughty
        data = {
            "csrf_token": token,
            "kind": "other",
            "files": (io.BytesIO(b"GIF8"), name.replace("\r\n", "")),
        }
        answers[str(number)] = client.post("/my/documents", data=data).status_code

    assert troubles(answers) == {}


def test_a_token_of_odd_characters_is_refused(readers: dict[str, tuple[FlaskClient, str]]) -> None:
    client, _token = readers["lin"]

    for naughty in TEXTS:
        assert client.post("/my/more/language", data={"csrf_token": naughty}).status_code in (400, 403)
