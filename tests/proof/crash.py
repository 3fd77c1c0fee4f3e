"""The crash matrix: every operation, every step, every fault, on real processes.

``python -m tests.proof.crash --only "rebill/after marked sent/worker killed"`` repeats one cell.
"""

import asyncio
import math
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from asyncio import Queue
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from tests.proof.crash_cell import operations, run_cell
from tests.proof.crash_lane import environment, run_lane
from tests.proof.crash_plan import Cell, Fault, Seen
from tests.proof.crash_report import figures, write
from tests.support.sandbox import run_sandbox


def every_cell() -> list[Cell]:
    """All there are."""
    return [
        Cell(operation, step, fault)
        for operation, steps in operations().items()
        for fault in Fault
        for step in steps
    ]


async def run_matrix(
    cells: Sequence[Cell],
    lanes: int,
    folder: Path,
    *,
    seconds: float = math.inf,
    told: Callable[[Seen], None] = lambda _seen: None,
) -> list[Seen]:
    """Carry cells out, so many at once as there are lanes; gives those that were.

    Args:
        cells: in the order in which they start.
        lanes: each has servers of its own.
        folder: for databases and logs.
        seconds: after so many no further cell begins.
        told: called with each result as it comes.
    """
    waiting: Queue[Cell] = Queue()
    for cell in cells:
        waiting.put_nowait(cell)
    results: dict[Cell, Seen] = {}
    until = time.monotonic() + seconds

    async def work(number: int) -> None:
        async with run_lane(folder / f"lane-{number}", sandbox) as lane:
            while not waiting.empty() and time.monotonic() < until:
                cell = waiting.get_nowait()
                results[cell] = await run_cell(lane, cell)
                told(results[cell])

    async with AsyncExitStack() as exits:
        unlimited = ("--query-limit-per-minute", "0")
        sandbox = await exits.enter_async_context(
            run_sandbox(folder, *unlimited, env=environment())
        )
        async with asyncio.TaskGroup() as group:
            for number in range(min(lanes, len(cells))):
                group.create_task(work(number))
    return [results[cell] for cell in cells if cell in results]


def _say(seen: Seen) -> None:
    word = "; ".join(seen.faults) or "right"
    line = f"{seen.cell}: {seen.calls} sent, {seen.booked} booked, {seen.state} {seen.told}"
    sys.stdout.write(f"{line} ({seen.seconds:.1f} s): {word}\n")
    sys.stdout.flush()


def _options(arguments: list[str] | None) -> Namespace:
    parser = ArgumentParser("python -m tests.proof.crash", description=__doc__)
    parser.add_argument("--only", default="", help="operation/step/fault, or a part of it")
    parser.add_argument("--minutes", type=float, default=math.inf, help="then no cell begins")
    parser.add_argument("--lanes", type=int, default=4, help="cells at once")
    parser.add_argument("--write", type=Path, help="document that takes the table")
    parser.add_argument("--keep", type=Path, help="folder for databases and logs, to look into")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 where a cell is not as it must be."""
    options = _options(arguments)
    cells = [cell for cell in every_cell() if options.only in str(cell)]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="disputes-crash-") as temporary:
        folder: Path = options.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        seconds = options.minutes * 60
        running = run_matrix(cells, options.lanes, folder, seconds=seconds, told=_say)
        results = asyncio.run(running)
    text = figures(results, len(cells), time.monotonic() - began, options.lanes)
    sys.stdout.write(f"{text}\n")
    if options.write:
        write(options.write, text)
    return 1 if any(seen.faults for seen in results) else 0


if __name__ == "__main__":
    raise SystemExit(main())
