"""Reads per second and p99 of the HTTP API on many cases, SQLite and PostgreSQL.

The cases are rows written straight into the table, each with the status of a real case; the API is
a process of its own, and the clients share another.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

import httpx
from sqlalchemy import text

from bench.usage import machine
from disputes.decode import sha256
from disputes.specimens import cases
from disputes.status import status_of
from disputes.store.engine import Store, open_store
from disputes.store.migrations import migrate
from disputes.store.tables import CaseRow
from starter.api.keys import ApiKey, Role, entry_of
from starter.render import console, note, table
from tests.support.postgres import postgres_programs, run_postgres

_SECRET = "dk_bench"  # noqa: S105 - of an API that ends with the measurement
_SAYS = "api listening on "
_TOGETHER = 2000
_START = datetime(2026, 11, 1, tzinfo=UTC)
_WARM_UP = 100


@dataclass(frozen=True)
class Measured:
    """One kind of read by so many clients: requests per second, and times in ms."""

    database: str
    read: str
    clients: int
    rate: float
    median_ms: float
    p99_ms: float


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench.api", description=__doc__)
    parser.add_argument("--cases", type=int, default=200_000, help="default 200,000")
    parser.add_argument("--clients", type=int, default=50, help="at once (default 50)")
    parser.add_argument("--requests", type=int, default=3000, help="of each kind (default 3,000)")
    parser.add_argument("--limit", type=int, default=50, help="cases of a page (default 50)")
    parser.add_argument("--databases", nargs="*", default=["sqlite", "postgres"])
    return parser.parse_args()


def _fill(store: Store, count: int) -> None:
    """So many cases of a thousand merchants, with deadlines within three months."""
    chance = random.Random(1)  # noqa: S311 - the same cases each time
    kinds = [status_of(case) for case in cases()]
    for first in range(0, count, _TOGETHER):
        rows = []
        for number in range(first, min(first + _TOGETHER, count)):
            due = _START + timedelta(seconds=chance.randrange(90 * 86_400))
            shown = kinds[number % len(kinds)].model_copy(
                update={
                    "dispute_id": f"D-{number}",
                    "merchant_id": f"M-{chance.randrange(1000)}",
                    "payment_id": sha256(f"payment {number}")[:32],
                    "next_deadline": due,
                }
            )
            row = CaseRow(
                case_id=shown.dispute_id,
                merchant_id=shown.merchant_id,
                payment_id=shown.payment_id,
                network=shown.network,
                reason_code=shown.reason_code,
                arn=f"{number:023d}",
                stage=shown.stage,
                status=shown.status,
                finality=shown.finality,
                amount_minor=chance.randrange(100, 500_000),
                currency="EUR",
                next_deadline=due,
                sequence=shown.sequence,
                updated_at=_START,
                status_json=shown.model_dump_json(),
            )
            rows.append(row.model_dump())
        with store.write() as session:
            session.connection().execute(CaseRow.__table__.insert(), rows)  # type: ignore[attr-defined]
    with store.write() as session:
        session.connection().execute(text("ANALYZE"))


@contextmanager
def _api(url: str, folder: Path) -> Iterator[str]:
    """The API as its command serves it; gives its address."""
    key = ApiKey(
        name="bench", roles=frozenset({Role.VIEWER}), sha256=sha256(_SECRET), per_minute=1_000_000
    )
    file = folder / "api-keys.toml"
    file.write_text(entry_of(key))
    env = {name: value for name, value in os.environ.items() if not name.startswith("DISPUTES_")}
    env |= {"DISPUTES_DATABASE_URL": url, "DISPUTES_API_KEYS_FILE": str(file)}
    command = [sys.executable, "-m", "starter.cli", "api", "--port", "0"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield line.removeprefix(_SAYS).strip()
        finally:
            process.terminate()


def _paths(read: str, count: int, limit: int) -> Iterator[str]:
    chance = random.Random(read)  # noqa: S311 - the same questions each time
    while True:
        number, merchant = chance.randrange(count), chance.randrange(1000)
        due = _START + timedelta(days=chance.randrange(90))
        yield {
            "list by deadline": f"/v1/disputes?limit={limit}",
            "list of a merchant": f"/v1/disputes?merchant_id=M-{merchant}&limit={limit}",
            "list by status": f"/v1/disputes?status=collecting&due_before={due:%Y-%m-%dT%H:%M:%SZ}"
            f"&limit={limit}",
            "search by id": f"/v1/disputes?q=D-{number}&limit={limit}",
            "search by ARN": f"/v1/disputes?q={number:023d}&limit={limit}",
            "detail": f"/v1/disputes/D-{number}",
            "healthz": "/healthz",
        }[read]


_READS = (
    "list by deadline",
    "list of a merchant",
    "list by status",
    "search by id",
    "search by ARN",
    "detail",
    "healthz",
)


async def _measure(
    url: str, read: str, asked: argparse.Namespace, *, clients: int
) -> tuple[float, list[float]]:
    """Requests per second and the time of each, of so many clients that ask without a pause."""
    paths = _paths(read, asked.cases, asked.limit)
    took: list[float] = []
    left = iter(range(asked.requests + _WARM_UP))

    async def ask(http: httpx.AsyncClient) -> None:
        for _ in left:
            begun = perf_counter()
            answer = await http.get(next(paths))
            took.append(perf_counter() - begun)
            answer.raise_for_status()

    headers = {"Authorization": f"Bearer {_SECRET}"}
    begun = perf_counter()
    async with AsyncExitStack() as exits, asyncio.TaskGroup() as group:
        for _ in range(clients):
            http = httpx.AsyncClient(base_url=url, headers=headers, timeout=60)
            group.create_task(ask(await exits.enter_async_context(http)))
    seconds = perf_counter() - begun
    return len(took) / seconds, sorted(took[_WARM_UP:])


def _measured(name: str, url: str, asked: argparse.Namespace, folder: Path) -> list[Measured]:
    migrate(url)
    store = open_store(url)
    begun = perf_counter()
    _fill(store, asked.cases)
    store.close()
    note(f"{name}: {asked.cases:,} cases written in {perf_counter() - begun:.0f} s")
    found = []
    with _api(url, folder) as address:
        for read in _READS:
            for clients in sorted({1, asked.clients}):
                rate, took = asyncio.run(_measure(address, read, asked, clients=clients))
                half, last = took[len(took) // 2], took[len(took) * 99 // 100]
                found.append(Measured(name, read, clients, rate, half * 1000, last * 1000))
    return found


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
    columns = ("database", "read", ">clients", ">reads/s", ">median ms", ">p99 ms")
    rows = (
        (
            it.database,
            it.read,
            it.clients,
            f"{it.rate:.0f}",
            f"{it.median_ms:.1f}",
            f"{it.p99_ms:.1f}",
        )
        for it in found
    )
    load = os.getloadavg()[0]
    console().print(f"Machine: {machine()}; load {load:.1f}; clients and API share it.\n")
    console().print(table(f"Reads of the API on {asked.cases:,} cases", columns, rows))


if __name__ == "__main__":
    main()
