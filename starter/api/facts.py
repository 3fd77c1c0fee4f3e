"""What the bank and the network did: facts, told to their case and never refused by it."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel

from disputes.fields import Identifier
from disputes.messages import BankRuling, NetworkEvent
from starter.api import documents, examples
from starter.api.access import Bank
from starter.api.bodies import message, read_object
from starter.api.office import office_of
from starter.api.once import Command, IdempotencyKey, json_answer

router = APIRouter(tags=["bank"])


class Told(BaseModel):
    """The case that was told, and the fact's own id: the same one counts once."""

    dispute_id: str
    fact_id: str


@router.post(
    "/v1/disputes/{dispute_id}/rulings",
    status_code=202,
    summary="Tell a case what the bank decided",
    responses=documents.writes(Told, "Told; what it changes shows on the timeline.", 202),
    openapi_extra=documents.body(BankRuling, examples.RULING),
)
async def ruling(
    request: Request, key: Bank, dispute_id: Identifier, idempotency: IdempotencyKey = None
) -> Response:
    """Tell a ruling; a case that is not known yet waits with it for its notice."""
    told = message(BankRuling, await read_object(request))
    command = Command(request, key, idempotency, told)
    return await _tell(command, dispute_id, "bank_ruling", told.ruling_id)


@router.post(
    "/v1/disputes/{dispute_id}/network-events",
    status_code=202,
    summary="Tell a case what the network did besides ruling",
    responses=documents.writes(Told, "Told; what it changes shows on the timeline.", 202),
    openapi_extra=documents.body(NetworkEvent, examples.NETWORK_EVENT),
)
async def network_event(
    request: Request, key: Bank, dispute_id: Identifier, idempotency: IdempotencyKey = None
) -> Response:
    """Tell a network event; a case that is not known yet waits with it for its notice."""
    told = message(NetworkEvent, await read_object(request))
    command = Command(request, key, idempotency, told)
    return await _tell(command, dispute_id, "network_event", told.event_id)


async def _tell(command: Command, dispute_id: str, name: str, fact_id: str) -> Response:
    office = office_of(command.request)
    await asyncio.to_thread(office.see, command.key, dispute_id)

    async def work() -> Response:
        async with office.temporal.desk() as desk:
            await desk.fact(dispute_id, name, command.content)
        return json_answer(Told(dispute_id=dispute_id, fact_id=fact_id), 202)

    return await command.once(name, work)
