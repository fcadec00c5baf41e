"""Where a pasted text is not as we sent it: each place, in the reader's own words, and what it is. Pure.

Nothing of ours is shown: an excerpt is always of the text that was pasted.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from portal.access import codes
from portal.content import comparison as content
from portal.content import links
from portal.content.comparison import SLOT, Digest, Sent, Slot, bodies, without_breaks
from portal.content.folding import changes_order, fold_with_places
from portal.content.links import Link, LinkKind

_STRANGE = "\uf8ff"
#: Words of ours between two differences that are too few to be read by themselves.
_GAP = 1
_MOST_COMPARED = 3
#: A word with the space behind it, or one character.
_TOKEN = re.compile(r"[a-z0-9]+ ?|.", re.DOTALL)
#: From here on what comes again and again is no place to begin from: a text of one word over and over would take minutes.
_MUCH = 100_000
#: The gravest first: what a place with several particulars is named after.
_GRAVITY = ("link", "account", "amount", "phone", "code", "date", "number", "name", "words", "missing")


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is not as sent. `kind` is that of a slot, "words" (not ours), "missing" (words of
    ours are not there) or "hidden" (characters that turn the reading order); `link` for a link."""

    kind: str
    excerpt: str
    link: LinkKind | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """One place in the pasted text, from `start` to `end`, and what is not as sent there."""

    start: int
    end: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Every place, in order, and the kinds of particulars that are as sent."""

    places: tuple[Place, ...]
    as_sent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Reading:
    """The pasted text as one wording reads it: `core` with our slots in it, and for each character of it
    where it stands in the pasted text."""

    core: str
    spans: list[tuple[int, int]]
    one: Sent


def difference(
    pasted: str, ours: Sequence[Sent], *, hosts: Sequence[str], digest: Digest, sender_digest: str = ""
) -> Difference:
    """How `pasted` differs from the nearest of `ours`; `hosts` are ours, see links.links_in."""
    foreign = [found for found in links.links_in(pasted, ours=hosts) if found.kind is not LinkKind.OURS]
    best: tuple[int, list[tuple[int, int, bool]], _Reading] | None = None
    for reading in _readings(pasted, ours, digest, sender_digest):
        spans = list(_places(reading))
        weight = sum(end - start for start, end, _ in spans)
        if best is None or weight < best[0]:
            best = weight, spans, reading
    assert best is not None  # there is always a text of ours
    _, spans, reading = best
    joined = _joined([*spans, *((found.start, found.end, False) for found in foreign)])
    places = [
        Place(a, b, tuple(_parts(pasted, hosts, (a, b, gone), reading, foreign))) for a, b, gone in joined
    ]
    if changes_order(pasted):
        places.insert(0, Place(0, 0, (Part("hidden", ""),)))
    if not places:
        places = [Place(0, len(pasted), (Part("words", ""),))]
    here = {reading.one.slots[ord(c) - SLOT].kind for c in reading.core if _is_slot(c, reading.one)}
    wrong = {part.kind for place in places for part in place.parts}
    return Difference(tuple(places), tuple(kind for kind in _GRAVITY if kind in here - wrong))


def _is_slot(character: str, one: Sent) -> bool:
    return SLOT <= ord(character) < SLOT + len(one.slots)


def _readings(pasted: str, ours: Sequence[Sent], digest: Digest, sender: str) -> Iterator[_Reading]:
    texts = [fold_with_places(pasted)]
    if without_breaks(pasted) != pasted:
        kept = [place for place, character in enumerate(pasted) if character not in "\r\n"]
        folded, places = fold_with_places("".join(pasted[place] for place in kept))
        texts.append((folded, [kept[place] for place in places]))
    for folded, places in texts:
        for one in _nearest(folded, ours):
            begin, end = list(bodies(folded, one.signature, digest, sender))[-1]
            body = folded[begin:end].removesuffix("。")
            core, spans = _skeleton(body, one, digest)
            where = [(places[begin + a], places[begin + b - 1] + 1) for a, b in spans]
            yield _Reading(core, where, one)


def _nearest(folded: str, ours: Sequence[Sent]) -> Sequence[Sent]:
    """The few of ours that have most words in common with the text: laying two letters side by side is slow."""
    whole = [one for one in ours if not one.labels]
    words = Counter(_TOKEN.findall(folded))

    def apart(one: Sent) -> int:
        own = Counter(_TOKEN.findall(one.own))
        return (words - own).total() + (own - words).total()

    return sorted(whole, key=apart)[:_MOST_COMPARED] if len(whole) > _MOST_COMPARED else whole


def _skeleton(body: str, one: Sent, digest: Digest) -> tuple[str, list[tuple[int, int]]]:
    """The body with our slots where its particulars are the notice's own, `_STRANGE` where not."""
    made: list[str] = []
    spans: list[tuple[int, int]] = []
    at = 0
    for start, end, character in [*_particulars(body, one, digest), (len(body), len(body), "")]:
        made.append(body[at:start])
        spans += [(place, place + 1) for place in range(at, start)]
        if character:
            made.append(character)
            spans.append((start, end))
        at = end
    return "".join(made), spans


def _particulars(body: str, one: Sent, digest: Digest) -> list[tuple[int, int, str]]:
    names = list(_names(body, one, digest))
    taken: set[int] = set()
    found = list(names)
    for match in content.TOKEN.finditer(body):
        start, end = match.span()
        if any(start < b and a < end for a, b, _ in names):
            continue
        run = match.group()
        is_code = codes.kind_of(codes.normalise(run)) == "code"
        if is_code or content.is_particular(run):
            number = _number_of(run, is_code, one, digest, taken)
            taken.add(number)
            found.append((start, end, _STRANGE if number < 0 else chr(SLOT + number)))
    return sorted(found)


def _names(body: str, one: Sent, digest: Digest) -> Iterator[tuple[int, int, str]]:
    """Where the borrower's name has the words around it that it has in ours."""
    own = one.own
    for number, slot in enumerate(one.slots):
        place = own.find(chr(SLOT + number))
        if slot.kind != "name" or place < 0:
            continue
        before, after = own[max(0, place - 3) : place], own[place + 1 : place + 2]
        start = body.find(before) + len(before) if before in body else -1
        end = body.find(after, start + 1, start + 60) if after and start >= 0 else -1
        if end > start and digest("name", body[start:end]) == slot.digest:
            yield start, end, chr(SLOT + number)


def _number_of(run: str, is_code: bool, one: Sent, digest: Digest, taken: set[int]) -> int:
    """The slot that this run is, -1 for none; one not taken yet before one that is."""
    fitting = [n for n, slot in enumerate(one.slots) if _fits(run, is_code, slot, one.base, digest)]
    return next((n for n in fitting if n not in taken), fitting[0] if fitting else -1)


def _fits(run: str, is_code: bool, slot: Slot, base: str, digest: Digest) -> bool:
    if (slot.kind == "code") != is_code or slot.kind == "name":
        return False
    pattern = content.own_link(base) if slot.kind == "own" else re.compile(".*")
    found = pattern.fullmatch(run)
    return found is not None and content.value_digest(slot.kind, found, digest) == slot.digest


def _places(reading: _Reading) -> Iterator[tuple[int, int, bool]]:
    """What is not ours as (start, end, whether words of ours are missing there), in the pasted text; word by word
    where spaces set words apart, else character by character."""
    spans = reading.spans
    if not spans:
        return
    own, core = _TOKEN.findall(reading.one.own), _TOKEN.findall(reading.core)
    starts = [0, *itertools.accumulate(map(len, core))]
    head = _alike(own, core)
    tail = _alike(own[head:][::-1], core[head:][::-1])
    ours, theirs = own[head : len(own) - tail], core[head : len(core) - tail]
    matcher = SequenceMatcher(None, ours, theirs, autojunk=len(ours) * len(theirs) > _MUCH)
    for tag, _, _, first, last in matcher.get_opcodes():
        a, b = starts[head + first], starts[head + last]
        if tag in ("replace", "insert"):
            yield spans[a][0], spans[b - 1][1], False
        elif tag == "delete":
            before = max(0, a - 1)
            yield spans[before][0], spans[min(a, len(spans) - 1)][1], True


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for mine, its in zip(one, other, strict=False):
        if mine != its:
            break
        count += 1
    return count


def _joined(spans: Sequence[tuple[int, int, bool]]) -> list[tuple[int, int, bool]]:
    """Places that overlap or nearly touch are one."""
    made: list[tuple[int, int, bool]] = []
    for start, end, gone in sorted(spans):
        if made and start <= made[-1][1] + _GAP:
            made[-1] = (made[-1][0], max(made[-1][1], end), made[-1][2] and gone)
        else:
            made.append((start, end, gone))
    return made


def _parts(
    pasted: str,
    hosts: Sequence[str],
    place: tuple[int, int, bool],
    reading: _Reading,
    foreign: Sequence[Link],
) -> Iterator[Part]:
    """What one place holds, the gravest first; "words" where there is nothing particular in it."""
    start, end, gone = place
    here = [found for found in foreign if found.start < end and start < found.end]
    found = [Part("link", each.text, each.kind) for each in here]
    for character, (a, b) in zip(reading.core, reading.spans, strict=True):
        if character != _STRANGE or not (start < b and a < end):
            continue
        if any(each.start < b and a < each.end for each in here):
            continue
        folded = fold_with_places(pasted[a:b])[0]
        is_code = codes.kind_of(codes.normalise(folded)) == "code"
        kind = "code" if is_code else content.kind_of(folded)
        found.append(
            Part(kind, pasted[a:b], links.kind_among(pasted[a:b], ours=hosts) if kind == "link" else None)
        )
    if not found:
        found = [Part("missing" if gone else "words", pasted[start:end])]
    yield from sorted(dict.fromkeys(found), key=lambda part: _GRAVITY.index(part.kind))
