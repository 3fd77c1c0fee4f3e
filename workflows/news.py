"""The way to a workflow for who is none: reaches it running, closed or forgotten."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError

from disputes.decode import json_of
from disputes.errors import Refusal
from disputes.messages import Booking, RequestRebill
from disputes.requests import ConditionMet, EntryTold, PreAuthorization
from workflows.ids import (
    DISPUTE_WORKFLOW,
    PAYMENT_WORKFLOWS,
    PREAUTHORIZATION_WORKFLOW,
    dispute_workflow_id,
    payment_workflow_id,
)
from workflows.refusals import refusal_of

_REUSE = WorkflowIDReusePolicy.ALLOW_DUPLICATE
_EXISTING = WorkflowIDConflictPolicy.USE_EXISTING
#: How long a case may take to answer; the caller asks again under the same update id.
_PATIENCE = timedelta(seconds=20)


class TemporalCaseNews:
    """Tells workflows by signal-with-start; adapter of ``ports.PaymentNews``."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def booking(self, dispute_id: str, booking: Booking) -> None:
        """Tell a case of an entry that the gateway shows."""
        await self._tell(DISPUTE_WORKFLOW, dispute_workflow_id(dispute_id), booking)

    async def payment_booking(self, workflow_id: str, entry: EntryTold) -> None:
        """Tell a payment's own workflow of an entry that the gateway shows."""
        kind = PAYMENT_WORKFLOWS[workflow_id.partition("/")[0]]
        await self._tell(kind, workflow_id, entry)

    async def _tell(self, kind: str, workflow_id: str, booking: Booking | EntryTold) -> None:
        await self._client.start_workflow(
            kind,
            id=workflow_id,
            task_queue=self._task_queue,
            id_reuse_policy=_REUSE,
            id_conflict_policy=_EXISTING,
            start_signal="booking",
            start_signal_args=[json_of(booking)],
        )

    async def authorization(self, start: PreAuthorization, met: Sequence[ConditionMet]) -> None:
        """Start the workflow of an authorization, once, and tell it which conditions are met.

        One that has closed is not started again for nothing.
        """
        workflow_id = payment_workflow_id("preauthorization", start.payment_id)
        handle = await self._client.start_workflow(
            PREAUTHORIZATION_WORKFLOW,
            json_of(start),
            id=workflow_id,
            task_queue=self._task_queue,
            id_reuse_policy=_REUSE,
            id_conflict_policy=_EXISTING,
        )
        for condition in met:
            await handle.signal("condition_met", json_of(condition))

    async def rebill(
        self, dispute_id: str, request: RequestRebill, update_id: str
    ) -> Mapping[str, object]:
        """Have a case charge its shopper again; gives the case's answer. Raises its ``Refusal``."""
        start = WithStartWorkflowOperation[object, dict[str, object]](
            DISPUTE_WORKFLOW,
            id=dispute_workflow_id(dispute_id),
            task_queue=self._task_queue,
            id_reuse_policy=_REUSE,
            id_conflict_policy=_EXISTING,
        )
        refusal: Refusal | None = None
        try:
            answer: dict[str, object] = await self._client.execute_update_with_start_workflow(
                "request_rebill",
                json_of(request),
                start_workflow_operation=start,
                id=update_id,
                rpc_timeout=_PATIENCE,
            )
        except WorkflowUpdateFailedError as error:
            if not isinstance(error.cause, ApplicationError):
                raise
            refusal = refusal_of(error.cause)
        else:
            return answer
        raise refusal
