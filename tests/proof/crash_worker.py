"""The real worker process, which holds once at a named step of a named operation.

There it says so in a file and waits for another one; meanwhile the harness kills or freezes it, or
cuts what it needs. Everything but the hold is ``worker.py``'s own.
"""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
from temporalio.client import Client
from temporalio.worker import Worker

import worker
from disputes.events import CaseEvent
from disputes.gateway.payunity import PayUnity
from disputes.operations import GatewayEntry, Operation, OperationRecord, Payment, Plan
from disputes.ports import Said
from disputes.store import Store
from disputes.store.operations import SqlOperationBook
from disputes.store.register import SqlRegister
from disputes.vocabulary import OperationState
from tests.proof.crash_call import OneCall
from tests.proof.crash_plan import Step

_POLL_S = 0.01
_REACHED, _GO = "reached", "go"


class Hold:
    """One step at which the process holds, the first time that it comes there."""

    def __init__(self, folder: Path, operation: str, step: str) -> None:
        self._folder = folder
        self._wanted = (operation, step)

    def at(self, operation: str, step: Step) -> None:
        """Hold the thread, if this is the place."""
        if self._take(operation, step):
            while not self._released:
                time.sleep(_POLL_S)

    async def at_request(self, operation: str, step: Step) -> None:
        """The same for a task of the event loop: heartbeats and answers go on."""
        if self._take(operation, step):
            while not self._released:  # noqa: ASYNC110 - another process
                await asyncio.sleep(_POLL_S)

    def waits_for(self, operation: str, step: Step) -> bool:
        """Whether this is the place, and was not reached yet."""
        fresh = not (self._folder / _REACHED).exists()
        return fresh and self._wanted == (operation, step.value)

    def _take(self, operation: str, step: Step) -> bool:
        if not self.waits_for(operation, step):
            return False
        (self._folder / _REACHED).touch()
        return True

    @property
    def _released(self) -> bool:
        return (self._folder / _GO).exists()


HOLD = Hold(
    Path(os.environ["CRASH_FOLDER"]), os.environ["CRASH_OPERATION"], os.environ["CRASH_STEP"]
)
#: The operation whose request is on its way in this task.
_SENDING: ContextVar[str] = ContextVar("_SENDING", default="")


class HoldingBook(SqlOperationBook):
    """The book of operations; holds before and after its transactions."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._operations: dict[str, str] = {}

    def intend(self, plan: Plan, events: Sequence[CaseEvent]) -> OperationRecord:
        self._operations[plan.key] = plan.purpose.value
        HOLD.at(plan.purpose.value, Step.BEFORE_INTENT)
        record = super().intend(plan, events)
        if record.operation.state is OperationState.INTENDED:
            HOLD.at(plan.purpose.value, Step.AFTER_INTENT)
        return record

    def mark_sent(self, key: str, *, attempts: int) -> OperationRecord:
        record = super().mark_sent(key, attempts=attempts)
        HOLD.at(self._operations[key], Step.AFTER_SENT)
        return record

    def settle(
        self,
        key: str,
        state: OperationState,
        *,
        gateway_id: str | None = None,
        amount_minor: int | None = None,
        result_code: str | None = None,
        reason: str | None = None,
        at: datetime,
    ) -> Operation:
        operation = self._operations.get(key, "")
        HOLD.at(operation, Step.BEFORE_SETTLE)
        ended = super().settle(
            key,
            state,
            gateway_id=gateway_id,
            amount_minor=amount_minor,
            result_code=result_code,
            reason=reason,
            at=at,
        )
        HOLD.at(operation, Step.AFTER_SETTLE)
        return ended

    def adopt_payment(
        self,
        dispute_id: str,
        payment_id: str,
        entries: Sequence[GatewayEntry],
        at: datetime,
    ) -> Payment:
        HOLD.at("take_over", Step.BEFORE_SETTLE)
        payment = super().adopt_payment(dispute_id, payment_id, entries, at)
        HOLD.at("take_over", Step.AFTER_SETTLE)
        return payment


class HoldingRegister(SqlRegister):
    """The register; holds before and after a ruling is recorded without a call beside it."""

    def record(self, case_id: str, events: Sequence[CaseEvent]) -> None:
        ruled = any(event.body.kind == "ruled" for event in events)
        if ruled:
            HOLD.at("record", Step.BEFORE_SETTLE)
        super().record(case_id, events)
        if ruled:
            HOLD.at("record", Step.AFTER_SETTLE)


class HoldingGateway(PayUnity):
    """The gateway; holds while a request is under way."""

    async def send(self, plan: Plan, deadline_s: float) -> Said:
        operation = plan.purpose.value
        _SENDING.set(operation)
        sending = asyncio.create_task(super().send(plan, deadline_s))
        for step in (Step.MID_REQUEST, Step.AFTER_BOOKED):
            if HOLD.waits_for(operation, step):
                await _struck(plan.merchant_transaction_id)
                await HOLD.at_request(operation, step)
        return await sending


async def _struck(merchant_transaction_id: str) -> None:
    """Until the sandbox holds the request back, as its armed fault says."""
    url = os.environ["DISPUTES_GATEWAY_URL"] + "/_sandbox/requests"
    named = {"merchant_transaction_id": merchant_transaction_id}
    async with httpx.AsyncClient() as sandbox:
        while True:
            lines = (await sandbox.get(url, params=named)).json()
            if any(line["fault"] for line in lines):
                return
            await asyncio.sleep(_POLL_S)


class HoldingTransport(httpx.AsyncHTTPTransport):
    """The HTTP side; holds between the last look at the deadline and the write."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        checked = request.extensions.get("trace")

        async def trace(event: str, info: Mapping[str, Any]) -> None:
            if checked is not None:
                await checked(event, info)
            if event.endswith("send_request_body.started") and request.method == "POST":
                # The loop stands still too: what follows after a thaw is the write.
                HOLD.at(_SENDING.get(), Step.AT_WRITE)

        request.extensions["trace"] = trace
        return await super().handle_async_request(request)


class ProofWorker(Worker):
    """Works for ``OneCall`` too."""

    def __init__(self, client: Client, *, workflows: Sequence[type], **more: Any) -> None:  # noqa: ANN401 - the SDK's
        super().__init__(client, workflows=[*workflows, OneCall], **more)


def main() -> None:
    """Work as ``dispute-worker`` does."""
    with (
        patch.object(worker, "SqlOperationBook", HoldingBook),
        patch.object(worker, "SqlRegister", HoldingRegister),
        patch.object(worker, "PayUnity", HoldingGateway),
        patch.object(worker, "Worker", ProofWorker),
        patch.object(httpx._client, "AsyncHTTPTransport", HoldingTransport),  # noqa: SLF001
    ):
        worker.main()


if __name__ == "__main__":
    main()
