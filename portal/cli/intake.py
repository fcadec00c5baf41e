"""Taking in a bank's export: check it, apply it, release what waits for a second person, take the last one
back. Everything is told in Chinese and English."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import click

from portal.access import passwords, sessions
from portal.access import queries as people
from portal.access import staff as accounts
from portal.access.operations import TryLater
from portal.bank_files.mapping import BadMapping, Mapping, load_mapping
from portal.bank_files.rejections import Rejection, write_report
from portal.cli import installation
from portal.cli.groups import OperatorGroup
from portal.installation import Portal
from portal.intake import holding, operations
from portal.intake.holding import CannotDecide, Person
from portal.intake.operations import Applied, Held, Refused, Sound
from portal.intake.undo import CannotUndo, Undone
from portal.intake.words import finding_words, in_the_way_words
from portal.staging.checks import Progress
from portal.staging.drift import Limits

group = OperatorGroup("intake", help="Take in a batch of the bank's files.")

#: Refusals printed; the report file has them all.
SHOWN = 100
#: Exit status of a batch that waits for a second person.
WAITS = 3


_DIRECTORY = click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
_MAPPING = click.option(
    "--mapping", "name", required=True, help="harbour, portal, or the path of a TOML file."
)
_ERRORS = click.option(
    "--errors",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the refusals go as CSV (default: intake-errors.csv in the data folder).",
)


@group.command("apply")
@_DIRECTORY
@_MAPPING
@_ERRORS
@click.option("--by", "login", help="Your desk login: needed where somebody else must release the batch.")
def apply(directory: Path, name: str, errors: Path | None, login: str | None) -> None:
    """Check everything in DIRECTORY, then apply all of it, or change nothing."""
    portal, mapping = installation(), _mapping(name)
    asked_by = _human(portal, login) if login else ""
    answer = operations.take_in(
        portal.db,
        directory=directory,
        mapping=mapping,
        keys=portal.keys,
        now=portal.clock.now(),
        progress=_progress(),
        limits=_limits(portal),
        asked_by=asked_by,
        reports=holding.report_folder(portal.settings.data_dir),
        jurisdiction=portal.settings.bank.jurisdiction,
    )
    if isinstance(answer, Refused):
        _refuse(answer, errors or portal.settings.data_dir / "intake-errors.csv")
    if isinstance(answer, Held):
        _wait(answer, asked_by)
    _tell(answer)


@group.command("check")
@_DIRECTORY
@_MAPPING
@_ERRORS
def check(directory: Path, name: str, errors: Path | None) -> None:
    """Check everything in DIRECTORY and change nothing."""
    portal = installation()
    answer = operations.check_batch(
        portal.db,
        directory=directory,
        mapping=_mapping(name),
        keys=portal.keys,
        now=portal.clock.now(),
        progress=_progress(),
        limits=_limits(portal),
    )
    if isinstance(answer, Refused):
        _refuse(answer, errors or portal.settings.data_dir / "intake-errors.csv")
    if isinstance(answer, Sound):
        rows = sum(answer.checked.rows.values())
        click.echo(f"检查通过，{rows} 行，未作任何改动。 / In order: {rows} rows; nothing was changed.")
        _say_findings(answer.findings, answer.manifest.sequence)
        return
    _tell(answer)


@group.command("release")
@click.argument("sequence", type=int)
@click.option("--by", "login", required=True, help="Your desk login: a supervisor other than who applied.")
@click.option("--comment", default="", help="What you looked at.")
@click.option("--password", prompt=True, hide_input=True, help="Asked for when left out, which is better.")
@click.option("--code", prompt=True, help="From your authenticator app; asked for when left out.")
def release(sequence: int, login: str, comment: str, password: str, code: str) -> None:
    """Let the held batch SEQUENCE through as a second person, and apply it."""
    portal = installation()
    person = _proved(portal, login, password, code)
    waiting = holding.waiting(portal.db, sequence=sequence)
    if waiting is None:
        _stop("没有等待放行的该批次。", "No batch of this number waits.")
    try:
        portal.db.write(
            lambda session: holding.release(
                session, run_id=waiting.run_id, person=person, comment=comment, now=portal.clock.now()
            )
        )
    except CannotDecide as error:
        _stop(*_CANNOT[error.reason])
    click.echo(f"已放行：{sequence}。 / Released: {sequence}.")
    answer = operations.take_in(
        portal.db,
        directory=Path(waiting.directory),
        mapping=_mapping(waiting.mapping),
        keys=portal.keys,
        now=portal.clock.now(),
        progress=_progress(),
        limits=_limits(portal),
        asked_by=waiting.asked_by,
        reports=holding.report_folder(portal.settings.data_dir),
        jurisdiction=portal.settings.bank.jurisdiction,
    )
    if isinstance(answer, Refused):
        _refuse(answer, portal.settings.data_dir / "intake-errors.csv")
    if isinstance(answer, Held):
        _wait(answer, waiting.asked_by)
    _tell(answer)


@group.command("undo")
@click.option("--by", "login", required=True, help="Your desk login.")
@click.confirmation_option(prompt="撤销最后一批？ / Take the last batch back?")
def undo(login: str) -> None:
    """Take the last batch back: the book is then as it was before it."""
    portal = installation()
    by = _human(portal, login)
    answer = operations.undo(portal.db, by=by, now=portal.clock.now())
    if isinstance(answer, CannotUndo):
        zh, en = in_the_way_words(answer)
        _stop(zh, en)
    assert isinstance(answer, Undone)
    click.echo(
        f"已撤销批次 {answer.sequence}（{answer.business_date}）：撤回流水 {answer.lines} 条，恢复 {answer.restored} 行。"
        f"更正后的文件可以用同一序号重新导入。\n"
        f"Batch {answer.sequence} ({answer.business_date}) is taken back: {answer.lines} ledger lines withdrawn,"
        f" {answer.restored} rows as they were. The corrected files can be applied under the same number."
    )


_CANNOT = {
    "same": (
        "执行导入的人不能自己放行，请由另一位主管放行。",
        "Whoever ran the intake cannot release it; another supervisor must.",
    ),
    "state": ("该批次已被处理。", "The batch has been decided already."),
    "comment": ("请写明原因。", "Say why."),
}


def _stop(zh: str, en: str) -> NoReturn:
    click.echo(f"{zh}\n{en}", err=True)
    raise SystemExit(1)


def _human(portal: Portal, login: str) -> str:
    """The human behind a login that is in use."""
    with portal.db.read() as connection:
        found = people.human_of_login(connection, accounts.plain_login(login))
    if found is None:
        raise click.BadParameter(f"{login}: no such account", param_hint="--by")
    return found


def _proved(portal: Portal, login: str, password: str, code: str) -> Person:
    """A supervisor, by password and second factor, as at the desk."""
    real_now = portal.clock.real_now()
    knocked = portal.db.write(
        lambda session: accounts.knock(
            session, keys=portal.keys, login=login, network="terminal", real_now=real_now
        )
    )
    opened = None
    if not isinstance(knocked, TryLater) and passwords.matches(knocked.password_hash, password):
        opened = portal.db.write(
            lambda session: accounts.enter(
                session, keys=portal.keys, knocked=knocked, totp=code, real_now=real_now
            )
        )
    if opened is None:
        _stop("登录名、密码或验证码不正确。", "Login, password or code is not right.")
    digest = sessions.session_digest(portal.keys, opened.cookie)
    with portal.db.read() as connection:
        found = people.staff_session(connection, digest, real_now=real_now)
    portal.db.write(lambda session: sessions.end_session(session, digest=digest, real_now=real_now))
    if found is None or found.role != "supervisor":
        _stop("只有主管可以放行。", "Only a supervisor can release a batch.")
    return Person(found.staff_id, found.human_ref)


def _limits(portal: Portal) -> Limits:
    bank = portal.settings.bank
    return Limits.of(bank.intake, bank.currency)


def _mapping(name: str) -> Mapping:
    try:
        return load_mapping(name)
    except BadMapping as error:
        raise click.BadParameter(str(error), param_hint="--mapping") from None


def _progress() -> Progress:
    """One line per step, rewritten in place on a terminal; only its end elsewhere."""
    live = sys.stderr.isatty()

    def show(step: str, done: int, total: int) -> None:
        finished = done >= total
        if live:
            click.echo(f"\r{step:<28}{done:>10,} / {total:,}", nl=finished, err=True)
        elif finished:
            click.echo(f"{step:<28}{done:>10,} / {total:,}", err=True)

    return show


def _tell(answer: Applied) -> None:
    what = f"{answer.bank} {answer.sequence} ({answer.business_date})"
    if answer.repeated:
        click.echo(
            f"该批次此前已导入，未作任何改动：{what}。 / Taken in before; nothing was changed: {what}."
        )
        return
    rows = sum(answer.rows.values())
    click.echo(
        f"已导入 {what}：{rows} 行，新增流水 {answer.new_lines} 条。"
        f" / Applied {what}: {rows} rows, {answer.new_lines} new ledger lines."
    )


def _say_findings(findings: Iterable[object], sequence: int) -> None:
    for one in findings:
        zh, en = finding_words(one)  # type: ignore[arg-type]
        click.echo(f"  {sequence}: {zh}\n     {en}", err=True)


def _wait(answer: Held, asked_by: str) -> NoReturn:
    sequence = answer.manifest.sequence
    click.echo(
        "检查通过，但改动过大，尚未导入，需要另一位主管放行：\n"
        "In order, and not applied: it changes so much that a second person must release it:",
        err=True,
    )
    _say_findings(answer.findings, sequence)
    if asked_by:
        click.echo(
            f"放行：flask intake release {sequence} --by 主管登录名，或在审核台“导入”页。\n"
            f"To release: flask intake release {sequence} --by SUPERVISOR, or the desk's page Imports.",
            err=True,
        )
    else:
        click.echo(
            "请加 --by 您的登录名重新运行，以便他人放行。\n"
            "Run it again with --by YOUR-LOGIN, so that somebody else can release it.",
            err=True,
        )
    raise SystemExit(WAITS)


def _refuse(answer: Refused, report: Path) -> NoReturn:
    rejections = answer.rejections
    write_report(report, rejections)
    for one in rejections.kept[:SHOWN]:
        click.echo(_line(one), err=True)
    total, rows = sum(answer.rows.values()), rejections.rows
    click.echo(
        f"未导入，数据未作任何改动。问题 {rejections.count} 处，涉及 {rows} 行（已读取 {total} 行）。报告：{report}\n"
        f"Refused, nothing was changed. Faults: {rejections.count}; rows refused: {rows} of {total} read."
        f" Report: {report}",
        err=True,
    )
    raise SystemExit(1)


def _line(one: Rejection) -> str:
    place = ":".join(str(part) for part in (one.file, one.line, one.column) if part not in (None, ""))
    shown = f" «{one.excerpt}»" if one.excerpt else ""
    return f"{place}{shown}\n    {one.zh}\n    {one.en}"
