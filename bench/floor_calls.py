"""The floor's gateway calls: the engine's own client, and no book about it."""

from pydantic import BaseModel
from temporalio import activity

from disputes.gateway.payunity import PayUnity
from disputes.money import Money
from disputes.operations import Plan

_SEND_WITHIN_S = 30.0


class FloorNotice(BaseModel):
    """What of a notice the calls need; what else it has is carried along in history alone."""

    dispute_id: str
    merchant_id: str
    payment_id: str
    network: str
    reason_code: str
    amount: Money


class FloorCalls:
    """Activities over the PayUnity client; they believe every answer."""

    def __init__(self, gateway: PayUnity) -> None:
        self._gateway = gateway

    @activity.defn(name="floor_ask")
    async def ask(self, notice: FloorNotice) -> int:
        """Query the presented entry; gives how many linked entries there are."""
        lookup = await self._gateway.linked(notice.merchant_id, notice.payment_id)
        return len(lookup.entries)

    @activity.defn(name="floor_post")
    async def post(self, plan: Plan) -> str:
        """Post one entry; gives its id."""
        said = await self._gateway.send(plan, _SEND_WITHIN_S)
        if said.gateway_id is None:
            raise RuntimeError(f"the gateway said {said.word}")
        return said.gateway_id
