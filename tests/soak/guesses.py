"""Codes at random against real ones: none is ever met, each is as likely as any other, none comes twice.

python -m tests.soak.guesses [--codes 10000000] [--live 10000] [--pairs 20000] [--addresses 10000] [--guesses 1000000] [--minutes 10]
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import func, select

from portal.access import codes
from portal.access.limits import WRONG_CODES_ALL
from portal.audit import AuditEntry
from portal.db import Database
from portal.keys import Keys
from portal.notices import faces
from portal.notices.faces import NoticeFace
from portal.notices.verification import Verdict, asked_for, verdict_on
from portal.schema import metadata
from tests.conftest import MASTER, PEPPER

#: Places of a notice code that are chosen at random; the last is the check character.
PLACES = codes.CODE_LENGTH - 1
NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
TODAY = date(2026, 11, 20)
#: Looked up together: as many as one statement may name.
PORTION = 10_000


@dataclass(frozen=True)
class Spread:
    """What a heap of codes shows: how many, how many twice, how many are somebody's, and per place the chance of
    so uneven a spread."""

    made: int
    twice: int
    met: int
    chances: tuple[float, ...]

    def is_even(self, within: float = 0.001) -> bool:
        """Whether no place stands out: an honest source fails once in 1 / `within` heaps, all places together."""
        edge = within / (2 * len(self.chances))
        return all(edge <= chance <= 1 - edge for chance in self.chances)


def spread_of(made: Iterable[str], *, keys: Keys | None = None, held: frozenset[str] = frozenset()) -> Spread:
    """The spread of `made`, read once. A code is 60 bits, so its number stands for it. With `keys`, also how many
    of the digests that the portal looks up are `held`."""
    # by their first five bits: a set of ten million numbers would take a gigabyte
    numbers = [array("Q") for _ in codes.ALPHABET]
    counts, total, met = [Counter[str]() for _ in range(PLACES)], 0, 0
    for portion in portions(made):
        total += len(portion)
        for place, column in enumerate(zip(*portion, strict=True)):
            if place < PLACES:
                counts[place].update(column)
        for number in map(number_of, portion):
            numbers[number >> 55].append(number)
        if keys is not None:
            met += sum(codes.digest_of(keys, code) in held for code in portion)
    twice = total - sum(len(set(part)) for part in numbers)
    return Spread(total, twice, met, tuple(chance(counted, total) for counted in counts))


def number_of(code: str) -> int:
    """The 60 bits of a code as one number: Crockford's letters read as Python's base 32."""
    return int(code[:PLACES].translate(_PYTHON), 32)


_PYTHON = str.maketrans(codes.ALPHABET, "0123456789ABCDEFGHIJKLMNOPQRSTUV")


def portions(made: Iterable[str]) -> Iterator[list[str]]:
    """`made` in lists of PORTION."""
    held: list[str] = []
    for one in made:
        held.append(one)
        if len(held) == PORTION:
            yield held
            held = []
    if held:
        yield held


def chance(counts: Counter[str], total: int) -> float:
    """How likely an honest source is at least so uneven, by Wilson and Hilferty's normal approximation of a
    chi-square; good to three digits at 31 degrees of freedom."""
    expected, free = total / len(codes.ALPHABET), len(codes.ALPHABET) - 1
    found = sum((counts[character] - expected) ** 2 for character in codes.ALPHABET) / expected
    z = ((found / free) ** (1 / 3) - (1 - 2 / (9 * free))) / math.sqrt(2 / (9 * free))
    return 0.5 * math.erfc(z / math.sqrt(2))


def mint(database: Database, keys: Keys, count: int) -> list[str]:
    """So many live notices' codes in the book."""
    made = [codes.new_code() for _ in range(count)]
    rows = [
        {
            "notice_id": number,
            "code_digest": codes.digest_of(keys, code),
            "token_digest": keys.digest("notice.token", f"token {number}"),
            "issued_on": TODAY,
            "expires_on": date(2026, 12, 31),
            "status": "live",
            "mobile_tail": "34",
        }
        for number, code in enumerate(made, 1)
    ]
    database.write(lambda session: session.execute(NoticeFace.__table__.insert(), rows) and None)
    return made


def guessed(database: Database, keys: Keys, addresses: Iterable[str]) -> int:
    """One guess from each address, by the operation behind the page; how many were anything but refused."""
    found = 0
    for address in addresses:
        asked = asked_for(keys, codes.new_code())

        def unit(session, asked=asked, address=address):  # type: ignore[no-untyped-def]
            return faces.try_code(session, asked, keys=keys, network=address, real_now=NOON)

        found += verdict_on(asked, database.write(unit).face, today=TODAY) != Verdict.NOT_OURS
    return found


def alarms(database: Database) -> int:
    """Entries of the guessing alarm."""
    with database.read() as connection:
        of_guesses = AuditEntry.event == "notices.wrong_codes_alarm"
        return connection.scalar(select(func.count()).where(of_guesses)) or 0


def area(first: list[float], second: list[float]) -> float:
    """The classifier's area under its curve: how often one of `second` took longer than one of `first`; 0.5
    is what guessing gives."""
    ranked = sorted([(value, 0) for value in first] + [(value, 1) for value in second])
    ranks, start = 0.0, 0
    while start < len(ranked):
        end = start
        while end < len(ranked) and ranked[end][0] == ranked[start][0]:
            end += 1
        middle = (start + 1 + end) / 2
        ranks += middle * sum(kind for _, kind in ranked[start:end])
        start = end
    return (ranks - len(second) * (len(second) + 1) / 2) / (len(first) * len(second))


def times(database: Database, keys: Keys, live: list[str], pairs: int) -> tuple[list[float], list[float]]:
    """Seconds of the operation behind the page, unknown and known codes in turn, each asked once, each from a
    network of its own: everything up to where the answer is known, and its commit."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(pairs):
        pair = [(0, codes.new_code()), (1, live[number])]
        for kind, code in pair if number % 2 else reversed(pair):
            asked, network = asked_for(keys, code), f"{kind}.{number}"

            def unit(session, asked=asked, network=network):  # type: ignore[no-untyped-def]
                return faces.try_code(session, asked, keys=keys, network=network, real_now=NOON)

            begun = time.perf_counter()
            answer = database.write(unit)
            taken[kind].append(time.perf_counter() - begun)
            assert (answer.face is not None) == bool(kind)
    return taken


def main() -> None:
    """The proofs at the size that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sizes = {"codes": 10_000_000, "live": 10_000, "pairs": 10_000, "addresses": 10_000, "guesses": 1_000_000}
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument(
        "--minutes", type=float, default=10, help="after which no further round of guesses begins"
    )
    asked = parser.parse_args()
    prove(
        asked.codes,
        live=asked.live,
        pairs=asked.pairs,
        addresses=asked.addresses,
        guesses=asked.guesses,
        minutes=asked.minutes,
    )


def prove(
    count: int = 10_000_000,
    *,
    live: int = 10_000,
    pairs: int = 10_000,
    addresses: int = 10_000,
    guesses: int = 1_000_000,
    minutes: float = 10,
) -> None:
    """Each proof, with its figure. Raises SystemExit where one fails."""
    keys = Keys(pepper=PEPPER, master=MASTER)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/guesses.sqlite")
        metadata.create_all(database.writer)
        made = mint(database, keys, max(live, pairs))
        if pairs:
            prove_time(database, keys, made, pairs)
        if addresses:
            prove_spray(database, keys, addresses, guesses, minutes)
        database.dispose()
    if count:
        prove_codes(keys, made, count)


def prove_time(database: Database, keys: Keys, made: list[str], pairs: int) -> None:
    """Known and unknown take the same time."""
    unknown, known = times(database, keys, made, pairs)
    found, medians = area(unknown, known), [statistics.median(one) * 1e6 for one in (unknown, known)]
    print(
        f"time: {pairs:,} unknown and known codes in turn, AUC {found:.4f}, "
        f"medians {medians[0]:.0f} and {medians[1]:.0f} us",
        flush=True,
    )
    if abs(found - 0.5) > 0.02:
        raise SystemExit("known and unknown codes can be told apart by the time they take")


def prove_spray(database: Database, keys: Keys, addresses: int, guesses: int, minutes: float) -> None:
    """Guesses from as many addresses, one after the other and again, until there are `guesses` or the time is up:
    nothing is met, it is told once, and whoever asks honestly in between is answered."""
    begun, done, got = time.monotonic(), 0, 0
    while done < guesses and (done < addresses or time.monotonic() - begun < 60 * minutes):
        portion = min(addresses, guesses - done, PORTION)
        some = (address_of((done + number) % addresses) for number in range(portion))
        got += guessed(database, keys, some)
        done += portion
    seconds, raised, honest = time.monotonic() - begun, alarms(database), answered(database, keys)
    print(
        f"spray: {done:,} guesses from {addresses:,} addresses, {done / seconds:,.0f} a second, {got} hits, "
        f"{raised} alarm, an honest check is {'answered' if honest else 'refused'}",
        flush=True,
    )
    if got or not honest or raised > 1 or (done >= WRONG_CODES_ALL.most and raised != 1):
        raise SystemExit("a spray was not refused, not told once, or kept others from an answer")


def address_of(number: int) -> str:
    """One of 131,072 addresses."""
    return f"198.{18 + number // 65536}.{number // 256 % 256}.{number % 256}"


def answered(database: Database, keys: Keys) -> bool:
    """Whether a code of ours, put in the book just now, is genuine from a network that never guessed."""
    code = codes.new_code()
    row = {
        "notice_id": 10**9,
        "code_digest": codes.digest_of(keys, code),
        "token_digest": keys.digest("notice.token", "an honest one"),
        "issued_on": TODAY,
        "expires_on": date(2026, 12, 31),
        "status": "live",
        "mobile_tail": "34",
    }
    database.write(lambda session: session.execute(NoticeFace.__table__.insert(), [row]) and None)
    asked = asked_for(keys, code)
    tried = database.write(
        lambda session: faces.try_code(session, asked, keys=keys, network="203.0.113.1", real_now=NOON)
    )
    return verdict_on(asked, tried.face, today=TODAY) == Verdict.GENUINE


def prove_codes(keys: Keys, made: list[str], count: int) -> None:
    """Codes at random: none is met, none comes twice, none stands out."""
    begun = time.monotonic()
    held = frozenset(codes.digest_of(keys, code) for code in made)
    spread = spread_of((codes.new_code() for _ in range(count)), keys=keys, held=held)
    print(
        f"codes: {spread.made:,} at random, {spread.met} of {len(held):,} met, {spread.twice} twice, chi-square p "
        f"{min(spread.chances):.4f} to {max(spread.chances):.4f} over {PLACES} places, "
        f"{time.monotonic() - begun:.0f} s",
        flush=True,
    )
    if spread.met or spread.twice or not spread.is_even():
        raise SystemExit("codes are met, come twice, or are uneven")


if __name__ == "__main__":
    main()
