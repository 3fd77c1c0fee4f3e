"""The sandbox's own doors under ``/_sandbox/``: the book, the switches, the faults."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC
from typing import Literal, Self

from pydantic import (
    AliasChoices,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from disputes.money import Money, to_minor
from disputes.vocabulary import PaymentType
from sandbox import answers
from sandbox.faults import Fault
from sandbox.gateway import Gateway
from sandbox.settings import Settings
from sandbox.transactions import Order, Transaction, minor_amount, wire_amount

_BAD, _CONFLICT = 400, 409


class Payment(BaseModel):
    """A payment, authorization or payout to set up under a chosen id (32 lower-case hex).

    ``amount`` has the currency's own decimals; a line of ``examples/payments.jsonl`` fits as it is.
    ``booked_at``: since when the gateway has it; else now.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str = Field(pattern=r"^[a-f0-9]{32}$", validation_alias=AliasChoices("id", "payment_id"))
    payment_type: Literal[PaymentType.DB, PaymentType.CP, PaymentType.PA, PaymentType.CD] = (
        PaymentType.DB
    )
    amount: str
    currency: str
    entity_id: str = "sandbox"
    test_mode: str = "INTERNAL"
    booked_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _fits_the_wire(self) -> Self:
        minor = Money(amount=self.amount, currency=self.currency).minor
        if minor_amount(wire_amount(minor, self.currency), self.currency) != minor:
            raise ValueError("the wire's two decimals cannot carry the amount")
        return self

    @property
    def minor(self) -> int:
        """The amount in minor units."""
        return to_minor(self.amount, self.currency)


class OwnBooking(BaseModel):
    """What the acquirer books of its own accord; without ``amount_minor`` (minor units): all.

    ``id`` (32 lower-case hex): under which a notification may have told of it before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str | None = Field(default=None, pattern=r"^[a-f0-9]{32}$")
    payment_type: PaymentType
    referenced_id: str
    amount_minor: int | None = Field(default=None, gt=0)
    merchant_transaction_id: str | None = None
    reason: str | None = None


class Switchboard:
    """Control endpoints over one gateway; for loopback only, so they ask for no credentials."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def routes(self) -> list[Route]:
        """Routes for Starlette."""
        return [
            Route("/_sandbox/book", self.book, methods=["GET"]),
            Route("/_sandbox/book", self.book_own, methods=["POST"]),
            Route("/_sandbox/position", self.position, methods=["GET"]),
            Route("/_sandbox/payments", self.set_up_payment, methods=["POST"]),
            Route("/_sandbox/faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/_sandbox/settings", self.settings, methods=["GET", "POST"]),
            Route("/_sandbox/requests", self.requests, methods=["GET"]),
        ]

    async def book(self, request: Request) -> Response:
        """What was booked, oldest first; ``?root_id=`` for one payment."""
        booked = self._gateway.book.booked(request.query_params.get("root_id"))
        return JSONResponse([_entry(entry) for entry in booked])

    async def book_own(self, request: Request) -> Response:
        """Book a CB, CR or other back-office entry as the acquirer's own doing."""
        asked = OwnBooking.model_validate_json(await request.body())
        referenced = self._gateway.book.get(asked.referenced_id)
        if referenced is None:
            return JSONResponse({"error": "referenced_id is not known"}, _BAD)
        order = Order(
            **asked.model_dump(),
            entity_id=referenced.entity_id,
            test_mode=referenced.test_mode,
        )
        entry = self._gateway.process(order)
        return JSONResponse(answers.single(entry), 200 if entry.booked else _BAD)

    async def position(self, _request: Request) -> Response:
        """Signed sums in minor units, per currency and per payment root."""
        currencies, roots = Counter[str](), Counter[str]()
        names: dict[str, str] = {}
        for entry in self._gateway.book.booked():
            signed = entry.sign * entry.amount_minor
            currencies[entry.currency] += signed
            roots[entry.root_id] += signed
            names[entry.root_id] = entry.currency
        payments = {root: {"currency": names[root], "minor": roots[root]} for root in roots}
        return JSONResponse({"currencies": currencies, "roots": payments})

    async def set_up_payment(self, request: Request) -> Response:
        """Book a DB or CP under the id that a story needs; the same again changes nothing."""
        asked = Payment.model_validate_json(await request.body())
        known = self._gateway.book.get(asked.id)
        entry = known or self._set_up(asked)
        if (entry.amount_minor, entry.currency) != (asked.minor, asked.currency):
            return JSONResponse({"error": "id is taken by another payment"}, _CONFLICT)
        return JSONResponse(_entry(entry))

    def _set_up(self, asked: Payment) -> Transaction:
        order = Order(
            payment_type=asked.payment_type,
            entity_id=asked.entity_id,
            amount_minor=asked.minor,
            currency=asked.currency,
            test_mode=asked.test_mode,
            id=asked.id,
            booked_at=asked.booked_at.astimezone(UTC).isoformat() if asked.booked_at else None,
        )
        if asked.payment_type is PaymentType.CP:
            authorization = replace(order, payment_type=PaymentType.PA, id=None)
            order = replace(order, referenced_id=self._gateway.process(authorization).id)
        return self._gateway.process(order)

    async def faults(self, request: Request) -> Response:
        """Arm a fault, list the armed with how often each fired, or disarm all."""
        if request.method == "POST":
            self._gateway.faults.arm(Fault.model_validate_json(await request.body()))
        elif request.method == "DELETE":
            self._gateway.faults.clear()
        return JSONResponse(self._gateway.faults.listed())

    async def settings(self, request: Request) -> Response:
        """Read the settings, or change those named in the body; a change resets the limits."""
        if request.method == "POST":
            changed = json.loads(await request.body())
            now = self._gateway.settings.model_dump() | changed
            self._gateway.settings = Settings.model_validate(now)
            self._gateway.throttle.forget()
        # Tokens are the sandbox's own, and still nothing to print.
        return JSONResponse(self._gateway.settings.model_dump(exclude={"entities"}))

    async def requests(self, request: Request) -> Response:
        """The requests seen, oldest first; ``?merchant_transaction_id=`` for one reference."""
        named = request.query_params.get("merchant_transaction_id")
        lines = self._gateway.requests
        return JSONResponse(
            [line for line in lines if named in {None, line["merchant_transaction_id"]}]
        )


async def bad_body(_request: Request, error: Exception) -> Response:
    """Say which fields of a switchboard request are wrong."""
    reasons = (
        [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        if isinstance(error, ValidationError)
        else ["the body is not JSON"]
    )
    return JSONResponse({"error": "; ".join(reasons)}, _BAD)


def _entry(entry: Transaction) -> answers.Json:
    return {
        "id": entry.id,
        "payment_type": entry.payment_type.value,
        "root_id": entry.root_id,
        "entry_id": entry.entry_id,
        "amount_minor": entry.amount_minor,
        "currency": entry.currency,
        "sign": entry.sign,
        "referenced_id": entry.referenced_id,
        "merchant_transaction_id": entry.merchant_transaction_id,
        "booked_at": entry.booked_at,
    }
