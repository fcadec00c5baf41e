"""A signed-in reader's page that was just made, kept for the next look at it.

The key is everything the page was made from: who reads it in which session, language and text size,
the minute, and the very rows of the database. So nothing ever has to be thrown away because something
changed, and nobody's page can come to somebody else. A page lives until the minute is over.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime

from flask import current_app, g, request

from portal.web.context import portal
from portal.web.locale import current_locale
from portal.web.pages import TEXT_SIZE_COOKIE, Pressed
from portal.web.security import SignedInBorrower

#: Pages of one application: some 40 kB each.
MOST = 300


@dataclass
class _Store:
    minute: datetime | None = None
    pages: dict[Hashable, tuple[bytes, Pressed]] = field(default_factory=dict)


def page(borrower: SignedInBorrower, rows: Hashable, make: Callable[[], str]) -> bytes:
    """The page of this endpoint made from `rows` and nothing else that changes within a minute."""
    store: _Store = current_app.extensions.setdefault("portal.kept", _Store())
    minute = portal().clock.now().replace(second=0, microsecond=0)
    if store.minute != minute or len(store.pages) >= MOST:
        store.pages, store.minute = {}, minute
    key = (
        request.endpoint,
        borrower.session_digest,
        current_locale(),
        request.cookies.get(TEXT_SIZE_COOKIE),
        rows,
    )
    kept = store.pages.get(key)
    if kept is None:
        kept = store.pages[key] = (make().encode(), Pressed())
    g.pressed = kept[1]
    return kept[0]
