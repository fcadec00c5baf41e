"""Notices from the operator's side: give them their codes and hand their texts to the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import click

from portal.cli import installation
from portal.cli.groups import OperatorGroup
from portal.installation import Installation
from portal.intake.queries import demonstration_batches
from portal.notices import indexing, operations, queries
from portal.notices.operations import Sending, Sent

group = OperatorGroup("notices", help="Codes for notices, and the sending of their texts.")


@dataclass(frozen=True)
class Sendout:
    """What one run did. `refused` names the notices whose text an SMS may not carry."""

    minted: int
    queued: int
    changed: int
    held: int
    refused: tuple[str, ...]


@group.command("send")
def send() -> None:
    """Mint what lacks a code and queue the texts of live SMS notices. Running it again sends nothing twice."""
    done = send_all(installation())
    click.echo(
        f"minted {done.minted}, queued {done.queued}, changed by the bank {done.changed}, held {done.held}"
    )
    for notice_ref in done.refused:
        click.echo(f"not sent, the text holds words or amounts an SMS may not show: {notice_ref}", err=True)
    if done.refused:
        raise SystemExit(1)


@group.command("index")
def index() -> None:
    """Store the texts of notices that have a code and no text yet, so that pasted messages can be compared."""
    click.echo(f"stored the texts of {index_all(installation())} notices")


def index_all(portal: Installation) -> int:
    """Every notice without a stored text, in units of their own; a second run finds nothing to do."""
    total = 0
    while count := portal.db.write(
        lambda session: indexing.index(session, keys=portal.keys, now=portal.clock.now())
    ):
        total += count
    return total


def send_all(portal: Installation) -> Sendout:
    """Everything `flask notices send` does, in units of their own; a second run finds nothing to do."""
    with portal.db.read() as connection:
        before = queries.waiting(connection, now=portal.clock.now(), today=portal.clock.today())
        demonstration = demonstration_batches(connection)
    minted = _mint_all(portal, before.unminted)
    index_all(portal)
    changed = portal.db.write(operations.sync_faces)
    queued, refused = _send_all(portal, demonstration)
    with portal.db.read() as connection:
        after = queries.waiting(connection, now=portal.clock.now(), today=portal.clock.today())
    return Sendout(minted, queued, changed, after.held, tuple(refused))


def _mint_all(portal: Installation, total: int) -> int:
    minted = 0
    with click.progressbar(length=total, label="codes") as bar:
        while count := portal.db.write(
            lambda session: operations.mint(
                session, keys=portal.keys, zone=portal.settings.bank.zone, now=portal.clock.now()
            )
        ):
            minted += count
            bar.update(count)
    return minted


def _send_all(portal: Installation, demonstration: Mapping[int, bool]) -> tuple[int, list[str]]:
    with portal.db.read() as connection:
        total = queries.waiting(connection, now=portal.clock.now(), today=portal.clock.today()).unsent
    queued, refused, after_id = 0, list[str](), 0
    with click.progressbar(length=total, label="texts") as bar:
        while (sent := _send_some(portal, demonstration, after_id)).last_id is not None:
            queued += sent.queued
            refused += sent.refused
            after_id = sent.last_id
            bar.update(sent.queued)
    return queued, refused


def _send_some(portal: Installation, demonstration: Mapping[int, bool], after_id: int) -> Sent:
    bank = portal.settings.bank
    sending = Sending(
        portal.settings.base_url.rstrip("/"),
        bank.links_in_sms,
        bank.zone,
        bank.sms_signature,
        bank.host,
        bank.phone,
    )
    return portal.db.write(
        lambda session: operations.send(
            session,
            keys=portal.keys,
            sending=sending,
            demonstration=demonstration,
            now=portal.clock.now(),
            real_now=portal.clock.real_now(),
            after_id=after_id,
        )
    )
