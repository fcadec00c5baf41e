"""Logs: one line of JSON per event, of listed keys only, so that nothing personal can slip in.

An exception is logged as its type and the places it passed through; its message is left out, because
a database's message carries the values of the statement that failed.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog

#: What a log line may say. Anything else is dropped, and the line says how much was.
ALLOWED = frozenset(
    {
        "event", "level", "timestamp", "reference", "endpoint", "method", "status", "kind", "name", "task", "count",
        "reason", "outcome", "seconds", "file", "line", "column", "batch", "sequence", "mapping", "gateway", "attempt",
        "exception", "places", "event_id", "row_id", "action", "books", "fault", "message", "payment", "retry_after",
    }
)  # fmt: skip


def configure(*, as_json: bool) -> None:
    """Set the process's logging up."""
    renderer: Any = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            plain_exception,
            allow_listed,
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def plain_exception(logger: object, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace `exc_info` by the exception's type and the places it passed through."""
    given = line.pop("exc_info", None)
    if not given:
        return line
    error = (
        given
        if isinstance(given, BaseException)
        else given[1]
        if isinstance(given, tuple)
        else sys.exc_info()[1]
    )
    if error is not None:
        line["exception"] = type(error).__name__
        line["places"] = _places(error.__traceback__)
    return line


def allow_listed(logger: object, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop every key that is not listed."""
    return {key: value for key, value in line.items() if key in ALLOWED}


def _places(trace: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(trace)[-12:]
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
