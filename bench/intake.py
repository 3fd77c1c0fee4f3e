"""Feed lines per second against bare starts on the same server, and the memory (``make bench``).

New lines (claimed, started and acknowledged) and bare ``start_workflow`` calls take turns; then
what is repeated, what is rejected, and the memory of a process that takes much of both.
"""

import argparse
import asyncio
import json
import os
import random
import re
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter

from temporalio.client import Client

from bench.usage import machine
from disputes.decode import sha256
from disputes.store import open_store
from disputes.store.intake import IntakeBook
from disputes.store.migrations import migrate
from disputes.store.payment_reads import PaymentReads
from disputes.store.register import SqlRegister
from starter.client import DisputeDesk
from starter.feed_stream import FeedForm, take_feed
from starter.intake import Intake, Outcome
from starter.payment_desk import PaymentDesk
from starter.render import console, table
from starter.temporal_server import TemporalServer, start_temporal
from workflows.connection import connect
from workflows.ids import DISPUTE_WORKFLOW, TASK_QUEUE
from workflows.namespace import prepare_namespace

_PIECE = 128 * 1024
_COMMAND = "from starter.cli import main; main()"
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")
_MEGABYTE = 1_000_000
#: Exit codes of a feed that was taken to its end: of all its lines, or of those that are right.
_ENDED = (0, 3)
#: The same content in every round is what makes a repeat.
_RECEIVED = datetime.now(UTC).isoformat()


@dataclass(frozen=True)
class Bench:
    """The parts: nobody works on the task queue, for only the door is measured."""

    client: Client
    intake: Intake
    at_once: int

    async def take(self, lines: list[str], outcome: Outcome) -> float:
        """Lines per second of a feed, every one of which must end as ``outcome``."""
        feed = "\n".join(lines).encode()

        async def pieces() -> AsyncGenerator[bytes]:
            for start in range(0, len(feed), _PIECE):
                yield feed[start : start + _PIECE]

        started, now = perf_counter(), datetime.now(UTC)
        async with aclosing(take_feed(self.intake, pieces(), FeedForm(), lambda: now)) as taken:
            async for line in taken:
                if line.result.outcome is not outcome:
                    raise RuntimeError(f"line {line.raw.number} was {line.result.outcome}")
        return len(lines) / (perf_counter() - started)

    async def start(self, notices: list[dict[str, object]]) -> float:
        """Bare starts per second with the same content."""
        waiting = iter(notices)

        async def one_after_the_other() -> None:
            for notice in waiting:
                name = f"bare/{notice['dispute_id']}"
                start = self.client.start_workflow
                await start(DISPUTE_WORKFLOW, notice, id=name, task_queue=TASK_QUEUE)

        started = perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(self.at_once):
                group.create_task(one_after_the_other())
        return len(notices) / (perf_counter() - started)


def _notices(count: int, name: str) -> Iterator[dict[str, object]]:
    return (_notice(number, name) for number in range(count))


def _notice(number: int, name: str) -> dict[str, object]:
    return {
        "dispute_id": f"{name}-{number}",
        "merchant_id": "M-1",
        "payment_id": sha256(f"{name} {number}")[:32],
        "stage": "chargeback",
        "network": "visa",
        "reason_code": "13.1",
        "amount": {"amount": "92.00", "currency": "EUR"},
        "received_at": _RECEIVED,
    }


def _line(notice: dict[str, object]) -> str:
    event_id = f"{notice['dispute_id']}.opened"
    return json.dumps({"event_id": event_id, "type": "dispute.opened", "data": notice})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench.intake", description=__doc__)
    parser.add_argument("--lines", type=int, default=1000, help="in each round (default 1000)")
    parser.add_argument("--rounds", type=int, default=3, help="of each side (default 3)")
    parser.add_argument("--megabytes", type=int, default=100, help="of the large feed")
    parser.add_argument("--mixed", type=int, default=5000, help="lines of the feed with repeats")
    parser.add_argument("--repeats", type=int, default=40, help="of them, in percent (default 40)")
    return parser.parse_args()


async def _rates(bench: Bench, lines: int, rounds: int) -> list[tuple[str, str]]:
    await bench.take([_line(it) for it in _notices(64, "warm")], Outcome.ACCEPTED)
    await bench.start(list(_notices(64, "warm")))
    ratios, taken, started, repeated = [], [], [], []
    for number in range(rounds):
        notices = list(_notices(lines, f"r{number}"))
        feed = [_line(notice) for notice in notices]
        if number % 2:
            bare = await bench.start(notices)
            new = await bench.take(feed, Outcome.ACCEPTED)
        else:
            new = await bench.take(feed, Outcome.ACCEPTED)
            bare = await bench.start(notices)
        taken.append(new)
        started.append(bare)
        ratios.append(new / bare)
        repeated.append(await bench.take(feed * 5, Outcome.DUPLICATE))
    wrong = [_line(notice | {"network": "maestro"}) for notice in _notices(5 * lines, "wrong")]
    rejected = [await bench.take(wrong, Outcome.REJECTED) for _ in range(rounds)]
    ratio = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    return [
        ("new lines/s, started and acknowledged", f"{median(taken):.0f}"),
        ("bare starts/s", f"{median(started):.0f}"),
        ("new lines : bare starts", ratio),
        ("repeated lines/s", f"{median(repeated):.0f}"),
        ("rejected lines/s", f"{median(rejected):.0f}"),
    ]


async def _peak(env: dict[str, str], feed: Path) -> tuple[float, float]:
    """Peak memory (MB) and seconds of a ``disputes intake`` process."""
    started = perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", _COMMAND, "intake", str(feed)),
        env=env,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    peak = 0
    status = Path(f"/proc/{process.pid}/status")
    while process.returncode is None:
        if found := _PEAK.search(await asyncio.to_thread(_text, status)):
            peak = max(peak, int(found[1]))
        await asyncio.sleep(0.05)
    if process.returncode not in _ENDED:
        raise RuntimeError(f"the intake ended with {process.returncode}")
    return peak / 1000, perf_counter() - started


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # it has just ended
        return ""


def _write(feed: Path, size: int) -> None:
    """A feed of so many bytes: repeats, and rejected lines that are long, so that it ends soon."""
    notices = list(_notices(64, "warm"))
    lines = [_line(notice) for notice in notices]
    lines += [_line(notice | {"facts": {"description": "x" * 30_000}}) for notice in notices[:16]]
    block = "".join(f"{line}\n" for line in lines).encode()
    with feed.open("wb") as out:
        for _ in range(max(1, size // len(block))):
            out.write(block)


def write_mixed(feed: Path, lines: int, percent: int = 40) -> None:
    """A feed of so many lines; ``percent`` of them repeat one before, however long ago."""
    chance = random.Random(1)  # noqa: S311 - the same feed each time
    new = 0
    with feed.open("w") as out:
        for _ in range(lines):
            repeats = new > 0 and chance.randrange(100) < percent
            which = chance.randrange(new) if repeats else new
            new += not repeats
            out.write(f"{_line(_notice(which, 'mixed'))}\n")


async def _measure(asked: argparse.Namespace, folder: Path, server: TemporalServer) -> None:
    url = f"sqlite:///{folder / 'bench.sqlite3'}"
    await asyncio.to_thread(migrate, url)
    client = await connect(server.env)
    await prepare_namespace(client)
    store = await asyncio.to_thread(open_store, url)
    try:
        register = SqlRegister(store)
        payments = PaymentDesk(client, register, PaymentReads(store), TASK_QUEUE)
        intake = Intake(DisputeDesk(client, register), IntakeBook(store), payments)
        rows = await _rates(Bench(client, intake, 32), asked.lines, asked.rounds)
    finally:
        store.close()
    env = {**server.env, "DISPUTES_DATABASE_URL": url}
    for megabytes in (1, asked.megabytes):
        feed = folder / f"{megabytes}.jsonl"
        await asyncio.to_thread(_write, feed, megabytes * _MEGABYTE)
        peak, seconds = await _peak(env, feed)
        rows.append((f"peak MB, feed of {megabytes} MB ({seconds:.0f} s)", f"{peak:.0f}"))
    feed = folder / "mixed.jsonl"
    await asyncio.to_thread(write_mixed, feed, asked.mixed, asked.repeats)
    peak, seconds = await _peak(env, feed)
    rate = f"{asked.mixed / seconds:.0f}"
    what = f"lines/s, {asked.mixed:,} with {asked.repeats} % repeats (peak {peak:.0f} MB)"
    rows.append((what, rate))
    out = console()
    out.print(f"Machine: {machine()}; everything runs on it.\n")
    out.print(table("The intake, on SQLite", ("", ">"), rows))


async def main() -> None:
    """Start a server in a folder that is deleted again, measure and print."""
    asked = _arguments()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DISPUTES_", "TEMPORAL_"))}
    with tempfile.TemporaryDirectory(prefix="disputes-bench-") as name:
        folder = Path(name)
        # In a file: half a million started cases do not fit into memory.
        server = await start_temporal(
            kept, log=folder / "temporal.log", database=folder / "temporal.sqlite3"
        )
        try:
            await _measure(asked, folder, server)
        finally:
            await server.child.stop()


if __name__ == "__main__":
    asyncio.run(main())
