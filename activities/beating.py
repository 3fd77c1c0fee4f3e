"""Heartbeats of a step that waits for the gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity

_BEAT_S = 1.0


@asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """Heartbeats as long as the block runs: a dead worker's call is taken up within seconds."""

    async def beat() -> None:
        while True:  # the first one late: most calls end before it, and each is billed
            await asyncio.sleep(_BEAT_S)
            activity.heartbeat()

    beats = asyncio.create_task(beat())
    try:
        yield
    finally:
        beats.cancel()
