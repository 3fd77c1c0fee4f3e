"""The clocks of a demo's workflows: each has its own, which runs ahead when it is told to."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper

Handle = WorkflowHandle[Any, Any]
_POLL_S = 0.02
#: Wall time in which a workflow comes to any moment of its own, on a busy machine too.
_REACHED_WITHIN_S = 120.0


class Clocks:
    """Moves the clocks of workflows; one driver for each, strictly in turn.

    A message during a fast-forward would come at an unforeseeable moment.
    """

    def __init__(self, client: Client) -> None:
        self._skipper = TimeSkipper(client)

    async def reach(self, handle: Handle, moment: datetime) -> bool:
        """Bring a workflow's clock to ``moment`` (UTC); false when it does not run.

        Raises:
            TimeoutError: it does not come to rest.
        """
        async with asyncio.timeout(_REACHED_WITHIN_S):
            clock = await self.quiet(handle)
            if clock is None:
                return False
            return clock >= moment or await self._skipper.fast_forward(handle, moment - clock)

    async def pass_time(self, handle: Handle, duration: timedelta) -> bool:
        """Let time go by for a workflow; false when it has ended."""
        clock = await self.quiet(handle)
        return clock is not None and await self.reach(handle, clock + duration)

    async def quiet(self, handle: Handle) -> datetime | None:
        """A workflow's time once it only waits; ``None`` when it does not run.

        Time does not pass while an activity runs, so a fast-forward would begin from nowhere.
        """
        while True:
            try:
                described = await handle.describe()
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    return None
                raise
            if described.status is not WorkflowExecutionStatus.RUNNING:
                return None
            case = described.raw_description
            if not case.pending_activities and not case.HasField("pending_workflow_task"):
                break
            await asyncio.sleep(_POLL_S)
        skipped = case.workflow_extended_info
        if not skipped.HasField("time_skipping_info"):
            return datetime.now(UTC)  # its clock has never run ahead
        return skipped.time_skipping_info.current_time.ToDatetime(tzinfo=UTC)
