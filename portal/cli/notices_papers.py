"""Letters and visit notices on paper: one by its code, all that wait, and the end of their codes here."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import click
from sqlalchemy.orm import Session

from portal.access import codes
from portal.audit import Actor
from portal.cli import installation
from portal.cli.groups import CannotRun
from portal.cli.notices import group as group
from portal.installation import Portal
from portal.letters.paper import Paper, made
from portal.letters.printable import CHANNELS, NotPrintable, Printable, printable, waiting_for_paper
from portal.notices import operations
from portal.notices.indexing import Printed, keep_printed
from portal.papers.letters import IncompleteLetter
from portal.visits.announced import announced_for

LANGUAGES = ("zh", "zh_Hant", "en")
#: What a folder of papers lists them in, and its columns.
LIST, COLUMNS = "printed.csv", ("notice_ref", "file", "sha256", "language")
#: Notices in one entry of the record, and in one transaction of the hand-over.
CHUNK = 200

#: Why a notice is not printed, in Chinese and English.
_REASONS = {
    "unknown": ("没有这份通知", "no such notice"),
    "channel": ("不是纸质通知", "not a notice on paper"),
    "no_code": ("还没有查询码，请先运行 flask notices send", "has no code yet: run flask notices send"),
    "handed_over": ("查询码已移交，不能再印", "its code has been handed over, nobody can print it again"),
    "withdrawn": ("已撤回", "withdrawn"),
    "expired": ("已过期", "expired"),
    "held": ("暂停联系中", "contacts to this person rest"),
    "visit_off": ("来访已取消或暂停", "the visit is off"),
    "incomplete": ("内容不全", "lacks something that it must say"),
}


@dataclass
class _Run:
    """One run of a batch: what was printed since the last entry in the record, and what was not."""

    printed: int = 0
    unrecorded: list[Printed] = field(default_factory=list)
    refused: list[NotPrintable] = field(default_factory=list)


@group.command("print")
@click.argument("code", required=False)
@click.option("--all", "everything", is_flag=True, help="All of --channel whose codes are not handed over.")
@click.option("--channel", type=click.Choice(CHANNELS), help="With --all: letter, visit or lawyer_letter.")
@click.option("--language", type=click.Choice(LANGUAGES), help="The borrower's own by default.")
@click.option("--out", type=click.Path(path_type=Path), help="The file; with --all the folder.")
def print_notices(
    code: str | None, everything: bool, channel: str | None, language: str | None, out: Path | None
) -> None:
    """Make the letter or visit notice CODE (its code or number) as PDF, or --all that wait, into a folder."""
    if everything == bool(code) or (everything and not (channel and out)):
        raise click.UsageError("print CODE, or print --all --channel CHANNEL --out DIR")
    portal = installation()
    _check_key(portal)
    if code:
        _print_one(portal, code, language, out)
    elif channel and out:
        _print_all(portal, channel, language, out)


@group.command("handed-over")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def handed_over(folder: Path) -> None:
    """The papers in FOLDER are with the printer or the bank's core: wipe their codes here. A paper that is
    missing or changed is named, and nothing is wiped."""
    rows = list(_listed(folder))
    if not rows:
        raise CannotRun(f"{folder / LIST} 中没有通知。\nNo notice in {folder / LIST}.")
    faults = [row["file"] for row in rows if not _is_whole(folder, row)]
    for name in faults:
        click.echo(f"缺失或被改动 missing or changed: {name}", err=True)
    if faults:
        raise SystemExit(1)
    refs = [row["notice_ref"] for row in rows]
    portal, wiped = installation(), 0
    for at in range(0, len(refs), CHUNK):
        some = refs[at : at + CHUNK]
        wiped += portal.db.write(
            lambda session, some=some: operations.hand_over(  # type: ignore[misc]
                session, some, actor=Actor("operator", "cli"), now=portal.clock.now()
            )
        )
    click.echo(f"handed over {wiped}, before {len(refs) - wiped}")


def _check_key(portal: Portal) -> None:
    key = portal.ring.find(portal.signer.key_id)
    if key is None or not key.may_sign(portal.clock.real_now()):
        raise CannotRun(
            "签名密钥已停用，请更换 PORTAL_SIGNING_SEED。\nThe signing key signs no more: change PORTAL_SIGNING_SEED."
        )


def _print_one(portal: Portal, code: str, language: str | None, out: Path | None) -> None:
    try:
        notice, paper, spoken = _paper(portal, code, language)
    except NotPrintable as error:
        click.echo(_words(error), err=True)
        raise SystemExit(1) from None
    file = out or Path(f"{notice.notice_ref}.pdf")
    _write(file, paper.pdf)
    _record(portal, [_words_of(notice, paper, spoken)])
    click.echo(str(file))


def _print_all(portal: Portal, channel: str, language: str | None, folder: Path) -> None:
    """One paper after the other, each written before the next is made: memory does not grow with the batch."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with portal.db.read() as connection:
        waiting = waiting_for_paper(connection, channel, today=portal.clock.today(), now=portal.clock.now())
    run = _Run()
    with _private(folder / LIST) as listed, click.progressbar(waiting, label="papers") as bar:
        writer = csv.writer(listed)
        writer.writerow(COLUMNS)
        for notice_ref in bar:
            try:
                writer.writerow(_print_into(portal, run, notice_ref, language, folder))
            except NotPrintable as error:
                run.refused.append(error)
            if len(run.unrecorded) >= CHUNK:
                _record(portal, run.unrecorded)
    _record(portal, run.unrecorded)
    click.echo(f"printed {run.printed}, not printed {len(run.refused)}")
    for refusal in run.refused:
        click.echo(_words(refusal), err=True)
    if run.refused:
        raise SystemExit(1)


def _print_into(
    portal: Portal, run: _Run, notice_ref: str, language: str | None, folder: Path
) -> tuple[str, ...]:
    """Print one and answer with its line of the list."""
    notice, paper, spoken = _paper(portal, notice_ref, language)
    file = folder / f"{notice.notice_ref}.pdf"
    _write(file, paper.pdf)
    run.printed += 1
    run.unrecorded.append(_words_of(notice, paper, spoken))
    return (notice.notice_ref, file.name, hashlib.sha256(paper.pdf).hexdigest(), spoken)


def _paper(portal: Portal, asked: str, language: str | None) -> tuple[Printable, Paper, str]:
    """The notice, its paper, and the language it is in. Raises NotPrintable."""
    with portal.db.read() as connection:
        notice = printable(connection, portal.keys, asked, today=portal.clock.today(), now=portal.clock.now())
        visit = (
            announced_for(connection, portal.keys, notice.notice_id) if notice.channel == "visit" else None
        )
    if notice.channel == "visit" and visit is None:
        raise NotPrintable("visit_off", notice.notice_ref)
    spoken = language or notice.language
    try:
        paper = made(
            notice,
            visit,
            settings=portal.settings,
            keys=portal.keys,
            signer=portal.signer,
            language=spoken,
        )
    except IncompleteLetter:
        raise NotPrintable("incomplete", notice.notice_ref) from None
    return notice, paper, spoken


def _words_of(notice: Printable, paper: Paper, language: str) -> Printed:
    """What is kept of a paper: its words, for whoever pastes them."""
    return Printed(notice.notice_id, language, codes.grouped(notice.minted.code), paper.forms, paper.names)


def _record(portal: Portal, papers: list[Printed]) -> None:
    """Put what was printed on record, with its words, and forget it here."""
    if not papers:
        return

    def unit(session: Session) -> None:
        now = portal.clock.now()
        keep_printed(session, papers, keys=portal.keys, now=now)
        ids = [paper.notice_id for paper in papers]
        operations.record_printed(session, ids, key_id=portal.signer.key_id, now=now)

    portal.db.write(unit)
    papers.clear()


def _write(path: Path, content: bytes) -> None:
    """A paper holds a name and a balance: its owner alone may read it; a half-written one never has its name."""
    beside = path.with_name(path.name + ".part")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    os.replace(beside, path)


def _private(path: Path) -> TextIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return os.fdopen(descriptor, "w", newline="", encoding="utf-8")


def _listed(folder: Path) -> Iterator[dict[str, str]]:
    with (folder / LIST).open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _is_whole(folder: Path, row: dict[str, str]) -> bool:
    file = folder / Path(row["file"]).name
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == row["sha256"]


def _words(error: NotPrintable) -> str:
    zh, en = _REASONS[error.reason]
    return f"{error.notice_ref}: {zh} · {en}"
