"""Pre-authorizations: watched over, captured, reversed, increased, shown."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from disputes.authorization_status import PreAuthorizationStatus
from disputes.fields import GatewayId, Moment, Name, RequestId
from disputes.messages import ResolveOperation
from disputes.requests import Capture, ConditionMet, Increase, PreAuthorization, Reverse
from disputes.status import OperationStatus
from disputes.store.payment_reads import PaymentFilter
from disputes.vocabulary import AuthorizationState
from starter.api import documents, examples, own_payments
from starter.api.access import Admin, Analyst, Approver, Viewer
from starter.api.approvals import DECISION, Decision, decision_of, resolution_of
from starter.api.bodies import message, read_object, signed
from starter.api.office import office_of
from starter.api.once import Command, IdempotencyKey, json_answer
from starter.api.own_payments import PaymentQuery, Standing

router = APIRouter(tags=["pre-authorizations"])
_KIND: Final = "preauthorization"
_Live = Annotated[bool, Query(description="Ask the workflow itself, not the database.")]


class AuthorizationQuery(PaymentQuery):
    """Which pre-authorizations to list."""

    state: AuthorizationState | None = None
    due_before: Moment | None = Field(
        default=None, description="To which something happens by itself earlier (RFC 3339)."
    )


class AuthorizationList(BaseModel):
    """A page of pre-authorizations; ``next_cursor`` is null on the last one."""

    items: list[PreAuthorizationStatus]
    next_cursor: str | None


class Carried(BaseModel):
    """What became of a command: the operation, or why it waits and is done by itself later.

    An ``operation`` whose ``state`` is ``refused`` was refused by the gateway: ``reason`` says why.
    """

    state: str
    operation: OperationStatus | None = None
    waiting: str | None = None


class ConditionTold(BaseModel):
    """The condition that was told; told again it counts once."""

    payment_id: str
    condition: str


@router.post(
    "/v1/preauthorizations",
    status_code=201,
    summary="Watch over an authorization, to its capture, reversal or expiry",
    responses=documents.writes(
        PreAuthorizationStatus, "Watched over; 200 if the same content had been taken.", 200, 201
    ),
    openapi_extra=documents.body(PreAuthorization, examples.PREAUTHORIZATION),
)
async def watch(request: Request, key: Analyst, idempotency: IdempotencyKey = None) -> Response:
    """Watch over an authorization. The same content again finds it; other is a Conflict."""
    start = message(PreAuthorization, await read_object(request))
    office = office_of(request)
    await asyncio.to_thread(own_payments.check_scope, office, key, _KIND, start.payment_id, start)

    async def work() -> Response:
        async with office.temporal.payments() as desk:
            started = await desk.authorize(start)
            status = await desk.watched(start.payment_id)
        return json_answer(status, 200 if started.known else 201)

    return await Command(request, key, idempotency, start).once("watch", work)


@router.get(
    "/v1/preauthorizations",
    summary="List pre-authorizations, the next moment first",
    responses=documents.reads(AuthorizationList, "A page of pre-authorizations."),
)
def list_authorizations(
    request: Request, key: Viewer, asked: Annotated[AuthorizationQuery, Query()]
) -> Response:
    """List those that fit all filters; those to which nothing happens any more come last."""
    wanted = PaymentFilter(
        kind=_KIND,
        state=asked.state,
        merchant_id=asked.merchant_id,
        merchants=key.merchants,
        due_before=asked.due_before,
        limit=asked.limit,
        after=own_payments.after(asked, _KIND),
    )
    return own_payments.page(office_of(request), wanted)


@router.get(
    "/v1/preauthorizations/{payment_id}",
    summary="Show a pre-authorization",
    responses=documents.reads(PreAuthorizationStatus, "The whole status."),
)
async def show(
    request: Request, key: Viewer, payment_id: GatewayId, *, live: _Live = False
) -> Response:
    """Show one from the database, or as it says of itself in this moment (``live``)."""
    return await own_payments.show(office_of(request), key, _KIND, payment_id, live=live)


@dataclass(frozen=True)
class _Route:
    """A route that carries one command: after the id, the update's name, its message."""

    path: str
    name: str
    summary: str
    model: type[BaseModel]
    example: Mapping[str, object]


_ROUTES = (
    _Route(
        "capture",
        "capture",
        "Capture what is open, or a part of it",
        Capture,
        {"amount": examples.MONEY},
    ),
    _Route(
        "reversal",
        "reverse",
        "Release all that is open",
        Reverse,
        {"reason": "customer_change_of_mind"},
    ),
    _Route(
        "increase",
        "increase",
        "Authorize an amount on top",
        Increase,
        {"amount": {"amount": "8.00", "currency": "EUR"}},
    ),
)


def _add(route: _Route) -> None:
    async def command(
        request: Request, key: Analyst, payment_id: GatewayId, idempotency: IdempotencyKey = None
    ) -> Response:
        given = signed(await read_object(request), key, "requested_by")
        asked = Command(request, key, idempotency, message(route.model, given))
        if "request_id" in route.model.model_fields:
            # Temporal forgets an update's id when a long story goes on in a new run.
            asked = asked.naming("request_id", "K")
        return await own_payments.give(asked, _KIND, payment_id, route.name)

    router.post(
        f"/v1/preauthorizations/{{payment_id}}/{route.path}",
        summary=route.summary,
        description="Answers 200 also when the gateway refused: `operation.state` tells.",
        operation_id=f"{route.name}_preauthorization",
        responses=documents.writes(Carried, "What became of it."),
        openapi_extra=documents.body(route.model, route.example, optional=["requested_by"]),
    )(command)


for _route in _ROUTES:
    _add(_route)


@router.post(
    "/v1/preauthorizations/{payment_id}/conditions",
    status_code=202,
    summary="Tell that a condition of the capture has come true",
    responses=documents.writes(ConditionTold, "Told; the last one releases the capture.", 202),
    openapi_extra=documents.body(ConditionMet, examples.CONDITION),
)
async def condition(
    request: Request, key: Analyst, payment_id: GatewayId, idempotency: IdempotencyKey = None
) -> Response:
    """Tell a fact: it is never refused, and what it changes shows on the timeline."""
    told = message(ConditionMet, await read_object(request))
    office = office_of(request)
    await asyncio.to_thread(office.see_payment, key, _KIND, payment_id)

    async def work() -> Response:
        async with office.temporal.payments() as desk:
            await desk.signal(_KIND, payment_id, "condition_met", told)
        return json_answer(ConditionTold(payment_id=payment_id, condition=told.condition), 202)

    return await Command(request, key, idempotency, told).once("condition_met", work)


@router.post(
    "/v1/preauthorizations/{payment_id}/operations/{operation_key}/resolution",
    summary="Say, with proof, what became of an operation in doubt",
    responses=documents.writes(Standing, "Taken."),
    openapi_extra=documents.body(
        ResolveOperation, examples.RESOLUTION, without=["operation_key"], optional=["resolved_by"]
    ),
)
async def resolve(
    request: Request,
    key: Admin,
    payment_id: GatewayId,
    operation_key: Annotated[Name, Path()],
    idempotency: IdempotencyKey = None,
) -> Response:
    """Settle a doubt: money is booked, or sent again, on this word."""
    content = await resolution_of(request, key, operation_key)
    command = Command(request, key, idempotency, content)
    return await own_payments.give(command, _KIND, payment_id, "resolve_operation")


@router.post(
    "/v1/preauthorizations/{payment_id}/approvals/{request_id}",
    summary="Approve or decline a word on an operation in doubt",
    description="Never by the one who gave it, whatever name the body gives.",
    responses=documents.writes(Standing, "Decided."),
    openapi_extra=documents.body(Decision, DECISION),
)
async def decide(
    request: Request,
    key: Approver,
    payment_id: GatewayId,
    request_id: RequestId,
    idempotency: IdempotencyKey = None,
) -> Response:
    """Decide what somebody asked for."""
    content, name = await decision_of(request, key, request_id)
    command = Command(request, key, idempotency, content)
    return await own_payments.give(command, _KIND, payment_id, name)
