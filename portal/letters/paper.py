"""The letter as a file: drawn once to read its words, signed over them, and drawn again with the signature."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from portal import papers
from portal.access import codes
from portal.content.printed import Forms, forms
from portal.keys import Keys
from portal.letters.printable import Printable
from portal.letters.words import Drawn, VisitFacts, letter
from portal.notices import offline
from portal.notices.saying import Saying
from portal.papers import characters, qr
from portal.papers.copying import pages_of
from portal.papers.letters import Letter, letter_data
from portal.settings import Settings
from portal.signing import Signer

log = structlog.get_logger()

#: Where the signature will stand while the words are read: any drawing of a code will do.
_PLACE = "."
_PAGE_NUMBER_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Paper:
    """A letter as printed: the file, the signature in its second code, the words it covers, and those words in the
    forms in which they are copied, with the names and addresses among them."""

    pdf: bytes
    jws: str
    text: str
    forms: Forms
    names: tuple[str, ...]


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

    def worded(offline_text: str) -> Letter:
        return letter(notice, visit, bank, Drawn(link, qr.drawing(offline_text), number), language)

    def drawn(words: Letter) -> bytes:
        template, data = letter_data(words)
        spelled, lost = characters.spelled(data)
        if lost:
            numbers = " ".join(f"U+{ord(c):04X}" for c in lost)
            log.warning("papers.not_drawn", kind=template, count=len(lost), reason=numbers)
        return papers.render(template, spelled, language=language, timestamp=notice.issued_at)

    words = worded(_PLACE)
    pages = pages_of(drawn(words))
    text = "\n".join(pages)
    jws = offline.sign(
        signer,
        issuer=bank.host,
        code=notice.minted.code,
        text=text,
        issued=notice.minted_at,
        expires=_end_of(notice, bank.zone),
    )
    names = (notice.name, notice.address, *(name for name, _ in (visit.people if visit else ())))
    copied = forms(pages, _labels(words), running=words.sheet["running"], total=Saying(language)("Total"))
    return Paper(drawn(worded(jws)), jws, text, copied, _spelled(names))


def _labels(words: Letter) -> tuple[str, ...]:
    """What of a paper is no running text: other programs copy it in another place."""
    bank, inside = words.sheet["bank"], words.inside
    made = [words.cover.link.label, words.cover.offline.label, bank["name"], bank["other_name"]]
    if inside is not None:
        made += [inside.seal["top"], inside.seal["bottom"], *inside.table["head"]]
    return tuple(made)


def _spelled(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names as they are drawn: a character that no font has is drawn otherwise."""
    spelled, _ = characters.spelled({"names": list(names)})
    return tuple(spelled["names"])


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
