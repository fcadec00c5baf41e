"""What every page carries: static addresses, compression, the proxy's word, and template globals."""

from __future__ import annotations

import functools
import gzip
import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from wsgiref.headers import Headers

from flask import Flask, Response, g, request, url_for
from isal import isal_zlib
from markupsafe import Markup, escape
from werkzeug.middleware.proxy_fix import ProxyFix
from whitenoise import WhiteNoise

from portal.web.context import portal
from portal.web.locale import HTML_LANG, LOCALES, as_markup, current_locale
from portal.web.security import headers_of

#: Pages below this size gain nothing from compression.
_SMALLEST = 600
TEXT_SIZE_COOKIE = "text_size"


@functools.cache
def static_address(folder: str, name: str) -> str:
    """The address of a static file, with the digest of its content so that it may be cached for ever."""
    content = (Path(folder) / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:10]}"


@functools.lru_cache(8192)
def _address(endpoint: str, values: tuple[tuple[str, Any], ...]) -> Markup:
    return escape(url_for(endpoint, **dict(values)))


def address(endpoint: str, **values: Any) -> Markup:
    """`url_for` within the portal, escaped for a page and remembered: an endpoint and its values always
    have the same address."""
    try:
        return _address(endpoint, tuple(values.items()))
    except TypeError:  # a list of values cannot be a key
        return escape(url_for(endpoint, **values))


def csrf_field() -> Markup:
    """The hidden field every signed-in form carries."""
    token = getattr(g.get("_login_user"), "csrf_token", "")
    return as_markup(f'<input type="hidden" name="csrf_token" value="{escape(token)}">')


def form_key_field(kept: str | None = None) -> Markup:
    """A hidden key made once per form: posting it twice gets the first answer."""
    return Markup('<input type="hidden" name="form_key" value="{}">').format(
        kept or secrets.token_urlsafe(16)
    )


def _gzipped(body: bytes) -> bytes:
    """A page is ten kilobytes, and zlib took a fifth of a page's time; this packs it nearly as well in a quarter of
    that."""
    packer = isal_zlib.compressobj(level=2, wbits=16 + 15)
    return packer.compress(body) + packer.flush()


@dataclass
class Pressed:
    """Where the gzipped bytes of a kept page wait for its next reading (portal/web/kept.py). What is read by everybody
    is packed once, as small as it gets."""

    body: bytes = b""
    is_everybodys: bool = False

    def fill(self, body: bytes) -> bytes:
        """The gzipped bytes of `body`, packed the first time."""
        if not self.body:
            self.body = gzip.compress(body, 9, mtime=0) if self.is_everybodys else _gzipped(body)
        return self.body


def _holds_a_link_and_a_token(response: Response) -> bool:
    """Whether a signed-in reader's page may repeat an address that a stranger made up: the link of a
    notice, or a page that is not there."""
    is_made_up = response.status_code != 200 or request.endpoint == "public.check.link"
    return is_made_up and g.get("_login_user") is not None


def compress(response: Response) -> Response:
    """Gzip a page in which nothing of a stranger's stands beside a secret: no BREACH to fear."""
    if (
        response.mimetype != "text/html"
        or response.direct_passthrough
        or request.method != "GET"
        or request.query_string
        or _holds_a_link_and_a_token(response)
        or "gzip" not in request.headers.get("Accept-Encoding", "")
    ):
        return response
    pressed: Pressed = g.get("pressed") or Pressed()
    body = pressed.body or response.get_data()
    if pressed.body or len(body) >= _SMALLEST:
        response.set_data(pressed.fill(body))
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding, Cookie"
    return response


def init_app(app: Flask) -> None:
    """Template globals, static files with long life, gzip, and the configured number of proxies."""
    settings = app.extensions["portal"].settings
    folder = str(Path(app.root_path) / "static")
    fixed = headers_of(app)

    def with_fixed_headers(headers: Headers, path: str, url: str) -> None:
        for name, value in fixed:
            headers[name] = value

    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        static=lambda name: static_address(folder, name),
        url_for=address,
        csrf=csrf_field,
        form_key=form_key_field,
        bank=settings.bank,
        demonstration=settings.environment == "demonstration",
        html_lang=HTML_LANG,
        locales=LOCALES,
        local_now=lambda: portal().clock.now(),
    )

    @app.context_processor
    def of_this_request() -> dict[str, object]:
        return {"locale": current_locale(), "large": request.cookies.get(TEXT_SIZE_COOKIE) == "large"}

    app.after_request(compress)
    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign]
        app.wsgi_app,
        root=folder,
        prefix="static/",
        immutable_file_test=lambda path, url: True,
        allow_all_origins=False,
        add_headers_function=with_fixed_headers,
    )
    if settings.proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies, x_host=0
        )
