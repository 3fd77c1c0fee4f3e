"""The story of one rebill: RB on a debit, or by a dispute's case where it was charged back."""

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from disputes.order_status import OperationSummary
    from workflows.ids import REBILL_WORKFLOW
    from workflows.messages import NOTHING
    from workflows.order_doors import OrderDoors


@workflow.defn(name=REBILL_WORKFLOW)
class RebillWorkflow(OrderDoors):
    """One rebill, asked for from outside of a case."""

    @workflow.init
    def __init__(self, start: RawValue = NOTHING) -> None:  # noqa: ARG002 - as run takes it
        super().__init__("rebill")

    @workflow.run
    async def run(self, start: RawValue = NOTHING) -> OperationSummary:
        """Carry the rebill to its end."""
        return await self._order.run(start)
