"""The bank's doors under ``/_sandbox/bank/``: which scenarios there are, and what one will send."""

from datetime import date
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from disputes.money import Money
from disputes.vocabulary import Network
from sandbox.bank import Dispute, tell
from sandbox.gateway import Gateway
from sandbox.scenarios import SCENARIOS


class Asked(BaseModel):
    """A dispute for the bank to open; the amount is the payment's as booked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenario: str
    payment_id: str
    dispute_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
    network: Network
    reason_code: str
    received_at: AwareDatetime
    merchant_id: str = "M-1"
    processed_at: date | None = None
    respond_by: AwareDatetime | None = None

    @model_validator(mode="after")
    def _known_scenario(self) -> Self:
        if self.scenario not in SCENARIOS:
            raise ValueError("scenario is not known")
        return self


class BankDoor:
    """Endpoints of the bank behind one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def routes(self) -> list[Route]:
        """Routes for Starlette."""
        return [
            Route("/_sandbox/bank/scenarios", self.scenarios, methods=["GET"]),
            Route("/_sandbox/bank/disputes", self.disputes, methods=["POST"]),
        ]

    async def scenarios(self, _request: Request) -> Response:
        """Names of the scenarios."""
        return JSONResponse(list(SCENARIOS))

    async def disputes(self, request: Request) -> Response:
        """The feed lines that the bank will send, and the desk's commands of that story."""
        asked = Asked.model_validate_json(await request.body())
        payment = self._gateway.book.get(asked.payment_id)
        if payment is None or not payment.booked:
            return JSONResponse({"error": "payment_id is not known"}, 400)
        story = tell(
            asked.scenario,
            Dispute(
                amount=Money.of(payment.amount_minor, payment.currency),
                **asked.model_dump(exclude={"scenario"}),
            ),
        )
        return JSONResponse({"feed": story.feed, "desk": story.desk})
