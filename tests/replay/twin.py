"""A case that was changed without a patch: it sleeps where no recorded case slept."""

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from disputes.status import CaseSummary
    from workflows.dispute import DisputeWorkflow
    from workflows.ids import DISPUTE_WORKFLOW
    from workflows.messages import NOTHING


@workflow.defn(name=DISPUTE_WORKFLOW)
class ChangedWorkflow(DisputeWorkflow):
    """The same case under the same name, with one timer more."""

    @workflow.init
    def __init__(self, start: RawValue = NOTHING) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: RawValue = NOTHING) -> CaseSummary:
        """Sleep, then live as always."""
        await workflow.sleep(1)
        return await super().run(start)
