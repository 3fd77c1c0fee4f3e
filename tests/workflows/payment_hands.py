"""A pre-authorization or order in a test's hands: its commands, its clock and its books."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel
from temporalio.client import WorkflowHandle, WorkflowQueryFailedError

from disputes.authorization_status import PreAuthorizationStatus, PreAuthorizationSummary
from disputes.decode import sha256
from disputes.order_status import OperationSummary
from disputes.store.ledger import LedgerBook
from tests.support.engine import Engine, Json
from tests.support.plans import REGISTRATION
from workflows.ids import PAYMENT_WORKFLOWS, payment_workflow_id

_numbers = count(1)
Status = TypeVar("Status", bound=BaseModel)
Summary = TypeVar("Summary", bound=BaseModel)


def eur(amount: str) -> Json:
    """An amount on the contract's wire."""
    return {"amount": amount, "currency": "EUR"}


def fresh_id() -> str:
    """An id at the gateway that no other test has, 32 hex."""
    return sha256(f"own payment {next(_numbers)}")[:32]


class Own(Generic[Status, Summary]):
    """A payment's own workflow, spoken to as the contract says."""

    kind: str
    model: type[Status]
    summary: type[Summary]

    def __init__(self, engine: Engine, own_id: str, payment_id: str | None) -> None:
        self.engine = engine
        self.id = own_id
        self.payment = payment_id
        self.workflow_id = payment_workflow_id(self.kind, own_id)
        self.case: WorkflowHandle[Any, Any] = engine.client.get_workflow_handle(self.workflow_id)

    async def start(self, request: Json) -> None:
        """Start it as any Temporal client would."""
        await self.engine.client.start_workflow(
            PAYMENT_WORKFLOWS[self.kind],
            request,
            id=self.workflow_id,
            task_queue=self.engine.settings.task_queue,
        )

    async def update(self, name: str, **payload: object) -> Json:
        """Give a command; ``hands.refused`` reads the refusal."""
        answer: Json = await self.case.execute_update(name, payload)
        return answer

    async def signal(self, name: str, **payload: object) -> None:
        """Tell a fact, whether it runs or not."""
        await self.engine.client.start_workflow(
            PAYMENT_WORKFLOWS[self.kind],
            id=self.workflow_id,
            task_queue=self.engine.settings.task_queue,
            start_signal=name,
            start_signal_args=[payload],
        )

    async def status(self) -> Status:
        """Its own word on itself."""
        return self.model.model_validate(await self.case.query("status"))

    async def until(
        self, condition: Callable[[Status], bool] | None = None, **fields: object
    ) -> Status:
        """Wait until its status meets a condition, or fields have values."""
        async with asyncio.timeout(60):
            while True:
                with suppress(WorkflowQueryFailedError):  # its first step is under way
                    await self.status()
                    break
                await asyncio.sleep(0.02)
            while True:
                status = await self.status()
                alike = all(getattr(status, name) == value for name, value in fields.items())
                if alike and (condition is None or condition(status)):
                    return status
                await asyncio.sleep(0.02)

    async def result(self) -> Summary:
        """What it gives back when it ends."""
        return self.summary.model_validate(await self.case.result())

    async def pass_time(self, **duration: float) -> bool:
        """Let time go by; true unless it ended on the way."""
        return await self.engine.fast_forward(self.case, **duration)

    async def book(self) -> list[str]:
        """Types of what the gateway booked on the payment, oldest first."""
        return [
            str(entry["payment_type"]) for entry in await self.engine.sandbox.book(self.payment)
        ]

    async def posts(self) -> list[str]:
        """Types of what was posted under the payment, whatever the answer."""
        seen = await self.engine.sandbox.requests()
        path = f"/v1/payments/{self.payment}"
        return [
            str(it["payment_type"]) for it in seen if (it["method"], it["path"]) == ("POST", path)
        ]

    async def until_posted(self, payment_type: str) -> None:
        """Wait until a request of a type has reached the gateway."""
        async with asyncio.timeout(60):
            while payment_type not in await self.posts():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)

    def accounts(self) -> dict[str, int]:
        """Balances of the payment's accounts, in minor units, zeros left out."""
        totals: Counter[str] = Counter()
        for line in LedgerBook(self.engine.store).show(self.payment or ""):
            totals[line.debit.value] += line.amount_minor
            totals[line.credit.value] -= line.amount_minor
        return {name: minor for name, minor in totals.items() if minor}

    def verify(self) -> None:
        """The books add up."""
        assert LedgerBook(self.engine.store).verify() == []


class PreAuth(Own[PreAuthorizationStatus, PreAuthorizationSummary]):
    """A pre-authorization of 92.00 EUR, seven days long if nothing else is said."""

    kind = "preauthorization"
    model = PreAuthorizationStatus
    summary = PreAuthorizationSummary

    @classmethod
    async def opened(cls, engine: Engine, hours: float | None = 168, **changes: object) -> Self:
        """Authorized at the gateway and started; ``hours`` until it lapses, ``None``: by rule."""
        payment_id = fresh_id()
        await engine.sandbox.payment(payment_id, "92.00", "EUR", "PA")
        own = cls(engine, payment_id, payment_id)
        await own.start(cls.request(payment_id, hours, **changes))
        await own.until(lambda status: "authorized" in status.state or bool(status.operations))
        return own

    @staticmethod
    def request(payment_id: str, hours: float | None = 168, **changes: object) -> Json:
        """What starts it."""
        now = datetime.now(UTC)
        base: Json = {
            "payment_id": payment_id,
            "merchant_id": "M-1",
            "network": "visa",
            "amount": eur("92.00"),
            "authorized_at": now.isoformat(),
            "expires_at": (now + timedelta(hours=hours)).isoformat() if hours else None,
        }
        return {name: value for name, value in (base | changes).items() if value is not None}

    async def capture(self, amount: str | None = None) -> Json:
        """Take all that is open, or a part."""
        part = {"amount": eur(amount)} if amount else {}
        return await self.update("capture", requested_by="ana", **part)

    async def reverse(self, reason: str = "customer_change_of_mind") -> Json:
        """Release what is open."""
        return await self.update("reverse", reason=reason, requested_by="ana")

    async def met(self, condition: str) -> None:
        """A condition has come true."""
        moment = datetime.now(UTC).isoformat()
        await self.signal("condition_met", condition=condition, occurred_at=moment)


class Order(Own[OperationSummary, OperationSummary]):
    """A refund, payout or rebill."""

    model = OperationSummary
    summary = OperationSummary

    @classmethod
    async def asked(
        cls,
        engine: Engine,
        payment_id: str | None = None,
        *,
        alone: bool = False,
        **changes: object,
    ) -> Self:
        """Asked for, on a fresh DB of 92.00 EUR where no payment is named; ``alone``: on none."""
        if payment_id is None and not alone:
            payment_id = fresh_id()
            await engine.sandbox.payment(payment_id, "92.00", "EUR")
        own_id = str(changes.pop("own_id", f"{engine.name}-{cls.kind}-{next(_numbers)}"))
        own = cls(engine, own_id, payment_id)
        await own.start(own.request(**changes))
        return own

    def request(self, **changes: object) -> Json:
        """What starts it."""
        base: Json = {
            f"{self.kind}_id": self.id,
            "payment_id": self.payment,
            "merchant_id": "M-1",
            "amount": eur("20.00"),
            "requested_by": "ana",
        }
        given = base | self.defaults() | changes
        return {name: value for name, value in given.items() if value is not None}

    def defaults(self) -> Json:
        """What is of its kind."""
        raise NotImplementedError


class Refund(Order):
    """A refund."""

    kind = "refund"

    def defaults(self) -> Json:
        """A change of mind."""
        return {"reason": "change_of_mind"}


class Payout(Order):
    """A payout."""

    kind = "payout"

    def defaults(self) -> Json:
        """After the refund window."""
        return {"reason": "expired_refund_window", "registration_id": REGISTRATION}


class Rebill(Order):
    """A rebill."""

    kind = "rebill"

    def defaults(self) -> Json:
        """The final amount differs."""
        return {"reason": "final_amount_differs", "amount": eur("10.00")}
