"""`make bench`: what pages cost, each as a ratio to a bare route of the same server in the same run.

CPU per request of the server process, five pairs, median. A ratio of 0.25 means: the page costs four
times the bare route. Absolute times of a shared machine mean little and are not printed.
`--requests N` sets how many requests of a page one half of a pair has, `--only` names one database.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import event, select

from portal import settings as portal_settings
from portal.access.models import PortalSession
from portal.borrowers.models import Borrower
from portal.cli import notices as notices_cli
from portal.db import Database
from portal.demo import EXPORT, FIRST_BORROWER, MAPPING
from portal.installation import Installation
from portal.intake import operations as intake
from portal.keys import Keys
from portal.notices import operations as notices
from portal.schema import metadata
from portal.web.context import clock_of
from tests import postgres
from tests.conftest import MASTER, PEPPER, SEED, postgres_url
from tests.journeys.conftest import free_ports
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent.parent
PAIRS = 5
REQUESTS = 400
#: Each pair goes back and forth this often, so that both halves meet the same neighbours on the machine.
SLICES = 10
BANK_START = "2026-11-20T09:00:00+08:00"


@dataclass(frozen=True)
class Page:
    """One page to measure: its goal, and what is sent for it."""

    figure: str
    name: str
    path: str
    goal: dict[str, str]
    cookie: str = ""
    method: str = "GET"
    body: str = ""
    #: whether the page may come from what the server kept of it
    may_be_kept: bool = True


def environment(url: str, data: Path, port: int) -> dict[str, str]:
    """A demonstration's settings over one database."""
    return {
        "PORTAL_ENVIRONMENT": "demonstration",
        "PORTAL_DATABASE_URL": url,
        "PORTAL_DATA_DIR": str(data),
        "PORTAL_BASE_URL": f"http://127.0.0.1:{port}",
        "PORTAL_BANK_FILE": str(ROOT / "portal/demo/harbour.toml"),
        "PORTAL_PEPPER": base64.b64encode(PEPPER).decode(),
        "PORTAL_MASTER_KEY": base64.b64encode(MASTER).decode(),
        "PORTAL_SIGNING_SEED": base64.b64encode(SEED).decode(),
        "PORTAL_STRIPE_API_KEY": "sk_test_sandbox",
        "PORTAL_STRIPE_WEBHOOK_SECRETS": "whsec_bench",
        "PORTAL_STRIPE_API_BASE": "http://127.0.0.1:9",
        "PORTAL_DEMO_BANK_START": BANK_START,
        "PORTAL_DEMO_REAL_START": datetime.now(UTC).isoformat(),  # noqa: TID251 - the clock of this run
    }


def prepare(database: Database, environ: dict[str, str]) -> tuple[str, notices.MintedCode]:
    """The Harbour export taken in, its notices sent, one borrower signed in: (session cookie, a notice's code)."""
    metadata.create_all(database.writer)
    settings = portal_settings.load(environ)
    keys = Keys(pepper=PEPPER, master=MASTER)
    now = datetime.fromisoformat(BANK_START).astimezone(UTC)
    real_now = datetime.now(UTC)  # noqa: TID251
    intake.apply_batch(database, directory=EXPORT, mapping=MAPPING, keys=keys, now=now, progress=None)
    notices_cli.send_all(Installation(settings, database, keys, clock_of(settings)))
    cookie = "bench-session"
    with database.read() as connection:
        borrower_id = connection.execute(
            select(Borrower.id).where(Borrower.customer_ref == FIRST_BORROWER)
        ).scalar_one()
    database.write(
        lambda session: session.add(
            PortalSession(
                id_digest=keys.digest("session", cookie),
                borrower_id=borrower_id,
                csrf_token="bench",
                created_at=real_now,
                seen_at=real_now,
                expires_at=real_now + timedelta(hours=8),
            )
        )
    )
    return cookie, code_of(database, keys)


def code_of(database: Database, keys: Keys) -> notices.MintedCode:
    """The code and link of a live notice, as its text message carries them."""
    from portal.notices.models import Notice

    with database.read() as connection:
        sealed = connection.execute(
            select(Notice.code_sealed)
            .where(Notice.code_sealed.is_not(None), Notice.status == "live")
            .limit(1)
        ).scalar_one()
    return notices.open_code(keys, sealed)


@contextlib.contextmanager
def serving(environ: dict[str, str], port: int) -> Iterator[int]:
    """One granian worker with one thread; yields the worker's process id."""
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--factory", "tests.bench.server:make",
        "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--blocking-threads", "1", "--no-ws", "--http", "1",
        "--log-level", "warning",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environ)
    try:
        wait_until(lambda: answers(port), seconds=60)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield int(children[-1])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def answers(port: int) -> bool:
    """Whether the server is up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/hello/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def cpu_seconds(pid: int) -> float:
    """The time that a process' threads have run so far, from the scheduler: /proc/PID/stat counts in
    hundredths of a second."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def cost(pid: int, port: int, page: Page, count: int) -> float:
    """CPU seconds per request of `count` requests over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {
        "Accept-Encoding": "gzip",
        "Accept-Language": "zh-CN",
        "Cookie": f"portal_session={page.cookie}",
    }
    if not page.may_be_kept:
        headers["X-Kept"] = "no"
    if page.method == "POST":
        headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{port}"}
    before = cpu_seconds(pid)
    for _ in range(count):
        connection.request(page.method, page.path, body=page.body or None, headers=headers)
        response = connection.getresponse()
        response.read()
        assert response.status == 200, (page.path, response.status)
    connection.close()
    return (cpu_seconds(pid) - before) / count


def ratio(pid: int, port: int, page: Page, requests: int) -> list[float]:
    """The bare route's cost over the page's, for each pair."""
    hello = Page("", "hello", "/hello/", {}, cookie=page.cookie)
    cost(pid, port, page, 40)
    cost(pid, port, hello, 200)
    return [pair(pid, port, hello, page, requests) for _ in range(PAIRS)]


def pair(pid: int, port: int, hello: Page, page: Page, requests: int) -> float:
    """One ratio, from slices of both in turn."""
    bare = whole = 0.0
    for _ in range(SLICES):
        bare += cost(pid, port, hello, requests // SLICES)
        whole += cost(pid, port, page, requests // SLICES)
    return bare / whole


def statements(environ: dict[str, str], database: Database, pages: list[Page]) -> dict[str, int]:
    """SQL statements per page, counted inside the process; the second time a page is asked for.

    The first may also note that the session is in use, which happens once a minute, not once a page.
    """
    from app import create_app

    app = create_app(portal_settings.load(environ), db=database)
    counted: dict[str, int] = {}
    for page in pages:
        client = app.test_client()
        client.set_cookie("portal_session", page.cookie)
        client.get(page.path)
        found: list[str] = []
        for engine in (database.reader, database.writer):
            event.listen(engine, "before_cursor_execute", lambda *a, found=found: found.append(a[2]))
        client.get(page.path)
        counted[page.name] = len([text for text in found if not text.startswith(("BEGIN", "PRAGMA"))])
    return counted


def first_visit(environ: dict[str, str], database: Database, page: Page) -> int:
    """Bytes of HTML, style sheet and headers of a first visit, as they travel."""
    from app import create_app

    client = create_app(portal_settings.load(environ), db=database).test_client()
    client.set_cookie("portal_session", page.cookie)
    total = 0
    for path in (page.path, "/static/portal.css"):
        answer = client.get(path, headers={"Accept-Encoding": "br, gzip", "Accept-Language": "zh-CN"})
        total += len(answer.get_data()) + sum(len(name) + len(value) + 4 for name, value in answer.headers)
    return total


def measure(kind: str, url: str, data: Path, requests: int) -> None:
    """Every figure on one database."""
    port, _ = free_ports()
    environ = environment(url, data, port)
    database = Database(url)
    cookie, code = prepare(database, environ)
    pages = [
        Page(
            "G1",
            "balance page, signed in",
            "/my/balance",
            {"sqlite": "0.27 (0.40)", "postgresql": "0.15 (0.22)"},
            cookie=cookie,
            may_be_kept=False,
        ),
        Page(
            "G2",
            "the same page again",
            "/my/balance",
            {"sqlite": "0.42 (0.55)", "postgresql": "0.22 (0.33)"},
            cookie=cookie,
        ),
        Page("G4", "check page", "/check", {"sqlite": "0.40 (0.60)", "postgresql": "0.40 (0.60)"}),
        Page(
            "G4",
            "verdict by link, durable record",
            f"/n/{code.token}",
            {"sqlite": "0.40 (0.60)", "postgresql": "0.40 (0.60)"},
        ),
        Page(
            "G4",
            "typed code, counted and recorded",
            "/check",
            {"sqlite": "0.40 (0.60)", "postgresql": "0.40 (0.60)"},
            method="POST",
            body=f"code={code.code}",
        ),
    ]
    with serving(environ, port) as pid:
        for page in pages:
            found = ratio(pid, port, page, requests)
            print(
                f"{page.figure}  {page.name:34} {kind:11} {statistics.median(found):.2f} of hello"
                f"  ({min(found):.2f} to {max(found):.2f})  goal {page.goal[kind]}",
                flush=True,
            )
    read = [page for page in pages if page.method == "GET"]
    for name, count in statements(environ, database, read).items():
        print(f"G5  {name:34} {kind:11} {count} statements  goal 3 (2)")
    if kind == "sqlite":
        for page, goal in (
            (pages[0], "14,600 (10,240)"),
            (pages[2], "10,240 (6,144)"),
            (pages[3], "10,240 (6,144)"),
        ):
            print(
                f"G10 {page.name:34} {first_visit(environ, database, page):,} bytes first visit  goal {goal}"
            )
    database.dispose()


def main() -> None:
    """Both databases, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.only != "postgresql":
            measure("sqlite", f"sqlite:///{folder}/bench.sqlite", Path(folder), asked.requests)
        if asked.only == "sqlite":
            return
        with postgres.server() as socket_folder:
            admin = Database(postgres_url(socket_folder, "postgres"))
            with admin.reader.connect() as connection:
                connection.exec_driver_sql("CREATE DATABASE bench")
            admin.dispose()
            measure("postgresql", postgres_url(socket_folder, "bench"), Path(folder), asked.requests)


if __name__ == "__main__":
    main()
