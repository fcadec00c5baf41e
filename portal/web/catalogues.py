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
def _text(locale: str, message: str) -> str:
    return catalogue(locale).gettext(message)


@functools.cache
def _plain(locale: str, message: str) -> Markup:
    """A sentence without values: made safe once."""
    return Markup(_text(locale, message) % {})  # noqa: S704 - our own catalogue


def gettext(message: str, **values: Any) -> Markup:
    """`message` in the reader's language with its values, each escaped, in place."""
    locale = current_locale()
    return _filled(_text(locale, message), values) if values else _plain(locale, message)


def ngettext(singular: str, plural: str, num: int, **values: Any) -> Markup:
    """As `gettext`, in the form that `num` asks for; `num` is a value too."""
    return _filled(catalogue(current_locale()).ngettext(singular, plural, num), {"num": num} | values)


def _filled(text: str, values: dict[str, Any]) -> Markup:
    return Markup(text % {name: _safe(value) for name, value in values.items()})  # noqa: S704 - values are escaped


def _safe(value: Any) -> Any:
    return value if isinstance(value, int) else escape(value)


def init_app(app: Flask) -> None:
    """Let templates translate by look-up."""
    app.jinja_env.globals.update({"_": gettext, "gettext": gettext, "ngettext": ngettext})
