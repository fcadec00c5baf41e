"""Pages that are the same for everybody: rendered once, then filled in.

The page as rendered is kept per language, text size and (in a demonstration, whose banner shows the
time) minute. What differs from request to request stands in it as slots; values are escaped when they
are filled in, and never read again for slots. A signed-in reader's page is rendered each time, because
its forms carry that session's token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import current_app, g, render_template, request
from markupsafe import escape

from portal.web.context import portal
from portal.web.locale import current_locale
from portal.web.pages import TEXT_SIZE_COOKIE, Pressed
from portal.web.security import who

#: Kept pages of one application; a handful per language, so a flood means a bug and is thrown away.
_MOST = 500
_SLOT = re.compile("\ue000([a-z_]+)\ue001")


@dataclass
class _Kept:
    """A page in pieces, and gzipped where nothing stands in it that this request brought."""

    parts: list[str]
    #: by the path it was asked for under: a route's own, so a page has one or two
    pressed: dict[str, Pressed] = field(default_factory=dict)


def page(template: str, *, shown: Mapping[str, str] | None = None, **facts: object) -> str:
    """`template` with `facts` (few values, part of what is kept) and `shown` (texts of this request).

    The template reads `shown` as it would read plain texts; `shown` must not decide what it prints.
    """
    shown = shown or {}
    if who() is not None:
        return render_template(template, shown=shown, **facts)
    kept: dict[object, _Kept] = current_app.extensions.setdefault("portal.still", {})
    key = (
        template,
        current_locale(),
        request.cookies.get(TEXT_SIZE_COOKIE) == "large",
        _minute(),
        *facts.items(),
    )
    found = kept.get(key)
    if found is None:
        if len(kept) >= _MOST:
            kept.clear()
        found = kept[key] = _Kept(_render(template, shown, facts))
    if not any(shown.values()):
        g.pressed = found.pressed.setdefault(request.path, Pressed(is_everybodys=True))
    filled = list(found.parts)
    values = {**shown, "path": request.path}
    filled[1::2] = [str(escape(values[name])) for name in found.parts[1::2]]
    return "".join(filled)


def _render(template: str, shown: Mapping[str, str], facts: Mapping[str, object]) -> list[str]:
    """The page in pieces: text, slot name, text, slot name, ... text."""
    slots = {name: f"\ue000{name}\ue001" for name in shown}
    made = render_template(template, shown=slots, **facts)
    back = f'name="back" value="{escape(request.path)}"'
    return _SLOT.split(made.replace(back, 'name="back" value="\ue000path\ue001"'))


def _minute() -> str:
    """Part of the key only where the page itself shows the time."""
    p = portal()
    if p.settings.environment != "demonstration":
        return ""
    return p.clock.now().isoformat(timespec="minutes")
