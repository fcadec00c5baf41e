"""The public verdict on a whole message: not only its code, every word, link and number of it.

Nothing of what we sent is shown; what differs is marked in the reader's own words.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, render_template, request
from flask_babel import gettext as _

from portal.access.codes import grouped
from portal.checking import pasted as texts
from portal.checking.pasted import Pasted, TextTried, TextVerdict, Unclear
from portal.checking.strangers import strangers_in
from portal.contacts.queries import agencies
from portal.content.comparison import LONGEST
from portal.content.difference import Difference, Part, difference
from portal.content.links import LinkKind
from portal.fakes import grouping, queries
from portal.notices.texts import digest_for
from portal.notices.verification import Face
from portal.web import errors
from portal.web.context import guards, portal
from portal.web.locale import day_text, moment_text
from portal.web.public import still, tail
from portal.web.security import network

blueprint = Blueprint("check_text", __name__)

#: Numbers that help people and are nobody's invention.
_HELP_LINES = ("96110", "12378", "110", "12345", "12363")


@dataclass(frozen=True)
class Row:
    """One line of *what differs*: which mark it belongs to, what it is, the reader's words, what we say."""

    number: int
    label: str
    excerpt: str
    record: str
    reason: str


@blueprint.get("/check/text")
def page() -> str:
    """The page that takes a whole message."""
    return still.page("public/check/text.html", shown={"text": ""}, error="")


@blueprint.post("/check/text")
def pasted() -> str | Response:
    """The verdict on a pasted message."""
    return verdict(request.form.get("text", ""))


def verdict(text: str) -> str | Response:
    """The page for `text`; a network that was wrong too often is told when to try again."""
    p = portal()
    if not text.strip():
        return still.page("public/check/text.html", shown={"text": ""}, error="empty")
    base = p.settings.base_url.rstrip("/")
    read = texts.read(p.keys, text, base=base)
    tried = p.db.write(
        lambda session: texts.try_text(
            session,
            read,
            keys=p.keys,
            base=base,
            network=network(),
            real_now=p.clock.real_now(),
            guards=guards(),
            tail=tail.given(),
        )
    )
    if tried.wait_seconds:
        return errors.page(429, retry_after=tried.wait_seconds)
    if tried.asks_tail:
        return tail.page(tried)
    found, unclear = texts.text_verdict(read, tried, today=p.clock.today())
    if found is TextVerdict.ALTERED:
        return _altered(read, tried)
    if found is TextVerdict.CANNOT_TELL:
        return _unclear(read, unclear)
    return _as_a_code(read, tried.face, found)


def is_message(text: str) -> bool:
    """Whether somebody put more than a code into the field of a code: a line of forty characters has
    words in it."""
    return len(text.strip()) > 40 or "\n" in text.strip()


def _as_a_code(read: Pasted, face: Face | None, found: TextVerdict) -> str:
    """The verdict that the code alone would have had, and whether the whole text was compared."""
    plain = read.asked.plain if read.asked else ""
    shown = {
        "reference": plain,
        "code": grouped(plain),
        "typed": "",
        "checked": moment_text(portal().clock.now()),
    }
    if face is not None:
        shown |= {
            "tail": face.mobile_tail,
            "issued": day_text(face.issued_on),
            "issued_iso": face.issued_on.isoformat(),
            "expires": day_text(face.expires_on),
            "expires_iso": face.expires_on.isoformat(),
        }
    kept = "genuine" if found is TextVerdict.CUT else found.value
    kind = read.asked.kind if read.asked else ""
    return still.page(
        "public/check/verdict.html", shown=shown, verdict=kept, kind=kind, compared=_compared(read, found)
    )


def _compared(read: Pasted, found: TextVerdict) -> str:
    if found in (TextVerdict.GENUINE, TextVerdict.CUT) and read.has_broken_link(own_hosts()):
        return "broken"
    return {TextVerdict.GENUINE: "whole", TextVerdict.CUT: "cut"}.get(found, "")


def _altered(read: Pasted, tried: TextTried) -> str:
    p = portal()
    found = difference(
        read.text,
        tried.texts.ours,
        hosts=own_hosts(),
        digest=digest_for(p.keys, tried.texts.notice_id),
        sender_digest=tried.texts.sender_digest,
    )
    return render_template(
        "public/check/altered.html",
        pieces=_pieces(read.text, found),
        rows=[row for number, place in enumerate(found.places, 1) for row in _rows(number, place.parts)],
        count=len(found.places),
        known_fake=_has_known_fake(read.text),
        as_sent=[_label(kind) for kind in found.as_sent],
        reference=read.asked.plain if read.asked else "",
    )


def _unclear(read: Pasted, why: Unclear) -> str:
    p = portal()
    with p.db.read() as connection:
        everybody = agencies(connection, today=p.clock.today())
    bank = p.settings.bank
    ours = {bank.phone, bank.payee_account, *bank.sms_senders, *_HELP_LINES}
    ours |= {agency.phone for agency in everybody if agency.in_force}
    strange = strangers_in(read.text[:LONGEST], hosts=own_hosts(), published=ours)
    return render_template(
        "public/check/unclear.html",
        known_fake=_has_known_fake(read.text),
        why=why.value,
        rows=[_strange_row(part) for part in strange],
        text=read.text[:LONGEST],
    )


def _has_known_fake(text: str) -> bool:
    """Whether an address or number of a confirmed fake stands in `text`."""
    with portal().db.read() as connection:
        hosts, numbers = queries.confirmed_hosts(connection), queries.confirmed_numbers(connection)
    found = {one.name for one in grouping.suspects(text, "", hosts=own_hosts())}
    return bool(found & hosts or numbers & set(grouping.numbers(text, "", published=())))


def own_host() -> str:
    """The host, and in a demonstration the port, that links of ours have."""
    return portal().settings.base_url.rstrip("/").partition("://")[2]


def own_hosts() -> tuple[str, str]:
    """The bank's host and, in a demonstration another, that of our links."""
    return portal().settings.bank.host, own_host()


def _pieces(text: str, found: Difference) -> list[tuple[str, int]]:
    """The reader's text in pieces, each with the number of its mark, 0 for none."""
    made: list[tuple[str, int]] = []
    at = 0
    for number, place in enumerate(found.places, 1):
        made += [(text[at : place.start], 0), (text[max(at, place.start) : place.end], number)]
        at = max(at, place.end)
    return [piece for piece in [*made, (text[at:], 0)] if piece[0]]


def _rows(number: int, parts: tuple[Part, ...]) -> list[Row]:
    return [Row(number, _label(part.kind), part.excerpt, *_record(part)) for part in parts]


def _strange_row(part: Part) -> Row:
    """The line of something that is not published as ours."""
    record, reason = _record(part)
    return Row(0, _label(part.kind), part.excerpt, record if part.link else _("Not one of ours"), reason)


def _label(kind: str) -> str:
    words: dict[str, str] = {
        "link": _("Address on the web"),
        "own": _("Link"),
        "account": _("Account to pay"),
        "amount": _("A sum"),
        "phone": _("Phone number"),
        "date": _("A date"),
        "code": _("Code"),
        "name": _("Name"),
        "number": _("A number"),
        "words": _("Words"),
        "missing": _("Words left out"),
        "hidden": _("Hidden characters"),
    }
    return words[kind]


def _record(part: Part) -> tuple[str, str]:
    """What we say beside the reader's words. It is the same whether or not the message we sent has
    something of the kind: whoever holds only a code learns nothing of the rest."""
    if part.link is not None:
        return portal().settings.bank.host, link_words(part.link)
    return {
        "account": (_("Not in our message"), _("Pay nothing to it.")),
        "amount": (_("Not in our message"), _("We named no such sum.")),
        "phone": (_("Not in our message"), _("Call the numbers on this page.")),
        "date": (_("Not in our message"), _("We named no such day.")),
        "number": (_("Not in our message"), _("We wrote no such number.")),
        "code": (_("Not in our message"), _("It belongs to another message, or to none.")),
        "missing": (_("More words"), _("Here our message says more.")),
        "hidden": (_("None"), _("They make a text read otherwise than it is written.")),
    }.get(part.kind, (_("Not in our message"), _("We did not write this.")))


def link_words(kind: LinkKind) -> str:
    """What is said of an address, beside the only one that is ours."""
    words: dict[LinkKind, str] = {
        LinkKind.OURS: _("The only address we use; but this is not the link of this message."),
        LinkKind.LOOK_ALIKE: _("The only address we use. Yours is made to look like it."),
        LinkKind.OTHER_LETTERS: _(
            "The only address we use. Yours has letters of another alphabet that look like ours."
        ),
        LinkKind.PUNYCODE: _(
            "The only address we use. Yours begins with xn--, which stands for letters of another alphabet."
        ),
        LinkKind.IN_PATH: _(
            "The only address we use. In yours our name stands behind a slash, after somebody else's address."
        ),
        LinkKind.SUB_DOMAIN: _(
            "The only address we use. Yours has our name in it and leads to somebody else."
        ),
        LinkKind.USER_NAME: _(
            "The only address we use. In yours our name stands before an @ and means nothing."
        ),
        LinkKind.OTHER_PORT: _("The only address we use, and never with another port number."),
        LinkKind.NOT_SECURE: _("The only address we use, and always with https."),
        LinkKind.SHORTENER: _("The only address we use. Yours hides where it leads; ours never do."),
        LinkKind.NUMBERS: _("The only address we use. Yours is a bare number."),
        LinkKind.SCHEME: _("The only address we use. Yours opens an app instead."),
        LinkKind.FOREIGN: _("The only address we use. Yours is somebody else's."),
    }
    return words[kind]
