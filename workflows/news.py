"""The way to a case for who is no case: reaches it running, closed or forgotten."""

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from disputes.decode import json_of
from disputes.messages import Booking
from workflows.ids import DISPUTE_WORKFLOW, dispute_workflow_id


class TemporalCaseNews:
    """Tells cases by signal-with-start; adapter of ``ports.CaseNews``."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def booking(self, dispute_id: str, booking: Booking) -> None:
        """Tell a case of an entry that the gateway shows."""
        await self._client.start_workflow(
            DISPUTE_WORKFLOW,
            id=dispute_workflow_id(dispute_id),
            task_queue=self._task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="booking",
            start_signal_args=[json_of(booking)],
        )
