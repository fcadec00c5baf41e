"""What a letter, a lawyer's letter and a visit notice say, in the reader's language. Pure.

The first page may be read by anybody in the house; the second says all that art. 69 asks for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from portal.access import codes
from portal.letters.inside import free_line, inside
from portal.letters.printable import Printable
from portal.notices.saying import Saying, phone
from portal.papers.letters import Code, Cover, Letter, Passage
from portal.settings import Bank

#: The colour of the bank's mark where its file names none.
ACCENT = "#0b5a6e"


@dataclass(frozen=True, slots=True)
class VisitFacts:
    """The visit that a notice announces; `people` are names and staff numbers."""

    starts_at: datetime
    ends_at: datetime
    people: tuple[tuple[str, str], ...]
    agency_name: str
    agency_kind: str
    agency_phone: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """The two QR codes as drawings, and the number that only the second page has."""

    link: str
    offline: str
    page_number: str


def letter(notice: Printable, visit: VisitFacts | None, bank: Bank, drawn: Drawn, language: str) -> Letter:
    """The paper of `notice`; with `visit` it is a visit notice."""
    _ = Saying(language)
    return Letter(
        sheet=_sheet(_, notice, bank, visit is not None),
        address=(notice.address,),
        recipient=notice.name,
        recipient_mark="" if _.is_english else "收",
        cover=_visit_cover(_, notice, bank, drawn) if visit else _letter_cover(_, notice, bank, drawn),
        inside=inside(_, notice, bank, drawn.page_number),
        visit=_visit_facts(_, visit, bank) if visit else (),
    )


def _sheet(_: Saying, notice: Printable, bank: Bank, is_visit: bool) -> dict[str, Any]:
    name, number = bank.name(_.language), _("No. %(reference)s", reference=notice.notice_ref)
    issued = notice.issued_at.astimezone(ZoneInfo(bank.zone)).date()
    title = _("Notice of a visit") if is_visit else _("A letter for you")
    return {
        "title": f"{title} {notice.notice_ref} · {name}",
        "bank": {
            "name": name,
            "other_name": bank.name("zh" if _.is_english else "en"),
            "accent": bank.accent or ACCENT,
        },
        "corner": [_.day(issued), number],
        "emphasis": "|".join(
            map(re.escape, (bank.host, phone(bank.phone), codes.grouped(notice.minted.code)))
        ),
        "running": _("For you alone · No. %(reference)s", reference=notice.notice_ref),
        "foot": [
            _(
                "Anybody in the house may pass this page on. It is not for you? Choose “This is not me” on our site or call %(phone)s: we stop writing.",
                phone=phone(bank.phone),
            ),
            _("This page is sealed inside and is for you alone."),
        ],
    }


def _letter_cover(_: Saying, notice: Printable, bank: Bank, drawn: Drawn) -> Cover:
    return Cover(
        heading=_("A letter for you"),
        paragraphs=(
            _(
                "%(name)s: before you read on, make sure that this letter is from us. What we write about stands on the inner page.",
                name=notice.name,
            ),
        ),
        passages=(
            Passage(_("Check first, then read"), steps=_steps(_, notice, bank)),
            Passage(
                _("You can"),
                (
                    _(
                        "Read everything on our site, ask us, object, or send us papers, without any charge. Nobody has to do it for you."
                    ),
                ),
            ),
        ),
        warning=(
            _("We never take cash."),
            _(
                "Nobody who writes or comes in our name takes money: no cash, no code to scan, no transfer to a person. If somebody asks for it, call %(fraud)s.",
                fraud=free_line(bank, "fraud"),
            ),
        ),
        **_codes(_, notice, drawn),
    )


def _visit_cover(_: Saying, notice: Printable, bank: Bank, drawn: Drawn) -> Cover:
    first, *others = _steps(_, notice, bank)
    on_the_day = _(
        "On the day the page shows the visitor's photo and a word. Let the visitor say the word first; open only when it is right."
    )
    return Cover(
        heading=_("Notice of a visit"),
        paragraphs=(
            _(
                "%(name)s: we would like somebody to meet you and talk. Whether you meet, and when, is for you to decide.",
                name=notice.name,
            ),
        ),
        passages=(
            Passage(_("Check before you meet"), steps=(first, on_the_day, *others)),
            Passage(
                _("You can"),
                (
                    _(
                        "Choose another time or place, or not meet at all. It costs you nothing. Nobody comes in without your consent."
                    ),
                ),
            ),
        ),
        warning=(
            _("Visitors never take money."),
            _(
                "We never take cash. No code to scan and no transfer either. If somebody asks for it, call %(fraud)s.",
                fraud=free_line(bank, "fraud"),
            ),
        ),
        **_codes(_, notice, drawn),
    )


def _codes(_: Saying, notice: Printable, drawn: Drawn) -> dict[str, Any]:
    return {
        "code_label": _("Code"),
        "code": codes.grouped(notice.minted.code),
        "code_note": _("The last character is a check: if you mistype one, the page says so."),
        "link": Code(drawn.link, _("Scan to check"), _("Scan to check")),
        "offline": Code(
            drawn.offline,
            _("Our signature, to check without asking us"),
            _("Our signature: anybody can check it without a network and without asking us."),
        ),
    }


def _steps(_: Saying, notice: Printable, bank: Bank) -> tuple[str, ...]:
    return (
        _(
            "Type %(host)s into your browser yourself (say: %(aloud)s) and enter the code, or scan the first picture; it must lead to the same address.",
            host=bank.host,
            aloud=_.aloud(bank.host),
        ),
        _(
            "Or call %(phone)s and read us the number %(reference)s.",
            phone=phone(bank.phone),
            reference=notice.notice_ref,
        ),
    )


def _visit_facts(_: Saying, visit: VisitFacts, bank: Bank) -> tuple[tuple[str, str], ...]:
    zone = ZoneInfo(bank.zone)
    starts, ends = visit.starts_at.astimezone(zone), visit.ends_at.astimezone(zone)
    people = [
        _("%(name)s, staff number %(number)s", name=name, number=number) for name, number in visit.people
    ]
    acting = visit.agency_name
    if visit.agency_kind != "bank":
        acting = _("%(agency)s, acting for %(bank)s", agency=acting, bank=bank.name(_.language))
    return (
        (_("Date and time"), f"{_.weekday(starts.date())} {starts:%H:%M}–{ends:%H:%M}"),
        (_("Place"), _("Your home")),
        (_("Visitors"), ("; " if _.is_english else "；").join(people)),
        (_("Organisation"), _("%(who)s, phone %(phone)s", who=acting, phone=phone(visit.agency_phone))),
    )
