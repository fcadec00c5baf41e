"""What an event of the provider costs (G14): signed, checked, stored and applied, in CPU time of one server process,
as a ratio to a bare route of the same server and as events per CPU second."""

from __future__ import annotations

import http.client
import itertools
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from portal.db import Database
from portal.schema import metadata
from tests import postgres
from tests.bench.__main__ import PAIRS, SLICES, Page, cost, cpu_seconds, environment, serving
from tests.conftest import postgres_url
from tests.journeys.conftest import free_ports
from tests.soak.deliveries import begin_payments, begin_people
from tests.soak.events import Delivery, Told, intent, signature

EVENTS = 200
GOAL = "goal 200/s (1,000/s)"
SECRET = "whsec_bench"


def deliver(pid: int, port: int, events: Iterator[Delivery], count: int) -> float:
    """CPU seconds per event of `count` deliveries over one connection; each is answered with 200."""
    pile = list(itertools.islice(events, count))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    before = cpu_seconds(pid)
    for one in pile:
        headers = {"Stripe-Signature": signature(one.body, SECRET)}
        connection.request("POST", "/callbacks/stripe", body=one.body, headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
    connection.close()
    return (cpu_seconds(pid) - before) / len(pile)


def figures(pid: int, port: int, events: Iterator[Delivery]) -> Iterator[tuple[float, float]]:
    """(ratio to the bare route, events per CPU second) of each pair."""
    hello = Page("", "hello", "/hello/", {})
    deliver(pid, port, events, 40)
    cost(pid, port, hello, 200)
    for _ in range(PAIRS):
        bare = whole = 0.0
        for _ in range(SLICES):
            bare += cost(pid, port, hello, EVENTS // SLICES)
            whole += deliver(pid, port, events, EVENTS // SLICES)
        yield bare / whole, SLICES / whole


def measure(kind: str, url: str, folder: Path) -> None:
    """Events that are stored, that credit a payment, and that were here before."""
    port, _ = free_ports()
    database = Database(url)
    metadata.create_all(database.writer)
    payments = [Told(f"S-{number:06}", 100 + number % 800) for number in range(4 * EVENTS * PAIRS)]
    borrower_id, loans = begin_people(database)
    begin_payments(database, borrower_id, loans, payments)
    kinds: dict[str, Callable[[Told], Delivery]] = {
        "event stored and noted": lambda told: intent(told, "processing"),
        "event that credits a payment": lambda told: intent(told, "succeeded"),
        "event that was here before": lambda told: intent(payments[0], "succeeded"),
    }
    with serving(environment(url, folder, port), port) as pid:
        for name, make in kinds.items():
            found = list(figures(pid, port, map(make, payments)))
            ratios, rates = zip(*found, strict=True)
            print(
                f"G14 {name:34} {kind:11} {statistics.median(ratios):.2f} of hello"
                f"  {statistics.median(rates):,.0f} per CPU second  {GOAL}",
                flush=True,
            )
    database.dispose()


def main() -> None:
    """Both databases, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        measure("sqlite", f"sqlite:///{folder}/bench.sqlite", Path(folder))
        with postgres.server() as socket_folder:
            admin = Database(postgres_url(socket_folder, "postgres"))
            with admin.reader.connect() as connection:
                connection.exec_driver_sql("CREATE DATABASE webhooks")
            admin.dispose()
            measure("postgresql", postgres_url(socket_folder, "webhooks"), Path(folder))


if __name__ == "__main__":
    main()
