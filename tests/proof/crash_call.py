"""The smallest workflow that there is: it calls one activity, as a payment's own workflow will."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from disputes.fields import Durable
    from disputes.steps import MoneyMoved, MoveMoney, ResolveDoubt
    from workflows import options


class Call(Durable):
    """Which activity to call, and with what: one of the two."""

    step: str
    move: MoveMoney | None = None
    doubt: ResolveDoubt | None = None


@workflow.defn
class OneCall:
    """Calls a gateway step with the options that every case uses."""

    @workflow.run
    async def run(self, call: Call) -> MoneyMoved:
        """Give what the step gives."""
        moved: MoneyMoved = await workflow.execute_activity(
            call.step,
            call.move or call.doubt,
            result_type=MoneyMoved,
            start_to_close_timeout=options.GATEWAY_TIMEOUT,
            heartbeat_timeout=options.GATEWAY_HEARTBEAT,
            retry_policy=options.GATEWAY_RETRY,
        )
        return moved
