"""The letter as a file: drawn once to read its words, signed over them, and drawn again with the signature."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from portal import papers
from portal.access import codes
from portal.keys import Keys
from portal.notices import offline
from portal.notices.letter_words import Drawn, VisitFacts, letter
from portal.notices.printable import Printable
from portal.papers import characters, qr
from portal.papers.copying import words_of
from portal.papers.letters import letter_data
from portal.settings import Settings
from portal.signing import Signer

log = structlog.get_logger()

#: Where the signature will stand while the words are read: any drawing of a code will do.
_PLACE = "."
_PAGE_NUMBER_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Paper:
    """A letter as printed: the file, the signature in its second code, and the words it covers."""

    pdf: bytes
    jws: str
    text: str


def made(
    notice: Printable,
    visit: VisitFacts | None,
    *,
    settings: Settings,
    keys: Keys,
    signer: Signer,
    language: str,
) -> Paper:
    """The paper of `notice` in `language`: the same bytes each time, as long as key and book are the same."""
    link = qr.drawing(f"{settings.base_url.rstrip('/')}/n/{notice.minted.token}")
    number = page_number(keys, notice)
    bank = settings.bank

    def drawn(offline_text: str) -> bytes:
        words = letter(notice, visit, bank, Drawn(link, qr.drawing(offline_text), number), language)
        template, data = letter_data(words)
        spelled, lost = characters.spelled(data)
        if lost:
            numbers = " ".join(f"U+{ord(c):04X}" for c in lost)
            log.warning("papers.not_drawn", kind=template, count=len(lost), reason=numbers)
        return papers.render(template, spelled, language=language, timestamp=notice.issued_at)

    text = words_of(drawn(_PLACE))
    jws = offline.sign(
        signer,
        issuer=bank.host,
        code=notice.minted.code,
        text=text,
        issued=notice.minted_at,
        expires=_end_of(notice, bank.zone),
    )
    return Paper(drawn(jws), jws, text)


def page_number(keys: Keys, notice: Printable) -> str:
    """60 bits that only the second page has: who holds the first alone cannot try, against the signed digest,
    what the second may say."""
    value = int(keys.digest("notice.page", notice.minted.token), 16)
    plain = "".join(codes.ALPHABET[(value >> 5 * place) & 31] for place in range(_PAGE_NUMBER_LENGTH))
    return codes.grouped(plain)


def _end_of(notice: Printable, zone: str) -> datetime:
    """The end of the notice's last day at the bank."""
    midnight = datetime.combine(notice.expires_on + timedelta(days=1), datetime.min.time(), ZoneInfo(zone))
    return midnight.astimezone(UTC)
