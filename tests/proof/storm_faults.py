"""Which process is struck, how, and for how long: a plan that one seed draws and replays."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from starter.processes import Child
from tests.proof.crash_lane import SETTLE_WINDOW_S, strike
from tests.proof.storm_ground import Ground

_Strike = Callable[[Ground, "Blow"], Awaitable[None]]
_KILLED = "worker: SIGKILL"
_FROZEN = "worker: SIGSTOP, up to longer than the settle window"
#: Needs a disk of our own.
FULL_DISK = "database and Temporal server: disk full"


@dataclass(frozen=True)
class Blow:
    """One fault: its kind, which worker it means, seconds it lasts, seconds until the next."""

    kind: str
    worker: int
    lasts_s: float
    pause_s: float


def plan(seed: int, count: int, *, full_disk: bool) -> list[Blow]:
    """The blows of a storm, in order."""
    random = Random(seed)  # noqa: S311 - replayed, not secret
    kinds = [kind for kind in STRIKES if full_disk or kind != FULL_DISK]
    weights = [_WEIGHTS[kind] for kind in kinds]
    return [
        Blow(
            kind=random.choices(kinds, weights)[0],
            worker=random.randrange(100),
            lasts_s=random.choice((0.5, 1.0, 2.0, SETTLE_WINDOW_S + 2)),
            pause_s=random.uniform(1.5, 5.5),
        )
        for _ in range(count)
    ]


async def _kill_worker(ground: Ground, blow: Blow) -> None:
    victim = _worker(ground, blow)
    strike(victim, signal.SIGKILL)
    await victim.process.wait()


async def _freeze_worker(ground: Ground, blow: Blow) -> None:
    await _frozen(_worker(ground, blow), blow.lasts_s)


async def _kill_database(ground: Ground, _blow: Blow) -> None:
    await ground.kill_database()


async def _freeze_database(ground: Ground, blow: Blow) -> None:
    await ground.by_hand(lambda: ground.stop_database(signal.SIGSTOP))
    try:
        await asyncio.sleep(min(blow.lasts_s, 2.0))
    finally:
        await ground.by_hand(lambda: ground.stop_database(signal.SIGCONT))


async def _cut_database(ground: Ground, _blow: Blow) -> None:
    await ground.by_hand(ground.end_sessions)


async def _kill_temporal(ground: Ground, _blow: Blow) -> None:
    strike(ground.temporal.child, signal.SIGKILL)
    await ground.temporal.child.process.wait()


async def _freeze_temporal(ground: Ground, blow: Blow) -> None:
    await _frozen(ground.temporal.child, min(blow.lasts_s, 2.0))


async def _cut_temporal(ground: Ground, _blow: Blow) -> None:
    ground.to_temporal.cut()


async def _cut_gateway(ground: Ground, _blow: Blow) -> None:
    ground.to_gateway.cut()


async def _fill_disk(ground: Ground, blow: Blow) -> None:
    if ground.disk is None:
        return
    await ground.by_hand(ground.disk.fill)
    try:
        await asyncio.sleep(min(blow.lasts_s, 2.0))
    finally:
        await ground.by_hand(ground.disk.free)


STRIKES: dict[str, _Strike] = {
    _KILLED: _kill_worker,
    _FROZEN: _freeze_worker,
    "worker: connections to the gateway cut": _cut_gateway,
    "worker: connections to the Temporal server cut": _cut_temporal,
    "database: SIGKILL": _kill_database,
    "database: SIGSTOP": _freeze_database,
    "database: connections cut": _cut_database,
    "Temporal server: SIGKILL": _kill_temporal,
    "Temporal server: SIGSTOP": _freeze_temporal,
    FULL_DISK: _fill_disk,
}
_WEIGHTS = dict.fromkeys(STRIKES, 2) | {_KILLED: 5, _FROZEN: 4, FULL_DISK: 1}


def _worker(ground: Ground, blow: Blow) -> Child:
    living = [it for it in ground.workers if it.process.returncode is None]
    return living[blow.worker % len(living)]


async def _frozen(child: Child, seconds: float) -> None:
    strike(child, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        with suppress(ProcessLookupError):  # killed meanwhile
            strike(child, signal.SIGCONT)
