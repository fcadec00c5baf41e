"""Telling the core: make a batch, see what went out, take the core's answer, work what it refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from portal.bank_files.mapping import BadMapping
from portal.cli import installation
from portal.cli.groups import CannotRun, OperatorGroup
from portal.outgoing import operations, proof, queries
from portal.outgoing.acknowledging import Answered, BadAnswer
from portal.outgoing.making import BatchMade, UnableToMake
from portal.outgoing.queries import BatchView, EntryView
from portal.outgoing.station import Station
from portal.states import NotAllowed

group = OperatorGroup("outgoing", help="What goes out to the bank's core, and its answers.")

_WORDS = {
    "waiting": "待发送 waiting",
    "sent": "已发送 sent",
    "accepted": "已接收 accepted",
    "refused": "被退回 refused",
    "closed": "已了结 closed",
    "taken": "制作中 being made",
    "made": "已生成 made",
    "delivered": "已送达 delivered",
    "acknowledged": "已确认 acknowledged",
    "payment": "交易 payments",
    "plan": "方案 plans",
    "decision": "决定 decisions",
}
#: Why an acknowledgement is not applied.
_BAD_ANSWERS = {
    "unreadable": ("不是可读取的 JSON 文件", "it is no JSON file that can be read"),
    "entry": ("条目缺失或类型不符", "an entry is missing or of the wrong type"),
    "batch": ("没有这一批次", "there is no such batch"),
    "manifest": ("清单指纹与本批次不符", "it names another manifest than this batch's"),
    "answered": ("该批次此前已有不同的回执", "the batch was answered otherwise before"),
    "row": ("所列编号不在该批次中或重复", "it names a row that the batch does not hold, or names one twice"),
}


@group.command("make")
def make() -> None:
    """Make a batch of everything that waits, and finish one that was cut short."""
    try:
        made = Station.of(installation()).make()
    except BadMapping as error:
        raise CannotRun(f"映射文件无法使用。\nThe mapping cannot be used.\n({error})") from None
    except UnableToMake as error:
        raise CannotRun(f"批次无法生成，请联系技术人员。\nThe batch cannot be made.\n({error})") from None
    for one in made:
        _tell_made(one)
    if not made:
        click.echo("没有待发送的内容。 / Nothing waits to be sent.")


@group.command("list")
@click.option("--limit", default=20, show_default=True, help="How many batches.")
def list_batches(limit: int) -> None:
    """Show the newest batches and what waits for the next."""
    with installation().db.read() as connection:
        waiting = queries.waiting(connection)
        found = queries.batches(connection, limit=limit)
    click.echo(f"待发送 / Waiting: {_counted(waiting)}")
    for batch in found:
        click.echo(_batch_line(batch))


@group.command("show")
@click.argument("sequence", type=int)
def show(sequence: int) -> None:
    """Show one batch and each of its rows."""
    with installation().db.read() as connection:
        batch = queries.batch(connection, sequence=sequence)
        rows = queries.entries(connection, sequence=sequence)
    if batch is None:
        raise CannotRun(f"没有第 {sequence} 号批次。\nThere is no batch {sequence}.")
    click.echo(_batch_line(batch))
    for row in rows:
        click.echo(_entry_line(row, row.outcome))


@group.command("refused")
def list_refused() -> None:
    """List the rows that the core refused and nobody has worked yet; 1 when there are any."""
    with installation().db.read() as connection:
        rows = queries.refused(connection)
    for row in rows:
        click.echo(_entry_line(row, row.state))
    click.echo(f"被退回待处理 {len(rows)} 条。 / Refused rows to work: {len(rows)}.")
    raise SystemExit(1 if rows else 0)


@group.command("delivered")
@click.argument("sequence", type=int)
def delivered(sequence: int) -> None:
    """Record that the bank's transport has fetched a batch."""
    portal = installation()
    try:
        portal.db.write(
            lambda session: operations.deliver(session, sequence=sequence, now=portal.clock.now())
        )
    except NotAllowed as error:
        _refuse(error)
    click.echo(f"第 {sequence} 号批次已送达。 / Batch {sequence} is delivered.")


@group.command("acknowledge")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def acknowledge(file: Path) -> None:
    """Apply the core's answer to a batch; the same answer again changes nothing."""
    try:
        answered = Station.of(installation()).acknowledge(file.read_bytes())
    except BadAnswer as error:
        zh, en = _BAD_ANSWERS[error.reason]
        click.echo(f"回执未采用：{zh}。\nNot applied: {en}.\n({error})", err=True)
        raise SystemExit(1) from None
    _tell_answered(answered)


@group.command("again")
@click.argument("entry_refs", nargs=-1, required=True)
def again(entry_refs: tuple[str, ...]) -> None:
    """Put refused rows into the next batch, told as things stand now."""
    portal = installation()
    for entry_ref in entry_refs:
        try:
            portal.db.write(
                lambda session, ref=entry_ref: operations.send_again(  # type: ignore[misc]
                    session, entry_ref=ref, now=portal.clock.now()
                )
            )
        except NotAllowed as error:
            _refuse(error, entry_ref)
        click.echo(f"将再次发送 {entry_ref}。 / {entry_ref} goes into the next batch.")


@group.command("close")
@click.argument("entry_ref")
@click.option("--reason", required=True, help="How it was settled at the core; kept in the record.")
def close(entry_ref: str, reason: str) -> None:
    """A refused row was settled at the core by hand: it is not sent again."""
    portal = installation()
    try:
        portal.db.write(
            lambda session: operations.close(
                session, entry_ref=entry_ref, reason=reason, now=portal.clock.now()
            )
        )
    except NotAllowed as error:
        _refuse(error, entry_ref)
    click.echo(f"已了结 {entry_ref}。 / {entry_ref} is closed.")


@group.command("check")
def check() -> None:
    """Prove that core ledger + what the core has not posted yet = the portal's balances; 1 when not."""
    with installation().db.read() as connection:
        faults = proof.faults(connection, settled_too=True)
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        raise SystemExit(1)
    click.echo("核对一致。 / In order.")


def _tell_made(made: BatchMade) -> None:
    click.echo(
        f"已生成第 {made.sequence} 号批次：{_counted(made.counts)}；{made.folder}"
        f" / Made batch {made.sequence}: {_counted(made.counts)}; {made.folder}"
    )


def _tell_answered(answered: Answered) -> None:
    if answered.repeated:
        click.echo(
            f"第 {answered.sequence} 号批次的回执此前已采用。"
            f" / The answer to batch {answered.sequence} was applied before."
        )
        return
    click.echo(
        f"第 {answered.sequence} 号批次：接收 {answered.accepted} 条，退回 {answered.refused} 条。"
        f" / Batch {answered.sequence}: {answered.accepted} accepted, {answered.refused} refused."
    )


def _batch_line(batch: BatchView) -> str:
    outcomes = _counted(batch.outcomes)
    return (
        f"{batch.sequence:>6} {batch.batch_ref} {_WORDS[batch.state]}; {_counted(batch.counts)}; {outcomes}"
    )


def _entry_line(entry: EntryView, state: str) -> str:
    reason = f" «{entry.reason}»" if entry.reason else ""
    return f"  {entry.sequence} {entry.entry_ref} {_WORDS[entry.kind]}: {_WORDS[state]}{reason}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{_WORDS[name]} {count}" for name, count in sorted(counts.items())) or "0"


def _refuse(error: NotAllowed, what: str = "") -> None:
    state = _WORDS.get(error.state, "不存在 unknown")
    click.echo(f"不能这样处理{what and '：'}{what}（{state}）。 / Not possible: {what} is {state}.", err=True)
    raise SystemExit(1)
