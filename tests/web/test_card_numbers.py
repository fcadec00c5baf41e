"""No card number gets in: every route that takes a form is sent one in every field there is (AC42)."""

from __future__ import annotations

import ast
import itertools
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.routing import Rule

from portal.db import Database
from portal.documents.card_numbers import has_card_number
from portal.documents.names import shown_name
from portal.hardship.models import HardshipReport
from portal.keys import Keys
from portal.web.card_numbers import CHOOSES_A_LOAN, MADE_BY_US
from tests import people
from tests.payments.telling import lin

ROOT = Path(__file__).parents[2]
SPELLINGS = (
    "4111111111111111",
    "4111 1111 1111 1111",
    "４１１１１１１１１１１１１１１１",
    "4111-1111-1111-1111",
)
#: The same digits in whatever way they could have been kept.
KEPT = [spelling.encode() for spelling in SPELLINGS] + [b"4111-1111 1111 1111"]
WORDS = ("A card number must not be written here", "looks like a card number")


@dataclass
class Walker:
    client: FlaskClient
    database: Database
    borrower: str
    staff: str

    def token(self, path: str) -> str:
        return self.staff if path.startswith("/desk") else self.borrower


@pytest.fixture
def walker(sqlite_client: FlaskClient, sqlite_database: Database, keys: Keys) -> Walker:
    borrower_id = lin(sqlite_database, keys, language="en")
    staff_id = sqlite_database.write(lambda session: people.guo(session, keys))
    sqlite_client.set_cookie("language", "en")
    return Walker(
        sqlite_client,
        sqlite_database,
        people.sign_in(sqlite_client, borrower_id),
        people.sign_in_staff(sqlite_client, staff_id),
    )


def field_names() -> list[str]:
    """Every name a form of ours has: in the templates, in the form classes, and as the doors read them."""
    names: set[str] = set()
    for page in (ROOT / "templates").rglob("*.html"):
        names |= set(re.findall(r'\sname="([a-z_]+)"', page.read_text(encoding="utf-8")))
    for door in (ROOT / "portal/web").rglob("*.py"):
        text = door.read_text(encoding="utf-8")
        names |= set(re.findall(r'request\.(?:form|args)(?:\.get\(|\[)"([a-z_]+)"', text))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef) and any(
                getattr(base, "id", "") == "Form" for base in node.bases
            ):
                names |= {
                    target.id
                    for line in node.body
                    if isinstance(line, ast.Assign)
                    for target in line.targets
                    if isinstance(target, ast.Name)
                }
    return sorted(names - MADE_BY_US - CHOOSES_A_LOAN)


def forms(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Every route that takes a form, with an address of it; the provider's own calls are signed instead."""
    for rule in app.url_map.iter_rules():
        if "POST" not in (rule.methods or ()) or rule.endpoint.startswith("callbacks."):
            continue
        values = {name: 1 if "int" in str(rule._converters[name]).lower() else "x" for name in rule.arguments}
        yield rule, rule.build(values, append_unknown=False)[1] or "/"  # type: ignore[index]


def assert_nothing_kept(database: Database, captured: str) -> None:
    with database.writer.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    content = Path(database.url.removeprefix("sqlite:///")).read_bytes()
    assert [kept for kept in KEPT if kept in content] == []
    assert [kept for kept in KEPT if kept.decode() in captured] == []


@pytest.mark.slow
def test_every_field_of_every_form_of_every_door_refuses_a_card_number(
    walker: Walker, sqlite_app: Flask, capfd: pytest.CaptureFixture[str]
) -> None:
    spellings = itertools.cycle(SPELLINGS)
    names, accepted, seen = field_names(), [], 0
    for rule, path in forms(sqlite_app):
        says_itself = getattr(sqlite_app.view_functions[rule.endpoint], "says_card_numbers", False)
        for name in names:
            data = {"csrf_token": walker.token(path), "form_key": "k", name: f"卡号 {next(spellings)}。"}
            answer = walker.client.post(path, data=data)
            seen += 1
            refused = answer.status_code == 422 and WORDS[0] in answer.text
            if not (refused or says_itself):
                accepted.append((rule.endpoint, name, answer.status_code))
    captured = capfd.readouterr()

    assert accepted == []
    assert seen > 1000
    assert_nothing_kept(walker.database, captured.out + captured.err)


def test_a_form_that_says_so_itself_does(walker: Walker, capfd: pytest.CaptureFixture[str]) -> None:
    for spelling in SPELLINGS:
        answer = walker.client.post(
            "/my/situation/reason",
            data={"csrf_token": walker.borrower, "reason": "illness", "story": f"{spelling} 请扣款"},
        )
        assert WORDS[1] in answer.text
    captured = capfd.readouterr()

    with walker.database.read() as connection:
        assert connection.execute(select(HardshipReport.id)).all() == []
    assert_nothing_kept(walker.database, captured.out + captured.err)


def test_an_address_and_a_json_body_are_read_too(walker: Walker) -> None:
    for spelling in SPELLINGS:
        typed = walker.client.get("/desk", query_string={"q": spelling})
        body = walker.client.post("/check", json={"lines": [{"note": spelling}]})
        assert (typed.status_code, body.status_code) == (422, 422)


def test_a_card_number_in_the_name_of_a_field_is_refused(walker: Walker) -> None:
    answer = walker.client.post("/check", data={"4111 1111 1111 1111": "x"})

    assert answer.status_code == 422


def test_a_thousand_numbers_that_only_look_alike_pass(walker: Walker) -> None:
    chooser = random.Random(20261124)
    lookalikes: list[str] = []
    while len(lookalikes) < 1000:
        digits = "".join(chooser.choice("0123456789") for _ in range(chooser.choice((13, 15, 16, 18))))
        if _luhn(digits) != 0:
            lookalikes.append(digits)

    assert [digits for digits in lookalikes if has_card_number(digits)] == []
    for digits in lookalikes[:20]:
        assert walker.client.post("/check", data={"code": digits}).status_code == 200


def _luhn(digits: str) -> int:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        double = int(digit) * (1 + place % 2)
        total += double // 10 + double % 10
    return total % 10


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_files_name_is_kept_without_the_number(spelling: str) -> None:
    assert not has_card_number(shown_name(f"卡号 {spelling}.jpg"))
