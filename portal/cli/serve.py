"""Serving: the production web server and the background worker, started, watched and stopped together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from whitenoise.compress import Compressor

from portal.cli.groups import CannotRun, OperatorGroup

#: How long requests under way may take to finish after a stop.
GRACE_SECONDS = 30
STATIC = Path(__file__).parent.parent.parent / "static"

group = OperatorGroup("serve", help="Serve the portal: web server and worker.")


def compress_static() -> None:
    """Lay a compressed copy beside every static file; where the folder cannot be written, leave it."""
    if os.access(STATIC, os.W_OK):
        compressor = Compressor(log=lambda message: None)
        for path in STATIC.rglob("*"):
            if path.is_file() and compressor.should_compress(path.name):
                compressor.compress(str(path))


def web_command(*, host: str, port: int, workers: int, threads: int) -> list[str]:
    """The web server's command line. It finishes the requests it has when it is told to stop."""
    return [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", "app:create_app",
        "--host", host, "--port", str(port), "--workers", str(workers), "--blocking-threads", str(threads),
        "--no-ws", "--http", "1", "--respawn-failed-workers", "--workers-kill-timeout", str(GRACE_SECONDS - 5),
        "--log-level", "warning",
    ]  # fmt: skip


def refuse_taken(host: str, port: int) -> None:
    """Raise CannotRun where somebody serves already.

    The web server's workers share their port, so a second server would be let in beside the first and
    take half of its visitors.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise CannotRun(
                f"不能在 {host}:{port} 提供服务，端口可能已被占用。\n"
                f"{host}:{port} cannot be served; the port may be taken already.\n({error.strerror})"
            ) from None


def worker_command() -> list[str]:
    """The background worker's command line."""
    return [sys.executable, "-m", "flask", "--app", "app", "worker", "run"]


def supervise(commands: Mapping[str, Sequence[str]], environ: Mapping[str, str]) -> int:
    """Run every named command until one ends or we are told to stop; then stop the others and wait.

    Returns 0 after an ordinary stop, else 1 when a command ended by itself (and says which). What has
    not stopped after `GRACE_SECONDS` is killed. Each command has a session of its own, so that Ctrl-C
    reaches us alone and the web server's workers are not struck down before it can stop them.
    """
    running = {
        name: subprocess.Popen(list(command), env=dict(environ), start_new_session=True)
        for name, command in commands.items()
    }
    stopping = threading.Event()
    ended: list[str] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())

    def watch(name: str, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        if not stopping.is_set():
            ended.append(f"The {name} ended by itself (exit code {code}); everything is stopped.")
            stopping.set()

    for name, process in running.items():
        threading.Thread(target=watch, args=(name, process), daemon=True).start()
    stopping.wait()
    for process in running.values():
        process.terminate()
    for process in running.values():
        try:
            process.wait(timeout=GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    for line in ended:
        print(line, file=sys.stderr)
    return 1 if ended else 0


@group.command("run")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True)
@click.option("--workers", default=max(1, (os.cpu_count() or 2) - 1), show_default=True)
@click.option("--threads", default=4, show_default=True, help="Threads of each web worker.")
def run(host: str, port: int, workers: int, threads: int) -> None:
    """Serve until stopped."""
    refuse_taken(host, port)
    compress_static()
    commands = {
        "web server": web_command(host=host, port=port, workers=workers, threads=threads),
        "worker": worker_command(),
    }
    sys.exit(supervise(commands, os.environ))
