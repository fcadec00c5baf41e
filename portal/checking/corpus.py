"""Many messages at once against what was sent: for a file of real ones, without counting or leaving a trace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import islice

from sqlalchemy import Connection

from portal.checking import pasted
from portal.checking.pasted import Pasted, TextTried, TextVerdict, Unclear
from portal.content.comparison import Outcome
from portal.keys import Keys
from portal.notices.texts import NOTHING, known_by

#: Messages whose notices are looked up together.
BATCH = 500


def check(
    connection: Connection, messages: Iterable[str], *, keys: Keys, base: str, today: date
) -> Iterator[tuple[TextVerdict, Unclear]]:
    """The verdict on each message, in their order; what it costs does not depend on how many there are."""
    left = iter(messages)
    while batch := list(islice(left, BATCH)):
        yield from _batch(
            connection, [pasted.read(keys, text, base=base) for text in batch], keys, base, today
        )


def _batch(
    connection: Connection, batch: Sequence[Pasted], keys: Keys, base: str, today: date
) -> Iterator[tuple[TextVerdict, Unclear]]:
    asked = [read.asked for read in batch if read.asked is not None]
    known = known_by(connection, keys=keys, base=base, asked=asked)
    for read in batch:
        face, texts = known.get(read.asked.digest, (None, NOTHING)) if read.asked else (None, NOTHING)
        outcome = pasted.compared(read, texts, keys=keys, base=base) if face else Outcome.ALTERED
        yield pasted.text_verdict(read, TextTried(face, texts, outcome), today=today)


def from_line(line: str) -> str:
    r"""A message as it stands on one line of a file: `\n` is a line break in it, `\\` a backslash.

    >>> from_line("a\\nb\\\\n\n")
    'a\nb\\n'
    """
    parts = line.rstrip("\r\n").split("\\\\")
    return "\\".join(part.replace("\\n", "\n") for part in parts)
