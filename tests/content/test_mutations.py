"""A false text is never *genuine*: over 100,000 changes of genuine ones, a million in the nightly run (AC03, AC04)."""

from __future__ import annotations

import os
import random

import pytest

from portal.checking.pasted import TextVerdict
from portal.content.links import LinkKind, kind_of, links_in
from tests.notices import paper_book
from tests.notices.book import BASE, HOST, OURS, harbour
from tests.notices.mutations import KINDS, Mutator, is_no_mutation, look_alikes

PROFILE = os.environ.get("PORTAL_TEST_PROFILE", "")
#: Changes of each kind; there are 18 kinds.
EACH = {"quick": 170, "soak": 56_000}.get(PROFILE, 5_900)
#: The share of letters and visit notices on paper among them: each is twenty times as long as a text message.
PAPERS = 0.02 if PROFILE == "soak" else 0.08
SEED = int(os.environ.get("PORTAL_TEST_SEED", "4"))
pytestmark = pytest.mark.slow


def test_every_text_as_sent_is_genuine() -> None:
    book, papers = harbour(), paper_book.book()

    assert len(book.printed) > 680
    assert [one.text for one in book.printed if book.judge(one.text) not in OURS] == []
    assert [one.text for one in papers.printed if papers.judge(one.text) is not TextVerdict.GENUINE] == []


@pytest.mark.parametrize("mutate", KINDS, ids=lambda kind: kind.__name__.strip("_"))
def test_no_change_of_a_genuine_text_is_genuine(mutate: Mutator) -> None:
    books, chance = (harbour(), paper_book.book()), random.Random(f"{mutate.__name__}{SEED}")
    tried, falsely = 0, []
    while tried < EACH:
        book = books[chance.random() < PAPERS]
        one = chance.choice(book.printed)
        text = mutate(chance, one, book)
        if text == one.text:
            continue
        verdict = book.judge(text)
        tried += 1
        if verdict in OURS and not is_no_mutation(text, one, book):
            falsely.append((text, one.text))

    assert falsely == []


HOSTS = (HOST, "kf.haiwan-bank.com", "m.gangwanbank.cn")


@pytest.mark.parametrize("host", HOSTS)
def test_five_hundred_look_alikes_of_each_host_are_foreign(host: str) -> None:
    made = look_alikes(host, 500, random.Random(3))

    taken = [one for one in made if kind_of(f"https://{one}", ours=host) is LinkKind.OURS]
    unseen = [
        one
        for one in made
        if not any(
            link.kind is not LinkKind.OURS for link in links_in(f"请打开https://{one} 核实", ours=(host,))
        )
    ]

    assert (taken, unseen) == ([], [])


@pytest.mark.parametrize("host", HOSTS)
def test_look_alikes_in_the_place_of_our_link_are_never_genuine(host: str) -> None:
    book = harbour()
    with_link = [one for one in book.printed if f"{BASE}/n/" in one.text]
    for number, other in enumerate(look_alikes(HOST, 500, random.Random(host))):
        one = with_link[number % len(with_link)]
        assert book.judge(one.text.replace(HOST, other, 1)) not in OURS, other
        assert book.judge(one.text.replace(f"{BASE}/n/{one.token}", f"https://{other}")) not in OURS, other


@pytest.mark.parametrize("host", HOSTS)
def test_our_own_address_is_ours_in_twenty_forms(host: str) -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in host)
    forms = [
        host, host.upper(), host.title(), f"https://{host}", f"https://{host}/", f"HTTPS://{host}", f"https://{host.upper()}/n/ABC",
        f"https://{host}:443", f"https://{host}:443/n/x", f"https://{host}/n/0123456789ABCDEFGHJKMNPQRS", f"https://{host}/n/x?y=1",
        f"https://{host}/check#code", f"{host}/check", f"{host}/n/x", f"https://{host}.", f"{host}.", f"https://{host}/%20",
        f"https://{host}//", f"https://{host}/a@b", f"https://{host}/a:b",
    ]  # fmt: skip

    assert len(forms) == 20
    assert [form for form in forms if kind_of(form, ours=host) is not LinkKind.OURS] == []
    assert kind_of(wide, ours=host) in (LinkKind.OURS, LinkKind.LOOK_ALIKE)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("https://bit.ly/3xk9", LinkKind.SHORTENER),
        ("t.cn/A6x", LinkKind.SHORTENER),
        (f"https://{HOST}@evil.cc/n/1", LinkKind.USER_NAME),
        (f"https://{HOST}:pw@evil.cc/", LinkKind.USER_NAME),
        (f"https://{HOST}:8443/n/1", LinkKind.OTHER_PORT),
        (f"http://{HOST}/n/1", LinkKind.NOT_SECURE),
        (f"https://evil.cc/{HOST}/n/1", LinkKind.IN_PATH),
        (f"evil.cc/?to={HOST}", LinkKind.IN_PATH),
        (f"https://evil.cc/#{HOST}", LinkKind.IN_PATH),
        (f"https://{HOST}.evil.cc/n/1", LinkKind.SUB_DOMAIN),
        (f"https://pay.{HOST}", LinkKind.SUB_DOMAIN),
        ("https://my.hаrbour.example/n/1", LinkKind.OTHER_LETTERS),
        ("https://mу.harbour.example", LinkKind.OTHER_LETTERS),
        ("https://my.xn--hrbour-4ve.example/", LinkKind.PUNYCODE),
        ("https://my-harbour.example", LinkKind.LOOK_ALIKE),
        ("https://my.harb0ur.example", LinkKind.LOOK_ALIKE),
        ("https://203.0.113.9/n/1", LinkKind.NUMBERS),
        ("weixin://dl/business", LinkKind.SCHEME),
        ("https://news.example.net/", LinkKind.FOREIGN),
    ],
)
def test_a_foreign_address_is_named_for_what_it_is(address: str, kind: LinkKind) -> None:
    (found,) = links_in(f"请打开 {address} 核实", ours=(HOST,))

    assert found.text == address
    assert found.kind is kind
    assert kind_of(address, ours=HOST) is kind
