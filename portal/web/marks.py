"""What templates print most often, as plain functions: icons and amounts.

A macro costs ten times as much a call, and a page calls these a hundred times. Amounts are printed
here and nowhere else.
"""

from __future__ import annotations

import functools

from flask import Flask
from markupsafe import Markup

from portal.money import Money
from portal.web.locale import amount_text, as_markup, money_text

#: Line icons of one stroke; decorative, the words stand beside them.
SHAPES = {
    'question': '<circle cx="12" cy="12" r="8.6"/><path d="M9.7 9.6a2.4 2.4 0 1 1 3.4 2.2c-.8.4-1.1.9-1.1 1.7M12 16.4v.2"/>',
    'ask': '<path d="M8.8 9a3.3 3.3 0 1 1 4.8 3c-1.1.6-1.6 1.2-1.6 2.4M12 18.4v.4"/>',
    'chevron': '<path d="M9 6l6 6-6 6"/>',
    'phone': '<path d="M6 4h3l1.6 4.2-2 1.4a11 11 0 0 0 5.8 5.8l1.4-2L20 15v3a2 2 0 0 1-2.2 2A16 16 0 0 1 4 6.2 2 2 0 0 1 6 4z"/>',
    'key': '<circle cx="8" cy="15" r="3.6"/><path d="M10.6 12.4L19 4M16 7l2.5 2.5"/>',
    'shield': '<path d="M12 3.5l7 2.5v5.5c0 4.5-3 7.5-7 9-4-1.5-7-4.5-7-9V6z"/><path d="M9 12l2.2 2.2L15.2 10"/>',
    'check': '<path d="M5 12.5l4.5 4.5L19 7.5"/>',
    'cross': '<path d="M6.5 6.5l11 11M17.5 6.5l-11 11"/>',
    'bang': '<path d="M12 5v9M12 18.5v.5"/>',
    'clock': '<circle cx="12" cy="12" r="8.6"/><path d="M12 7v5.4l3.4 2"/>',
    'camera': '<path d="M4 8h3l1.6-2.5h6.8L17 8h3v11H4z"/><circle cx="12" cy="13" r="3.4"/>',
    'person': '<circle cx="12" cy="8" r="3.6"/><path d="M5 20c.6-4 3.4-6 7-6s6.4 2 7 6"/>',
    'message': '<path d="M4 5h16v11H9l-4 4v-4H4z"/><path d="M8 9h8M8 12h5"/>',
    'download': '<path d="M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 20h14"/>',
    'upload': '<path d="M12 16V5M7.5 9L12 4.5 16.500 9M5 20h14"/>',
    'document': '<path d="M6 3.500h8l4 4V20.500H6z"/><path d="M14 3.500v4h4M9 12h6M9 16h6"/>',
    'plus': '<path d="M12 5v14M5 12h14"/>',
    'calendar': '<path d="M4 6h16v14H4zM4 10h16M8.500 3.500v4M15.500 3.500v4"/>',
    'nocash': '<path d="M3.5 7h17v10h-17z"/><circle cx="12" cy="12" r="2.4"/><path d="M4 4l16 16"/>',
}  # fmt: skip


@functools.cache
def icon(name: str, more: str = "") -> Markup:
    """The icon `name` as SVG; `more` is a further class."""
    kind = f"icon {more}" if more else "icon"
    return Markup(f'<svg class="{kind}" viewBox="0 0 24 24" aria-hidden="true">{SHAPES[name]}</svg>')


def amount(money: Money, signed: bool = False) -> Markup:
    """An amount without its currency, which the table's caption names; `signed` prints + or − and a space."""
    if not signed:
        return as_markup(f'<span class="m">{amount_text(money)}</span>')
    sign = "−" if money.minor < 0 else "+"
    return as_markup(f'<span class="m">{sign} {amount_text(-money if money.minor < 0 else money)}</span>')


def figure(money: Money) -> Markup:
    """The one large figure of a page: with its currency, the decimals smaller."""
    whole, point, decimals = money_text(money).rpartition(".")
    if not point:
        return Markup(f'<span class="m">{decimals}</span>')
    return Markup(f'<span class="m">{whole}<span class="dec">.{decimals}</span></span>')


def why(shown: Markup, href: str) -> Markup:
    """A figure that leads to how it is made; `href` is an address as `portal.web.pages.address` gives it."""
    return as_markup(f'<a class="why" href="{href}">{shown}</a>')


def init_app(app: Flask) -> None:
    """Make them known to every template, imported macros included."""
    app.jinja_env.globals.update(icon=icon, amount=amount, figure=figure, why=why)
