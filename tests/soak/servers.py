"""Several whole web servers over one database, each a process of its own that can be struck down."""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from portal.cli.serve import web_command
from tests.conftest import MASTER, PEPPER, SEED
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
SECRET = "whsec_soak"
THREADS = 4


def environment(url: str, data: Path) -> dict[str, str]:
    """A demonstration's settings over one database; the provider is out of reach."""
    return {
        "PORTAL_ENVIRONMENT": "demonstration",
        "PORTAL_DATABASE_URL": url,
        "PORTAL_DATA_DIR": str(data),
        "PORTAL_BASE_URL": "http://127.0.0.1",
        "PORTAL_BANK_FILE": str(ROOT / "portal/demo/harbour.toml"),
        "PORTAL_PEPPER": base64.b64encode(PEPPER).decode(),
        "PORTAL_MASTER_KEY": base64.b64encode(MASTER).decode(),
        "PORTAL_SIGNING_SEED": base64.b64encode(SEED).decode(),
        "PORTAL_STRIPE_API_KEY": "sk_test_sandbox",
        "PORTAL_STRIPE_WEBHOOK_SECRETS": SECRET,
        "PORTAL_STRIPE_API_BASE": "http://127.0.0.1:9",
        "PORTAL_DEMO_BANK_START": "2026-11-20T09:00:00+08:00",
        "PORTAL_DEMO_REAL_START": datetime.now(UTC).isoformat(),  # noqa: TID251 - the clock of this run
    }


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


class Servers:
    """Web servers on ports of their own, started together."""

    def __init__(self, environ: dict[str, str], count: int) -> None:
        self.environ = os.environ | environ
        self.ports = free_ports(count)
        self.processes = {port: self._start(port) for port in self.ports}
        for port in self.ports:
            wait_until(lambda port=port: answers(port), seconds=60)

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        command = web_command(host="127.0.0.1", port=port, workers=1, threads=THREADS)
        quiet = [*command[:-1], "critical"]
        # a session of its own: master and worker are struck down together
        return subprocess.Popen(quiet, cwd=ROOT, env=self.environ, start_new_session=True)

    def strike_down(self, port: int) -> None:
        """SIGKILL to the master and its worker, in the middle of whatever they do."""
        os.killpg(self.processes[port].pid, signal.SIGKILL)
        self.processes[port].wait()

    def start_again(self, port: int) -> None:
        """The same server on the same port; returns when it answers."""
        self.processes[port] = self._start(port)
        wait_until(lambda: answers(port), seconds=60)

    def stop(self) -> None:
        """Stop them in good order."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(timeout=60)


@contextlib.contextmanager
def serving(environ: dict[str, str], count: int) -> Iterator[Servers]:
    """`count` servers, stopped at the end."""
    servers = Servers(environ, count)
    try:
        yield servers
    finally:
        servers.stop()


def answers(port: int) -> bool:
    """Whether a server is up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/check")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
