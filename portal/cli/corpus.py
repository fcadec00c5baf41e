"""`flask notices check-corpus`: real messages from a file against what was sent."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click

from portal.cli import installation
from portal.cli.notices import group
from portal.installation import Installation
from portal.notices import corpus
from portal.notices.corpus import from_line
from portal.notices.pasted import TextVerdict


@group.command("check-corpus")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--verdicts", type=click.Path(dir_okay=False, path_type=Path), help="Write line number and verdict."
)
def check_corpus(file: Path, verdicts: Path | None) -> None:
    r"""Check a file of messages, one a line in UTF-8, `\n` for a line break within one.

    Nothing is counted against anybody and nothing stays in the database. Exit status: 0 when every message is
    genuine, whole or as far as it goes; 1 when one is not; 2 when it cannot run.
    """
    begun = time.process_time()
    with file.open(encoding="utf-8-sig") as lines:
        counts = _checked(installation(), lines, verdicts)
    seconds, total = time.process_time() - begun, counts.total()
    for verdict, count in sorted(counts.items(), key=lambda item: -item[1]):
        click.echo(f"{verdict:24}{count:10,}")
    if total:
        each, rate = seconds / total * 1e6, total / max(seconds, 1e-9)
        click.echo(f"{total:,} messages, {each:,.0f} µs of CPU each, {rate:,.0f} a second on one core")
    if any(counts[verdict] for verdict in counts if verdict not in _OURS):
        raise SystemExit(1)


_OURS = {TextVerdict.GENUINE.value, TextVerdict.CUT.value}


def _checked(portal: Installation, lines: TextIO, verdicts: Path | None) -> Counter[str]:
    counts: Counter[str] = Counter()
    out = verdicts.open("w", encoding="utf-8") if verdicts else None
    try:
        for number, verdict in _verdicts(portal, lines):
            counts[verdict] += 1
            if out:
                out.write(f"{number}\t{verdict}\n")
    finally:
        if out:
            out.close()
    return counts


def _verdicts(portal: Installation, lines: TextIO) -> Iterator[tuple[int, str]]:
    """Line number and verdict, with the reason where there is one; empty lines are passed over."""
    numbers: deque[int] = deque()

    def messages() -> Iterator[str]:
        for number, line in enumerate(lines, 1):
            if line.strip():
                numbers.append(number)
                yield from_line(line)

    base, today = portal.settings.base_url.rstrip("/"), portal.clock.today()
    with portal.db.read() as connection:
        found = corpus.check(connection, messages(), keys=portal.keys, base=base, today=today)
        for verdict, why in found:
            yield numbers.popleft(), f"{verdict}:{why}" if why else str(verdict)
