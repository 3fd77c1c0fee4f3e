"""The story of one payout: a standalone credit (CD) to the shopper's registration."""

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from disputes.order_status import OperationSummary
    from workflows.ids import PAYOUT_WORKFLOW
    from workflows.messages import NOTHING
    from workflows.order_doors import OrderDoors


@workflow.defn(name=PAYOUT_WORKFLOW)
class PayoutWorkflow(OrderDoors):
    """One payout, for one of the three reasons of the back-office guide."""

    @workflow.init
    def __init__(self, start: RawValue = NOTHING) -> None:  # noqa: ARG002 - as run takes it
        super().__init__("payout")

    @workflow.run
    async def run(self, start: RawValue = NOTHING) -> OperationSummary:
        """Carry the payout to its end."""
        return await self._order.run(start)
