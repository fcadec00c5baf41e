"""The question to a network that checked more codes than a household has: the end of the mobile, and then the same
answer as ever. An office and a carrier share one address; a list of codes does not come with numbers."""

from __future__ import annotations

from typing import Protocol

from flask import Response, make_response, render_template, request

from portal.access.codes import plain_digits

LONGEST = 40
#: What the page sends back as it came; nothing else of a form is repeated.
_FIELDS = ("code", "text", "number", "day", "time", "staff", "agency", "reference")
_LONGEST_FIELD = 4_000


class Asks(Protocol):
    """An answer that waits for the end of the mobile."""

    @property
    def tail_refused(self) -> bool:
        """What was given does not belong to the code, or there is no such code."""


def given() -> str:
    """The end of the mobile as it was typed, its digits only."""
    return plain_digits(request.form.get("tail", "")[:LONGEST])


def page(answer: Asks, *, path: str = "", **instead: str) -> Response:
    """Ask for it, with everything that was typed kept; `instead` are fields that the form did not have, `path`
    where it is sent to when not to the same page again."""
    typed = {name: request.form.get(name, "")[:_LONGEST_FIELD] for name in _FIELDS} | instead
    html = render_template(
        "public/check/tail.html",
        path=path or request.path,
        typed={name: value for name, value in typed.items() if value},
        refused=answer.tail_refused,
    )
    return make_response(html, 422 if answer.tail_refused else 200)
