"""What every workflow of an order can be told, asked and commanded."""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from disputes.errors import Refusal
    from disputes.order_status import OperationSummary
    from disputes.orders import OrderKind
    from workflows.order import OrderRun
    from workflows.refusals import as_application_error


class OrderDoors:
    """Signals, updates and the query of a refund, payout or rebill."""

    def __init__(self, kind: OrderKind) -> None:
        self._order = OrderRun(kind)

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
        """All that may be asked of the order."""
        return self._order.status()
