"""Payments of one merchant, made and moved by the engine's own activities on real parts.

The judge is the sandbox's own book.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

from temporalio.testing import ActivityEnvironment

from activities.gateway import GatewayActivities
from activities.operation import OperationRunner, Patience
from activities.payments import PaymentActivities
from disputes.events import OperationReported
from disputes.gateway.client import Gateway
from disputes.gateway.entities import one_entity
from disputes.gateway.payunity import PayUnity
from disputes.ledger import Account
from disputes.operations import (
    Operation,
    Payment,
    Plan,
)
from disputes.steps import AskPayment, MoneyMoved, MoveMoney
from disputes.store.throttle import SqlQueryThrottle
from disputes.vocabulary import OperationState, Outcome, PaymentType, Purpose
from tests.store.scene import START, Dispute, Scene, entry, new_id
from tests.support.plans import own_plan
from tests.support.sandbox import Sandbox

QUERY_INTERVAL_S = 0.05
PATIENCE = Patience(settle_window_s=1.2, doubt_after_s=30.0)
_ids = count(1)


@dataclass
class Till:
    """Makes payments and moves them; amounts in cents."""

    sandbox: Sandbox
    scene: Scene
    http: Gateway
    key: str = "sandbox"
    mode: str | None = None
    patience: Patience = PATIENCE
    desk: PaymentActivities = field(init=False)
    disputes: GatewayActivities = field(init=False)
    runner: OperationRunner = field(init=False)
    gateway: PayUnity = field(init=False)

    def __post_init__(self) -> None:
        entities = one_entity(self.sandbox.url, "sandbox", self.key, self.mode)
        throttle = SqlQueryThrottle(self.scene.store, QUERY_INTERVAL_S)
        self.gateway = PayUnity(self.http, entities, throttle)
        self.desk = PaymentActivities(self.scene.book, self.gateway, self.patience)
        self.disputes = GatewayActivities(
            self.scene.register, self.scene.book, self.gateway, self.patience
        )
        self.runner = OperationRunner(self.scene.book, self.gateway, self.patience)

    def plan(self, purpose: Purpose, minor: int, on: str | None = None, **more: object) -> Plan:
        """A payment's own operation; ``on``: the entry it acts on."""
        return own_plan("payout", f"P-{next(_ids)}-{new_id()[-6:]}", purpose, minor, on, **more)

    async def act(self, plan: Plan) -> MoneyMoved:
        """Carry a plan out by its own activity."""
        step: dict[Purpose, Callable[[MoveMoney], Awaitable[MoneyMoved]]] = {
            Purpose.BOOK: self.disputes.book_chargeback,
            Purpose.REINSTATE: self.disputes.reinstate,
            Purpose.UNDO: self.disputes.undo_reinstatement,
            Purpose.REBILL: self.disputes.rebill,
            Purpose.GIVE_BACK: self.disputes.give_back,
            Purpose.GIVE_BACK_CREDIT: self.desk.credit,
            Purpose.AUTHORIZE: self.desk.authorize,
            Purpose.INCREASE: self.desk.authorize,
            Purpose.DEBIT: self.desk.debit,
            Purpose.CAPTURE: self.desk.capture,
            Purpose.REVERSE: self.desk.reverse,
            Purpose.REFUND: self.desk.refund,
            Purpose.CREDIT: self.desk.credit,
            Purpose.GOODWILL: self.desk.credit,
            Purpose.REBILL_DIFFERENCE: self.desk.rebill_payment,
            Purpose.REBILL_EXCESS_REFUND: self.desk.rebill_payment,
        }
        move = MoveMoney(plan=plan, at=START + timedelta(days=1))
        moved: MoneyMoved = await ActivityEnvironment().run(step[plan.purpose], move)
        return moved

    async def one(self, plan: Plan) -> Operation:
        """The one operation that a plan ends as."""
        (operation,) = (await self.act(plan)).operations
        return operation

    async def made(self, purpose: Purpose, minor: int, on: str | None = None) -> str:
        """Id of the entry that an operation made."""
        operation = await self.one(self.plan(purpose, minor, on))
        assert operation.state is OperationState.SETTLED, operation.reason
        assert operation.gateway_id is not None
        return operation.gateway_id

    async def ask(self, payment_id: str) -> Payment:
        """Take a payment over as its own workflow does."""
        ask = AskPayment(merchant_id="M-1", payment_id=payment_id, at=START)
        moved: MoneyMoved = await ActivityEnvironment().run(self.disputes.ask_payment, ask)
        assert moved.payment is not None
        return moved.payment

    async def debited(self) -> str:
        """A DB of 92.00 that was made elsewhere, not known here yet."""
        payment_id = f"a{new_id()[1:]}"
        await self.sandbox.payment(payment_id, "92.00", "EUR")
        return payment_id

    async def disputed(self) -> Dispute:
        """A dispute of all of such a payment."""
        payment_id = await self.debited()
        debit = entry(PaymentType.DB, 9200, gateway_id=payment_id)
        return self.scene.dispute(f"D-{payment_id}", [debit], 9200)

    async def settle(self, dispute: Dispute) -> Operation:
        """Send what a dispute owes next, and tell it."""
        operation = await self.one(dispute.plan)
        assert operation.state is OperationState.SETTLED, operation.reason
        dispute.record(OperationReported(operation=operation))
        return operation

    async def rebilled(self) -> Dispute:
        """A dispute that was lost, rebilled, and then won."""
        dispute = await self.disputed()
        await self.settle(dispute)
        dispute.ruled(Outcome.CARDHOLDER_WON)
        dispute.rebill(9200)
        await self.settle(dispute)
        dispute.ruled(Outcome.MERCHANT_WON)
        await self.settle(dispute)
        return dispute

    async def over_refunded(self) -> str:
        """A DB of which the gateway refunded 8.00 too much, as some acquirers let it."""
        payment_id = await self.debited()
        shown = [entry(PaymentType.DB, 9200, gateway_id=payment_id)]
        shown.append(entry(PaymentType.RF, 10000, payment_id))
        self.scene.book.adopt_own("M-1", payment_id, shown, START)
        return payment_id

    async def booked(self, plan: Plan) -> list[dict[str, object]]:
        """The sandbox's own entries under a plan's reference."""
        named = plan.merchant_transaction_id
        return [it for it in await self.sandbox.book() if it["merchant_transaction_id"] == named]

    async def books(self, root_id: str) -> tuple[int, int]:
        """What the sandbox and our books say that the acquirer holds of a payment."""
        shown = await self.sandbox.book(root_id)
        theirs = sum(int(str(it["sign"])) * int(str(it["amount_minor"])) for it in shown)
        ours = self.scene.ledger.positions(Account.ACQUIRER)
        return theirs, ours.get((root_id, "EUR"), 0)
