"""Four eyes: what waits for a second person, and their word."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from disputes.fields import Identifier, Name, Text
from disputes.messages import Decide
from disputes.status import ApprovalStatus
from starter.api import documents
from starter.api.access import Approver, Viewer
from starter.api.bodies import message, read_object, signed
from starter.api.commands import Decided, give
from starter.api.office import office_of
from starter.api.once import Command, IdempotencyKey, json_answer
from starter.api.paging import Page, cursor_of, place_of, text_of

router = APIRouter(tags=["approvals"])


class Decision(BaseModel):
    """A second person's word on what somebody asked for."""

    decision: Literal["approve", "decline"]
    decided_by: Name | None = None
    reason: Text | None = None


class WaitingApproval(ApprovalStatus):
    """A request that waits; the amount is a decimal string in ``currency``."""

    dispute_id: str
    merchant_id: str | None
    currency: str


class ApprovalList(BaseModel):
    """Requests of a page of cases; ``next_cursor`` is null on the last one."""

    items: list[WaitingApproval]
    next_cursor: str | None


@router.get(
    "/v1/approvals",
    summary="What waits for a second person",
    responses=documents.reads(ApprovalList, "Open requests by case; `limit` counts cases."),
)
def list_approvals(request: Request, key: Viewer, asked: Annotated[Page, Query()]) -> Response:
    """List the open requests of all cases."""
    after = text_of(place_of(asked.cursor, 1)[0]) if asked.cursor else None
    cases = office_of(request).reads.waiting(
        merchants=key.merchants, after=after, limit=asked.limit + 1
    )
    shown = cases[: asked.limit]
    more = len(cases) > asked.limit
    items = [
        WaitingApproval(
            **item.model_dump(),
            dispute_id=case.dispute_id,
            merchant_id=case.merchant_id,
            currency=case.currency,
        )
        for case in shown
        for item in case.approvals
    ]
    cursor = cursor_of(shown[-1].dispute_id) if more else None
    return json_answer(ApprovalList(items=items, next_cursor=cursor))


@router.post(
    "/v1/disputes/{dispute_id}/approvals/{request_id}",
    summary="Approve or decline what somebody asked for",
    responses=documents.writes(Decided, "Where the case stands."),
    openapi_extra=documents.body(
        Decision, {"decision": "approve", "reason": "checked with the shop"}
    ),
)
async def decide(
    request: Request,
    key: Approver,
    dispute_id: Identifier,
    request_id: Identifier,
    idempotency: IdempotencyKey = None,
) -> Response:
    """Decide; never by the one who asked, whatever name the body gives."""
    decision = message(Decision, signed(await read_object(request), key, "decided_by"))
    said = decision.model_dump(exclude={"decision"}, exclude_none=True)
    content = message(Decide, said, request_id=request_id)
    command = Command(request, key, idempotency, content)
    return await give(command, dispute_id, decision.decision)
