"""What the bank signs, verified by a browser's own cryptography with the lines of docs/verify-offline.md."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.conftest import ROOT

pytestmark = pytest.mark.browser


def lines() -> str:
    """The document's lines for a browser; the two answers as what a function gives back."""
    text = (ROOT / "docs/verify-offline.md").read_text(encoding="utf-8")
    *steps, verify, read = text.split("```js\n")[1].split("```")[0].strip().splitlines()
    return "\n".join([*steps, f"const fits = {verify}", f"return [fits, {read}]"])


def test_a_browser_verifies_with_the_published_key_what_the_bank_signed(
    open_page: Callable[..., Page],
) -> None:
    page = open_page()
    page.goto("/")
    key = page.evaluate("async () => (await (await fetch('/.well-known/portal-keys.json')).json()).keys[0]")
    jws = page.evaluate("async () => await (await fetch('/.well-known/who-may-contact-you.jws')).text()")
    altered = jws.replace(jws[len(jws) // 2], "A" if jws[len(jws) // 2] != "A" else "B", 1)
    run = f"async ([key, jws]) => {{ {lines()} }}"

    fits, content = page.evaluate(run, [key, jws])

    assert fits is True
    assert content["iss"] == "my.harbour.example"
    assert (
        page.evaluate(
            f"async ([key, jws]) => {{ try {{ {lines()} }} catch {{ return [false] }} }}", [key, altered]
        )[0]
        is False
    )
