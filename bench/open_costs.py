"""What open cases cost: memory, bytes on disk, and how long a question and a timer take."""

import asyncio
import os
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from sqlmodel import col, select
from temporalio.client import Client

from bench.open_cases import Opener
from bench.open_starts import authorization, book
from bench.usage import cpu_seconds, memory_bytes
from disputes.authorization import AuthorizationTimer
from disputes.store import Store
from disputes.store.tables import NoticeRow
from starter.stack import Stack

_ASKED = 200
_TIMERS = 50
#: The first timer is due when all cases have long been opened, the others one by one.
_LEAD = timedelta(seconds=15)
_BETWEEN_TIMERS = timedelta(milliseconds=200)
_LATEST_S = 120.0
_LOOK_EVERY_S = 0.2
_IDLE_S = 10.0
#: A worker at rest takes less of one processor.
_AT_REST = 0.05
_REST_WITHIN_S = 60.0


@dataclass(frozen=True)
class Held:
    """What a stack holds at one moment, in bytes."""

    temporal_disk: int
    engine_disk: int
    server: int
    worker: int


def cpu(stack: Stack) -> dict[str, float]:
    """Processor seconds so far, by process, of all workers together; ``client`` is this one."""
    server = next(child for child in stack.children if child.name == "temporal")
    workers = [child for child in stack.workers if child.process.returncode is None]
    return {
        "server": cpu_seconds(server.pid),
        "worker": sum(cpu_seconds(child.pid) for child in workers),
        "client": cpu_seconds(os.getpid()),
    }


async def at_rest(stack: Stack) -> None:
    """Wait until the worker has nothing to do any more, but not for ever."""
    try:
        async with asyncio.timeout(_REST_WITHIN_S):
            while (await idle_share(stack, 1.0))["worker"] > _AT_REST:
                pass
    except TimeoutError:
        return


async def idle_share(stack: Stack, seconds: float = _IDLE_S) -> dict[str, float]:
    """How much of one processor each process takes while nothing is asked of it."""
    before, started = cpu(stack), perf_counter()
    await asyncio.sleep(seconds)
    lasted = perf_counter() - started
    return {name: (spent - before[name]) / lasted for name, spent in cpu(stack).items()}


def held(stack: Stack) -> Held:
    """What the stack holds now; its newest worker is the one that works."""
    server = next(child for child in stack.children if child.name == "temporal")
    return Held(
        temporal_disk=_database_bytes(stack.folder / "temporal.sqlite3"),
        engine_disk=_database_bytes(stack.folder / "disputes.sqlite3"),
        server=memory_bytes(server.pid),
        worker=memory_bytes(stack.workers[-1].pid),
    )


def _database_bytes(file: Path) -> int:
    """The pages of a database, those that are still in its write-ahead log among them."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(size)


async def ask(client: Client, open_ids: Sequence[str]) -> tuple[list[float], list[float]]:
    """Milliseconds that ``status`` takes of some cases that no worker has in its cache, and again.

    One question at a time.
    """
    chosen = random.sample(open_ids, min(_ASKED, len(open_ids)))
    return await _asked(client, chosen), await _asked(client, chosen)


async def _asked(client: Client, workflow_ids: Sequence[str]) -> list[float]:
    took = []
    for workflow_id in workflow_ids:
        started = perf_counter()
        await client.get_workflow_handle(workflow_id).query("status")
        took.append((perf_counter() - started) * 1000)
    return took


async def lateness(opener: Opener, store: Store, gateway_url: str) -> list[float]:
    """Milliseconds from the end of a pre-authorization to the notice of it on the books."""
    first = datetime.now(UTC) + _LEAD
    starts = [authorization(first + _BETWEEN_TIMERS * number) for number in range(_TIMERS)]
    due = {start.payment_id: start.expires_at for start in starts}
    await book(gateway_url, starts)
    await opener.open(starts)
    told: dict[str, datetime] = {}
    async with asyncio.timeout(_LATEST_S):
        while len(told) < _TIMERS:
            await asyncio.sleep(_LOOK_EVERY_S)
            told = await asyncio.to_thread(_told, store, tuple(due))
    return [
        (told[payment_id] - moment).total_seconds() * 1000
        for payment_id, moment in due.items()
        if moment is not None
    ]


def _told(store: Store, payment_ids: Sequence[str]) -> dict[str, datetime]:
    """When the notice of the end of each was written, by the database's clock."""
    notices = select(NoticeRow).where(
        col(NoticeRow.payment_id).in_(payment_ids),
        NoticeRow.kind == f"preauthorization_{AuthorizationTimer.EXPIRY.value}",
    )
    with store.read() as session:
        return {it.payment_id or "": it.told_at for it in session.exec(notices)}
