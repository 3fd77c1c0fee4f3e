"""Has many things done, so many at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def in_turns(things: Iterable[T], done: Callable[[T], Awaitable[None]], at_once: int) -> None:
    """Have each thing done, at most ``at_once`` at a time, in their order."""
    left = iter(things)

    async def one_after_the_other() -> None:
        for thing in left:
            await done(thing)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(one_after_the_other())
