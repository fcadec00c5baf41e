"""Waiting for something with a deadline; the only place that pauses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], *, seconds: float = 10, every: float = 0.1) -> None:
    """Return as soon as `condition()` is true; AssertionError at the deadline."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        pause.wait(every)
