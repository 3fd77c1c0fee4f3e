"""Several cases given up by one request: each is asked for itself, and answers for itself."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, Field

from disputes.errors import Unreachable
from disputes.fields import Identifier, Name, Text
from disputes.messages import AcceptLiability
from starter.api import documents, examples, problems
from starter.api.access import Analyst
from starter.api.bodies import message, read_object, signed
from starter.api.office import Limit, office_of
from starter.api.once import Command, IdempotencyKey, json_answer
from starter.api.problems import Problem

router = APIRouter(tags=["commands"])
#: Cases of one request.
MOST: Final = 100
#: Cases that are asked at once: the rest of a worker is for others.
_AT_ONCE: Final = 10


def _each_once(dispute_ids: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(dispute_ids)) < len(dispute_ids):
        raise ValueError("names a dispute twice")
    return dispute_ids


class BulkAcceptance(BaseModel):
    """Give all of these cases up."""

    dispute_ids: Annotated[
        tuple[Identifier, ...],
        Field(min_length=1, max_length=MOST, json_schema_extra={"uniqueItems": True}),
        AfterValidator(_each_once),
    ]
    accepted_by: Name
    reason: Text | None = None


class GivenUp(BaseModel):
    """What became of one case: what its own route would have answered.

    ``status``: where it stands, with ``request_id`` where a second person must approve first; or
    ``problem``: why not. One of status 503 means not known.
    """

    dispute_id: str
    status: str | None = None
    request_id: str | None = None
    problem: Problem | None = None

    @property
    def known(self) -> bool:
        """Whether it is certain what became of it."""
        return self.problem is None or self.problem.status != problems.NOT_KNOWN


class BulkAnswer(BaseModel):
    """What became of each case, in the order of the request."""

    items: list[GivenUp]


@router.post(
    "/v1/disputes/bulk-acceptance",
    summary="Give several cases up",
    responses=documents.writes(
        BulkAnswer,
        "What became of each. With `Retry-After` where that is not known of some: repeat it with"
        " the same Idempotency-Key.",
    ),
    openapi_extra=documents.body(
        BulkAcceptance, examples.BULK_ACCEPTANCE, optional=["accepted_by"]
    ),
)
async def accept_all(
    request: Request, key: Analyst, idempotency: IdempotencyKey = None
) -> Response:
    """Ask every case for its own acceptance; what one refuses or leaves open stops no other."""
    asked = message(BulkAcceptance, signed(await read_object(request), key, "accepted_by"))
    command = Command(request, key, idempotency, asked)

    async def work() -> Response:
        found = await _accept(command, asked)
        items = [found[dispute_id] for dispute_id in asked.dispute_ids]
        unknown = [item.problem for item in items if item.problem and not item.known]
        if len(unknown) == len(items):
            raise Unreachable(unknown[0].detail)
        answer = BulkAnswer(items=items).model_dump(mode="json", exclude_none=True)
        return json_answer(answer, headers=problems.AGAIN if unknown else {})

    return await command.once("bulk_acceptance", work)


async def _accept(command: Command, asked: BulkAcceptance) -> dict[str, GivenUp]:
    """What became of each case; none is waited for once nobody answers any more."""
    given: dict[str, object] = asked.model_dump(exclude={"dispute_ids"}, exclude_none=True)
    given["acceptance_id"] = command.own_id("acceptance")
    word, places = AcceptLiability.model_validate(given), asyncio.Semaphore(_AT_ONCE)
    found: dict[str, GivenUp] = {}

    async def ask(dispute_id: str, limit: Limit) -> None:
        async with places:
            found[dispute_id] = await _one(command, word, dispute_id)
        if found[dispute_id].known:
            limit.begin()

    temporal = office_of(command.request).temporal
    try:
        async with temporal.limited() as limit, asyncio.TaskGroup() as group:
            for dispute_id in asked.dispute_ids:
                group.create_task(ask(dispute_id, limit))
    except Unreachable as silence:
        left = [it for it in asked.dispute_ids if it not in found]
        found |= {dispute_id: _failed(dispute_id, silence) for dispute_id in left}
    return found


async def _one(command: Command, word: AcceptLiability, dispute_id: str) -> GivenUp:
    office, name = office_of(command.request), "accept_liability"
    try:
        await asyncio.to_thread(office.see, command.key, dispute_id)
        desk = await office.temporal.dispute_desk()
        done = await desk.command(dispute_id, name, word, command.id_for(dispute_id))
    except Exception as error:  # noqa: BLE001 - told in its place: the others are answered too
        return _failed(dispute_id, error)
    return GivenUp.model_validate({"dispute_id": dispute_id, **done})


def _failed(dispute_id: str, error: Exception) -> GivenUp:
    answer = bytes(problems.answer_of(error).body)
    return GivenUp(dispute_id=dispute_id, problem=Problem.model_validate_json(answer))
