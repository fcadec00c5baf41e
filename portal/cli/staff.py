"""Staff accounts from the operator's side: add one, reset one, note that somebody has left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click
from sqlalchemy.orm import Session

from portal import audit
from portal.access import passwords, staff
from portal.cli import installation
from portal.cli.groups import OperatorGroup

T = TypeVar("T")
OPERATOR = audit.Actor("operator", "terminal")

group = OperatorGroup("staff", help="Accounts of people who work for the bank.")


_password = click.option(
    "--password",
    prompt=True,
    hide_input=True,
    confirmation_prompt=True,
    help="At least 12 characters; asked for when left out, which is better.",
)


@group.command("add")
@click.argument("login")
@click.option("--name", required=True, help="As colleagues and the record show it.")
@click.option("--human", required=True, help="The personnel number: two accounts of one human share it.")
@click.option("--role", type=click.Choice(staff.ROLES), required=True)
@click.option("--language", type=click.Choice(["zh", "zh_Hant", "en"]), default="zh", show_default=True)
@_password
def add(login: str, name: str, human: str, role: str, language: str, password: str) -> None:
    """Make an account and print its TOTP secret, once."""
    portal = installation()
    made = _do(
        lambda session: staff.add_staff(
            session,
            keys=portal.keys,
            login=login,
            name=name,
            human_ref=human,
            role=role,
            language=language,
            password=password,
            actor=OPERATOR,
            real_now=portal.clock.real_now(),
        )
    )
    _print_secret(made, login)


@group.command("reset")
@click.argument("login")
@_password
def reset(login: str, password: str) -> None:
    """Give an account a new password and a new TOTP secret; it is signed out everywhere."""
    portal = installation()
    made = _do(
        lambda session: staff.reset_staff(
            session,
            keys=portal.keys,
            login=login,
            password=password,
            actor=OPERATOR,
            real_now=portal.clock.real_now(),
        )
    )
    _print_secret(made, login)


@group.command("role")
@click.argument("login")
@click.argument("role", type=click.Choice(staff.ROLES))
def role(login: str, role: str) -> None:
    """Change what an account may do, from its next request."""
    portal = installation()
    _do(
        lambda session: staff.set_role(
            session, login=login, role=role, actor=OPERATOR, real_now=portal.clock.real_now()
        )
    )
    click.echo(f"{login} is now {role}")


@group.command("leave")
@click.argument("login")
def leave(login: str) -> None:
    """Close an account for good: the next request of any of its sessions is refused."""
    portal = installation()
    _do(
        lambda session: staff.staff_left(
            session, login=login, actor=OPERATOR, real_now=portal.clock.real_now()
        )
    )
    click.echo(f"{login} has left")


def _do(unit: Callable[[Session], T]) -> T:
    """Run one unit; what cannot be done is said in one line."""
    try:
        return installation().db.write(unit)
    except staff.LoginTaken as error:
        raise click.ClickException(f"there is an account {error} already") from None
    except staff.NoSuchStaff as error:
        raise click.ClickException(f"there is no account {error}") from None
    except passwords.TooShort as error:
        raise click.ClickException(f"the password needs {error}") from None


def _print_secret(made: staff.NewStaff, login: str) -> None:
    bank = installation().settings.bank
    address = passwords.totp_address(made.totp_secret, login=login, issuer=bank.name("en"))
    click.echo(f"account {made.staff_ref}, login {staff.plain_login(login)}")
    click.echo(f"TOTP secret, shown this once: {made.totp_secret}")
    click.echo(address)
