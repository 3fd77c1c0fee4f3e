"""How soon the gateway's notifications are acknowledged, by itself and beside a feed.

A replica of the API as its command serves it, a ``disputes intake`` process that takes a feed in
the same database, and a gateway that sends so many notifications a second whatever becomes of them.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import httpx

from bench.api import replica
from bench.intake import write_mixed
from bench.usage import machine
from disputes.decode import sha256
from disputes.store.migrations import migrate
from starter.api.webhooks import PATH
from starter.render import console, table
from starter.temporal_server import TemporalServer, start_temporal
from tests.support.postgres import postgres_programs, run_postgres
from tests.support.webhooks import KEY, notification, sealed
from workflows.connection import connect
from workflows.namespace import prepare_namespace

_COMMAND = "from starter.cli import main; main()"
_KEPT = 200


@dataclass
class Gateway:
    """Sends notifications of refunds, each of another payment, and notes what is answered."""

    client: httpx.AsyncClient
    name: str
    per_second: float

    async def send_until(self, end: asyncio.Event) -> list[tuple[int, float]]:
        """Status and seconds of each answer; the next one does not wait for it."""
        sending: list[asyncio.Task[tuple[int, float]]] = []
        while not end.is_set():
            sending.append(asyncio.create_task(self._send(len(sending))))
            await asyncio.sleep(1 / self.per_second)
        return await asyncio.gather(*sending)

    async def _send(self, number: int) -> tuple[int, float]:
        entry = {"id": sha256(f"{self.name} {number}")[:32], "payment_type": "RF"}
        body, headers = sealed(notification(entry, referencedId=sha256(f"of {number}")[:32]))
        begun = perf_counter()
        answer = await self.client.post(PATH, content=body, headers=headers)
        return answer.status_code, perf_counter() - begun


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench.webhooks", description=__doc__)
    parser.add_argument("--per-second", type=float, default=10, help="notifications (default 10)")
    parser.add_argument("--alone", type=float, default=10, help="seconds without a feed")
    parser.add_argument("--lines", type=int, default=4000, help="of the feed (default 4,000)")
    parser.add_argument("--databases", nargs="*", default=["sqlite", "postgres"])
    return parser.parse_args()


async def _feed(env: dict[str, str], feed: Path, end: asyncio.Event) -> None:
    nowhere = asyncio.subprocess.DEVNULL
    command = (sys.executable, "-c", _COMMAND, "intake", str(feed))
    start = asyncio.create_subprocess_exec
    process = await start(*command, env=env, stdout=nowhere, stderr=nowhere)
    if await process.wait():
        raise RuntimeError("the feed was not taken")
    end.set()


async def _measured(
    name: str, url: str, asked: argparse.Namespace, server: TemporalServer, folder: Path
) -> list[tuple[str, ...]]:
    await asyncio.to_thread(migrate, url)
    feed = folder / f"{name}.jsonl"
    await asyncio.to_thread(write_mixed, feed, asked.lines)
    env = {**server.env, "DISPUTES_DATABASE_URL": url}
    with replica(url, folder, **server.env, DISPUTES_WEBHOOK_KEYS=KEY) as (address, _):
        # Shorter than the API keeps a connection that is not used: else one meets the other's end.
        limits = httpx.Limits(keepalive_expiry=1)
        async with httpx.AsyncClient(base_url=address, timeout=10, limits=limits) as client:
            alone = asyncio.Event()
            asyncio.get_running_loop().call_later(asked.alone, alone.set)
            quiet = await Gateway(client, f"{name} alone", asked.per_second).send_until(alone)
            end = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                gateway = Gateway(client, f"{name} beside", asked.per_second)
                sending = group.create_task(gateway.send_until(end))
                group.create_task(_feed(env, feed, end))
    return [_row(name, "alone", quiet), _row(name, "beside a feed", sending.result())]


def _row(database: str, beside: str, answers: list[tuple[int, float]]) -> tuple[str, ...]:
    took = sorted(seconds * 1000 for _, seconds in answers)
    turned_away = sum(status != _KEPT for status, _ in answers)
    half, last = took[len(took) // 2], took[len(took) * 99 // 100]
    figures = f"{half:.0f}", f"{last:.0f}", f"{took[-1]:.0f}"
    return database, beside, str(len(took)), *figures, f"{turned_away / len(took):.1%}"


async def main() -> None:
    """Measure each database and print a table."""
    asked = _arguments()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DISPUTES_", "TEMPORAL_"))}
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="disputes-bench-")))
        urls = {"SQLite": f"sqlite:///{folder / 'bench.sqlite3'}"}
        programs = postgres_programs()
        if "postgres" in asked.databases and programs:
            postgres = exits.enter_context(run_postgres(programs, durable=True))
            urls["PostgreSQL"] = postgres.url(postgres.new_database())
        if "sqlite" not in asked.databases:
            del urls["SQLite"]
        rows = []
        for name, url in urls.items():
            server = await start_temporal(kept, log=folder / f"{name}.log")
            try:
                await prepare_namespace(await connect(server.env))
                rows += await _measured(name, url, asked, server, folder)
            finally:
                await server.child.stop()
    columns = ("database", "", ">sent", ">median ms", ">p99 ms", ">longest ms", ">503")
    console().print(f"Machine: {machine()}; everything runs on it.\n")
    console().print(table("Notifications until they are acknowledged", columns, rows))


if __name__ == "__main__":
    asyncio.run(main())
