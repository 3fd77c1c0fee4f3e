"""Gateway operations: where each stands, and a person's word on one in doubt."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from disputes.fields import Identifier, Name
from disputes.messages import ResolveOperation
from disputes.store.reads import OperationLine
from disputes.vocabulary import OperationState
from starter.api import documents, examples
from starter.api.access import Admin, Viewer
from starter.api.approvals import resolution_of
from starter.api.commands import Accepted, give
from starter.api.office import office_of
from starter.api.once import Command, IdempotencyKey, json_answer
from starter.api.paging import Page, cursor_of, moment_of, place_of, text_of

router = APIRouter(tags=["operations"])


class OperationQuery(Page):
    """Which operations to list."""

    state: OperationState | None = None


class OperationList(BaseModel):
    """A page of operations, oldest first; ``next_cursor`` is null on the last one."""

    items: list[OperationLine]
    next_cursor: str | None


@router.get(
    "/v1/operations",
    summary="List gateway operations, the oldest first",
    responses=documents.reads(OperationList, "A page of operations; amounts in minor units."),
)
def list_operations(
    request: Request, key: Viewer, asked: Annotated[OperationQuery, Query()]
) -> Response:
    """List operations, of all states or of one."""
    after = None
    if asked.cursor:
        moment, name = place_of(asked.cursor, 2)
        after = (moment_of(moment), text_of(name))
    found = office_of(request).reads.operations_after(
        state=asked.state, merchants=key.merchants, after=after, limit=asked.limit + 1
    )
    shown = list(found[: asked.limit])
    more = len(found) > asked.limit
    cursor = cursor_of(shown[-1].intended_at, shown[-1].key) if more else None
    return json_answer(OperationList(items=shown, next_cursor=cursor))


@router.post(
    "/v1/disputes/{dispute_id}/operations/{operation_key}/resolution",
    summary="Say, with proof, what became of an operation in doubt",
    responses=documents.writes(Accepted, "Taken, or waiting for a second person."),
    openapi_extra=documents.body(
        ResolveOperation,
        examples.RESOLUTION,
        without=["operation_key"],
        optional=["resolved_by"],
    ),
)
async def resolve(
    request: Request,
    key: Admin,
    dispute_id: Identifier,
    operation_key: Annotated[Name, Path()],
    idempotency: IdempotencyKey = None,
) -> Response:
    """Settle a doubt: money is booked, or sent again, on this word."""
    content = await resolution_of(request, key, operation_key)
    return await give(Command(request, key, idempotency, content), dispute_id, "resolve_operation")
