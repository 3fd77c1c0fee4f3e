"""Four eyes: what waits for a second person, and their word."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from disputes.errors import InvalidMessage
from disputes.fields import Identifier, Name, RequestId, Text
from disputes.messages import Decide, ResolveOperation
from disputes.money import to_decimal
from disputes.status import ApprovalStatus, CaseStatus
from disputes.store.waiting import WaitingFile, WaitingRequest
from starter.api import documents
from starter.api.access import Approver, Viewer
from starter.api.bodies import message, read_object, signed
from starter.api.commands import Decided, give
from starter.api.keys import ApiKey
from starter.api.office import office_of
from starter.api.once import Command, IdempotencyKey, json_answer
from starter.api.paging import Page, cursor_of, no_cursor, place_of, text_of

router = APIRouter(tags=["approvals"])
DECISION: Final = {"decision": "approve", "reason": "checked with the shop"}
#: What a cursor goes on in.
_CASES, _PAYMENTS = "cases", "payments"


class Decision(BaseModel):
    """A second person's word on what somebody asked for."""

    decision: Literal["approve", "decline"]
    decided_by: Name | None = None
    reason: Text | None = None


class WaitingApproval(ApprovalStatus):
    """A request that waits; the amount is a decimal string in ``currency``.

    ``kind``: what it is of; ``dispute_id`` of a dispute, ``order_id`` of an order, ``payment_id``
    of a pre-authorization or of an order on a payment. ``command``: what was asked for;
    ``resolution``: a person's word on an operation in doubt. ``decision_path``: the address
    that takes the second person's word.
    """

    kind: Literal["dispute", "preauthorization", "refund", "payout", "rebill"]
    dispute_id: str | None = None
    order_id: str | None = None
    payment_id: str | None = None
    merchant_id: str | None
    currency: str
    resolution: ResolveOperation | None = None
    decision_path: str


class ApprovalList(BaseModel):
    """Requests of a page of cases and payments; ``next_cursor`` is null on the last one."""

    items: list[WaitingApproval]
    next_cursor: str | None


@router.get(
    "/v1/approvals",
    summary="What waits for a second person",
    responses=documents.reads(
        ApprovalList,
        "Open requests: by case, then by pre-authorization and order; `limit` counts those.",
    ),
)
def list_approvals(request: Request, key: Viewer, asked: Annotated[Page, Query()]) -> Response:
    """List the open requests of all cases, then those of payments' own workflows."""
    office, limit = office_of(request), asked.limit
    source, after = _after(asked)
    items: list[WaitingApproval] = []
    if source == _CASES:
        cases = office.reads.waiting(merchants=key.merchants, after=after, limit=limit + 1)
        shown = cases[:limit]
        items = [_of_case(case, item) for case in shown for item in case.approvals]
        if len(cases) > limit:
            return _page(items, _CASES, shown[-1].dispute_id)
        limit, after = limit - len(cases), None
    files = office.files.waiting(merchants=key.merchants, after=after or "", limit=limit + 1)
    items += [_of_payment(file, it) for file in files[:limit] for it in file.requests]
    if len(files) <= limit:
        return json_answer(ApprovalList(items=items, next_cursor=None))
    return _page(items, _PAYMENTS, files[limit - 1].workflow_id if limit else after or "")


def _after(asked: Page) -> tuple[str, str | None]:
    if asked.cursor is None:
        return _CASES, None
    source, after = map(text_of, place_of(asked.cursor, 2))
    if source not in (_CASES, _PAYMENTS):
        raise no_cursor()
    return source, after


def _page(items: list[WaitingApproval], source: str, last: str) -> Response:
    return json_answer(ApprovalList(items=items, next_cursor=cursor_of(source, last)))


def _of_case(case: CaseStatus, item: ApprovalStatus) -> WaitingApproval:
    return WaitingApproval(
        **item.model_dump(),
        kind="dispute",
        dispute_id=case.dispute_id,
        merchant_id=case.merchant_id,
        currency=case.currency,
        decision_path=_address("dispute", case.dispute_id, item.request_id),
    )


def _of_payment(file: WaitingFile, item: WaitingRequest) -> WaitingApproval:
    asked, own_id = item.approval, file.workflow_id.removeprefix(f"{file.kind}/")
    told = asked.model_dump(include={"request_id", "requested_by", "at", "expires_at"})
    of_order = {"order_id": own_id} if file.kind != "preauthorization" else {}
    return WaitingApproval.model_validate(
        told
        | of_order
        | {
            "command": "resolve_operation" if asked.resolution else file.kind,
            "kind": file.kind,
            "payment_id": file.payment_id,
            "merchant_id": file.merchant_id,
            "amount": to_decimal(item.amount_minor, item.currency) if item.currency else "0",
            "currency": item.currency,
            "resolution": asked.resolution,
            "decision_path": _address(file.kind, own_id, asked.request_id),
        }
    )


def _address(kind: str, own_id: str, request_id: str) -> str:
    return f"/v1/{kind}s/{own_id}/approvals/{request_id}"


async def decision_of(request: Request, key: ApiKey, request_id: str) -> tuple[Decide, str]:
    """What a body decides of a request, signed by the key, and the name of the command."""
    decision = message(Decision, signed(await read_object(request), key, "decided_by"))
    said = decision.model_dump(exclude={"decision"}, exclude_none=True)
    return message(Decide, said, request_id=request_id), decision.decision


async def resolution_of(request: Request, key: ApiKey, operation_key: str) -> ResolveOperation:
    """A body's word on an operation in doubt, signed by the key.

    Raises ``InvalidMessage`` also for a NUL in the proof: PostgreSQL keeps none in a text.
    """
    given = signed(await read_object(request), key, "resolved_by")
    resolution = message(ResolveOperation, given, operation_key=operation_key)
    if "\0" in resolution.proof:
        raise InvalidMessage({"proof": "must not hold a NUL character"})
    return resolution


@router.post(
    "/v1/disputes/{dispute_id}/approvals/{request_id}",
    summary="Approve or decline what somebody asked for",
    responses=documents.writes(Decided, "Where the case stands."),
    openapi_extra=documents.body(Decision, DECISION),
)
async def decide(
    request: Request,
    key: Approver,
    dispute_id: Identifier,
    request_id: RequestId,
    idempotency: IdempotencyKey = None,
) -> Response:
    """Decide; never by the one who asked, whatever name the body gives."""
    content, name = await decision_of(request, key, request_id)
    command = Command(request, key, idempotency, content)
    return await give(command, dispute_id, name)
