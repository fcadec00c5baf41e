"""Officers from the operator's side: a sign-in, a photograph, and taking the right to visit away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
from sqlalchemy.orm import Session

from portal import audit
from portal.access import passwords, staff
from portal.cli import installation
from portal.cli.groups import OperatorGroup
from portal.documents.kinds import Limits
from portal.documents.rendering import Unreadable, render
from portal.gateways.storage import new_key
from portal.visits import officers
from portal.visits.photos import sealed_photo, set_photo

T = TypeVar("T")
OPERATOR = audit.Actor("operator", "terminal")
_MEDIA = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}

group = OperatorGroup("officers", help="People who visit for the bank and its agencies.")


@group.command("add")
@click.argument("number")
@click.option("--language", type=click.Choice(["zh", "zh_Hant", "en"]), default="zh", show_default=True)
@click.option(
    "--password",
    prompt=True,
    hide_input=True,
    confirmation_prompt=True,
    help="At least 12 characters; asked for when left out, which is better.",
)
def add(number: str, language: str, password: str) -> None:
    """Give officer NUMBER a sign-in and print its TOTP secret, once."""
    portal = installation()
    made = _do(
        lambda session: officers.add_account(
            session,
            keys=portal.keys,
            officer_ref=number,
            password=password,
            language=language,
            actor=OPERATOR,
            real_now=portal.clock.real_now(),
        )
    )
    click.echo(f"officer {number}, TOTP secret, shown this once: {made.totp_secret}")
    issuer = portal.settings.bank.name("en")
    click.echo(passwords.totp_address(made.totp_secret, login=number, issuer=issuer))


@group.command("photo")
@click.argument("number")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def photo(number: str, file: Path) -> None:
    """Keep FILE (JPEG or PNG) as the photograph on officer NUMBER's card.

    It is made anew from its pixels, and sealed. The earlier one is deleted.
    """
    portal = installation()
    media_type = _MEDIA.get(file.suffix.lower())
    if media_type is None:
        raise click.ClickException("a photograph is a .jpg or .png file")
    try:
        page, *_ = render(file.read_bytes(), media_type, limits=Limits())
    except Unreadable as error:
        raise click.ClickException(f"the file cannot be read as a picture ({error.reason})") from None
    photo_ref = new_key()
    portal.store.put(photo_ref, sealed_photo(portal.keys, page.jpeg))
    before = _do(
        lambda session: set_photo(
            session, officer_ref=number, photo_ref=photo_ref, actor=OPERATOR, now=portal.clock.now()
        )
    )
    if before:
        portal.store.delete(before)
    click.echo(f"officer {number} has a photograph of {page.width} x {page.height} pixels")


@group.command("revoke")
@click.argument("number")
def revoke(number: str) -> None:
    """Officer NUMBER visits no more, from the next request on and whatever a later file of the bank says."""
    portal = installation()
    _do(
        lambda session: officers.revoke_officer(
            session, officer_ref=number, actor=OPERATOR, now=portal.clock.now()
        )
    )
    click.echo(f"officer {number} may not visit any more")


@group.command("revoke-agency")
@click.argument("agency")
def revoke_agency(agency: str) -> None:
    """Nobody of AGENCY visits any more, from the next request on."""
    portal = installation()
    _do(
        lambda session: officers.revoke_agency(
            session, agency_ref=agency, actor=OPERATOR, now=portal.clock.now()
        )
    )
    click.echo(f"agency {agency} may not act for the bank any more")


def _do(unit: Callable[[Session], T]) -> T:
    """Run one unit; what cannot be done is said in one line."""
    try:
        return installation().db.write(unit)
    except officers.NoSuchOfficer as error:
        raise click.ClickException(f"there is no officer {error}") from None
    except officers.NoSuchAgency as error:
        raise click.ClickException(f"there is no agency {error}") from None
    except staff.LoginTaken as error:
        raise click.ClickException(f"officer {error} has a sign-in already") from None
    except passwords.TooShort as error:
        raise click.ClickException(f"the password needs {error}") from None
