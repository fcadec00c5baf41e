"""Paid and left as one stacked bar: striped is paid, solid is left; the table beside it is its legend.

Drawn in Python: its places are sums, and a template takes ten times as long over them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Protocol

from flask import Flask
from markupsafe import Markup, escape

from portal.accounts.queries import ComponentFigures
from portal.money import Money

#: The fill of each component, in reading order.
FILLS = ("f1", "f2", "f3", "f4", "fe")
#: The bar's length and what every piece gets so that the smallest is seen, in hundredths of a per cent.
LENGTH = 10_000
LEAST = 120


class Total(Protocol):
    """What a bar is drawn of: a loan, or the loans of one currency."""

    @property
    def shown(self) -> tuple[tuple[str, ComponentFigures], ...]: ...
    @property
    def paid(self) -> Money: ...
    @property
    def left(self) -> Money: ...


@functools.cache
def swatch(index: int) -> Markup:
    """The legend's patch of a component's fill."""
    return Markup(
        '<svg class="sw" viewBox="0 0 16 16" aria-hidden="true"><rect class="{}" width="16" height="16"/></svg>'
    ).format(FILLS[index])


def share(part: Money, whole: Money) -> str:
    """`part` of `whole` in per cent, rounded to a tenth."""
    tenths = (part.minor * 2000 // whole.minor + 1) // 2
    return f"{tenths // 10}.{tenths % 10}%"


def bar(total: Total, uid: str, title: str, description: str) -> Markup:
    """The bar as SVG; nothing where nothing was paid and nothing is left."""
    if total.paid.minor + total.left.minor <= 0:
        return Markup()
    filled = list(enumerate(total.shown))
    patterns = "".join(_pattern(uid, index) for index, (_, part) in filled if part.paid.minor > 0)
    pieces = [(f'" fill="url(#{uid}{index + 1})', part.paid.minor) for index, (_, part) in filled]
    pieces += [(f" {FILLS[index]}", part.left.minor) for index, (_, part) in filled]
    return Markup(  # noqa: S704 - the words are escaped, all else is ours
        f'<svg class="bar" width="100%" height="52" role="img" aria-labelledby="{uid}t {uid}d">'
        f'<title id="{uid}t">{escape(title)}</title><desc id="{uid}d">{escape(description)}</desc>'
        f"<defs>{patterns}</defs>{''.join(_drawn(pieces, total.paid.minor + total.left.minor))}</svg>"
    )


def _drawn(pieces: list[tuple[str, int]], whole: int) -> Iterator[str]:
    """The pieces one after the other; what the least widths leave over is shared in proportion."""
    seen = [(look, minor) for look, minor in pieces if minor > 0]
    room, at = LENGTH - LEAST * len(seen), 0
    for look, minor in seen:
        width = max(room * minor // whole, 0) + LEAST
        yield f'<rect class="gap{look}" x="{_percent(at)}" width="{_percent(width)}" height="52"/>'
        at += width


def _percent(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02d}%"


def _pattern(uid: str, index: int) -> str:
    return (
        f'<pattern id="{uid}{index + 1}" width="7" height="7" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect class="fq" width="7" height="7"/>'
        f'<rect class="{FILLS[index]}" width="2.4" height="7"/></pattern>'
    )


def init_app(app: Flask) -> None:
    """Make them known to every template."""
    app.jinja_env.globals.update(bar=bar, swatch=swatch, share=share)
