"""The lines of a feed that are under way: bounded, and given back in their order."""

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Generic, TypeVar

from starter.lines import RawLine

#: Lines, and bytes of lines, read ahead while the oldest is still under way.
_LINES = 256
_BYTES = 8 * 1024 * 1024

R = TypeVar("R")


class Window(Generic[R]):
    """What is under way, oldest first, and the newest of each subject."""

    def __init__(self) -> None:
        self._lines: deque[tuple[RawLine, asyncio.Future[R], str]] = deque()
        self._newest: dict[str, asyncio.Future[R]] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def full(self) -> bool:
        """Whether the oldest must end before more is read."""
        return len(self._lines) >= _LINES or self._bytes > _BYTES

    @property
    def ready(self) -> bool:
        """Whether the oldest has ended."""
        return bool(self._lines) and self._lines[0][1].done()

    def newest(self, subject: str) -> asyncio.Future[R] | None:
        """The newest line of a subject that is under way."""
        return self._newest.get(subject)

    def add(self, raw: RawLine, result: R) -> None:
        """A line of which nothing is left to do."""
        ended: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        ended.set_result(result)
        self._append(raw, ended, "")

    def start(self, raw: RawLine, subject: str, work: Coroutine[None, None, R]) -> None:
        """A line that is to be delivered."""
        task = asyncio.create_task(work)
        self._newest[subject] = task
        self._append(raw, task, subject)

    def _append(self, raw: RawLine, under_way: asyncio.Future[R], subject: str) -> None:
        self._lines.append((raw, under_way, subject))
        self._bytes += len(raw.content)

    async def oldest(self) -> tuple[RawLine, R]:
        """Wait for the oldest line and forget it."""
        raw, under_way, subject = self._lines[0]
        result = await under_way
        self._lines.popleft()
        self._bytes -= len(raw.content)
        if self._newest.get(subject) is under_way:
            del self._newest[subject]
        return raw, result

    async def cancel(self) -> None:
        """End what is under way; it is known as not delivered."""
        for _, under_way, _ in self._lines:
            under_way.cancel()
        await asyncio.gather(*(it for _, it, _ in self._lines), return_exceptions=True)
