"""The one timer of a case."""

import asyncio
from datetime import datetime

from temporalio import workflow

#: Seconds; none at all would make no timer.
_SHORTEST_S = 0.001


class Alarm:
    """A durable timer for one moment; setting the same moment again costs nothing."""

    def __init__(self) -> None:
        self._moment: datetime | None = None
        self._sleep: asyncio.Task[None] | None = None

    def set(self, moment: datetime | None) -> None:
        """Wake at ``moment`` (UTC), at once for one that has passed; ``None``: not at all.

        A running timer is kept where the moment has not moved: each costs two events.
        """
        if moment == self._moment and not self.rang:
            return
        if self._sleep is not None:
            self._sleep.cancel()
        self._moment, self._sleep = moment, None
        if moment is not None:
            seconds = (moment - workflow.now()).total_seconds()
            self._sleep = asyncio.create_task(asyncio.sleep(max(seconds, _SHORTEST_S)))

    @property
    def rang(self) -> bool:
        """Whether the timer has ended: the history's word, where a clock read anew could differ."""
        return self._sleep is not None and self._sleep.done()
