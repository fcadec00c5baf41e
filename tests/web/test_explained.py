"""Every amount on the money pages leads to how it is made, and what it leads to adds up to it.

What is not explained but given is marked in the page: a posted line, an agreed instalment, a figure somebody
stated or typed. GIVEN lists these kinds, and nothing else goes without an explanation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from html.parser import HTMLParser
from urllib.parse import urldefrag, urlencode, urljoin

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from portal.accounts.corrections import post_refund, post_transfer
from portal.accounts.operations import post_payment, post_waiver
from portal.accounts.queries import balances_for
from portal.dates import Clock
from portal.db import Database
from portal.gateways.stripe import Report
from portal.keys import Keys
from portal.money import Money
from portal.plans.changes import Wish
from portal.plans.queries import latest_negotiation_for
from portal.plans.revisions import ChangeKind
from portal.plans.terms import TermsRequest
from portal.signing import Signer
from tests import people
from tests.payments.telling import begin, said, tell
from tests.plans.test_changes import change
from tests.plans.test_extra import plan_of
from tests.reviews import cases
from tests.web.borrower.plan_story import signed_in, story_of
from tests.web.borrower.test_balance import notice

#: Inputs and agreed terms, each with why it needs no sum of its own.
GIVEN = {
    "line": "an amount as the bank or the portal posted it",
    "instalment": "an instalment of the loan's contract",
    "contract": "a term of the contract",
    "agreed": "an instalment of an agreed plan",
    "counted": "what was counted towards one instalment",
    "stated": "what a notice or statement said",
    "rest": "what is left over, named as such",
    "above": "a figure of the table above, repeated in a sum",
    "quotient": "worked out in its own row: balance-days x rate / days of the year, rounded once",
    "balance": "the ledger's balance of a day",
    "product": "worked out in its own row: balance x days",
    "none": "nothing was posted",
    "payment": "what somebody paid",
    "chosen": "what somebody typed",
    "difference": "worked out in its own line",
    "proposed": "a payment of a plan that is proposed or offered; all of them together are the plan's sum, which is explained",
    "listed": "what is due on the accounts listed right below, each of them explained",
    "month": "of the month the borrower stated; the page of the situation adds it up",
    "estimate": "what an instalment would then come to, before anything is paid",
    "words": "the agreement in the words that are signed; its figures are explained beside it",
    "placed": "what a payment paid of one part; the table adds up to the payment",
    "then": "what was left right after a payment, as its receipt says it",
}
AMOUNT = re.compile(r"(?:([+−-])\s?)?[¥$€]?\s?(\d{1,3}(?:,\d{3})*\.\d{2})(?![\d%])")
VOID = {"meta", "link", "input", "br", "img", "path", "rect", "circle", "hr", "use", "line"}
SILENT = {"script", "style", "title", "desc", "option", "head"}


@dataclass
class Node:
    """An element with its text in reading order."""

    tag: str
    attrs: dict[str, str | None]
    parent: Node | None = None
    children: list[Node | str] = field(default_factory=list)

    def up(self) -> Iterator[Node]:
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent

    def all(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            if isinstance(child, Node):
                yield from child.all()

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)


class _Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = self.here = Node("root", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs), self.here)
        self.here.children.append(node)
        if tag not in VOID:
            self.here = node

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.here.children.append(Node(tag, dict(attrs), self.here))

    def handle_endtag(self, tag: str) -> None:
        for node in self.here.up():
            if node.tag == tag and node.parent is not None:
                self.here = node.parent
                return

    def handle_data(self, data: str) -> None:
        self.here.children.append(data)


def tree_of(client: FlaskClient, address: str) -> Node:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status)
    tree = _Tree()
    tree.feed(answer.get_data(as_text=True))
    return tree.root


def minor(found: re.Match[str]) -> int:
    """The amount in minor units, with its sign."""
    value = int(found[2].replace(",", "").replace(".", ""))
    return -value if found[1] in ("−", "-") else value


def amounts(tree: Node) -> Iterator[tuple[Node, int]]:
    """Every amount of a page with the smallest element that holds it whole."""
    for node in tree.all():
        if node.tag in SILENT or any(one.tag in SILENT for one in node.up()):
            continue
        if node.tag == "span" and "m" in (node.attrs.get("class") or "").split():
            found = AMOUNT.search(node.text)
            if found:
                yield node, minor(found)
        elif not any(one.tag == "span" and one.attrs.get("class") == "m" for one in node.up()):
            for words in node.children:
                if isinstance(words, str):
                    for found in AMOUNT.finditer(words):
                        yield node, minor(found)


def sums(tree: Node) -> dict[str, int]:
    """The figure of each table that is a sum, by the id it is reached by; each is added up here."""
    found = {}
    for table in tree.all():
        if table.tag == "table" and "data-sum" in table.attrs:
            whole = added(table)
            marks = [one.attrs["id"] for one in [*table.up(), *table.all()] if one.attrs.get("id")]
            section = next((one for one in table.up() if one.tag == "section"), table)
            marks += [one.attrs["id"] for one in section.all() if one.tag == "h2" and one.attrs.get("id")]
            for mark in ("", *marks):
                found.setdefault(str(mark), whole)
    return found


def added(table: Node) -> int:
    """What the rows of a sum add up to; that is its foot, or the page is wrong."""
    column = int(table.attrs["data-sum"] or -1)
    body = [row for part in table.all() if part.tag == "tbody" for row in part.all() if row.tag == "tr"]
    rows = [minor(last) for row in body if (last := amount_in(row, column)) is not None]
    foot = next(part for part in table.all() if part.tag == "tfoot")
    whole = amount_in(foot, column)
    assert whole is not None
    assert sum(rows) == minor(whole), f"{rows} is not {minor(whole)}: {table.text}"
    return minor(whole)


def amount_in(row: Node, column: int = -1) -> re.Match[str] | None:
    """The amount in the last cell of a row, or in another one that the table names."""
    cells = [one for one in row.all() if one.tag == "td"]
    return AMOUNT.search(cells[column].text) if cells else None


@dataclass
class Walk:
    """Pages that were asked for their sums already, and what was found to be given."""

    client: FlaskClient
    seen: dict[str, dict[str, int]] = field(default_factory=dict)
    pages: set[str] = field(default_factory=set)
    given: set[str] = field(default_factory=set)
    checked: int = 0

    def sum_at(self, address: str) -> int | None:
        page, mark = urldefrag(address)
        if page not in self.seen:
            self.seen[page] = sums(tree_of(self.client, page))
        return self.seen[page].get(mark)

    def page(self, address: str) -> list[str]:
        """The amounts of one page that lead nowhere or to something else, and the pages led to."""
        tree, wrong = tree_of(self.client, address), []
        own = sums(tree)
        self.seen[address], foots = own, set()
        self.pages.add(address)
        for table in tree.all():
            if table.tag == "table" and "data-sum" in table.attrs:
                foots |= {id(one) for part in table.all() if part.tag == "tfoot" for one in part.all()}
        for node, value in amounts(tree):
            self.checked += 1
            said = next((one.attrs["data-given"] for one in node.up() if "data-given" in one.attrs), None)
            link = next((one for one in node.up() if one.tag == "a"), None)
            if said is not None:
                self.given.add(str(said))
            elif link is not None:
                wrong += self._led(address, str(link.attrs["href"]), link, value)
            elif id(node) not in foots and not self._is_own(address, node, own, value):
                wrong.append(
                    f"{address}: {value} in {' '.join(node.parent.text.split())[:90]!r} is unexplained"
                )  # type: ignore[union-attr]
        return wrong

    def _is_own(self, page: str, node: Node, own: dict[str, int], value: int) -> bool:
        """The large figure of an explanation is explained right below it; a row that names its table too."""
        large = any("figure" in (one.attrs.get("class") or "").split() for one in node.up())
        row = next((one for one in node.up() if one.tag == "tr"), None)
        inner = [one for one in row.all() if one.tag == "a"] if row else []
        marked = [urldefrag(str(one.attrs.get("href") or ""))[1] for one in inner]
        pages = [one.attrs.get("href") for one in inner]
        if large:
            return value in own.values()
        return any(
            self.sum_at(urljoin(page, str(href))) in (value, -value)
            for href, mark in zip(pages, marked, strict=True)
            if mark
        )

    def _led(self, page: str, href: str, link: Node, value: int) -> list[str]:
        target = urljoin(page, href)
        if "tile" in (link.attrs.get("class") or "").split():
            shown = [found for _, found in amounts(tree_of(self.client, urldefrag(target)[0]))]
            return [] if value in shown else [f"{page}: {value} leads to {target}, which has it not"]
        found = self.sum_at(target)
        if found is None or abs(found) != abs(value):
            return [f"{page}: {value} leads to {target}, which explains {found}"]
        if urldefrag(target)[0] not in self.pages:
            return self.page(urldefrag(target)[0])
        return []


def moved(session: Session, borrower: int) -> None:
    """A payment in two parts with something over, part of it given back, a waiver, money moved."""
    loans = {loan.loan_ref: loan for loan in balances_for(session.connection(), borrower).loans}
    said = {"posted_on": date(2026, 11, 20), "memo": "", "now": people.CREATED}
    one, card = loans["L-LIN-1"].loan_id, loans["C-LIN-1"].loan_id
    paid = post_payment(
        session,
        loan_id=one,
        parts={"interest": 9_000, "principal": 123_456},
        suspense_minor=7_777,
        payment_id=None,
        line_ref="P-1",
        **said,  # type: ignore[arg-type]
    )
    post_waiver(session, loan_id=card, parts={"fee": 1_500}, line_ref="W-1", **said)  # type: ignore[arg-type]
    post_refund(
        session,
        line_id=paid.line_id,
        parts={"principal": 3_456},
        suspense_minor=777,
        line_ref="X-1",
        **said,  # type: ignore[arg-type]
    )
    post_transfer(
        session,
        from_loan_id=one,
        to_loan_id=card,
        take={"suspense": 5_000},
        give={"interest": 5_000},
        line_ref="T-1",
        **said,  # type: ignore[arg-type]
    )


PAGES = (
    "/my/balance",
    "/my/balance/on?on=2026-10-14",
    "/my/balance/on?on=2027-01-20",
    "/my/since/N-LIN",
    "/my/loans/L-LIN-1",
    "/my/loans/C-LIN-1",
    "/my/loans/L-LIN-1/lines",
    "/my/loans/L-LIN-1/accrued",
    "/my/loans/C-LIN-1/accrued?on=2027-01-10",
    "/my/loans/L-LIN-1/settlement?on=2026-12-18",
    "/my/loans/L-LIN-1/principal",
    "/my/loans/L-LIN-1/interest?on=2026-10-14",
    "/my/plan",
    "/my/pay",
    "/my/pay/check?what=other&amount=100.00&loan=L-LIN-1",
    "/my/statement",
)


def statement(client: FlaskClient, csrf: str, **choice: str) -> str:
    """The address of a statement just issued."""
    return str(client.post("/my/statement", data={"csrf_token": csrf, **choice}).location)


def test_every_amount_of_the_borrower_leads_to_a_sum_that_is_it(sqlite_app: Flask) -> None:
    story = story_of(sqlite_app)
    client, csrf = signed_in(sqlite_app, story)
    client.set_cookie("language", "en")
    story.write(
        lambda s: notice(s, ref="N-LIN", borrower_id=story.lin, loan_refs=["L-LIN-1"], stated_minor=1_900_001)
    )
    papers = [statement(client, csrf, of="all:CNY", since="date", first="2026-10-01")]
    story.write(lambda s: moved(s, story.lin))
    papers.append(statement(client, csrf, of="loan:L-LIN-1", since="start"))
    story.plan()
    since = [f"/my/since-statement/{paper.rsplit('/', 1)[1]}" for paper in papers]
    walk = Walk(client)

    wrong = [one for page in (*PAGES, *papers, *since) if page not in walk.pages for one in walk.page(page)]

    assert wrong == [], "\n".join(wrong)
    assert walk.given <= set(GIVEN)
    assert walk.checked > 1_000
    assert len(walk.pages) > 120


def test_every_amount_of_a_plan_from_proposal_to_change_leads_to_a_sum_that_is_it(sqlite_app: Flask) -> None:
    story = story_of(sqlite_app)
    client, _ = signed_in(sqlite_app, story)
    client.set_cookie("language", "en")
    asked = {"count": 12, "upfront": "1000", "plan": "own", "waive": "fee", "frequency": "monthly", "day": 18}
    walk = Walk(client)
    wrong = [
        *walk.page("/my/plan/propose"),
        *walk.page(f"/my/plan/propose?{urlencode(asked)}"),
        *walk.page(f"/my/plan/propose/check?{urlencode(asked)}"),
        *walk.page("/my/plan/propose?plan=own&amount=50.00"),
    ]
    sent = story.propose(TermsRequest(count=12, upfront=Money(100_000, "CNY"), waive=("fee",)))
    wrong += [*walk.page(f"/my/plan/receipt/{sent.reference}"), *walk.page("/my/plan/negotiation")]
    offer = story.terms(TermsRequest(count=24, waive=("fee", "penalty_interest")))
    story.counter(sent.proposal_id, offer)
    with story.database.read() as connection:
        case = latest_negotiation_for(connection, story.lin)
    assert case is not None
    pages = ["/my/plan/negotiation", f"/my/plan/negotiation/decline/{case.current.reference}"]
    pages += [f"/my/plan/accept/{case.current.reference}{end}" for end in ("", "/confirm")]
    wrong += [one for page in pages for one in walk.page(page)]
    made = story.accept(case.current.id, offer, version=1)
    change(story, Wish(ChangeKind.SKIP))
    (reference,) = [one.reference for one in plan_of(story).changes]
    pages = ["", "/change", "/change/check?what=skip", f"/change/{reference}", f"/agreement/{made.reference}"]
    wrong += [one for page in pages for one in walk.page(f"/my/plan{page}")]

    assert wrong == [], "\n".join(wrong)
    assert walk.given <= set(GIVEN)
    assert walk.checked > 250


def test_every_amount_of_a_payment_leads_to_a_sum_that_is_it(sqlite_app: Flask) -> None:
    story = story_of(sqlite_app)
    client, _ = signed_in(sqlite_app, story)
    client.set_cookie("language", "en")
    story.plan()
    ways = begin(story.database, story.lin, 300_000, loan_ref=None, form_key="plan")
    loan = begin(story.database, story.lin, 70_000, form_key="loan", session_id="cs_2")
    walk, wrong = Walk(client), []
    for number, attempt in enumerate((ways, loan)):
        wrong += walk.page(f"/my/pay/{attempt.reference}")
        paid = said(attempt, Report.PAID, event_id=f"evt_{number}", intent_id=f"pi_{number}")
        tell(story.database, story.keys, paid)
        wrong += walk.page(f"/my/pay/{attempt.reference}")
        wrong += walk.page(f"/my/pay/{attempt.reference}/receipt")
    choices = ("what=plan", "what=other&amount=4000.00&loan=plan", "what=due:L-LIN-1")
    pages = [*(f"/my/pay/check?{choice}" for choice in choices), "/my/pay", "/my/pay/history"]
    pages += ["/my/pay/transfer/L-LIN-1", "/my/pay/someone-else"]
    wrong += [one for page in pages for one in walk.page(page)]

    assert wrong == [], "\n".join(wrong)
    assert walk.given <= set(GIVEN)
    assert walk.checked > 60


def test_every_amount_of_a_case_on_the_desk_leads_to_a_sum_that_is_it(
    sqlite_app: Flask, sqlite_database: Database, keys: Keys, signer: Signer, clock: Clock
) -> None:
    case = cases.open_case(sqlite_database, keys, signer, clock)
    sqlite_database.write(lambda session: moved(session, case.borrower_id))
    desk = sqlite_app.test_client()
    people.sign_in_staff(desk, case.mei)
    walk = Walk(desk)
    screen = tree_of(desk, f"/desk/cases/{case.reference}")
    links = {str(one.attrs["href"]) for one in screen.all() if one.attrs.get("class") == "why"}

    wrong = [one for page in sorted(links) if page not in walk.pages for one in walk.page(page)]

    assert wrong == []
    assert len(links) >= 15
    figures = [
        node
        for node, _ in amounts(screen)
        if any(one.attrs.get("aria-labelledby") in ("a-figures", "a-loans") for one in node.up())
    ]
    assert figures
    assert all(any(one.attrs.get("class") == "why" for one in node.up()) for node in figures)
