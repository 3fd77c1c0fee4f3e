"""The story of one payout: a standalone credit (CD) to the shopper's registration."""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from disputes.errors import Refusal
    from disputes.order_status import OperationSummary
    from workflows.ids import PAYOUT_WORKFLOW
    from workflows.messages import NOTHING
    from workflows.order import OrderRun
    from workflows.refusals import as_application_error


@workflow.defn(name=PAYOUT_WORKFLOW)
class PayoutWorkflow:
    """One payout, for one of the three reasons of the back-office guide."""

    @workflow.init
    def __init__(self, start: RawValue = NOTHING) -> None:  # noqa: ARG002 - as run takes it
        self._order = OrderRun("payout")

    @workflow.run
    async def run(self, start: RawValue = NOTHING) -> OperationSummary:
        """Carry the payout to its end."""
        return await self._order.run(start)

    @workflow.signal(dynamic=True)
    def fact(self, name: str, args: Sequence[RawValue]) -> None:
        """What the gateway told of it."""
        self._order.receive(name, args)

    @workflow.update(dynamic=True)
    async def command(self, name: str, args: Sequence[RawValue]) -> dict[str, object]:
        """A second person's decision, or a word on an operation in doubt."""
        return await self._order.command(name, args)

    @command.validator
    def _check_command(self, name: str, args: Sequence[RawValue]) -> None:
        refusal: Refusal | None = None
        try:
            self._order.read_command(name, args)
        except Refusal as error:
            refusal = error
        if refusal is not None:
            raise as_application_error(refusal)

    @workflow.query
    def status(self) -> OperationSummary:
        """All that may be asked of the payout."""
        return self._order.status()
