"""No card number gets in: every field of every form, every address and every JSON body is read for one here.

What holds one is refused before any view sees it, with words and nothing stored or logged. A view that says
so at the field itself, with the rest of the form kept, is marked with `says_so_itself`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import structlog
from flask import Response, current_app, request

from portal.documents.card_numbers import has_card_number
from portal.web import errors

log = structlog.get_logger()

#: Fields that pages of ours fill with random or hexadecimal characters, which a run of digits may be part
#: of by chance. Each is compared or digested; none is kept as it came.
MADE_BY_US = frozenset({"csrf_token", "form_key", "terms_hash", "figures", "offer_hash", "digest"})
#: Fields that choose one of our loans: a bank's loan numbers may well look like card numbers. Each is looked
#: up among the loans there are, and kept only as the loan it names.
CHOOSES_A_LOAN = frozenset({"loan", "loans", "loan_ref", "what", "of", "target"})


def says_so_itself(view: Callable[..., Any]) -> Callable[..., Any]:
    """A view whose own form refuses a card number at the field and keeps everything else that was typed."""
    view.says_card_numbers = True  # type: ignore[attr-defined]
    return view


def refuse() -> Response | None:
    """Before every request that passed the guard: the page that says what cannot be written, or nothing."""
    if request.endpoint is None:
        return None
    view = current_app.view_functions[request.endpoint]
    policy = getattr(view, "policy", None)
    is_signed = request.endpoint.startswith("callbacks.") or getattr(policy, "protection", "") == "signature"
    if is_signed or getattr(view, "says_card_numbers", False) or not any(map(has_card_number, _typed())):
        return None
    log.warning("card_number_refused", endpoint=request.endpoint)
    return errors.page(422)


def _typed() -> Iterable[str]:
    """Everything of this request that somebody may have typed."""
    if request.query_string:
        yield from _values(request.args)
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    yield from _values(request.form)
    if request.mimetype.endswith("json"):
        yield from _texts(request.get_json(silent=True))


def _values(fields: Any) -> Iterable[str]:
    for name, values in fields.lists():
        if name not in MADE_BY_US | CHOOSES_A_LOAN:
            yield name
            yield from values


def _texts(value: Any) -> Iterable[str]:
    """Every text and number in a JSON value, names included."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif value is not None:
        yield str(value)
