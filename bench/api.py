"""Reads per second and p99 of the HTTP API on many cases, SQLite and PostgreSQL.

Asked by one client, by many that pause between two questions, and by many that never pause.

The cases are rows written straight into the table, each with the status of a real case; each
replica of the API is a process of its own, and the clients share another.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import psycopg

from bench.api_cases import fill, paths
from bench.api_clients import Clients
from bench.usage import cpu_seconds, machine
from disputes.decode import sha256
from disputes.store.engine import open_store
from disputes.store.migrations import migrate
from starter.api.keys import ApiKey, Role, entry_of
from starter.render import console, note, table
from tests.support.postgres import postgres_programs, run_postgres

_SECRET = "dk_bench"  # noqa: S105 - of an API that ends with the measurement
_SAYS = "api listening on "
_READS = (
    "list by deadline",
    "list, no deadline",
    "list of a merchant",
    "list by status",
    "search by id",
    "search by ARN",
    "detail",
    "portfolio",
    "portfolio of a merchant",
    "healthz",
)


@dataclass(frozen=True)
class Measured:
    """One kind of read by so many clients: requests per second, and times in ms."""

    database: str
    read: str
    clients: str
    rate: float
    median_ms: float
    p99_ms: float
    cpu_ms: float


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench.api", description=__doc__)
    parser.add_argument("--cases", type=int, default=200_000, help="default 200,000")
    parser.add_argument("--clients", type=int, default=50, help="at once (default 50)")
    parser.add_argument(
        "--pause", type=float, default=0.2, help="seconds of those that pause (default 0.2)"
    )
    parser.add_argument("--requests", type=int, default=3000, help="of each kind (default 3,000)")
    parser.add_argument("--limit", type=int, default=50, help="cases of a page (default 50)")
    parser.add_argument("--replicas", type=int, default=2, help="processes of the API (default 2)")
    parser.add_argument("--databases", nargs="*", default=["sqlite", "postgres"])
    return parser.parse_args()


@contextmanager
def replica(url: str, folder: Path, **settings: str) -> Iterator[tuple[str, int]]:
    """The API as its command serves it; gives its address and its process."""
    key = ApiKey(
        name="bench", roles=frozenset({Role.VIEWER}), sha256=sha256(_SECRET), per_minute=1_000_000
    )
    file = folder / "api-keys.toml"
    file.write_text(entry_of(key))
    env = {name: value for name, value in os.environ.items() if not name.startswith("DISPUTES_")}
    env |= {"DISPUTES_DATABASE_URL": url, "DISPUTES_API_KEYS_FILE": str(file), **settings}
    command = [sys.executable, "-m", "starter.cli", "api", "--port", "0"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield line.removeprefix(_SAYS).strip(), process.pid
        finally:
            process.terminate()


def _measured(name: str, url: str, asked: argparse.Namespace, folder: Path) -> Iterator[Measured]:
    migrate(url)
    store = open_store(url)
    begun = perf_counter()
    fill(store, asked.cases)
    store.close()
    if url.startswith("postgresql"):
        # It does so by itself within minutes: beside the measurement.
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM")
    note(f"{name}: {asked.cases:,} cases written in {perf_counter() - begun:.0f} s")
    with ExitStack() as exits:
        replicas = [exits.enter_context(replica(url, folder)) for _ in range(asked.replicas)]
        addresses, processes = zip(*replicas, strict=True)
        # The API connects to its database with the first questions: they are not counted.
        first = Clients(addresses, _SECRET, asked.clients)
        asyncio.run(first.ask(paths("detail", asked.cases, asked.limit), 10 * asked.clients))
        for read in _READS:
            for clients, pause in ((1, 0.0), (asked.clients, asked.pause), (asked.clients, 0.0)):
                before = sum(map(cpu_seconds, processes))
                several = Clients(addresses, _SECRET, clients, pause)
                questions = paths(read, asked.cases, asked.limit)
                # A portfolio sums over all cases: thousands of them would take an hour.
                requests = asked.requests // 50 if read == "portfolio" else asked.requests
                rate, took = asyncio.run(several.ask(questions, requests))
                cpu = (sum(map(cpu_seconds, processes)) - before) / len(took)
                half, last = took[len(took) // 2], took[len(took) * 99 // 100]
                times = (seconds * 1000 for seconds in (half, last, cpu))
                label = f"{clients}, pausing" if pause else str(clients)
                yield Measured(name, read, label, rate, *times)


def main() -> None:
    """Measure each database and print a table."""
    asked = _arguments()
    found: list[Measured] = []
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="disputes-bench-")))
        if "sqlite" in asked.databases:
            found += _measured("SQLite", f"sqlite:///{folder / 'bench.sqlite3'}", asked, folder)
        programs = postgres_programs()
        if "postgres" in asked.databases and programs:
            server = exits.enter_context(run_postgres(programs, durable=True))
            found += _measured("PostgreSQL", server.url(server.new_database()), asked, folder)
    columns = ("database", "read", ">clients", ">reads/s", ">median ms", ">p99 ms", ">CPU ms")
    rows = (
        (
            it.database,
            it.read,
            it.clients,
            f"{it.rate:.0f}",
            f"{it.median_ms:.1f}",
            f"{it.p99_ms:.1f}",
            f"{it.cpu_ms:.2f}",
        )
        for it in found
    )
    load = os.getloadavg()[0]
    console().print(f"Machine: {machine()}; load {load:.1f}; clients and API share it.\n")
    title = f"Reads of {asked.replicas} replicas of the API on {asked.cases:,} cases"
    console().print(table(title, columns, rows))


if __name__ == "__main__":
    main()
