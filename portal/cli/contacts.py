"""Contacts from the operator's side: may this borrower be contacted, and why not."""

from __future__ import annotations

from datetime import datetime

import click

from portal import jurisdictions
from portal.cli import installation
from portal.cli.groups import OperatorGroup
from portal.contacts.ground import may_contact
from portal.contacts.log_queries import borrower_id_of
from portal.contacts.rule import CHANNELS

group = OperatorGroup("contacts", help="What the rule on contacts says.")


@group.command("may")
@click.option("--borrower", "customer_ref", required=True, help="The bank's customer reference.")
@click.option("--channel", required=True, type=click.Choice(CHANNELS))
@click.option(
    "--at",
    "moment",
    type=click.DateTime(["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]),
    help="On the bank's clock; now unless given.",
)
@click.option("--number", default="", help="The number that would be called or written to.")
@click.option("--third-party", is_flag=True, help="Somebody else than the debtor.")
def may(customer_ref: str, channel: str, moment: datetime | None, number: str, third_party: bool) -> None:
    """Say yes or no with the reason and the earliest moment. Ends with status 1 for no."""
    portal = installation()
    local = portal.clock.local(portal.clock.now())
    at = local if moment is None else moment.replace(tzinfo=local.tzinfo)
    with portal.db.read() as connection:
        borrower_id = borrower_id_of(connection, customer_ref)
        if borrower_id is None:
            raise click.ClickException(f"no customer {customer_ref}")
        answer = may_contact(
            connection,
            borrower_id,
            channel=channel,
            number_digest=portal.keys.digest("phone", number) if number else "",
            at=at,
            pack=jurisdictions.pack(portal.settings.bank.jurisdiction),
            to_third=third_party,
        )
    click.echo("yes" if answer.allowed else "no")
    for count in answer.counted:
        click.echo(f"  {count.code}: {count.used} of {count.most} in {count.days} day(s)  [{count.source}]")
    for block in answer.against:
        detail = f" ({block.detail})" if block.detail else ""
        click.echo(f"  against it: {block.reason}{detail}  [{block.source}]")
    if not answer.allowed:
        earliest = f"{answer.earliest:%Y-%m-%d %H:%M}" if answer.earliest else "not known"
        click.echo(f"  earliest: {earliest}")
        raise SystemExit(1)
