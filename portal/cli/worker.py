"""The background worker: what runs beside the web server."""

from __future__ import annotations

import signal
import threading

from portal import tasks
from portal.cli import installation
from portal.cli.groups import OperatorGroup

group = OperatorGroup("worker", help="Run what happens in the background.")


@group.command("run")
def run() -> None:
    """Empty the outbox, seal the record and sweep, until told to stop; what is under way is finished."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    tasks.work(installation(), stop)
