"""The catalogues as dictionaries: a template's `_()` is one look-up, not a walk through extensions.

Python code at the doors goes on using flask_babel's functions; both read the same files.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from babel.support import Translations
from flask import Flask
from markupsafe import Markup, escape

from portal.web.locale import current_locale

FOLDER = Path(__file__).parent.parent.parent / "translations"


@functools.cache
def catalogue(locale: str) -> Translations:
    """The compiled catalogue of `locale`."""
    return Translations.load(str(FOLDER), [locale])  # type: ignore[return-value]


@functools.cache
def text(locale: str, message: str) -> str:
    """`message` in a language, its values not yet filled in."""
    return catalogue(locale).gettext(message)


@functools.cache
def plain(locale: str, message: str) -> Markup:
    """A sentence without values: made safe once."""
    return Markup(text(locale, message) % {})  # noqa: S704 - our own catalogue


def counted(locale: str, singular: str, plural: str, num: int) -> str:
    """The form of a sentence that `num` asks for, its values not yet filled in."""
    return catalogue(locale).ngettext(singular, plural, num)


@functools.cache
def is_one_or_more(locale: str) -> bool:
    """Whether the language's only question to a number is: is it one? (Chinese does not even ask that.)"""
    form = getattr(catalogue(locale), "plural", lambda num: int(num != 1))
    return all(form(num) == form(2) for num in (0, *range(2, 200)))


def gettext(message: str, **values: Any) -> Markup:
    """`message` in the reader's language with its values, each escaped, in place."""
    locale = current_locale()
    return _filled(text(locale, message), values) if values else plain(locale, message)


def ngettext(singular: str, plural: str, num: int, **values: Any) -> Markup:
    """As `gettext`, in the form that `num` asks for; `num` is a value too."""
    return _filled(catalogue(current_locale()).ngettext(singular, plural, num), {"num": num} | values)


def _filled(form: str, values: dict[str, Any]) -> Markup:
    return Markup(form % {name: _safe(value) for name, value in values.items()})  # noqa: S704 - values are escaped


def _safe(value: Any) -> Any:
    return value if isinstance(value, int) else escape(value)


def init_app(app: Flask) -> None:
    """Let templates translate by look-up."""
    app.jinja_env.globals.update({"_": gettext, "gettext": gettext, "ngettext": ngettext})
