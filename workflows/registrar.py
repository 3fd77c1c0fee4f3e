"""A case's dealings with its register: what is known at the start, and keeping what is new."""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.case import CaseActivities
    from disputes.notice import DisputeNotice
    from disputes.steps import OpenCase, OpenedCase, RecordEvents
    from workflows.docket import Docket
    from workflows.store_step import store_step


class Registrar:
    """Each step is tried once as a local activity, then as a regular one until it works."""

    def __init__(self, docket: Docket) -> None:
        self._docket = docket
        self._saving: asyncio.Task[None] | None = None

    async def ask(self, notice: DisputeNotice | None) -> OpenedCase:
        """What the register knows of the case; a notice claims the case's id."""
        request = OpenCase(case_id=self._docket.case.case_id, notice=notice)
        return await store_step(CaseActivities.open_case, request)

    def save(self, *, everything: bool) -> None:
        """Start to record what is new; the register being away holds nothing else up.

        ``everything``: also what the operations' own rows tell already.
        """
        if self._saving is not None and self._saving.done():
            saved, self._saving = self._saving, None
            saved.result()
        # Whoever proves the operation reads there that its case does not know it. Runs of before
        # kept a doubt only with what came next, and are replayed so.
        doubts = self._docket.doubts and workflow.patched("record-doubts-at-once")
        if self._saving is None and self._docket.dirty(everything=everything or doubts):
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
        await store_step(CaseActivities.record_events, request)
        self._docket.confirm(events)
