"""Does together what many callers ask for at once: one transaction where each took its own."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from disputes.errors import Conflict

K = TypeVar("K")
R = TypeVar("R")


class Grouped(Generic[K, R]):
    """Hands blocking work to a thread, one group at a time.

    Who asks while a group is under way is in the next one: nobody waits for company.
    """

    def __init__(self, work: Callable[[Sequence[K]], Sequence[R | Conflict]]) -> None:
        self._work = work
        self._waiting: list[tuple[K, asyncio.Future[R]]] = []
        self._runner: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many wait for the next group, also of those whose caller has gone."""
        return len(self._waiting)

    async def do(self, item: K) -> R:
        """The result of ``item``; raises the ``Conflict`` that stands for one, or what failed."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._runner is None:
            # A task of its own: a caller that is cancelled must not take the others with it.
            self._runner = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                await self._answer(group)
        finally:
            self._runner = None

    async def _answer(self, group: Sequence[tuple[K, asyncio.Future[R]]]) -> None:
        results: Sequence[R | Exception]
        try:
            results = await asyncio.to_thread(self._work, [item for item, _ in group])
        except Exception as error:  # noqa: BLE001 - it is raised to everybody in the group
            results = [error] * len(group)
        for (_, answer), result in zip(group, results, strict=True):
            if answer.done():
                continue
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)
