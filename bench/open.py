"""The cost of waiting: what 1,000, 10,000 and 50,000 open cases hold and how fast they answer.

Half are disputes, half pre-authorizations. All sizes are reached on one stack, one after the other.
"""

import argparse
import asyncio
import math
import os
import tempfile
from pathlib import Path
from time import monotonic, perf_counter

from bench.environment import bench_environment
from bench.open_cases import Opener
from bench.open_costs import Held, ask, at_rest, cpu, held, idle_share, lateness
from bench.open_report import Size, show
from bench.open_starts import book, mixed
from disputes.store import Store, open_store
from starter.embedded import embedded_stack
from starter.render import note
from starter.stack import Stack
from workflows.schedule import SCHEDULE_ID

_WARM_UP = 20


class Growing:
    """One stack that is filled with cases, and measured at each size on its way.

    Attributes:
        measured: every size so far.
        end: the moment at which no more are opened (monotonic seconds).
    """

    def __init__(self, stack: Stack, store: Store, asked: argparse.Namespace) -> None:
        self.measured: list[Size] = []
        self._stack = stack
        self._store = store
        self._gateway = stack.endpoints.gateway or ""
        self.end = monotonic() + asked.minutes * 60
        self._opener = Opener(stack, store, asked.concurrency, self.end)
        # The timers' cases are opened when the time is over, too.
        self._timers = Opener(stack, store, asked.concurrency)
        self._helpers: int = asked.helpers
        self._open_ids: list[str] = []
        #: cases that were opened for the timers alone, and have ended
        self._ended = 0

    async def empty(self) -> Held:
        """What the stack holds with next to nothing in it; everything has run once."""
        await self._open(_WARM_UP)
        await at_rest(self._stack)
        return held(self._stack)

    async def to(self, cases: int, empty: Held) -> None:
        """Open as many as are missing to so many, and measure."""
        missing = cases - len(self._open_ids)
        note(f"{cases:,} open cases: {missing:,} to open (load {os.getloadavg()[0]:.1f})")
        seconds, spent = await self._open(missing)
        missing -= cases - len(self._open_ids)
        await at_rest(self._stack)
        idle, now = await idle_share(self._stack), held(self._stack)
        # What took an hour to open is told before anything that follows can fail.
        note(f"  opened in {seconds:.0f} s; processor seconds {spent}; {now}; idle {idle}")
        await self._new_worker()
        cold, warm = await ask(self._stack.client, self._open_ids)
        late = await lateness(self._timers, self._store, self._gateway)
        self.measured.append(
            Size(
                open=len(self._open_ids),
                added=len(self._open_ids) - _WARM_UP + self._ended,
                started=missing,
                seconds=seconds,
                cpu=spent,
                empty=empty,
                held=now,
                idle=idle,
                cold=cold,
                warm=warm,
                late=late,
            )
        )
        self._ended += len(late)

    async def _open(self, count: int) -> tuple[float, dict[str, float]]:
        """Open so many cases; gives the seconds, and the processor seconds by process."""
        starts = mixed(count)
        await book(self._gateway, starts)
        helpers = [await self._stack.start_worker() for _ in range(self._helpers)]
        before, started = cpu(self._stack), perf_counter()
        self._open_ids += await self._opener.open(starts)
        seconds = perf_counter() - started
        spent = {name: now - before[name] for name, now in cpu(self._stack).items()}
        for helper in helpers:
            await helper.stop()
            self._stack.workers.remove(helper)
        return seconds, spent

    async def _new_worker(self) -> None:
        """Replace the worker: the next has no case in its cache."""
        await self._stack.workers[-1].stop()
        await self._stack.start_worker()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench.open", description=__doc__)
    parser.add_argument(
        "--sizes",
        type=lambda text: sorted({int(size) for size in text.split(",")}),
        default=[1_000, 10_000, 50_000],
        help="numbers of open cases, with commas (default 1000,10000,50000)",
    )
    parser.add_argument(
        "--helpers", type=int, default=0, help="workers that help to open, and end then (default 0)"
    )
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="then what is open is measured"
    )
    parser.add_argument("--concurrency", type=int, default=32, help="at once (default 32)")
    return parser.parse_args()


async def _measure(asked: argparse.Namespace, stack: Stack) -> None:
    store = open_store(stack.settings.database_url)
    growing = Growing(stack, store, asked)
    try:
        empty = await growing.empty()
        for cases in asked.sizes:
            if monotonic() < growing.end:
                await growing.to(cases, empty)
    finally:
        # What was measured before it was broken off is worth hours.
        if growing.measured:
            show(growing.measured)
        store.close()


async def main() -> None:
    """Start the stack in a folder that is deleted again, measure and print."""
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="disputes-bench-") as folder:
        async with embedded_stack(
            Path(folder),
            env=bench_environment(),
            sandbox_args=("--query-limit-per-minute", "0"),
        ) as stack:
            # Else a run that lasts over two in the morning compares every open case meanwhile.
            await stack.client.get_schedule_handle(SCHEDULE_ID).pause()
            await _measure(asked, stack)


if __name__ == "__main__":
    asyncio.run(main())
