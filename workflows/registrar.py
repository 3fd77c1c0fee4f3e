"""A case's dealings with its register: what is known at the start, and keeping what is new."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.case import CaseActivities
    from disputes.notice import DisputeNotice
    from disputes.steps import OpenCase, OpenedCase, RecordEvents
    from workflows import options
    from workflows.docket import Docket


class Registrar:
    """Each step is tried once as a local activity, then as a regular one until it works."""

    def __init__(self, docket: Docket) -> None:
        self._docket = docket
        self._saving: asyncio.Task[None] | None = None

    async def ask(self, notice: DisputeNotice | None) -> OpenedCase:
        """What the register knows of the case; a notice claims the case's id."""
        request = OpenCase(case_id=self._docket.case.case_id, notice=notice)
        try:
            return await workflow.execute_local_activity_method(
                CaseActivities.open_case,
                request,
                start_to_close_timeout=options.LOCAL_TIMEOUT,
                retry_policy=options.LOCAL_TRY,
            )
        except FailureError:
            return await workflow.execute_activity_method(
                CaseActivities.open_case,
                request,
                start_to_close_timeout=options.STORE_TIMEOUT,
                retry_policy=options.STORE_RETRY,
            )

    def save(self, *, everything: bool) -> None:
        """Start to record what is new; the register being away holds nothing else up.

        ``everything``: also what the operations' own rows tell already.
        """
        if self._saving is not None and self._saving.done():
            saved, self._saving = self._saving, None
            saved.result()
        if self._saving is None and self._docket.dirty(everything=everything):
            self._saving = asyncio.create_task(self._record())

    @property
    def done(self) -> bool:
        """Whether a recording has ended since the last ``save``."""
        return self._saving is not None and self._saving.done()

    @property
    def idle(self) -> bool:
        """Whether the register has everything."""
        return self._saving is None and self._docket.recorded

    async def _record(self) -> None:
        events = self._docket.hand_over()
        request = RecordEvents(case_id=self._docket.case.case_id, events=events)
        try:
            await workflow.execute_local_activity_method(
                CaseActivities.record_events,
                request,
                start_to_close_timeout=options.LOCAL_TIMEOUT,
                retry_policy=options.LOCAL_TRY,
            )
        except FailureError:
            await workflow.execute_activity_method(
                CaseActivities.record_events,
                request,
                start_to_close_timeout=options.STORE_TIMEOUT,
                retry_policy=options.STORE_RETRY,
            )
        self._docket.confirm(events)
