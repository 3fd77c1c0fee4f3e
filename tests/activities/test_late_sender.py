"""A sender that stood still between its last look at the clock and the write: it wakes too late."""

import asyncio
from datetime import datetime
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.operation import OperationRunner
from activities.reconciliation import ReconciliationActivities
from disputes.gateway.entities import one_entity
from disputes.gateway.payunity import PayUnity
from disputes.ledger import Account
from disputes.messages import Booking
from disputes.operations import Operation, Plan
from disputes.ports import Said
from disputes.reconciliation import AdoptShown, PaymentRoot
from disputes.requests import EntryTold
from disputes.store.reads import Reads
from disputes.store.reconciliation import SqlReconciliationBook
from disputes.store.throttle import SqlQueryThrottle
from disputes.vocabulary import OperationState, Purpose
from tests.activities.till import PATIENCE, QUERY_INTERVAL_S, Till
from tests.store.scene import START
from tests.support.waiting import until


class Frozen(PayUnity):
    """Sends only when it is thawed, whatever the deadline was."""

    def __init__(self, till: Till) -> None:
        entities = one_entity(till.sandbox.url, "sandbox", "sandbox")
        super().__init__(till.http, entities, SqlQueryThrottle(till.scene.store, QUERY_INTERVAL_S))
        self.reached, self.thawed = asyncio.Event(), asyncio.Event()

    async def send(self, plan: Plan, deadline_s: float) -> Said:
        self.reached.set()
        await self.thawed.wait()
        return await super().send(plan, deadline_s + 60)


@pytest.mark.parametrize("purpose", [Purpose.AUTHORIZE, Purpose.DEBIT, Purpose.GOODWILL])
async def test_what_it_books_is_on_the_books_as_a_twin(till: Till, purpose: Purpose) -> None:
    """The others had taken it for lost by then and sent it again, as nothing forbids."""
    plan, gateway = till.plan(purpose, 9200), Frozen(till)
    late = asyncio.create_task(
        OperationRunner(till.scene.book, gateway, PATIENCE).run(plan, (), START)
    )
    await gateway.reached.wait()
    kept = await till.one(plan)
    gateway.thawed.set()
    operation, *adopted = (await late).operations
    entries = await till.booked(plan)
    assert operation.state is OperationState.SETTLED
    assert {operation.gateway_id, *operation.twins} == {entry["id"] for entry in entries}
    assert operation.gateway_id == kept.gateway_id
    assert len(entries) == 2
    theirs = sum(int(str(it["sign"])) * int(str(it["amount_minor"])) for it in entries)
    assert sum(till.scene.ledger.positions(Account.ACQUIRER).values()) == theirs
    assert [it.gateway_id for it in adopted] in ([], list(operation.twins))
    assert till.scene.ledger.verify() == []


class _Nobody:
    """No case is told: there is none."""

    async def booking(self, dispute_id: str, booking: Booking) -> None:
        raise AssertionError(f"{dispute_id} was told of {booking.gateway_id}")

    async def payment_booking(self, workflow_id: str, entry: EntryTold) -> None:
        raise AssertionError(f"{workflow_id} was told of {entry.gateway_id}")


@pytest.mark.parametrize("purpose", [Purpose.AUTHORIZE, Purpose.DEBIT, Purpose.GOODWILL])
async def test_what_nobody_hears_of_is_found_and_undone_by_the_comparison(
    till: Till, purpose: Purpose
) -> None:
    """Its worker ends as it wakes: the second payment hangs under nothing that our books have."""
    plan = till.plan(purpose, 9200)
    till.scene.book.mark_sent(plan.key, attempts=till.scene.book.intend(plan, ()).attempts)
    kept = await till.one(plan)
    await till.gateway.send(plan, 60)
    older, newer = await till.booked(plan)
    assert kept.gateway_id == older["id"]
    comparison = ReconciliationActivities(
        till.scene.register,
        SqlReconciliationBook(till.scene.store),
        till.scene.book,
        till.gateway,
        PATIENCE,
        _Nobody(),
    )
    payment = PaymentRoot(root_id=str(older["id"]), merchant_id=plan.merchant_id)
    compared = await ActivityEnvironment().run(comparison.compare_payment, payment)
    assert {entry.gateway_id for entry in compared.shown} == {older["id"], newer["id"]}
    assert [it.gateway_id for it in compared.adoptable] == [newer["id"]]
    adopt = AdoptShown(
        payment=payment,
        shown=compared.shown,
        adoptable=tuple(str(it.gateway_id) for it in compared.adoptable),
        at=START,
    )
    assert not (await ActivityEnvironment().run(comparison.adopt_shown, adopt)).differences
    undone = [it for it in await till.sandbox.book() if it["referenced_id"] == newer["id"]]
    assert [it["amount_minor"] for it in undone] == [9200]
    assert till.scene.ledger.verify() == []
    for root in (older, newer):
        theirs, ours = await till.books(str(root["id"]))
        assert theirs == ours


async def test_what_it_books_is_on_the_books_even_where_it_is_given_up(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it wakes, Temporal tells it that another worker has its step."""
    plan, gateway = till.plan(Purpose.DEBIT, 9200), Frozen(till)
    runner, loop = OperationRunner(till.scene.book, gateway, PATIENCE), asyncio.get_running_loop()
    late = asyncio.create_task(runner.run(plan, (), START))
    await gateway.reached.wait()
    await till.one(plan)
    settle = till.scene.book.settle

    def given_up(key: str, state: OperationState, *, at: datetime, **more: Any) -> Operation:  # noqa: ANN401 - passed on
        loop.call_soon_threadsafe(late.cancel)
        return settle(key, state, at=at, **more)

    monkeypatch.setattr(till.scene.book, "settle", given_up)
    gateway.thawed.set()
    with pytest.raises(asyncio.CancelledError):
        await late
    entries = {entry["id"] for entry in await till.booked(plan)}
    assert len(entries) == 2
    reads = Reads(till.scene.store)
    await until(lambda: entries <= {line.gateway_id for line in reads.operations()})
    assert till.scene.ledger.verify() == []
