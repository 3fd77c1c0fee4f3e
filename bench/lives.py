"""One life, lived by the engine and by the floor: the same messages, in the same order."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Protocol

import httpx
from pydantic import BaseModel
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import TimeSkipper

from bench.floor import FLOOR_QUEUE
from disputes import messages
from disputes.decode import sha256
from disputes.money import Money
from disputes.notice import DisputeNotice
from disputes.vocabulary import Network, Outcome, Stage
from starter.client import DisputeDesk
from workflows.ids import dispute_workflow_id

_numbers = itertools.count(1)
AMOUNT = Money(amount="92.00", currency="EUR")
#: Longer than any tail: a closed case's clock stops by itself.
PAST_THE_TAIL = timedelta(days=400)
_PATIENCE_S = 60.0
Handle = WorkflowHandle[object, object]


class Side(Protocol):
    """One of the two that are compared."""

    name: str

    async def open(self, notice: DisputeNotice) -> Handle:
        """Start the case."""

    async def command(self, case_id: str, name: str, message: BaseModel) -> None:
        """Give a command and wait for its answer."""

    async def fact(self, case_id: str, name: str, message: BaseModel) -> None:
        """Tell a fact."""


class EngineSide:
    """The whole engine, through the desk as every door goes."""

    name = "engine"

    def __init__(self, client: Client, desk: DisputeDesk) -> None:
        self._client = client
        self._desk = desk

    async def open(self, notice: DisputeNotice) -> Handle:
        """Claim the id and start the case."""
        await self._desk.open(notice)
        return self._client.get_workflow_handle(dispute_workflow_id(notice.dispute_id))

    async def command(self, case_id: str, name: str, message: BaseModel) -> None:
        """Give a command."""
        await self._desk.command(case_id, name, message)

    async def fact(self, case_id: str, name: str, message: BaseModel) -> None:
        """Tell a fact by signal-with-start."""
        await self._desk.fact(case_id, name, message)


class FloorSide:
    """The bare workflow, through a bare client."""

    name = "floor"

    def __init__(self, client: Client) -> None:
        self._client = client

    async def open(self, notice: DisputeNotice) -> Handle:
        """Start the workflow."""
        return await self._client.start_workflow(
            "FloorWorkflow", _json(notice), id=_floor_id(notice.dispute_id), task_queue=FLOOR_QUEUE
        )

    async def command(self, case_id: str, name: str, message: BaseModel) -> None:
        """Send an update."""
        handle: Handle = self._client.get_workflow_handle(_floor_id(case_id))
        await handle.execute_update(name, _json(message))

    async def fact(self, case_id: str, name: str, message: BaseModel) -> None:
        """Send a signal."""
        handle: Handle = self._client.get_workflow_handle(_floor_id(case_id))
        await handle.signal(name, _json(message))


def _floor_id(case_id: str) -> str:
    return f"floor/{case_id}"


def _json(message: BaseModel) -> dict[str, object]:
    return message.model_dump(mode="json", exclude_unset=True)


async def new_notice(gateway_url: str) -> DisputeNotice:
    """A notice on a fresh DB of 92.00 EUR at the sandbox."""
    number = next(_numbers)
    payment_id = sha256(f"bench payment {number}")[:32]
    asked = {"id": payment_id, "amount": AMOUNT.amount, "currency": AMOUNT.currency}
    async with httpx.AsyncClient(base_url=gateway_url) as http:
        (await http.post("/_sandbox/payments", json=asked)).raise_for_status()
    now = datetime.now(UTC)
    return DisputeNotice(
        dispute_id=f"B-{number}",
        merchant_id="M-1",
        payment_id=payment_id,
        stage=Stage.CHARGEBACK,
        network=Network.VISA,
        reason_code="13.1",
        amount=AMOUNT,
        received_at=now,
        processed_at=now.date(),
        respond_by=now + timedelta(days=25),
    )


#: A complete path of the checklist by itself.
EVIDENCE = messages.AddEvidence(
    evidence_id="E-1",
    evidence_type="refund_proof",
    submitted_by="bench",
    text="refunded to the card on the day of the complaint",
)
SUBMISSION = messages.SubmitRepresentment(submitted_by="bench")


def won() -> messages.BankRuling:
    """A ruling for the merchant, now."""
    return messages.BankRuling(
        ruling_id="R-1", outcome=Outcome.MERCHANT_WON, decided_at=datetime.now(UTC)
    )


async def live(side: Side, skipper: TimeSkipper, notice: DisputeNotice) -> None:
    """From the notice to the end of the tail, as fast as the answers come."""
    case = await side.open(notice)
    await side.command(notice.dispute_id, "add_evidence", EVIDENCE)
    await side.command(notice.dispute_id, "submit_representment", SUBMISSION)
    await side.fact(notice.dispute_id, "bank_ruling", won())
    ended = await end_of_tail(skipper, case)
    if isinstance(ended, dict) and ended["finality"] != "final":
        raise RuntimeError(f"{notice.dispute_id} did not end as final")


async def end_of_tail(skipper: TimeSkipper, case: Handle) -> object:
    """Move the case's clock past its tail; gives the result of the case."""
    # The server may leave who waits for the move without an answer when the case ends by it.
    move = asyncio.create_task(skipper.fast_forward(case, PAST_THE_TAIL))
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await case.result()
    finally:
        move.cancel()
