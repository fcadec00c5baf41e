"""What a record of a visit asks, what an answer to it may say, and where the two contradict. Pure.

Choices are codes; free words stand beside them. What is asked depends on how the visit ended: to somebody
else than the person visited nothing is said, so nothing is asked about a conversation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from portal.documents.card_numbers import has_card_number

OUTCOMES = ("met", "nobody", "entry_refused", "other_person", "called_off")
#: What each means in the log of contacts (contacts.rule.OUTCOMES).
CONTACT_OUTCOMES: Mapping[str, str] = {
    "met": "answered",
    "nobody": "no_answer",
    "entry_refused": "refused",
    "other_person": "third_party",
    "called_off": "made",
}

_MET, _SPOKEN = frozenset({"met"}), frozenset({"met", "entry_refused"})
_FACED = frozenset({"met", "entry_refused", "other_person", "called_off"})
_ALL = frozenset(OUTCOMES)
_YES_NO = ("yes", "no")
_PEOPLE = ("borrower", "family", "guarantor", "neighbour", "colleague", "other")


@dataclass(frozen=True)
class Question:
    """One question with its codes; `many`: more than one may be chosen."""

    code: str
    choices: tuple[str, ...]
    asked_when: frozenset[str]
    many: bool = False


#: In the order of the page.
QUESTIONS: tuple[Question, ...] = (
    Question("word_first", _YES_NO, _SPOKEN),
    Question("identity_shown", _YES_NO, _FACED),
    Question("authority_shown", _YES_NO, _SPOKEN),
    Question("purpose_stated", _YES_NO, _SPOKEN),
    Question("present", _PEOPLE, _FACED, many=True),
    Question("spoke", (*_PEOPLE, "nobody"), _FACED - {"called_off"}, many=True),
    Question("place", ("at_door", "asked_in", "elsewhere"), _MET),
    Question("told_others", ("no", "yes"), _FACED),
    Question("shown", ("notice", "statement", "contract", "other", "nothing"), _MET, many=True),
    Question(
        "handed", ("notice", "statement", "form", "envelope", "other", "nothing"), _ALL - {"called_off"}, True
    ),
    Question("money", ("no", "offered", "taken"), _SPOKEN),
    Question("agreed", ("nothing", "propose", "papers", "call", "visit", "other"), _MET, many=True),
    Question("recording", ("video", "audio", "none"), _ALL),
)
BY_CODE: Mapping[str, Question] = {one.code: one for one in QUESTIONS}
#: Chosen alone or not at all.
ALONE = "nothing"
#: Free words, and with which outcomes each is asked; the first must not be left out where it is asked.
TEXTS: Mapping[str, frozenset[str]] = {
    "said": _FACED - {"other_person"},
    "agreed_more": _MET,
    "remarks": _ALL,
}
LONGEST_TEXT = 2_000

#: Plain questions on conduct (art. 68 and its like): each with its answers, the good one first.
RATINGS: Mapping[str, tuple[str, ...]] = {
    "polite": ("yes", "no"),
    "pressed": ("no", "yes"),
    "private": ("yes", "no", "unknown"),
    "came_in": ("no", "yes"),
    "left": ("yes", "no", "not_asked"),
}
OVERALL = ("5", "4", "3", "2", "1")
VERDICTS = ("right", "different", "unknown")
#: Free words at an item are a line or two.
LONGEST_ITEM = 500

#: What is against the rules of conduct when it was as the code says.
_WRITTEN: Mapping[str, tuple[str, str]] = {
    "identity_shown": ("no", "no_identity"),
    "authority_shown": ("no", "no_authority"),
    "purpose_stated": ("no", "no_purpose"),
    "told_others": ("yes", "told_others"),
    "money": ("taken", "money_taken"),
}
#: The same when the borrower says that it was not as the record has it.
_SAID: Mapping[str, str] = {item: kind for item, (_, kind) in _WRITTEN.items()}
_RATED: Mapping[str, tuple[str, str]] = {
    "pressed": ("yes", "pressed"),
    "private": ("no", "told_others"),
    "came_in": ("yes", "came_in"),
    "left": ("no", "did_not_leave"),
    "polite": ("no", "not_polite"),
}
#: Every kind of breach there is.
BREACHES = tuple(dict.fromkeys([*_SAID.values(), *(kind for _, kind in _RATED.values())]))

Choices = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Written:
    """A record as somebody filled it in; times are as typed, HH:MM on the day of the visit."""

    outcome: str
    choices: Choices
    texts: Mapping[str, str]
    started: str
    ended: str


@dataclass(frozen=True)
class Checked:
    """The record that can be kept, or `problems`: field -> code of what is wrong with it."""

    problems: Mapping[str, str]
    choices: Mapping[str, list[str]]
    texts: Mapping[str, str]
    started_at: datetime | None = None
    ended_at: datetime | None = None


def asked(outcome: str) -> tuple[Question, ...]:
    """The questions that a visit of this outcome asks, in the order of the page."""
    return tuple(one for one in QUESTIONS if outcome in one.asked_when)


def check(written: Written, *, day: date, zone: ZoneInfo, now: datetime) -> Checked:
    """What of a filled-in record can be kept; `day` is the visit's on the bank's calendar.

    Problems: ``missing``, ``alone`` (nothing and something), ``long``, ``card_number``, ``time`` (unreadable),
    ``order`` (ends before it begins), ``future``. What the outcome does not ask for is left out.
    """
    problems: dict[str, str] = {}
    if written.outcome not in OUTCOMES:
        problems["outcome"] = "missing"
    choices: dict[str, list[str]] = {}
    for question in asked(written.outcome):
        chosen = [code for code in question.choices if code in written.choices.get(question.code, ())]
        if not chosen or (len(chosen) > 1 and not question.many):
            problems[question.code] = "missing"
        elif ALONE in chosen and len(chosen) > 1:
            problems[question.code] = "alone"
        choices[question.code] = chosen
    texts = {
        name: written.texts.get(name, "").strip() for name, when in TEXTS.items() if written.outcome in when
    }
    problems |= _text_problems(texts)
    begun, over = clock_time(written.started), clock_time(written.ended)
    problems |= _time_problems(begun, over, day=day, zone=zone, now=now)
    if problems or begun is None or over is None:
        return Checked(problems, choices, texts)
    return Checked({}, choices, texts, *(datetime.combine(day, at, zone) for at in (begun, over)))


def _text_problems(texts: Mapping[str, str]) -> dict[str, str]:
    problems = {}
    for name, text in texts.items():
        if name == "said" and not text:
            problems[name] = "missing"
        elif len(text) > LONGEST_TEXT:
            problems[name] = "long"
        elif has_card_number(text):
            problems[name] = "card_number"
    return problems


def _time_problems(
    begun: time | None, over: time | None, *, day: date, zone: ZoneInfo, now: datetime
) -> dict[str, str]:
    problems = {name: "time" for name, at in (("started", begun), ("ended", over)) if at is None}
    if begun is not None and over is not None:
        if over < begun:
            problems["ended"] = "order"
        elif datetime.combine(day, over, zone) > now:
            problems["ended"] = "future"
    return problems


def clock_time(typed: str) -> time | None:
    """A time of the day as people type it; None for anything else.

    >>> clock_time("15:05"), clock_time("９：３０"), clock_time("24:00"), clock_time("")
    (datetime.time(15, 5), datetime.time(9, 30), None, None)
    """
    found = re.fullmatch(r"([01]?[0-9]|2[0-3])[:.]([0-5][0-9])", unicodedata.normalize("NFKC", typed).strip())
    return time(int(found[1]), int(found[2])) if found else None


def breaches_written(choices: Mapping[str, list[str]], outcome: str) -> tuple[str, ...]:
    """What the record itself says was against the rules of conduct."""
    found = [kind for item, (code, kind) in _WRITTEN.items() if code in choices.get(item, ())]
    open_papers = set(choices.get("handed", ())) - {"envelope", "nothing", "other"}
    if outcome == "other_person" and open_papers:
        found.append("told_others")  # a paper about the matter, open, in somebody else's hands
    return tuple(dict.fromkeys(found))


def items_of(outcome: str) -> tuple[str, ...]:
    """What of a record of this outcome the borrower may say was different, in the order of the page."""
    conversation = ("said",) if outcome in TEXTS["said"] else ()
    questions = tuple(one.code for one in asked(outcome) if one.code != "word_first")
    return ("outcome", "time", *questions, *conversation)


def contradicted(items: Mapping[str, str]) -> tuple[str, ...]:
    """The items that the borrower says were different."""
    return tuple(item for item, verdict in items.items() if verdict == "different")


def breaches_said(
    items: Mapping[str, str], ratings: Mapping[str, str], choices: Mapping[str, list[str]]
) -> tuple[str, ...]:
    """What the borrower says was against the rules of conduct. Of an item that the record itself admits
    the borrower can only say that it was better."""
    found: list[str] = []
    for item in contradicted(items):
        bad = _WRITTEN.get(item, ("", ""))[0]
        if item in _SAID and not (bad and bad in choices.get(item, ())):
            found.append(_SAID[item])
    found += [kind for name, (bad, kind) in _RATED.items() if ratings.get(name) == bad]
    return tuple(dict.fromkeys(found))
