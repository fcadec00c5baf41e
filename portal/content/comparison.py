"""Is a text as we sent it? The text of a notice as pieces, and the comparison with what was pasted. Pure.

A notice's text is kept as literal words and, in place of everything that is particular (code, link,
host, number, sum, account, date, name), a slot with a keyed digest. Comparing needs no more than that:
the pasted text is walked along the pieces, and what stands where a slot is must have the slot's digest.
A foreign link, number, sum or account, or a word that is not ours, is never as sent.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from portal.access import codes
from portal.content.folding import changes_order, fold, fold_lines
from portal.content.printed import unlabelled

#: Digest of something particular: (kind, canonical text) -> keyed digest.
Digest = Callable[[str, str], str]

#: Nobody is sent more than this; what is longer is not compared at all, because a part of it would not be.
LONGEST = 8_000
#: Of a text that was cut off, the share of our words that must be there to call it ours.
ENOUGH = 0.5
#: A place in a skeleton: slots of the text we sent are counted up from here.
SLOT = 0xE000
MOST_SLOTS = 512
#: Where a page of a paper ends, in a skeleton; folding leaves no such character in what is pasted.
PAGE = "\ue7ff"
_NAME_MOST = 120
_MANGLINGS = Path(__file__).with_name("data") / "manglings.toml"
#: A run that may be particular: letters and digits, joined by the marks of an address or a number.
_RUN = r"(?:[a-z]{2,10}://)?[a-z0-9]+(?:[.\-/:@?&=_%+,#~]+[a-z0-9]+)*/?"
_JOIN = "(?: ?- ?| )?"
_CODE = rf"(?<![a-z0-9])[0-9a-z]{{4}}{_JOIN}[0-9a-z]{{4}}{_JOIN}[0-9a-z]{{5}}(?![a-z0-9])"
RUN, CODE, TOKEN = re.compile(_RUN), re.compile(_CODE), re.compile(f"{_CODE}|{_RUN}")
_CODE_ANYWHERE = re.compile(f"(?=({_CODE}))")
_SIGNATURE = re.compile(r"【[^【】]{1,30}】")
_AMOUNT = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)\.[0-9]{1,2}|[0-9]{1,3}(?:,[0-9]{3})+")
_DATE = re.compile(r"(?:19|20)[0-9]{2}[-/.][0-9]{1,2}[-/.][0-9]{1,2}")
_DIGITS = re.compile(r"[0-9]+(?:-[0-9]+)*")
_LINK = re.compile(r"[a-z]\.[a-z]|://|[a-z]/")
_STAND_INS = {"{code}": "zq0code0qz", "{link}": "zq0link0qz", "\f": "zq0page0qz"}
#: A line that ends within something particular is looked for this many times.
_MOST_BREAKS = 3
#: What folding made of a mark because a line ended after it.
_AT_LINE_END = {"。": ".", "，": ",", "：": ":", "？": "?"}


class Outcome(StrEnum):
    """How a pasted text compares with the one that was sent, best first."""

    AS_SENT = "as_sent"
    CUT = "cut"
    TOO_LITTLE = "too_little"
    ALTERED = "altered"


_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}


@dataclass(frozen=True, slots=True)
class Slot:
    """Something particular in a text: "code", "own" (the notice's own link), "name", or one of `kind_of`,
    with its keyed digest."""

    kind: str
    digest: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A text as it was sent: folded, each slot as one character of its own counted up from U+E000; and the
    address of the portal before `/n/`."""

    skeleton: str
    slots: tuple[Slot, ...]
    base: str
    #: only a part of what was sent, such as one page of a letter
    is_part: bool = False
    #: of a paper: lines of ours that may stand anywhere, and are not among the words; see printed.py
    labels: tuple[str, ...] = ()

    @property
    def signature(self) -> str:
        """The registered name in brackets at its beginning or end, or ""."""
        return signature_of(self.skeleton)

    @property
    def own(self) -> str:
        """The skeleton without the signature and without a last stop."""
        return _own(self.skeleton)


@functools.lru_cache(maxsize=2048)
def signature_of(skeleton: str) -> str:
    """The name in brackets that a text begins or ends with, or ""."""
    first = _SIGNATURE.match(skeleton)
    if first:
        return first.group()
    last = re.search(rf"{_SIGNATURE.pattern}$", skeleton)
    return last.group() if last else ""


@functools.lru_cache(maxsize=2048)
def _own(skeleton: str) -> str:
    signature = signature_of(skeleton)
    bare = skeleton.removeprefix(signature) if skeleton.startswith(signature) else skeleton
    if signature and bare == skeleton:
        bare = skeleton.removesuffix(signature)
    return bare.removesuffix("。")


@functools.lru_cache(maxsize=2048)
def _pieces(own: str) -> tuple[str | int, ...]:
    """Literal words, and the numbers of slots between them."""
    parts = re.split("([\ue000-\ue1ff])", own)
    return tuple(ord(part) - SLOT if at % 2 else part for at, part in enumerate(parts) if part or at % 2)


def kind_of(run: str) -> str:
    """What a particular run is: "link", "amount", "account", "phone", "date" or "number".

    >>> [kind_of(run) for run in ("my.bank.cn/n/x", "21,153.08", "9999000011112222333", "4000000001", "2026-11-01")]
    ['link', 'amount', 'account', 'phone', 'date']
    """
    if _LINK.search(run):
        return "link"
    if _AMOUNT.fullmatch(run):
        return "amount"
    if _DATE.fullmatch(run):
        return "date"
    if _DIGITS.fullmatch(run):
        count = len(run) - run.count("-")
        return "account" if count >= 14 else "phone" if count >= 5 else "number"
    return "number"


def canonical(kind: str, run: str) -> str:
    """The form of a run that is digested: separators that change nothing are left out."""
    if kind == "amount":
        return run.replace(",", "")
    if kind in ("phone", "account"):
        return run.replace("-", "")
    return run.rstrip("/") if kind == "link" else run


def is_particular(run: str) -> bool:
    """Whether a run of letters and digits is more than a word."""
    return not run.isalpha() and (any(c.isdigit() for c in run) or kind_of(run) == "link")


def sent(
    text: str, *, base: str, names: Sequence[str], code_digest: str, token_digest: str, digest: Digest
) -> Sent:
    """The pieces of a text of ours with its placeholders {code} and {link}; each of `names` is a slot wherever it
    stands, and a form feed is PAGE. Raises ValueError for a text with more particulars than a skeleton has room for."""
    filled, slots = text, list[Slot]()
    ready: dict[str, Slot] = {
        _STAND_INS["{code}"]: Slot("code", code_digest),
        _STAND_INS["{link}"]: Slot("own", token_digest),
    }
    for number, name in enumerate(sorted(filter(None, names), key=len, reverse=True)):
        stand_in = f"zq{number}name{number}qz" if name.isascii() else f"龘{'龖' * (number + 1)}龘"
        filled = _broken(name).sub(stand_in, filled)
        ready[stand_in] = Slot("name", digest("name", fold(name)))
    for placeholder, stand_in in _STAND_INS.items():
        filled = filled.replace(placeholder, f"\n{stand_in}\n" if placeholder == "\f" else stand_in)

    def replaced(found: re.Match[str]) -> str:
        run = found.group()
        slot = ready.get(run)
        if run == _STAND_INS["\f"]:
            return PAGE
        if slot is None and not is_particular(run):
            return run
        slots.append(slot or Slot(kind_of(run), digest(kind_of(run), canonical(kind_of(run), run))))
        return chr(SLOT + len(slots) - 1)

    skeleton = re.sub(f"龘龖+龘|{'|'.join(_STAND_INS.values())}|{_RUN}", replaced, fold(filled))
    if len(slots) > MOST_SLOTS:
        raise ValueError("too many particulars in one text")
    return Sent(skeleton, tuple(slots), fold(base))


def _broken(name: str) -> re.Pattern[str]:
    """A name or an address wherever it stands, also over two lines."""
    return re.compile(r"\s*".join(re.escape(character) for character in name if not character.isspace()))


def codes_in(folded: str) -> tuple[str, ...]:
    """The well-formed notice codes in a folded text, each once, normalised. Words of plain letters are no
    code among other such words, though one such group in 32 would pass its check."""
    found = (codes.normalise(match.group(1)) for match in _CODE_ANYWHERE.finditer(folded) if _may_be(match))
    return tuple(dict.fromkeys(code for code in found if codes.kind_of(code) == "code"))


def _may_be(match: re.Match[str]) -> bool:
    run, before = match.group(1), match.string[max(0, match.start() - 1) : match.start()]
    return " " not in run or not before.isascii() or any(character.isdigit() for character in run)


def tokens_in(folded: str, *, base: str) -> tuple[str, ...]:
    """The tokens of links to the portal in a folded text, each once, normalised."""
    found = (codes.normalise(token) for token in own_link(fold(base)).findall(folded))
    return tuple(dict.fromkeys(token for token in found if token))


@functools.lru_cache(maxsize=16)
def own_link(base: str) -> re.Pattern[str]:
    """A link to a notice at `base`, folded; its group is the token."""
    return re.compile(rf"(?<![a-z0-9]){re.escape(base)}/n/([0-9a-z]{{26}})(?![a-z0-9.\-@:?&=_%+#~/])")


def compare(
    pasted: str, ours: Sequence[Sent], *, digest: Digest, sender_digest: str = "", folded: str = ""
) -> Outcome:
    """How `pasted` compares with the nearest of `ours` (one notice may be sent with and without a link).

    `sender_digest` is that of the number it was sent from, which phones put above a message; `folded`
    saves folding again.
    """
    if len(pasted) > LONGEST or changes_order(pasted):
        return Outcome.ALTERED
    best = Outcome.ALTERED
    for reading, labels in _readings(pasted, folded, {one.labels for one in ours}):
        for one in ours:
            if one.labels != labels:
                continue
            for begin, end in bodies(reading, one.signature, digest, sender_digest):
                found = _walk(reading[begin:end], one, digest)
                if found is Outcome.AS_SENT and not one.is_part:
                    return found
                found = Outcome.CUT if found is Outcome.AS_SENT else found
                best = min(best, found, key=_RANK.__getitem__)
    return best


def _readings(
    pasted: str, folded: str, labels: set[tuple[str, ...]]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A line may end between two words, or where a printer or program broke a long number or address, or
    sometimes here and sometimes there. And a paper without the lines of it that may stand anywhere."""
    yield folded or fold(pasted), ()
    joined = without_breaks(pasted)
    if joined != pasted:
        lines = fold_lines(pasted)
        yield fold(joined), ()
        yield lines, ()
        for some in filter(None, labels):
            without = unlabelled(lines, some)
            if without is not None:
                yield without, some


def without_breaks(pasted: str) -> str:
    """The text as one line, broken words joined."""
    return pasted.replace("\r", "").replace("\n", "") if "\n" in pasted.strip() else pasted


def _walk(body: str, one: Sent, digest: Digest) -> Outcome:
    """Along the pieces of `one` for as long as `body` is the same. A last stop may be there or not; one where
    our text goes on was put there by somebody. A line end in `body` stands for a space or for nothing."""
    own, has_lines = one.own, "\n" in body
    body = body.strip("\n") if has_lines else body
    pieces, at = _pieces(own), 0
    for number, piece in enumerate(pieces):
        if isinstance(piece, str):
            if has_lines:
                ended = _along(body, at, piece)
                if ended < 0:
                    return Outcome.ALTERED if ended < -1 else _ended(body, own, at)
                at = ended
                continue
            if not body.startswith(piece, at):
                return _ended(body, own, at) if piece.startswith(body[at:]) else Outcome.ALTERED
            at += len(piece)
            continue
        at += len(body[at:]) - len(body[at:].lstrip("\n")) if has_lines else 0
        if at == len(body):
            return _ended(body, own, at)
        following = pieces[number + 1] if number + 1 < len(pieces) else ""
        at = _past(body, at, one.slots[piece], following, one.base, digest)
        if at < 0:
            return Outcome.ALTERED
    return Outcome.AS_SENT if body[at:] in ("", "。", ".") else Outcome.ALTERED


def _along(body: str, at: int, words: str) -> int:
    """Where `words` end in a body with line ends; -1 where the body ends first, -2 where it says something else."""
    here = 0
    while here < len(words):
        if at == len(body):
            return -1
        if body[at] == words[here]:
            at, here = at + 1, here + 1
        elif body[at] == "\n":
            at, here = at + 1, here + (words[here] == " ")
        else:
            return -2
    return at


def _ended(body: str, own: str, at: int) -> Outcome:
    """The text ended where ours goes on: enough of it, or too little."""
    return Outcome.CUT if len(body) >= ENOUGH * len(own) and at else Outcome.TOO_LITTLE


def _past(body: str, at: int, slot: Slot, following: str | int, base: str, digest: Digest) -> int:
    """Where what fills `slot` ends in `body`; -1 where something else stands there."""
    if slot.kind == "name":
        return _past_name(body, at, slot, following, digest)
    pattern = {"code": CODE, "own": own_link(base)}.get(slot.kind, RUN)
    found = pattern.match(body, at)
    if found is not None and value_digest(slot.kind, found, digest) == slot.digest:
        return found.end()
    return _past_breaks(body, at, slot, pattern, digest) if "\n" in body[at : at + _NAME_MOST] else -1


def _past_breaks(body: str, at: int, slot: Slot, pattern: re.Pattern[str], digest: Digest) -> int:
    """As `_past`, where lines end within what fills the slot."""
    near, gone = body[at : at + 2 * _NAME_MOST], 0
    while gone < _MOST_BREAKS and "\n" in near:
        place = near.index("\n")
        last = _AT_LINE_END.get(near[place - 1], near[place - 1]) if place else ""
        near, gone = near[: max(0, place - 1)] + last + near[place + 1 :], gone + 1
        found = pattern.match(near)
        if found is None or found.end() < place:
            return -1
        if value_digest(slot.kind, found, digest) == slot.digest:
            return at + found.end() + gone
    return -1


def value_digest(kind: str, found: re.Match[str], digest: Digest) -> str:
    """The digest of a match as the slot kind has it; "" for a run of another kind."""
    if kind == "code":
        return digest(kind, codes.normalise(found.group()))
    if kind == "own":
        return digest(kind, codes.normalise(found.group(1)))
    run = found.group()
    return digest(kind, canonical(kind, run)) if kind_of(run) == kind else ""


def _past_name(body: str, at: int, slot: Slot, following: str | int, digest: Digest) -> int:
    """A name ends where our next words begin; the last piece's ends with the text."""
    for end in _name_ends(body, at, following):
        name = body[at:end].rstrip(" \n")
        if slot.digest in _name_digests(name, digest):
            return at + len(name)
    return -1


def _name_ends(body: str, at: int, following: str | int) -> Iterator[int]:
    if following == "":
        yield len(body)
    elif isinstance(following, int):  # something particular follows at once: only trying tells where
        yield from range(at + 1, min(len(body), at + _NAME_MOST))
    else:
        first = following.lstrip(" ")[:1]
        for end in range(at + 1, min(len(body), at + _NAME_MOST)):
            if body[end] == first or (not first and body[end] in " \n"):
                yield end


def _name_digests(text: str, digest: Digest) -> Iterator[str]:
    """Of a name as it stands there, and with its line ends read as spaces or as nothing."""
    yield digest("name", text.replace("\n", ""))
    if "\n" in text:
        yield digest("name", text.replace("\n", " "))


@functools.cache
def _wrappings() -> tuple[re.Pattern[str], re.Pattern[str]]:
    data = tomllib.loads(_MANGLINGS.read_text(encoding="utf-8"))
    before, after = ("|".join(f"(?:{pattern})" for pattern in data[key]) for key in ("before", "after"))
    return re.compile(f"(?:{before})"), re.compile(f"(?:{after})$")


#: What is put behind a message is short.
_LONGEST_AFTER = 40
_NUMBER = re.compile(r"\+?[0-9][0-9-]{4,24}(?![a-z0-9.,])")


def bodies(folded: str, signature: str, digest: Digest, sender_digest: str) -> Iterator[tuple[int, int]]:
    """Where the message itself may begin and end: without its signature; then, where that is another place,
    without what phones and people put around it."""
    plain = begin, end = _without_signature(folded, signature, 0, len(folded))
    yield plain
    is_signed = plain == (0, len(folded))
    before, after = _wrappings()
    while begin < end:
        found = before.match(folded, begin, end) or _sender(folded, begin, digest, sender_digest)
        if found is not None and found.end() > begin:
            begin = found.end()
        elif is_signed and signature and folded.startswith(signature, begin):
            begin, is_signed = begin + len(signature), False
        else:
            break
    while begin < end:
        found = after.search(folded, max(begin, end - _LONGEST_AFTER), end)
        if found is not None and found.start() < end:
            end = found.start()
        elif is_signed and signature and folded.endswith(signature, begin, end):
            end, is_signed = end - len(signature), False
        else:
            break
    if (begin, end) != plain:
        yield begin, end


def _without_signature(folded: str, signature: str, begin: int, end: int) -> tuple[int, int]:
    if signature and folded.startswith(signature, begin):
        return begin + len(signature), end
    if signature and folded.removesuffix("。").endswith(signature):
        return begin, end - len(signature) - folded.endswith("。")
    return begin, end


def _sender(folded: str, at: int, digest: Digest, sender_digest: str) -> re.Match[str] | None:
    found = _NUMBER.match(folded, at) if sender_digest else None
    if found is None or digest("phone", canonical("phone", found.group())) != sender_digest:
        return None
    return found
