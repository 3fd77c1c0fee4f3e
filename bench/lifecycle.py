"""Lifecycles per second and processor time per case, the engine against the floor (``make bench``).

Both run on the same Temporal server, the same sandbox gateway and the same machine, in rounds that
take turns, so that a slow minute of the machine slows both.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from temporalio.testing import TimeSkipper

from bench.counting import count
from bench.environment import bench_environment
from bench.lives import EngineSide, FloorSide, Side, live, new_notice
from bench.report import Round, show
from bench.turns import in_turns
from bench.usage import cpu_seconds
from disputes.store import Store, open_store
from disputes.store.register import SqlRegister
from starter.client import DisputeDesk
from starter.embedded import embedded_stack
from starter.processes import Child
from starter.stack import Stack, log_file

#: Cases of each side that live before anything is measured: caches fill, workers connect.
_WARM_UP = 6


@dataclass(frozen=True)
class Bench:
    """What is measured: the two sides and the processes that work for them.

    Attributes:
        workers: the worker processes of each side, by its name.
    """

    stack: Stack
    skipper: TimeSkipper
    sides: tuple[Side, Side]
    workers: Mapping[str, list[Child]]

    async def round(self, side: Side, cases: int, concurrency: int) -> Round:
        """Let so many cases live, at most ``concurrency`` at once."""
        gateway = self.stack.endpoints.gateway or ""
        notices = [await new_notice(gateway) for _ in range(cases)]
        before, started = self._cpu(side), perf_counter()
        await in_turns(notices, lambda notice: live(side, self.skipper, notice), concurrency)
        seconds = perf_counter() - started
        spent = {name: cpu - before[name] for name, cpu in self._cpu(side).items()}
        return Round(side.name, cases, seconds, spent)

    def _cpu(self, side: Side) -> dict[str, float]:
        named = {child.name: child.pid for child in self.stack.children}
        return {
            "worker": sum(cpu_seconds(child.pid) for child in self.workers[side.name]),
            "server": cpu_seconds(named["temporal"]),
            "sandbox": cpu_seconds(named["sandbox"]),
            "client": cpu_seconds(os.getpid()),
        }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench.lifecycle", description=__doc__)
    parser.add_argument("--cases", type=int, default=60, help="in each round (default 60)")
    parser.add_argument("--concurrency", type=int, default=12, help="at once (default 12)")
    parser.add_argument("--rounds", type=int, default=3, help="of each side (default 3)")
    parser.add_argument("--workers", type=int, default=1, help="processes a side (default 1)")
    return parser.parse_args()


async def _prepare(stack: Stack, store: Store, workers: int) -> Bench:
    floor_workers = []
    for number in range(1, workers + 1):
        name = f"worker-floor-{number}"
        command = [sys.executable, "-m", "bench.floor_worker"]
        log = log_file(stack.folder, name)
        floor_workers.append(await Child.start(name, command, env=stack.env, log=log))
    stack.children.extend(floor_workers)
    desk = DisputeDesk(stack.client, SqlRegister(store))
    return Bench(
        stack=stack,
        skipper=TimeSkipper(stack.client),
        sides=(FloorSide(stack.client), EngineSide(stack.client, desk)),
        workers={"engine": stack.workers, "floor": floor_workers},
    )


async def _measure(asked: argparse.Namespace, stack: Stack) -> None:
    store = open_store(stack.settings.database_url)
    try:
        bench = await _prepare(stack, store, asked.workers)
        gateway = stack.endpoints.gateway or ""
        for side in bench.sides:
            await bench.round(side, _WARM_UP, asked.concurrency)
        # Whoever goes first meets a smaller server: take turns in that too.
        turns = [bench.sides[:: 1 if number % 2 == 0 else -1] for number in range(asked.rounds)]
        rounds = [
            await bench.round(side, asked.cases, asked.concurrency)
            for turn in turns
            for side in turn
        ]
        counted = [
            await count(side, bench.skipper, await new_notice(gateway)) for side in bench.sides
        ]
    finally:
        store.close()
    show(rounds, counted)


async def main() -> None:
    """Start the stack in a folder that is deleted again, measure and print."""
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="disputes-bench-") as folder:
        async with embedded_stack(
            Path(folder),
            env=bench_environment("DISPUTES_DATABASE_URL"),
            workers=asked.workers,
            time_skipping=True,
            sandbox_args=("--query-limit-per-minute", "0"),
        ) as stack:
            await _measure(asked, stack)


if __name__ == "__main__":
    asyncio.run(main())
