"""How often and how long: every limit that guards the way in, with why it is what it is. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache

from portal.settings import Checks


@dataclass(frozen=True)
class Limit:
    """At most `most` events of `scope` and key in a window of `seconds`; `source` says why."""

    scope: str
    seconds: int
    most: int
    source: str


HOUR = 3_600
DAY = 24 * HOUR

CODES_HOUR = Limit(
    "sms_number_hour", HOUR, 3, "one number, all notices and hosts: no bombing by text message"
)
CODES_DAY = Limit("sms_number_day", DAY, 5, "5 codes of 5 tries are 2.5e-5 to guess one account in a day")
CODES_ALL = Limit("sms_all_hour", HOUR, 20_000, "the budget for codes of the whole portal: pumping ends here")
TRIES_DAY = Limit("otp_notice_day", DAY, 25, "what 5 codes of 5 tries allow, carried over to every new code")
WRONG_ANSWERS_ALL = Limit(
    "otp_wrong_all", 600, 500, "more wrong codes than people mistype: a spray over accounts"
)
WRONG_CODES_NETWORK = Limit(
    "wrong_code_network", HOUR, 30, "a household mistypes a few; a list is tried by a machine"
)
WRONG_CODES_ALL = Limit("wrong_code_all", HOUR, 5_000, "guessing spread over many networks")
RIGHT_CODES_NETWORK = Limit(
    "right_code_network",
    HOUR,
    10,
    "different codes of ours from one network: a household has a few, a thief a list",
)
NETWORKS_CODE = Limit(
    "networks_code",
    DAY,
    5,
    "networks that use one code: home, work, mobile, a helper; more and it was copied",
)
STAFF_LOGIN = Limit(
    "staff_login_net", 300, 5, "one login from one network: a wait, not a lock, and not for others"
)
STAFF_NETWORK = Limit("staff_network", HOUR, 60, "one network over all logins")
STAFF_LOGIN_ALL = Limit(
    "staff_login_day", DAY, 100, "one login from everywhere: somebody is after it; alarm only"
)
STATEMENTS_HOUR = Limit(
    "statements_hour", HOUR, 60, "each is kept for good: a person needs a few, a script would fill the disk"
)
PAYMENTS_BEGUN = Limit(
    "payments_begun", 600, 10, "one borrower, link or network: a person begins a few, a tester of cards many"
)
VISIT_SHOWN = Limit(
    "visit_shown_day", DAY, 5, "who comes, asked with one code: a household needs a few, a harvester many"
)
CONTACT_ASKED = Limit(
    "contact_asked_day",
    DAY,
    5,
    "did you call me, asked with one code: a person was called a few times at most",
)
MORE_ASKED = Limit(
    "more_asked_day",
    DAY,
    5,
    "what a notice is about, asked with its code and the mobile's end: a household needs it once or twice",
)
TAIL_TRIES = Limit(
    "tail_tries_day",
    DAY,
    5,
    "ends of a mobile tried with one code from one network that had its share of codes",
)
TAIL_WRONG = Limit(
    "tail_wrong_month",
    30 * DAY,
    6,
    "wrong ends of a mobile given with one notice, from everywhere and in all places: two of the four digits stand "
    "on the page of its code, so that a hundred tries are sure to find the rest",
)
PHOTOS_NETWORK = Limit(
    "photos_network", HOUR, 40, "pictures from one network: each costs a second or more of a processor"
)
FRAMES_NETWORK = Limit(
    "frames_network",
    HOUR,
    600,
    "frames of a live camera from one network: seven full minutes of it, each a tenth of a picture's work",
)
PAY_ATTEMPTS = Limit(
    "pay_attempts", 600, 10, "nobody pays ten times in ten minutes; who tests stolen cards does"
)


@dataclass(frozen=True)
class Guards:
    """The limits a bank draws for itself (settings.Checks); `more_networks` after the desk has cleared a code."""

    networks: Limit
    more_networks: int
    real_codes: Limit
    visit_shown: Limit
    contact_asked: Limit
    more_asked: Limit
    shared_for: timedelta


@lru_cache(maxsize=8)
def guards_of(checks: Checks) -> Guards:
    """The limits as a bank file draws them.

    >>> guards_of(Checks(networks_per_code=8, networks_window_hours=48)).networks.most
    8
    """
    window = checks.networks_window_hours * HOUR
    return Guards(
        networks=replace(NETWORKS_CODE, most=checks.networks_per_code, seconds=window),
        more_networks=checks.networks_after_clearing,
        real_codes=replace(RIGHT_CODES_NETWORK, most=checks.real_codes_per_network),
        visit_shown=replace(VISIT_SHOWN, most=checks.visitor_answers_per_day),
        contact_asked=replace(CONTACT_ASKED, most=checks.contact_answers_per_day),
        more_asked=replace(MORE_ASKED, most=checks.more_answers_per_day),
        shared_for=timedelta(days=checks.shared_network_days),
    )


STANDARD = guards_of(Checks())

#: Tries of one code; the database also has it as a constraint.
TRIES = 5
CODE_LIFE = timedelta(minutes=10)
#: How long the browser remembers that it asked for a code.
BROWSER_LIFE = timedelta(minutes=30)


@dataclass(frozen=True)
class SessionLife:
    """A session ends after `idle` without a request, and after `absolute` in any case."""

    idle: timedelta
    absolute: timedelta


BORROWER_SESSION = SessionLife(timedelta(minutes=20), timedelta(hours=8))
STAFF_SESSION = SessionLife(timedelta(minutes=30), timedelta(hours=12))
#: A session's last request is written down at most this often.
SEEN_EVERY = timedelta(minutes=1)
#: The page says so this long before the session ends.
WARN_BEFORE = timedelta(minutes=2)


def network_of(address: str | None) -> str:
    """What one household or office shares: the IPv4 address, the first 64 bits of an IPv6 one.

    >>> network_of("203.0.113.7"), network_of("2001:db8:1:2:3::4"), network_of(None)
    ('203.0.113.7', '2001:db8:1:2::/64', 'unknown')
    """
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
