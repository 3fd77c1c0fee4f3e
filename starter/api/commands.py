"""Commands to a case: answers, acceptance, rebills, assignments, notes; each may be refused."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel

from disputes import messages
from disputes.fields import Identifier
from starter.api import documents, examples
from starter.api.access import Analyst
from starter.api.bodies import message, read_object, signed
from starter.api.office import office_of
from starter.api.once import Command, IdempotencyKey, json_answer

router = APIRouter(tags=["commands"])


class Decided(BaseModel):
    """Where the case stands; ``request_id`` where a second person must approve first."""

    status: str
    request_id: str | None = None


class Accepted(BaseModel):
    """The number of the case's newest event."""

    sequence: int


async def give(command: Command, dispute_id: str, name: str) -> Response:
    """Give a command to its case, once, and answer with what it did.

    Raises:
        NotFound: there is no such case, or it is not of the key's merchants.
        Refusal: the case says no.
        Unreachable: not known; it may still be carried out.
    """
    office = office_of(command.request)
    await asyncio.to_thread(office.see, command.key, dispute_id)

    async def work() -> Response:
        async with office.temporal.desk() as desk:
            done = await desk.command(dispute_id, name, command.content, command.id)
        return json_answer(done)

    return await command.once(name, work)


@dataclass(frozen=True)
class _Route:
    """A route that carries one command.

    Attributes:
        path: after the case's own.
        name: of the update, as the contract has it.
        model: its message.
        signed_by: the field that says who acts; the API key's name.
        made: the field with the id of what it makes, and what such an id begins with.
    """

    path: str
    name: str
    summary: str
    model: type[BaseModel]
    signed_by: str
    example: Mapping[str, object]
    answer: type[BaseModel] = Decided
    made: tuple[str, str] | None = None


_ROUTES = (
    _Route(
        "representment",
        "submit_representment",
        "Answer the dispute with the evidence collected",
        messages.SubmitRepresentment,
        "submitted_by",
        {"narrative": "Delivered and signed for on 2 October."},
    ),
    _Route(
        "acceptance",
        "accept_liability",
        "Give the case, or a part of it, up",
        messages.AcceptLiability,
        "accepted_by",
        {"amount": examples.MONEY, "reason": "the parcel was lost"},
        made=("acceptance_id", "acceptance"),
    ),
    _Route(
        "refund",
        "resolve_by_refund",
        "Settle an alert or inquiry by paying the shopper back",
        messages.ResolveByRefund,
        "requested_by",
        {"amount": examples.MONEY},
        made=("refund_id", "refund"),
    ),
    _Route(
        "rebill",
        "request_rebill",
        "Charge the shopper again after a lost dispute",
        messages.RequestRebill,
        "requested_by",
        examples.REBILL,
        made=("rebill_id", "rebill"),
    ),
    _Route(
        "assignment",
        "assign",
        "Give the case to a person, or back into the pool",
        messages.Assign,
        "assigned_by",
        {"assignee": "ann"},
        Accepted,
    ),
    _Route(
        "notes",
        "add_note",
        "Write a remark on the case",
        messages.AddNote,
        "author",
        {"text": "The carrier was asked for the signature."},
        Accepted,
        made=("note_id", "note"),
    ),
    _Route(
        "pre-arbitration-answer",
        "answer_pre_arbitration",
        "Answer the issuer's pre-arbitration",
        messages.AnswerPreArbitration,
        "answered_by",
        {"decision": "decline"},
    ),
    _Route(
        "arbitration",
        "file_arbitration",
        "Take the case to the network's arbitration",
        messages.FileArbitration,
        "filed_by",
        {"narrative": "The issuer did not answer the evidence."},
    ),
)


def _add(route: _Route) -> None:
    async def command(
        request: Request, key: Analyst, dispute_id: Identifier, idempotency: IdempotencyKey = None
    ) -> Response:
        given = signed(await read_object(request), key, route.signed_by)
        asked = Command(request, key, idempotency, message(route.model, given))
        if route.made:
            asked = asked.naming(*route.made)
        return await give(asked, dispute_id, route.name)

    router.post(
        f"/v1/disputes/{{dispute_id}}/{route.path}",
        summary=route.summary,
        operation_id=route.name,
        responses=documents.writes(route.answer, "Done, or waiting for a second person."),
        openapi_extra=documents.body(route.model, route.example, optional=[route.signed_by]),
    )(command)


for _route in _ROUTES:
    _add(_route)
