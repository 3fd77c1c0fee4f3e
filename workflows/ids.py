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
#: Workflow types of a payment's own work, and what their ids begin with.
PREAUTHORIZATION_WORKFLOW: Final = "PreAuthorizationWorkflow"
REFUND_WORKFLOW: Final = "RefundWorkflow"
PAYOUT_WORKFLOW: Final = "PayoutWorkflow"
REBILL_WORKFLOW: Final = "RebillWorkflow"
PAYMENT_WORKFLOWS: Final = {
    "preauthorization": PREAUTHORIZATION_WORKFLOW,
    "refund": REFUND_WORKFLOW,
    "payout": PAYOUT_WORKFLOW,
    "rebill": REBILL_WORKFLOW,
}
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


def payment_workflow_id(kind: str, own_id: str) -> str:
    """Workflow id of a pre-authorization (by its payment's id), refund, payout or rebill."""
    return f"{kind}/{own_id}"


def own_id_of(workflow_id: str) -> str:
    """What follows the kind in the id of a payment's own workflow; empty for a wrong one."""
    _kind, _, own_id = workflow_id.partition("/")
    try:
        return _ID.validate_python(own_id)
    except ValidationError:
        return ""
