"""Starts a comparison with the gateway and waits for its report."""

from datetime import timedelta
from typing import Final

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError

from disputes.errors import Conflict
from disputes.reconciliation import ReconciliationReport, ReconciliationWindow
from starter.client import ANSWER_TIMEOUT
from starter.refusals import translated
from workflows.ids import RECONCILIATION, RECONCILIATION_WORKFLOW
from workflows.refusals import refusal_of

#: Between two signs of life of a comparison that may take hours.
_PATIENCE: Final[timedelta] = ANSWER_TIMEOUT


class Reconciler:
    """Runs comparisons by hand.

    ``Unreachable`` when Temporal is away or no worker answers, ``Conflict`` when a comparison of
    that name has another window.
    """

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def run(self, name: str, window: ReconciliationWindow) -> ReconciliationReport:
        """Compare a window; one of that name that runs already is waited for.

        Args:
            name: the same for the same window, such as its date.
            window: what to compare.
        """
        async with translated():
            handle = await self._client.start_workflow(
                RECONCILIATION_WORKFLOW,
                window.model_dump(mode="json", exclude_none=True),
                id=f"{RECONCILIATION}/{name}",
                task_queue=self._task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                result_type=ReconciliationReport,
            )
            # Only a worker answers a query: without one, nobody would ever report.
            await handle.query("progress", rpc_timeout=_PATIENCE)
            report = await _result(handle)
        if report.window != window:
            raise Conflict("the reconciliation", ["window"])
        return report


async def _result(
    handle: WorkflowHandle[object, ReconciliationReport],
) -> ReconciliationReport:
    try:
        return await handle.result()
    except WorkflowFailureError as error:
        if isinstance(error.cause, ApplicationError):
            raise refusal_of(error.cause) from None
        raise
