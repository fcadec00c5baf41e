"""`flask notices check-corpus`: real messages from a file against what was sent."""

from __future__ import annotations

import codecs
import time
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click

from portal.checking import corpus
from portal.checking.corpus import from_line
from portal.checking.pasted import TextVerdict
from portal.cli import installation
from portal.cli.groups import CannotRun
from portal.cli.notices import group
from portal.installation import Installation


@group.command("check-corpus")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--verdicts", type=click.Path(dir_okay=False, path_type=Path), help="Write line number and verdict."
)
def check_corpus(file: Path, verdicts: Path | None) -> None:
    r"""Check a file of messages, one a line, `\n` for a line break within one; in UTF-8, GB18030, or UTF-16 with its mark.

    Nothing is counted against anybody and nothing stays in the database. Exit status: 0 when every message is
    genuine, whole or as far as it goes; 1 when one is not; 2 when it cannot run.
    """
    encoding = _encoding_of(file)
    if encoding != "utf-8-sig":
        click.echo(f"{file.name}: {encoding.upper()}", err=True)
    begun = time.process_time()
    with file.open(encoding=encoding) as lines:
        counts = _checked(installation(), lines, verdicts)
    seconds, total = time.process_time() - begun, counts.total()
    for verdict, count in sorted(counts.items(), key=lambda item: -item[1]):
        click.echo(f"{verdict:24}{count:10,}")
    if not total:
        click.echo("没有内容 nothing to check")
    else:
        each, rate = seconds / total * 1e6, total / max(seconds, 1e-9)
        click.echo(f"{total:,} messages, {each:,.0f} µs of CPU each, {rate:,.0f} a second on one core")
    if any(counts[verdict] for verdict in counts if verdict not in _OURS):
        raise SystemExit(1)


_OURS = {TextVerdict.GENUINE.value, TextVerdict.CUT.value}


def _encoding_of(file: Path) -> str:
    """How the file is written: its mark says so, or all of it can be read so. Raises CannotRun for what is no text."""
    with file.open("rb") as raw:
        head = raw.read(4096)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        tried: tuple[str, ...] = ("utf-16",)
    elif len(head) > 3 and head.count(0) > len(head) // 4:
        tried = ()  # UTF-16 without its mark, or no text at all
    else:
        tried = ("utf-8-sig", "gb18030")
    for encoding in tried:
        if _can_be_read(file, encoding):
            return encoding
    raise CannotRun(
        f"{file.name} 不是文本文件，或编码无法识别：请另存为 UTF-8，每行一条短信。\n"
        f"{file.name} is no text, or of an encoding that cannot be told: save it as UTF-8, one message a line."
    )


def _can_be_read(file: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with file.open("rb") as raw:
            while some := raw.read(1 << 20):
                decoder.decode(some)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


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
