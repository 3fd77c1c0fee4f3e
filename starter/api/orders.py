"""Refunds, payouts and rebills: asked for, decided by a second person, shown."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from disputes.fields import Identifier, Name, RequestId
from disputes.messages import ResolveOperation
from disputes.order_status import OperationSummary
from disputes.orders import OrderKind, order_id_of
from disputes.requests import OrderRequest, PayoutRequest, RebillRequest, RefundRequest
from disputes.store.payment_reads import PaymentFilter
from disputes.vocabulary import OrderState
from starter.api import documents, examples, own_payments
from starter.api.access import Admin, Analyst, Approver, Viewer
from starter.api.approvals import DECISION, Decision, decision_of, resolution_of
from starter.api.bodies import message, read_object, signed
from starter.api.office import office_of
from starter.api.once import Command, IdempotencyKey, json_answer
from starter.api.own_payments import PaymentQuery, Standing

router = APIRouter()
_Live = Annotated[bool, Query(description="Ask the workflow itself, not the database.")]


class OrderQuery(PaymentQuery):
    """Which orders to list."""

    state: OrderState | None = None


class OrderList(BaseModel):
    """A page of orders; ``next_cursor`` is null on the last one."""

    items: list[OperationSummary]
    next_cursor: str | None


@dataclass(frozen=True)
class _Resource:
    """One kind of order and its place among the addresses."""

    kind: OrderKind
    model: type[OrderRequest]
    does: str
    example: Mapping[str, object]

    @property
    def path(self) -> str:
        """Of all of them."""
        return f"/v1/{self.kind}s"

    @property
    def one(self) -> str:
        """Of one."""
        return f"{self.path}/{{{self.kind}_id}}"


_RESOURCES = (
    _Resource("refund", RefundRequest, "Pay a payment back, or a part of it", examples.REFUND),
    _Resource("payout", PayoutRequest, "Pay a shopper by a standalone credit", examples.PAYOUT),
    _Resource("rebill", RebillRequest, "Charge a shopper again on a debit", examples.ORDER_REBILL),
)


def _add_request(it: _Resource) -> None:
    async def ask(request: Request, key: Analyst, idempotency: IdempotencyKey = None) -> Response:
        order = message(it.model, signed(await read_object(request), key, "requested_by"))
        own_id, office = order_id_of(order), office_of(request)
        await asyncio.to_thread(own_payments.check_scope, office, key, it.kind, own_id, order)

        async def work() -> Response:
            async with office.temporal.payments() as desk:
                started = await desk.order(it.kind, order)
                told = await desk.outcome(it.kind, own_id)
            return json_answer(told, 200 if started.known else 201)

        return await Command(request, key, idempotency, order).once(it.kind, work)

    router.post(
        it.path,
        tags=[f"{it.kind}s"],
        status_code=201,
        summary=it.does,
        description="Answers once it has ended or waits for a person, else with what is known by"
        " then; `state` tells, also that the gateway refused it. The same content again finds it;"
        " other is a Conflict. What was refused before anything was sent may be asked for again.",
        operation_id=f"order_{it.kind}",
        responses=documents.writes(
            OperationSummary, "Asked for; 200 if the same content had been taken.", 200, 201
        ),
        openapi_extra=documents.body(it.model, it.example, optional=["requested_by"]),
    )(ask)


def _add_reads(it: _Resource) -> None:
    def listed(request: Request, key: Viewer, asked: Annotated[OrderQuery, Query()]) -> Response:
        wanted = PaymentFilter(
            kind=it.kind,
            state=asked.state,
            merchant_id=asked.merchant_id,
            merchants=key.merchants,
            limit=asked.limit,
            after=own_payments.after(asked, it.kind),
        )
        return own_payments.page(office_of(request), wanted)

    async def show(
        request: Request,
        key: Viewer,
        order_id: Annotated[Identifier, Path(alias=f"{it.kind}_id")],
        *,
        live: _Live = False,
    ) -> Response:
        return await own_payments.show(office_of(request), key, it.kind, order_id, live=live)

    router.get(
        it.path,
        tags=[f"{it.kind}s"],
        summary=f"List {it.kind}s, those that wait for a second person first, then the newest",
        operation_id=f"list_{it.kind}s",
        responses=documents.reads(OrderList, f"A page of {it.kind}s."),
    )(listed)
    router.get(
        it.one,
        tags=[f"{it.kind}s"],
        summary=f"Show a {it.kind}",
        operation_id=f"show_{it.kind}",
        responses=documents.reads(OperationSummary, "The whole status."),
    )(show)


def _add_decisions(it: _Resource) -> None:
    async def decide(
        request: Request,
        key: Approver,
        order_id: Annotated[Identifier, Path(alias=f"{it.kind}_id")],
        request_id: RequestId,
        idempotency: IdempotencyKey = None,
    ) -> Response:
        content, name = await decision_of(request, key, request_id)
        command = Command(request, key, idempotency, content)
        return await own_payments.give(command, it.kind, order_id, name)

    async def resolve(
        request: Request,
        key: Admin,
        order_id: Annotated[Identifier, Path(alias=f"{it.kind}_id")],
        operation_key: Annotated[Name, Path()],
        idempotency: IdempotencyKey = None,
    ) -> Response:
        content = await resolution_of(request, key, operation_key)
        command = Command(request, key, idempotency, content)
        return await own_payments.give(command, it.kind, order_id, "resolve_operation")

    router.post(
        f"{it.one}/approvals/{{request_id}}",
        tags=[f"{it.kind}s"],
        summary=f"Approve or decline a {it.kind} that somebody asked for",
        description="Never by the one who asked, whatever name the body gives.",
        operation_id=f"decide_{it.kind}",
        responses=documents.writes(Standing, "Decided."),
        openapi_extra=documents.body(Decision, DECISION),
    )(decide)
    router.post(
        f"{it.one}/operations/{{operation_key}}/resolution",
        tags=[f"{it.kind}s"],
        summary="Say, with proof, what became of an operation in doubt",
        operation_id=f"resolve_{it.kind}",
        responses=documents.writes(Standing, "Taken."),
        openapi_extra=documents.body(
            ResolveOperation,
            examples.RESOLUTION,
            without=["operation_key"],
            optional=["resolved_by"],
        ),
    )(resolve)


for _resource in _RESOURCES:
    _add_request(_resource)
    _add_reads(_resource)
    _add_decisions(_resource)
