"""Workflows that were changed without a patch: each sleeps where no recorded one slept."""

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from disputes.authorization_status import PreAuthorizationSummary
    from disputes.order_status import OperationSummary
    from disputes.status import CaseSummary
    from workflows.dispute import DisputeWorkflow
    from workflows.ids import (
        DISPUTE_WORKFLOW,
        PAYOUT_WORKFLOW,
        PREAUTHORIZATION_WORKFLOW,
        REBILL_WORKFLOW,
        REFUND_WORKFLOW,
    )
    from workflows.messages import NOTHING
    from workflows.payout import PayoutWorkflow
    from workflows.preauthorization import PreAuthorizationWorkflow
    from workflows.rebill import RebillWorkflow
    from workflows.refund import RefundWorkflow


@workflow.defn(name=DISPUTE_WORKFLOW)
class ChangedDispute(DisputeWorkflow):
    """The same under the same name, with one timer more."""

    @workflow.init
    def __init__(self, start: RawValue = NOTHING) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: RawValue = NOTHING) -> CaseSummary:
        """Sleep, then live as always."""
        await workflow.sleep(1)
        return await super().run(start)


@workflow.defn(name=PREAUTHORIZATION_WORKFLOW)
class ChangedPreAuthorization(PreAuthorizationWorkflow):
    """The same under the same name, with one timer more."""

    @workflow.init
    def __init__(self, start: RawValue = NOTHING) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: RawValue = NOTHING) -> PreAuthorizationSummary:
        """Sleep, then live as always."""
        await workflow.sleep(1)
        return await super().run(start)


@workflow.defn(name=REFUND_WORKFLOW)
class ChangedRefund(RefundWorkflow):
    """The same under the same name, with one timer more."""

    @workflow.init
    def __init__(self, start: RawValue = NOTHING) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: RawValue = NOTHING) -> OperationSummary:
        """Sleep, then live as always."""
        await workflow.sleep(1)
        return await super().run(start)


@workflow.defn(name=PAYOUT_WORKFLOW)
class ChangedPayout(PayoutWorkflow):
    """The same under the same name, with one timer more."""

    @workflow.init
    def __init__(self, start: RawValue = NOTHING) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: RawValue = NOTHING) -> OperationSummary:
        """Sleep, then live as always."""
        await workflow.sleep(1)
        return await super().run(start)


@workflow.defn(name=REBILL_WORKFLOW)
class ChangedRebill(RebillWorkflow):
    """The same under the same name, with one timer more."""

    @workflow.init
    def __init__(self, start: RawValue = NOTHING) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: RawValue = NOTHING) -> OperationSummary:
        """Sleep, then live as always."""
        await workflow.sleep(1)
        return await super().run(start)
