"""`python -m tests.bench.texts`: checking pasted messages, one core, the whole way from text to verdict (G12).

A corpus of the Harbour export's own texts, as sent, mangled by honest people and changed by swindlers, goes through
what `flask notices check-corpus` runs. Printed: messages a second of CPU time, and the ratio to the least that any
check could do (normalise the text, digest it, look the digest up in memory), median of five pairs.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from portal import settings as portal_settings
from portal.access import codes
from portal.checking import corpus
from portal.checking.pasted import TextVerdict
from portal.cli import notices as notices_cli
from portal.db import Database
from portal.demo import EXPORT, MAPPING
from portal.installation import Installation
from portal.intake import operations as intake
from portal.keys import Keys
from portal.notices.models import Notice
from portal.notices.operations import open_code
from portal.schema import metadata
from portal.web.context import clock_of
from tests.bench.__main__ import BANK_START, environment
from tests.conftest import MASTER, PEPPER
from tests.notices import manglings, mutations
from tests.notices.book import Book, Printed

MESSAGES = 12_000
PAIRS = 5
GOAL = 2_000


def prepared(folder: Path) -> tuple[Installation, list[str]]:
    """The export taken in and its notices minted; the corpus made of their texts."""
    environ = environment(f"sqlite:///{folder}/bench.sqlite", folder, 8000)
    settings, keys = portal_settings.load(environ), Keys(pepper=PEPPER, master=MASTER)
    database = Database(settings.database_url)
    metadata.create_all(database.writer)
    now = datetime.fromisoformat(BANK_START).astimezone(UTC)
    intake.apply_batch(database, directory=EXPORT, mapping=MAPPING, keys=keys, now=now, progress=None)
    portal = Installation(settings, database, keys, clock_of(settings))
    notices_cli._mint_all(portal, 0)
    with database.read() as connection:
        rows = connection.execute(select(Notice.body, Notice.sender, Notice.code_sealed)).all()
    printed = []
    for row in rows:
        made = open_code(keys, row.code_sealed)
        text = row.body.replace("{code}", codes.grouped(made.code))
        text = text.replace("{link}", f"{settings.base_url}/n/{made.token}")
        printed.append(Printed(text, made.code, made.token, "陶秀建", row.sender or "", "", ""))
    return portal, _corpus(Book(tuple(printed), {}))


def _corpus(book: Book) -> list[str]:
    chance, made = random.Random(12), []
    for number in range(MESSAGES):
        one = chance.choice(book.printed)
        if number % 3 == 0:
            made.append(one.text)
        elif number % 3 == 1:
            made.append(chance.choice(manglings.KINDS)(chance, one.text, one))
        else:
            made.append(mutations._changed(chance, one, book))
    return made


def ours(portal: Installation, messages: list[str]) -> tuple[float, int]:
    """CPU seconds of checking them, and how many are genuine."""
    begun, genuine = time.process_time(), 0
    with portal.db.read() as connection:
        for verdict, _ in corpus.check(
            connection, messages, keys=portal.keys, base=portal.settings.base_url, today=portal.clock.today()
        ):
            genuine += verdict in (TextVerdict.GENUINE, TextVerdict.CUT)
    return time.process_time() - begun, genuine


def least(portal: Installation, messages: list[str], known: frozenset[str]) -> float:
    """CPU seconds of a check that knows whole texts only."""
    begun = time.process_time()
    for text in messages:
        _ = portal.keys.digest("bench", "".join(unicodedata.normalize("NFKC", text).split())) in known
    return time.process_time() - begun


def main() -> None:
    """Two lines: a second on one core, and the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        portal, messages = prepared(Path(folder))
        known = frozenset(portal.keys.digest("bench", text) for text in messages[::3])
        ours(portal, messages)
        pairs = [(ours(portal, messages), least(portal, messages, known)) for _ in range(PAIRS)]
        portal.db.dispose()
    rate = statistics.median(len(messages) / seconds for (seconds, _), _ in pairs)
    ratio = statistics.median(seconds / floor for (seconds, _), floor in pairs)
    genuine = pairs[0][0][1]
    print(
        f"G12 pasted texts: {rate:,.0f} a second on one core (goal {GOAL:,}); {genuine:,} of {len(messages):,} genuine"
    )
    print(
        f"G12 against a look-up of whole texts that knows no mangling and names no difference: {ratio:.1f} times its CPU"
    )


if __name__ == "__main__":
    main()
