"""Keeps a payment's own workflow in the register while it goes on with its work."""

import asyncio
from collections.abc import Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.payment_case import PaymentCaseActivities
    from disputes.notices import Notice
    from disputes.payment_steps import PaymentFile, RecordPayment
    from workflows.store_step import store_step


class Keeper:
    """Records what changed, one recording at a time; the register being away holds nothing up.

    ``file_of`` makes the file of a revision as the workflow stands now.
    """

    def __init__(self, file_of: Callable[[int], PaymentFile]) -> None:
        self._file_of = file_of
        self._saving: asyncio.Task[None] | None = None
        self._notices: list[Notice] = []
        self._revision = self._saved = 0

    def start_from(self, revision: int) -> None:
        """Go on from what the register has."""
        self._revision = self._saved = revision

    def changed(self, *notices: Notice) -> None:
        """Something is new, and is to be told."""
        self._revision += 1
        self._notices += notices

    def save(self, lapsed_id: str | None = None) -> None:
        """Start to record what is new; ``lapsed_id``: see ``RecordPayment``."""
        if self._saving is not None and self._saving.done():
            saved, self._saving = self._saving, None
            saved.result()
        if self._saving is None and self._revision > self._saved:
            notices, self._notices = tuple(self._notices), []
            record = RecordPayment(
                file=self._file_of(self._revision), notices=notices, lapsed_id=lapsed_id
            )
            self._saving = asyncio.create_task(self._record(record))

    @property
    def done(self) -> bool:
        """Whether a recording has ended since the last ``save``."""
        return self._saving is not None and self._saving.done()

    @property
    def idle(self) -> bool:
        """Whether the register has everything."""
        return self._saving is None and self._revision == self._saved

    async def _record(self, record: RecordPayment) -> None:
        await store_step(PaymentCaseActivities.record_payment, record)
        self._saved = record.file.revision
