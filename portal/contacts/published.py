"""Who may contact a borrower in the bank's name, as data for machines: what the page for people says. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from portal.contacts.queries import AgencyView
from portal.settings import Bank

#: How long a copy may be relied on: an agency that is dismissed is off every honest copy after that.
DAYS = 2
#: The header's `typ` of the signed file, so that no other signed text is taken for it.
TYPE = "who-may-contact-you"


def who_may_contact(bank: Bank, agencies: Iterable[AgencyView], *, today: date) -> dict[str, Any]:
    """The bank's numbers, senders, address and payee account, and everybody who acts or acted for it with
    dates. `iss` is the portal's host; `until` the last day on which a copy may be relied on."""
    return {
        "iss": bank.host,
        "as_of": today.isoformat(),
        "until": (today + timedelta(days=DAYS)).isoformat(),
        "bank": {
            "names": dict(bank.names),
            "phones": [bank.phone],
            "phone_hours": bank.phone_hours,
            "sms_senders": list(bank.sms_senders),
            "sms_signatures": [bank.sms_signature],
            "domains": [bank.host],
            "payee_accounts": [{"account": bank.payee_account, "names": dict(bank.payee_name)}],
        },
        "agencies": [_agency(agency) for agency in agencies if agency.kind != "bank"],
    }


def _agency(agency: AgencyView) -> dict[str, Any]:
    """One contractor. The number of one that acts for the bank no longer is left out, as on the page."""
    return {
        "reference": agency.agency_ref,
        "name": agency.name,
        "kind": agency.kind,
        "acts": agency.in_force,
        "phones": [agency.phone] if agency.in_force else [],
        "engaged_from": agency.engaged_from.isoformat(),
        "engaged_until": agency.engaged_until.isoformat(),
    }
