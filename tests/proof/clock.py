"""An event loop on virtual time: sleeping costs nothing, and one seed is one execution."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

T = TypeVar("T")
#: What a call to a thread becomes: its name and the work, run to the end in the loop's own thread.
Thread = Callable[[str, Callable[[], object]], Coroutine[Any, Any, object]]

#: Turns of the loop by which a case has come to rest, many times over.
TURNS = 200_000
START = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


class VirtualLoop(asyncio.BaseEventLoop):
    """Jumps to the next timer when nothing is left to do, and stops when there is none.

    Work for threads goes to ``thread``; ``drained`` is asked before time moves, and answers
    whether it has made something ready: so a condition is looked at when all that one moment
    brings has been done, as Temporal does.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seconds = 0.0
        self.turns = 0
        self._selector = self
        # A year of seconds has no nanoseconds: what is due would seem not to be, for ever.
        self._clock_resolution = 1e-6
        self.thread: Thread = _at_once
        self.drained: Callable[[], bool] = _never

    def time(self) -> float:
        """Seconds since the start."""
        return self._seconds

    @property
    def now(self) -> datetime:
        """The virtual moment, UTC."""
        return START + timedelta(seconds=self._seconds)

    def select(self, timeout: float | None) -> list[object]:
        """Called by the base class when it would wait for the world."""
        self.turns += 1
        if self.turns == TURNS:
            self.stop()
        if timeout == 0 or self.drained():
            return []
        if timeout is None:
            self.stop()
        else:
            self._seconds += timeout
        return []

    def run_in_executor(  # type: ignore[override]  # a task is a future
        self,
        executor: object,  # noqa: ARG002 - there are no threads
        func: Callable[..., T],
        *args: object,
    ) -> Awaitable[T]:
        """Run ``func`` in this thread, as one step among all others."""
        # asyncio.to_thread hands over a partial of Context.run on the function itself.
        called = getattr(func, "args", (func,))[0]
        work = self.thread(getattr(called, "__name__", "call"), lambda: func(*args))
        return self.create_task(cast("Coroutine[Any, Any, T]", work))

    def apart(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task that belongs to nobody: it goes on when its maker is killed."""
        return self.create_task(work, context=contextvars.Context())

    def _process_events(self, event_list: list[object]) -> None:
        """No sockets, no events."""

    def _write_to_self(self) -> None:
        """Nobody else's thread ever wakes this loop."""


async def _at_once(_name: str, work: Callable[[], object]) -> object:
    return work()


def _never() -> bool:
    return False
