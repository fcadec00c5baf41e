"""A real PostgreSQL server for the tests: the system's, started in a temporary folder by an ordinary user."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ORDINARY_USER = "nobody"


class NoPostgres(RuntimeError):
    """No PostgreSQL server programs on this machine; the message says what to install."""


def binaries() -> Path:
    """The folder of initdb and pg_ctl. Raises NoPostgres."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise NoPostgres("the tests need a PostgreSQL server: run `apt-get install postgresql`")
    return Path(on_path).resolve().parent


def _as_user(command: list[str], folder: Path) -> list[str]:
    if os.geteuid() != 0:
        return command
    # initdb refuses to run as root
    return ["setpriv", f"--reuid={ORDINARY_USER}", "--regid=nogroup", "--clear-groups", "--", *command]


@contextmanager
def server() -> Iterator[str]:
    """A running server that listens on a socket only; yields the socket's folder."""
    folder = Path(tempfile.mkdtemp(prefix="portal-pg-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(folder, ORDINARY_USER, "nogroup")
    bin_dir = binaries()
    data = folder / "data"
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(folder)}

    def run(*command: str) -> None:
        subprocess.run(
            _as_user(list(command), folder),
            check=True,
            env=environment,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )

    run(str(bin_dir / "initdb"), "-D", str(data), "-U", "portal", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = (
        f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=200 -c full_page_writes=off"
    )
    run(str(bin_dir / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield str(folder)
    finally:
        run(str(bin_dir / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
