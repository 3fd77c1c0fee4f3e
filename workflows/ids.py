"""Names under which Temporal knows our work (contract, Temporal)."""

from typing import Final

from pydantic import TypeAdapter, ValidationError

from disputes.fields import Identifier

#: Default task queue; ``DISPUTES_TASK_QUEUE`` sets another.
TASK_QUEUE: Final = "disputes"
#: Workflow type of a dispute.
DISPUTE_WORKFLOW: Final = "DisputeWorkflow"
#: Workflow type of a comparison with the gateway, and what its ids begin with.
RECONCILIATION_WORKFLOW: Final = "ReconciliationWorkflow"
RECONCILIATION: Final = "reconciliation"
_DISPUTE_PREFIX: Final = "dispute/"
_ID: Final = TypeAdapter(Identifier)


def dispute_workflow_id(dispute_id: str) -> str:
    """Workflow id of a dispute."""
    return f"{_DISPUTE_PREFIX}{dispute_id}"


def dispute_id_of(workflow_id: str) -> str:
    """Dispute id of a dispute's workflow id; empty for one that no dispute can have."""
    before, prefix, dispute_id = workflow_id.partition(_DISPUTE_PREFIX)
    try:
        return "" if before or not prefix else _ID.validate_python(dispute_id)
    except ValidationError:
        return ""
