"""The story of one refund: RF inside the window, CD to a registration beyond it, never both."""

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from disputes.order_status import OperationSummary
    from workflows.ids import REFUND_WORKFLOW
    from workflows.messages import NOTHING
    from workflows.order_doors import OrderDoors


@workflow.defn(name=REFUND_WORKFLOW)
class RefundWorkflow(OrderDoors):
    """One refund of a capture, debit or rebill, or the taking back of a payout."""

    @workflow.init
    def __init__(self, start: RawValue = NOTHING) -> None:  # noqa: ARG002 - as run takes it
        super().__init__("refund")

    @workflow.run
    async def run(self, start: RawValue = NOTHING) -> OperationSummary:
        """Carry the refund to its end."""
        return await self._order.run(start)
