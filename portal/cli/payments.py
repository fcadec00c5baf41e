"""Payments from the operator's side: compare a bank day with the provider and the core, now."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from portal.cli import installation
from portal.cli.groups import CannotRun, OperatorGroup
from portal.money import Money
from portal.payments.checkout import ProviderUnavailable
from portal.reconciliation.operations import Ran, run_day

group = OperatorGroup("payments", help="Payments and their daily comparison.")


@group.command("reconcile")
@click.option(
    "--day", type=click.DateTime(["%Y-%m-%d"]), help="The bank day, as 2026-11-20; yesterday when left out."
)
def reconcile(day: datetime | None) -> None:
    """比对一个营业日：支付机构、本门户与核心系统。Compare one bank day three ways; running it again rewrites it.

    Exit status 1 when something is open, 2 when the provider does not answer (nothing is changed then).
    """
    portal = installation()
    wanted = day.date() if day is not None else portal.clock.today() - timedelta(days=1)
    try:
        found = run_day(portal, wanted)
    except ProviderUnavailable as error:
        raise CannotRun(
            f"支付机构没有应答，未作任何改动。\nThe provider does not answer; nothing was changed.\n({error})"
        ) from None
    for one in found:
        click.echo(words_of(one))
    if any(one.open for one in found):
        raise SystemExit(1)


def words_of(one: Ran) -> str:
    """One day and currency in a line."""
    gap = Money(one.gap, one.currency).plain()
    return (
        f"{one.day.isoformat()} {one.currency}: {one.matched} matched with the provider, {one.at_core} with the core, "
        f"{one.differences} differences, {one.open} open; gap with the provider {gap}"
    )
