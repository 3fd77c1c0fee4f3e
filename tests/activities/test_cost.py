"""What one gateway operation costs where nothing goes wrong: three transactions and one call."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest_asyncio
from sqlalchemy import event

from activities.operation import OperationRunner, Patience
from disputes.events import CaseEvent, OperationReported
from disputes.gateway.client import Gateway, Timeouts
from disputes.gateway.entities import one_entity
from disputes.gateway.payunity import PayUnity
from disputes.store.database import make_engine
from disputes.store.engine import Store
from disputes.store.migrations import migrate
from disputes.store.throttle import SqlQueryThrottle
from disputes.vocabulary import OperationState, Outcome, PaymentType, Purpose
from tests.store.scene import Dispute, Scene, entry, new_id
from tests.support.sandbox import Sandbox


@dataclass
class Meter:
    """A dispute on a fresh DB of 92.00 EUR, and what its operations cost."""

    sandbox: Sandbox
    runner: OperationRunner
    dispute: Dispute
    #: transactions begun, of reads and writes alike
    begun: int = field(default=0)

    def count(self, _connection: object) -> None:
        self.begun += 1

    async def run(self, events: tuple[CaseEvent, ...] = ()) -> tuple[Purpose, int, int]:
        """Carry out what is owed, with the events that nobody has recorded yet.

        Gives the purpose, how many transactions it took, and how many requests.
        """
        plan = self.dispute.plan
        self.begun, before = 0, len(await self.sandbox.requests())
        moved = await self.runner.run(plan, events, self.dispute.now)
        cost = (plan.purpose, self.begun, len(await self.sandbox.requests()) - before)
        (operation,) = moved.operations
        assert operation.state is OperationState.SETTLED
        self.dispute.record(OperationReported(operation=operation))
        return cost


@pytest_asyncio.fixture
async def meter(sandbox: Sandbox, database_url: str) -> AsyncIterator[Meter]:
    migrate(database_url)
    engine = make_engine(database_url)
    store = Store(engine)
    payment_id = f"c{new_id()[1:]}"
    await sandbox.payment(payment_id, "92.00", "EUR")
    presented = entry(PaymentType.DB, 92_00, gateway_id=payment_id)
    dispute = Scene(store).dispute(f"D-{payment_id}", [presented], 92_00)
    async with Gateway(Timeouts.within(10)) as gateway:
        meter = Meter(sandbox, _runner(store, gateway, sandbox), dispute)
        event.listen(engine, "begin", meter.count)
        yield meter
    store.close()


def _runner(store: Store, gateway: Gateway, sandbox: Sandbox) -> OperationRunner:
    port = PayUnity(
        gateway, one_entity(sandbox.url, "sandbox", "sandbox"), SqlQueryThrottle(store, 30)
    )
    patience = Patience(settle_window_s=120, doubt_after_s=3600)
    return OperationRunner(Scene(store).book, port, patience)


async def test_an_operation_costs_three_transactions_and_one_call(meter: Meter) -> None:
    """Of every purpose that a dispute has; facts that came meanwhile cost nothing more."""
    dispute = meter.dispute
    costs = [await meter.run()]
    dispute.ruled(Outcome.MERCHANT_WON)
    costs.append(await meter.run())
    dispute.charged_again()
    costs.append(await meter.run())
    dispute.rebill(92_00)
    costs.append(await meter.run())
    fresh = dispute.happen(dispute.ruling(Outcome.MERCHANT_WON))
    costs += [await meter.run((fresh,)), await meter.run()]
    purposes = ("BOOK", "REINSTATE", "UNDO", "REBILL", "REINSTATE", "GIVE_BACK")
    assert costs == [(Purpose[name], 3, 1) for name in purposes]
    assert dispute.scene.ledger.verify() == []
