"""Fills an empty demonstration: the export, its notices, and the people who work at the bank."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from portal.access import staff
from portal.audit import Actor
from portal.cli import notices
from portal.db import Database
from portal.demo import EXPORT, MAPPING, refuse_production
from portal.demo.visits import bring_forward
from portal.installation import Installation
from portal.intake import operations as intake
from portal.intake.operations import Refused
from portal.keys import Keys
from portal.schema import metadata
from portal.settings import Settings
from portal.visits import officers
from portal.web.context import clock_of


@dataclass(frozen=True)
class Account:
    """A sign-in of the demonstration, password included: it guards nothing."""

    staff_ref: str
    login: str
    name: str
    role: str
    password: str


ACCOUNTS = (
    Account("B2107", "hemin", "何敏", "reviewer", "harbour-2107-review"),
    Account("B2115", "luoyan", "罗妍", "reviewer", "harbour-2115-review"),
    Account("B3001", "guoli", "郭立", "supervisor", "harbour-3001-second"),
)

#: Who visits in the demonstration: one for the bank, two for its agency, with the same app as everybody.
OFFICERS = (
    Account("G10021", "g10021", "金兰堃", "officer", "harbour-10021-visit"),
    Account("G10354", "g10354", "韩晨敏", "officer", "harbour-10354-visit"),
    Account("G10058", "g10058", "沈国", "officer", "harbour-10058-visit"),
)


def business_date(export: Path) -> date:
    """The business date in an export's manifest."""
    manifest = json.loads((export / "manifest.json").read_text(encoding="utf-8"))
    return date.fromisoformat(manifest["business_date"])


def fill(settings: Settings) -> None:
    """Take in the export, mint and send its notices, open the staff's accounts. Twice changes nothing."""
    refuse_production(settings)
    assert metadata.sorted_tables  # a batch notes how far each table went: all of them must be known here
    installation = Installation(
        settings=settings,
        db=Database(settings.database_url),
        keys=Keys(pepper=settings.pepper, master=settings.master_key),
        clock=clock_of(settings),
    )
    try:
        answer = intake.apply_batch(
            installation.db,
            directory=EXPORT,
            mapping=MAPPING,
            keys=installation.keys,
            now=installation.clock.now(),
            progress=show_progress,
            jurisdiction=installation.settings.bank.jurisdiction,
        )
        if isinstance(answer, Refused):
            raise SystemExit("The demonstration's export does not fit; it should be as it was shipped.")
        notices.send_all(installation)
        for account in ACCOUNTS:
            open_account(installation, account)
        for officer in OFFICERS:
            open_officer(installation, officer)
        bring_a_visit_to_today(installation)
    finally:
        installation.db.dispose()


def open_account(installation: Installation, account: Account) -> None:
    """Add an account unless it is there."""
    with contextlib.suppress(staff.LoginTaken):
        installation.db.write(
            lambda session: staff.add_staff(
                session,
                keys=installation.keys,
                staff_ref=account.staff_ref,
                login=account.login,
                name=account.name,
                human_ref=account.staff_ref,
                role=account.role,
                language="zh",
                password=account.password,
                actor=Actor("operator", "demonstration"),
                real_now=installation.clock.real_now(),
            )
        )


def open_officer(installation: Installation, account: Account) -> None:
    """Give an officer of the export a sign-in unless there is one."""
    with contextlib.suppress(staff.LoginTaken):
        installation.db.write(
            lambda session: officers.add_account(
                session,
                keys=installation.keys,
                officer_ref=account.staff_ref,
                password=account.password,
                language="zh",
                actor=Actor("operator", "demonstration"),
                real_now=installation.clock.real_now(),
            )
        )


def bring_a_visit_to_today(installation: Installation) -> None:
    """Let one visit of each officer of the demonstration begin within the hour, so that there is a door to
    stand at: the export's first is tomorrow. The officers' next visits, in the order of their numbers."""
    now = installation.clock.now()
    for index, account in enumerate(OFFICERS):
        starts_at = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=index)
        installation.db.write(
            lambda session, ref=account.staff_ref, at=starts_at: bring_forward(  # type: ignore[misc]
                session, officer_ref=ref, starts_at=at, until=at + timedelta(hours=3)
            )
        )


def show_progress(step: str, done: int, total: int) -> None:
    """One line that fills up."""
    is_done = done >= total
    if sys.stderr.isatty():
        print(f"\r  {step} {done}/{total}", end="\n" if is_done else "", file=sys.stderr, flush=True)
    elif is_done:
        print(f"  {step} {done}/{total}", file=sys.stderr, flush=True)
