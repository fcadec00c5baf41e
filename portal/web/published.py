"""What this installation publishes as its own: its hosts, and the numbers of the bank and its agencies."""

from __future__ import annotations

from portal.contacts.queries import agencies
from portal.fakes.operations import Published
from portal.web.context import portal

#: Numbers that help people and are nobody's invention.
HELP_LINES = ("96110", "12378", "110", "12345", "12363")


def published() -> Published:
    """Our own, as it stands today; a former agency's number is still none of a fake's making."""
    p = portal()
    bank = p.settings.bank
    with p.db.read() as connection:
        everybody = agencies(connection, today=p.clock.today())
    portal_host = p.settings.base_url.rstrip("/").partition("://")[2]
    return Published(
        hosts=tuple(dict.fromkeys((bank.host, portal_host))),
        numbers=(
            bank.phone,
            bank.payee_account,
            *bank.sms_senders,
            *HELP_LINES,
            *(agency.phone for agency in everybody),
        ),
    )
