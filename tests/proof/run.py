"""Runs one seed to its verdict."""

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass
from functools import cache

from tests.proof.bugs import planted
from tests.proof.clock import VirtualLoop
from tests.proof.faults import Faults
from tests.proof.judge import Judge
from tests.proof.memory import MemoryStore
from tests.proof.world import World, staged


@dataclass(frozen=True)
class Verdict:
    """What one seed came to; ``findings`` is empty where the money is right."""

    seed: int
    findings: tuple[str, ...]
    faults: Counter[str]
    twins: Counter[str]
    disputes: int
    calls: int
    digest: str
    lines: tuple[str, ...]


@cache
def _store() -> MemoryStore:
    return MemoryStore()


def simulate(
    seed: int,
    *,
    workers: int = 2,
    bug: str | None = None,
    theme: str | None = None,
    trace: bool = False,
) -> Verdict:
    """One simulated case, always the same for the same seed.

    ``bug`` is one of ``bugs.BUGS``; ``theme`` one of ``script.THEMES``, or the seed decides.
    """
    logging.disable(logging.CRITICAL)
    loop = VirtualLoop()
    faults = Faults(seed, trace=trace)
    try:
        with planted(bug):
            world = World(faults, _store(), workers, loop, theme)
            with staged(loop, world.stage):
                playing = loop.apart(world.play())
                playing.add_done_callback(_stop)
                loop.run_forever()
                playing.remove_done_callback(_stop)
                findings = []
                if not playing.done():
                    findings.append("the simulation stood still")
                else:
                    playing.result()
                judge = Judge(world)
                judge.judge()
                _end(loop)
    finally:
        loop.close()
        logging.disable(logging.NOTSET)
    return Verdict(
        seed,
        (*findings, *judge.findings),
        faults.counts,
        judge.twins,
        len(world.script.disputes),
        world.wire.calls,
        faults.digest,
        tuple(faults.lines),
    )


def _stop(task: asyncio.Task[None]) -> None:
    task.get_loop().stop()


def _end(loop: VirtualLoop) -> None:
    """Let everything that still waits go."""
    loop.drained = lambda: False
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
