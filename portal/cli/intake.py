"""Taking in a bank's export: check it, or check and apply it. Refusals are told in Chinese and English."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click

from portal.cli import installation
from portal.cli.groups import OperatorGroup
from portal.intake import operations
from portal.intake.checks import Progress
from portal.intake.mapping import BadMapping, Mapping, load_mapping
from portal.intake.operations import Applied, Held, Refused, Sound
from portal.intake.rejections import Rejection, write_report

group = OperatorGroup("intake", help="Take in a batch of the bank's files.")

#: Refusals printed; the report file has them all.
SHOWN = 100


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
def apply(directory: Path, name: str, errors: Path | None) -> None:
    """Check everything in DIRECTORY, then apply all of it, or change nothing."""
    portal = installation()
    answer = operations.apply_batch(
        portal.db,
        directory=directory,
        mapping=_mapping(name),
        keys=portal.keys,
        now=portal.clock.now(),
        progress=_progress(),
    )
    if isinstance(answer, Refused):
        _refuse(answer, errors or portal.settings.data_dir / "intake-errors.csv")
    if isinstance(answer, Held):
        raise SystemExit(3)
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
    )
    if isinstance(answer, Refused):
        _refuse(answer, errors or portal.settings.data_dir / "intake-errors.csv")
    if isinstance(answer, Sound):
        rows = sum(answer.checked.rows.values())
        click.echo(f"检查通过，{rows} 行，未作任何改动。 / In order: {rows} rows; nothing was changed.")
        return
    _tell(answer)


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
