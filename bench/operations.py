"""Gateway operations per second on SQLite and PostgreSQL, against a bare POST (``make bench``).

All of them book chargebacks at the same sandbox, in rounds that take turns.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from time import perf_counter, process_time

import httpx

from bench.operation_sides import BareSide, OperationSide, Side
from bench.turns import in_turns
from bench.usage import cpu_seconds, machine
from disputes.gateway.client import Gateway, Timeouts
from disputes.store import open_store
from disputes.store.migrations import migrate
from starter.processes import Child
from starter.render import console, note, table
from tests.support.postgres import postgres_programs, run_postgres

_WARM_UP = 20
_SAYS = "sandbox listening on "
_BARE = "bare POST"


@dataclass(frozen=True)
class Round:
    """One round of one side; ``client`` and ``sandbox`` are processor seconds."""

    side: str
    operations: int
    seconds: float
    client: float
    sandbox: float

    @property
    def rate(self) -> float:
        """Operations per second."""
        return self.operations / self.seconds


async def _round(side: Side, sandbox: Child, operations: int, concurrency: int) -> Round:
    """Book so many chargebacks, at most ``concurrency`` at once."""
    plans = [await side.prepare() for _ in range(operations)]
    cpu, far, started = process_time(), cpu_seconds(sandbox.pid), perf_counter()
    await in_turns(plans, side.book, concurrency)
    seconds = perf_counter() - started
    spent = process_time() - cpu, cpu_seconds(sandbox.pid) - far
    return Round(side.name, operations, seconds, *spent)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench.operations", description=__doc__)
    parser.add_argument("--operations", type=int, default=100, help="in each round (default 100)")
    parser.add_argument("--concurrency", type=int, default=8, help="at once (default 8)")
    parser.add_argument("--rounds", type=int, default=3, help="of each side (default 3)")
    return parser.parse_args()


@contextmanager
def _databases(folder: Path) -> Iterator[dict[str, str]]:
    """A fresh database of each kind, each commit of which reaches the disk."""
    found = {"SQLite": f"sqlite:///{folder / 'bench.sqlite3'}"}
    programs = postgres_programs()
    if programs is None:
        note("PostgreSQL is not installed (initdb was not found): SQLite alone is measured")
        yield found
        return
    with run_postgres(programs, durable=True) as server:
        yield found | {"PostgreSQL": server.url(server.new_database())}


async def _start_sandbox(folder: Path) -> tuple[Child, str]:
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--query-limit-per-minute", "0"]
    child = await Child.start("sandbox", command, env=os.environ, log=folder / "sandbox.log")

    async def announced() -> str | None:
        lines = (line for line in child.output().splitlines() if line.startswith(_SAYS))
        return next(lines, None)

    return child, (await child.until(announced)).removeprefix(_SAYS)


async def _measure(asked: argparse.Namespace, folder: Path, databases: dict[str, str]) -> None:
    sandbox, url = await _start_sandbox(folder)
    async with AsyncExitStack() as exits:
        exits.push_async_callback(sandbox.stop)
        gateway = await exits.enter_async_context(Gateway(Timeouts.within(30)))
        sides: list[Side] = [BareSide(url, await exits.enter_async_context(httpx.AsyncClient()))]
        for name, database in databases.items():
            migrate(database)
            store = open_store(database)
            exits.callback(store.close)
            sides.append(OperationSide(name, url, store, gateway))
        for side in sides:
            await _round(side, sandbox, _WARM_UP, asked.concurrency)
        rounds = [
            await _round(side, sandbox, asked.operations, asked.concurrency)
            for number in range(asked.rounds)
            for side in sides[:: 1 if number % 2 == 0 else -1]
        ]
    _show([side.name for side in sides], rounds)


def _show(sides: Sequence[str], rounds: Sequence[Round]) -> None:
    by_side = {name: [one for one in rounds if one.side == name] for name in sides}
    out = console()
    out.print(f"Machine: {machine()}; everything runs on it.\n")
    rows = []
    for name, of in by_side.items():
        ratios = sorted(one.rate / bare.rate for one, bare in zip(of, by_side[_BARE], strict=True))
        rows.append(
            (
                name,
                f"{median(one.rate for one in of):.0f}",
                f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
                f"{mean(one.client / one.operations for one in of) * 1000:.1f}",
                f"{mean(one.sandbox / one.operations for one in of) * 1000:.1f}",
            )
        )
    columns = ("", ">operations/s, median round", ">: bare POST", ">engine ms", ">sandbox ms")
    out.print(table("One operation, and the processor time it takes", columns, rows))


async def main() -> None:
    """Start sandbox and databases in folders that are deleted again, measure and print."""
    asked = _arguments()
    with (
        tempfile.TemporaryDirectory(prefix="disputes-bench-") as folder,
        _databases(Path(folder)) as databases,
    ):
        await _measure(asked, Path(folder), databases)


if __name__ == "__main__":
    asyncio.run(main())
