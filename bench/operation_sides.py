"""What is timed: a chargeback booked by the engine's operation, and by a bare request."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import httpx

from activities.operation import OperationRunner, Patience
from bench.lives import new_notice
from disputes import chain, rulebook
from disputes.events import Body, CaseEvent, Opened, PaymentKnown
from disputes.gateway.client import Gateway
from disputes.gateway.entities import one_entity
from disputes.gateway.payunity import PayUnity
from disputes.lifecycle import fold
from disputes.notice import DisputeNotice
from disputes.operations import GatewayEntry, Plan
from disputes.policy import Policy
from disputes.store import Store
from disputes.store.operations import SqlOperationBook
from disputes.store.register import SqlRegister
from disputes.store.throttle import SqlQueryThrottle
from disputes.terms import CaseTerms
from disputes.vocabulary import OperationState, PaymentType, Purpose

#: As the settings' defaults: nothing is asked or waited for on the way that is measured.
_PATIENCE = Patience(settle_window_s=120, doubt_after_s=3600)
_HEADERS = {"Authorization": "Bearer sandbox"}


class Side(Protocol):
    """One of those that are compared: ``prepare`` is not timed, ``book`` is."""

    name: str

    async def prepare(self) -> Plan:
        """A fresh payment of 92.00 EUR at the sandbox, and the chargeback that it owes."""

    async def book(self, plan: Plan) -> None:
        """Have the gateway book it."""


_RULES = rulebook.load()
_POLICY = Policy(version="built-in")


def _terms(notice: DisputeNotice) -> CaseTerms:
    return rulebook.terms_for(
        network=notice.network,
        reason_code=notice.reason_code,
        region=notice.region,
        currency=notice.amount.currency,
        rulebook=_RULES,
        policy=_POLICY,
    )


@dataclass
class OperationSide:
    """The engine's operation on one database: intended, marked, sent, settled and posted."""

    name: str
    url: str
    store: Store
    gateway: Gateway

    def __post_init__(self) -> None:
        self._register, self._book = SqlRegister(self.store), SqlOperationBook(self.store)
        entities = one_entity(self.url, "sandbox", "sandbox")
        throttle = SqlQueryThrottle(self.store, 30)
        port = PayUnity(self.gateway, entities, throttle)
        self._runner = OperationRunner(self._book, port, _PATIENCE)

    async def prepare(self) -> Plan:
        """A case in the register, its payment adopted."""
        notice = await new_notice(self.url)
        return await asyncio.to_thread(self._opened, notice)

    def _opened(self, notice: DisputeNotice) -> Plan:
        events: list[CaseEvent] = []
        at = notice.received_at

        def happen(body: Body) -> None:
            number = len(events) + 1
            event = CaseEvent(
                sequence=number,
                event_id=f"E-{number}",
                at=at,
                recorded_at=at,
                actor="bench",
                body=body,
            )
            events.append(event)
            self._register.record(notice.dispute_id, [event])

        happen(Opened(notice=notice, terms=_terms(notice)))
        sale = GatewayEntry(
            gateway_id=notice.payment_id,
            payment_type=PaymentType.DB,
            succeeded=True,
            amount_minor=notice.amount.minor,
            currency=notice.amount.currency,
        )
        payment = self._book.adopt_payment(notice.dispute_id, notice.payment_id, [sale], at)
        happen(PaymentKnown(payment=payment))
        plan = chain.next_plan(fold(notice.dispute_id, events))
        if plan is None:
            raise RuntimeError("the case owes nothing")
        return plan

    async def book(self, plan: Plan) -> None:
        """Run the operation to its end."""
        moved = await self._runner.run(plan, (), datetime.now(UTC))
        if [operation.state for operation in moved.operations] != [OperationState.SETTLED]:
            raise RuntimeError("the operation did not settle")


@dataclass
class BareSide:
    """The floor: one request, its answer believed, nothing written down."""

    url: str
    http: httpx.AsyncClient
    name: str = "bare POST"

    async def prepare(self) -> Plan:
        """The same payment, and what a chargeback of it would be."""
        notice = await new_notice(self.url)
        return Plan(
            key=f"bare:{notice.dispute_id}",
            purpose=Purpose.BOOK,
            merchant_id=notice.merchant_id,
            payment_id=notice.payment_id,
            referenced_id=notice.payment_id,
            amount_minor=notice.amount.minor,
            currency=notice.amount.currency,
        )

    async def book(self, plan: Plan) -> None:
        """Post it."""
        form = {
            "entityId": "sandbox",
            "paymentType": plan.payment_type.value,
            "merchantTransactionId": plan.merchant_transaction_id,
            "amount": f"{plan.amount_minor / 100:.2f}",
            "currency": plan.currency,
        }
        path = f"{self.url}/v1/payments/{plan.referenced_id}"
        answer = await self.http.post(path, data=form, headers=_HEADERS)
        answer.raise_for_status()
