"""One core's part of a day of 500,000 messages (G13): 170 requests a second, mixed, against one worker.

Requests start when they are due, whether or not those before are answered, and time runs from when they were
due. The bare route is a part of the mix: the p99 of the check page is told relative to its p99 in the same run.
"""

from __future__ import annotations

import argparse
import http.client
import random
import tempfile
import threading
import time
from collections import Counter, defaultdict
from itertools import count
from pathlib import Path

from portal.db import Database
from tests.bench.__main__ import Page, environment, prepare, serving
from tests.journeys.conftest import free_ports

RATE = 170
#: Connections kept open; more than are ever busy while the worker keeps up.
CONNECTIONS = 24
GOAL = "goal 300 ms, 0.1 % (100 ms, 0)"


def mix(cookie: str, token: str, code: str) -> list[tuple[int, Page]]:
    """What people do after a message, in parts of a hundred."""
    return [
        (30, Page("", "check page", "/check", {})),
        (30, Page("", "verdict by link", f"/n/{token}", {})),
        (15, Page("", "typed code", "/check", {}, method="POST", body=f"code={code}")),
        (5, Page("", "first page", "/", {})),
        (5, Page("", "sign-in page", "/sign-in", {})),
        (10, Page("", "balance", "/my/balance", {}, cookie=cookie)),
        (5, Page("", "hello", "/hello/", {})),
    ]


def run(
    port: int, pages: list[tuple[int, Page]], seconds: int, rate: int
) -> tuple[dict[str, list[float]], Counter[str]]:
    """Seconds from due to answered, by page, and what went wrong."""
    draw = random.Random(13)
    names = draw.choices([page for _, page in pages], [weight for weight, _ in pages], k=seconds * rate)
    taken, wrong, turn = defaultdict[str, list[float]](list), Counter[str](), count()
    begun = time.monotonic() + 0.5

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while (number := next(turn)) < len(names):
            page, due = names[number], begun + number / rate
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                status = ask(connection, port, page)
            except (OSError, http.client.HTTPException):
                connection.close()
                status = 0
            taken[page.name].append(time.monotonic() - due)
            if status != 200:
                wrong[f"{page.name} {status}"] += 1
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return taken, wrong


def ask(connection: http.client.HTTPConnection, port: int, page: Page) -> int:
    """One request over an open connection; its status."""
    headers = {
        "Accept-Encoding": "gzip",
        "Accept-Language": "zh-CN",
        "Cookie": f"portal_session={page.cookie}",
    }
    if page.method == "POST":
        headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{port}"}
    connection.request(page.method, page.path, body=page.body or None, headers=headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def p99(values: list[float]) -> float:
    """The value that one in a hundred exceeds."""
    return sorted(values)[max(0, len(values) * 99 // 100 - 1)]


def main() -> None:
    """On SQLite, the embedded default."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rate", type=int, default=RATE)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        port, _ = free_ports()
        url = f"sqlite:///{folder}/day.sqlite"
        environ, database = environment(url, Path(folder), port), Database(url)
        cookie, code = prepare(database, environ)
        pages = mix(cookie, code.token, code.code)
        with serving(environ, port):
            run(port, pages, 2, asked.rate)
            taken, wrong = run(port, pages, asked.seconds, asked.rate)
        database.dispose()
    bare, total = p99(taken["hello"]), sum(map(len, taken.values()))
    for name, values in taken.items():
        print(
            f"G13 {name:18} {len(values):6,} requests  p99 {p99(values) * 1e3:6.1f} ms  {p99(values) / bare:5.2f} of hello's"
        )
    print(
        f"G13 {total:,} requests at {asked.rate}/s, {sum(wrong.values())} errors {dict(wrong) or ''}  {GOAL}",
        flush=True,
    )


if __name__ == "__main__":
    main()
