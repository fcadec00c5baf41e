"""A message as somebody pasted it: what is asked for in it, how it compares, and what may be answered.

A text with a wrong code, or one that was altered, counts as one try, as a typed code does: nobody finds
out by trying what stands in a message that he has not got.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from portal.access.limits import STANDARD, Guards
from portal.content.comparison import LONGEST, Outcome, codes_in, compare, tokens_in, without_breaks
from portal.content.folding import fold
from portal.keys import Keys
from portal.notices import faces
from portal.notices.texts import NOTHING, Texts, decoy, digest_for, texts_of
from portal.notices.verification import Asked, Face, Verdict, asked_for, verdict_on

_BROKEN = re.compile(r"[A-Za-z0-9./:-]\s*\n\s*[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|\.\s*\n\s*[A-Za-z]{2}")


class TextVerdict(StrEnum):
    """The answers to a text. Only the first two are *genuine*, the second as far as the text goes."""

    GENUINE = "genuine"
    CUT = "cut"
    COPIED = "copied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    ALTERED = "altered"
    NOT_OURS = "not_ours"
    CANNOT_TELL = "cannot_tell"


class Unclear(StrEnum):
    """Why a text cannot be judged."""

    NOTHING = ""
    NO_CODE = "no_code"
    SEVERAL = "several"
    TOO_LITTLE = "too_little"
    TOO_LONG = "too_long"
    NO_TEXT = "no_text"


@dataclass(frozen=True)
class Pasted:
    """A pasted text, folded, and the one code or link of ours that it carries, or why there is none."""

    text: str
    folded: str
    asked: Asked | None
    unclear: Unclear

    def has_broken_link(self, hosts: Sequence[str]) -> bool:
        """Whether a line ends within an address, or one of `hosts` (ours) is whole only without what folding lets
        go of, such as a quotation mark or a space of no width: a phone would make a link of one half alone."""
        joined, written = fold(without_breaks(self.text)), unicodedata.normalize("NFKC", self.text).lower()
        if any(joined.count(fold(host)) > written.count(fold(host)) for host in hosts):
            return True
        return without_breaks(self.text) != self.text and _BROKEN.search(self.text) is not None


@dataclass(frozen=True)
class TextTried:
    """What came of one text. `wait_seconds` is above zero when this network must wait first; `asks_tail` and
    `tail_refused` are those of faces.Tried."""

    face: Face | None = None
    texts: Texts = NOTHING
    outcome: Outcome = Outcome.ALTERED
    wait_seconds: int = 0
    asks_tail: bool = False
    tail_refused: bool = False


def read(keys: Keys, text: str, *, base: str) -> Pasted:
    """What is asked for in `text`: its code, else its link. `base` is the portal's own address."""
    if len(text) > LONGEST:
        return Pasted(text, "", None, Unclear.TOO_LONG)
    folded = fold(text)
    found, tokens = codes_in(folded), tokens_in(folded, base=base)
    joined = without_breaks(text)
    if joined != text:  # a line may end within a code or a link
        again = fold(joined)
        found = found if len(found) == 1 else codes_in(again) or found
        tokens = tokens if len(tokens) == 1 else tokens_in(again, base=base) or tokens
    if len(found) > 1 or len(tokens) > 1:
        return Pasted(text, folded, None, Unclear.SEVERAL)
    if found:
        return Pasted(text, folded, asked_for(keys, found[0]), Unclear.NOTHING)
    if tokens:
        return Pasted(text, folded, asked_for(keys, tokens[0], link=True), Unclear.NOTHING)
    return Pasted(text, folded, None, Unclear.NO_CODE)


def try_text(
    session: Session,
    pasted: Pasted,
    *,
    keys: Keys,
    base: str,
    network: str,
    real_now: datetime,
    guards: Guards = STANDARD,
    tail: str = "",
) -> TextTried:
    """Look up what the text carries, compare it, and count it when it is wrong; see faces.try_code.

    The same statements and a comparison whether there is such a notice or not.
    """
    if pasted.asked is None:
        return TextTried()
    made = TextTried()

    def is_wrong(face: Face | None) -> bool:
        nonlocal made
        texts = texts_of(session, keys=keys, base=base, notice_id=face.notice_id if face else -1)
        made = TextTried(face, texts, compared(pasted, texts, keys=keys, base=base))
        return face is None or (bool(texts.ours) and made.outcome is Outcome.ALTERED)

    tried = faces.try_code(
        session,
        pasted.asked,
        keys=keys,
        network=network,
        real_now=real_now,
        is_wrong=is_wrong,
        guards=guards,
        tail=tail,
    )
    if tried.wait_seconds or tried.asks_tail:
        return TextTried(
            wait_seconds=tried.wait_seconds, asks_tail=tried.asks_tail, tail_refused=tried.tail_refused
        )
    return replace(made, face=tried.face)


def compared(pasted: Pasted, texts: Texts, *, keys: Keys, base: str) -> Outcome:
    """How the text compares with the notice's own; with nothing to compare it is altered."""
    outcome = compare(
        pasted.text,
        texts.ours or decoy(base),
        digest=digest_for(keys, texts.notice_id),
        sender_digest=texts.sender_digest,
        folded=pasted.folded,
    )
    return outcome if texts.ours else Outcome.ALTERED


def text_verdict(pasted: Pasted, tried: TextTried, *, today: date) -> tuple[TextVerdict, Unclear]:
    """The answer, and why where it is that we cannot tell. A withdrawn or expired notice is never genuine
    again, and an altered text is altered whatever became of its notice."""
    if pasted.asked is None:
        return TextVerdict.CANNOT_TELL, pasted.unclear
    if tried.face is None:
        return TextVerdict.NOT_OURS, Unclear.NOTHING
    if not tried.texts.ours and tried.face.status == "withdrawn":
        return TextVerdict.WITHDRAWN, Unclear.NOTHING
    if not tried.texts.ours:
        return TextVerdict.CANNOT_TELL, Unclear.NO_TEXT
    if tried.outcome is Outcome.ALTERED:
        return TextVerdict.ALTERED, Unclear.NOTHING
    by_code = verdict_on(pasted.asked, tried.face, today=today)
    if by_code is not Verdict.GENUINE:
        return TextVerdict(by_code.value), Unclear.NOTHING
    if tried.outcome is Outcome.TOO_LITTLE:
        return TextVerdict.CANNOT_TELL, Unclear.TOO_LITTLE
    return TextVerdict.CUT if tried.outcome is Outcome.CUT else TextVerdict.GENUINE, Unclear.NOTHING
