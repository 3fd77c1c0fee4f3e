"""Comparisons with the gateway as tests start them: by name, or of one payment."""

from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy

from disputes.reconciliation import FIRST, LAST, ReconciliationReport
from tests.support.engine import Engine
from workflows.ids import RECONCILIATION_WORKFLOW

Handle = WorkflowHandle[object, ReconciliationReport]


async def start(engine: Engine, name: str, content: object = None) -> Handle:
    """Start a comparison under a name of the test's choice; ``content`` is its input."""
    return await engine.client.start_workflow(
        RECONCILIATION_WORKFLOW,
        content,
        id=f"reconciliation/{engine.name}-{name}",
        task_queue=engine.settings.task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        result_type=ReconciliationReport,
    )


def window(**more: object) -> dict[str, object]:
    """A window without an end, as JSON."""
    return {"from": FIRST.isoformat(), "to": LAST.isoformat(), **more}


async def reconcile(engine: Engine, payment_id: str, **more: object) -> ReconciliationReport:
    """Compare one payment, as a person does who has learned something about it."""
    handle = await start(engine, payment_id, window(payment_id=payment_id, **more))
    return await handle.result()
