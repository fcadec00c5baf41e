"""The background worker: what runs beside the web server."""

from __future__ import annotations

from flask.cli import AppGroup

group = AppGroup("worker", help="Run what happens in the background.")
