"""Four eyes: what waits for a second person, and their word."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from disputes.fields import Identifier, Name, RequestId, Text
from disputes.messages import Decide
from disputes.order_status import OperationSummary
from disputes.second_person import PaymentApproval
from disputes.status import ApprovalStatus, CaseStatus
from starter.api import documents
from starter.api.access import Approver, Viewer
from starter.api.bodies import message, read_object, signed
from starter.api.commands import Decided, give
from starter.api.keys import ApiKey
from starter.api.office import office_of
from starter.api.once import Command, IdempotencyKey, json_answer
from starter.api.paging import Page, cursor_of, no_cursor, place_of, text_of
from workflows.ids import payment_workflow_id

router = APIRouter(tags=["approvals"])
DECISION: Final = {"decision": "approve", "reason": "checked with the shop"}
#: What a cursor goes on in.
_CASES, _ORDERS = "cases", "orders"


class Decision(BaseModel):
    """A second person's word on what somebody asked for."""

    decision: Literal["approve", "decline"]
    decided_by: Name | None = None
    reason: Text | None = None


class WaitingApproval(ApprovalStatus):
    """A request that waits; the amount is a decimal string in ``currency``.

    ``kind``: what it is of; ``dispute_id`` of a dispute, ``order_id`` of an order.
    """

    kind: Literal["dispute", "refund", "payout", "rebill"]
    dispute_id: str | None = None
    order_id: str | None = None
    merchant_id: str | None
    currency: str


class ApprovalList(BaseModel):
    """Requests of a page of cases and orders; ``next_cursor`` is null on the last one."""

    items: list[WaitingApproval]
    next_cursor: str | None


@router.get(
    "/v1/approvals",
    summary="What waits for a second person",
    responses=documents.reads(
        ApprovalList, "Open requests: by case, then by order; `limit` counts cases and orders."
    ),
)
def list_approvals(request: Request, key: Viewer, asked: Annotated[Page, Query()]) -> Response:
    """List the open requests of all cases, then those of refunds, payouts and rebills."""
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
    orders = office.files.waiting(merchants=key.merchants, after=after or "", limit=limit + 1)
    items += [
        _of_order(order, it) for order in orders[:limit] if (it := order.approval) and it.waits
    ]
    if len(orders) <= limit:
        return json_answer(ApprovalList(items=items, next_cursor=None))
    last = orders[limit - 1] if limit else None
    return _page(items, _ORDERS, payment_workflow_id(last.kind, last.id) if last else after or "")


def _after(asked: Page) -> tuple[str, str | None]:
    if asked.cursor is None:
        return _CASES, None
    source, after = map(text_of, place_of(asked.cursor, 2))
    if source not in (_CASES, _ORDERS):
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
    )


def _of_order(order: OperationSummary, approval: PaymentApproval) -> WaitingApproval:
    told = approval.model_dump(include={"request_id", "requested_by", "at", "expires_at"})
    mine = {"kind": order.kind, "order_id": order.id, "merchant_id": order.merchant_id}
    money = {"amount": order.amount.amount, "currency": order.amount.currency}
    return WaitingApproval.model_validate({**told, **mine, **money, "command": order.kind})


async def decision_of(request: Request, key: ApiKey, request_id: str) -> tuple[Decide, str]:
    """What a body decides of a request, signed by the key, and the name of the command."""
    decision = message(Decision, signed(await read_object(request), key, "decided_by"))
    said = decision.model_dump(exclude={"decision"}, exclude_none=True)
    return message(Decide, said, request_id=request_id), decision.decision


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
