"""A bench for one gateway operation: a real store, a real sandbox, and a runner between them."""

from dataclasses import dataclass

from activities.operation import OperationRunner, Patience
from disputes.gateway.client import Gateway, Timeouts
from disputes.gateway.entities import one_entity
from disputes.gateway.payunity import PayUnity
from disputes.operations import Operation, Plan
from disputes.steps import MoneyMoved
from disputes.store.throttle import SqlQueryThrottle
from disputes.vocabulary import PaymentType
from tests.store.scene import Dispute, Scene
from tests.support.sandbox import Sandbox

QUERY_INTERVAL_S = 0.05
PATIENCE = Patience(settle_window_s=1.2, doubt_after_s=4.0)
TIMEOUTS = Timeouts(pool_s=0.5, connect_s=0.5, write_s=0.5, read_s=0.5)


@dataclass
class Bench:
    """A dispute on a fresh DB of 92.00 EUR, and a runner for what it owes."""

    sandbox: Sandbox
    scene: Scene
    gateway: Gateway
    dispute: Dispute
    payment_id: str

    #: how the next runner waits
    patience: Patience = PATIENCE
    query_interval_s: float = QUERY_INTERVAL_S

    def runner(self, url: str | None = None) -> OperationRunner:
        """A runner against the sandbox, or another address."""
        return OperationRunner(self.scene.book, self.port(url), self.patience)

    def port(self, url: str | None = None) -> PayUnity:
        """The gateway's port, as each worker has one."""
        throttle = SqlQueryThrottle(self.scene.store, self.query_interval_s)
        entities = one_entity(url or self.sandbox.url, "sandbox", "sandbox")
        return PayUnity(self.gateway, entities, throttle)

    async def run(self, plan: Plan | None = None) -> MoneyMoved:
        """Run the plan that the dispute owes."""
        return await self.runner().run(plan or self.dispute.plan, (), self.dispute.now)

    async def one(self) -> Operation:
        """The one operation that a run reports."""
        (operation,) = (await self.run()).operations
        return operation

    async def sent(self) -> Plan:
        """Send what the dispute owes and forget the answer: a worker that died after its call."""
        plan = self.dispute.plan
        record = self.scene.book.intend(plan, ())
        self.scene.book.mark_sent(plan.key, attempts=record.attempts)
        await self.port().send(plan, 30)
        return plan

    async def methods(self, plan: Plan) -> list[str]:
        """The requests that the sandbox saw under the plan's reference."""
        seen = await self.sandbox.requests(plan.merchant_transaction_id)
        return [str(request["method"]) for request in seen]

    async def booked(self, payment_type: PaymentType) -> list[dict[str, object]]:
        """The sandbox's own entries of one type on the payment."""
        book = await self.sandbox.book(self.payment_id)
        return [entry for entry in book if entry["payment_type"] == payment_type]

    def fault(self) -> dict[str, object]:
        """A match for this payment only."""
        return {"payment_id": self.payment_id}
