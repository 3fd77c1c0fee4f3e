"""Opens cases and waits until each of them has nothing left to do but wait."""

import asyncio
import math
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from time import monotonic

from sqlmodel import Session, col, select

from bench.open_starts import Start
from bench.turns import in_turns
from disputes.authorization import Authorization
from disputes.notice import DisputeNotice
from disputes.requests import PreAuthorization
from disputes.store import Store
from disputes.store.register import SqlRegister
from disputes.store.tables import CaseRow, OperationRow, PaymentFileRow
from disputes.vocabulary import AuthorizationState, OperationState, Purpose, Status
from starter.client import TASK_TIMEOUT, DisputeDesk
from starter.render import note
from starter.stack import Stack
from workflows.ids import (
    PREAUTHORIZATION_WORKFLOW,
    dispute_id_of,
    dispute_workflow_id,
    payment_workflow_id,
)

_LOOK_EVERY_S = 0.1
_PATIENCE_S = 600.0
_TOLD_EVERY = 1000


class Opener:
    """Opens cases on one stack, so many at once, until the moment ``end`` (monotonic seconds)."""

    def __init__(self, stack: Stack, store: Store, at_once: int, end: float = math.inf) -> None:
        self._client = stack.client
        self._queue = stack.settings.task_queue
        self._desk = DisputeDesk(stack.client, SqlRegister(store), self._queue)
        self._store = store
        self._at_once = at_once
        self._end = end
        self._awaited: dict[str, asyncio.Event] = {}

    async def open(self, starts: Sequence[Start]) -> list[str]:
        """Open cases until each waits; gives their workflow ids."""
        opened: list[str] = []

        async def one(start: Start) -> None:
            if monotonic() > self._end:
                return
            opened.append(await self._open(start))
            if len(opened) % _TOLD_EVERY == 0:
                note(f"  {len(opened):,} of {len(starts):,} wait")

        async with self._looking():
            await in_turns(starts, one, self._at_once)
        return opened

    async def _open(self, start: Start) -> str:
        if isinstance(start, DisputeNotice):
            workflow_id = dispute_workflow_id(start.dispute_id)
            await self._desk.open(start)
        else:
            workflow_id = payment_workflow_id("preauthorization", start.payment_id)
            await self._authorize(workflow_id, start)
        waits = self._awaited[workflow_id] = asyncio.Event()
        async with asyncio.timeout(_PATIENCE_S):
            await waits.wait()
        return workflow_id

    async def _authorize(self, workflow_id: str, start: PreAuthorization) -> None:
        await self._client.start_workflow(
            PREAUTHORIZATION_WORKFLOW,
            start.model_dump(mode="json", exclude_unset=True),
            id=workflow_id,
            task_queue=self._queue,
            task_timeout=TASK_TIMEOUT,
        )

    @asynccontextmanager
    async def _looking(self) -> AsyncIterator[None]:
        """Tell those who wait, for as long as it lasts, that their case waits."""

        async def look() -> None:
            while True:
                await asyncio.sleep(_LOOK_EVERY_S)
                for workflow_id in await asyncio.to_thread(self._waiting, tuple(self._awaited)):
                    self._awaited.pop(workflow_id).set()

        looking = asyncio.create_task(look())
        try:
            yield
        finally:
            looking.cancel()

    def _waiting(self, workflow_ids: Collection[str]) -> set[str]:
        """Those of a few cases of which the gateway's part is done and on the books."""
        with self._store.read() as session:
            return _disputes(session, workflow_ids) | _authorizations(session, workflow_ids)


def _disputes(session: Session, workflow_ids: Collection[str]) -> set[str]:
    """Disputes that collect evidence, their chargeback booked."""
    found = session.exec(
        select(CaseRow.case_id, CaseRow.status)
        .join(OperationRow, col(OperationRow.dispute_id) == col(CaseRow.case_id))
        .where(
            col(CaseRow.case_id).in_([dispute_id_of(one) for one in workflow_ids]),
            OperationRow.purpose == Purpose.BOOK,
            OperationRow.state == OperationState.SETTLED,
        )
    )
    # Asked for in SQL, the status would have SQLite go through all that collect.
    return {dispute_workflow_id(case_id) for case_id, it in found if it == Status.COLLECTING}


def _authorizations(session: Session, workflow_ids: Collection[str]) -> set[str]:
    """Pre-authorizations of which the gateway has told."""
    files = session.exec(
        select(PaymentFileRow).where(
            col(PaymentFileRow.workflow_id).in_(workflow_ids),
            PaymentFileRow.state == AuthorizationState.AUTHORIZED,
        )
    )
    return {it.workflow_id for it in files if Authorization.model_validate_json(it.content).known}
