"""Two entries under one reference: one is kept, the other undone where its type has an inverse.

The judge is always the sandbox's own book.
"""

from dataclasses import replace

import pytest

from activities.operation import Patience
from disputes.operations import Operation, Plan
from disputes.vocabulary import OperationState, Outcome, PaymentType, Purpose
from tests.activities.till import Till
from tests.store.scene import START

#: Nothing here may be sent again, however slow the machine is.
_PATIENT = Patience(settle_window_s=120, doubt_after_s=120)


@pytest.fixture
def till(till: Till) -> Till:
    """A till that is never in a hurry."""
    return replace(till, patience=_PATIENT)


async def _twice(till: Till, plan: Plan) -> Operation:
    """The gateway books one request twice, and its answer is lost with the worker."""
    await till.sandbox.arm("duplicate_answer", match={"payment_type": plan.payment_type})
    record = till.scene.book.intend(plan, ())
    till.scene.book.mark_sent(plan.key, attempts=record.attempts)
    await till.gateway.send(record.plan, 60)
    operation = (await till.act(plan)).operations[0]
    assert operation.state is OperationState.SETTLED
    return operation


async def _plan(till: Till, purpose: Purpose) -> Plan:
    if purpose is Purpose.CAPTURE:
        return till.plan(purpose, 4000, await till.made(Purpose.AUTHORIZE, 10000))
    return till.plan(purpose, 4000)


@pytest.mark.parametrize(
    ("purpose", "inverse"),
    [
        (Purpose.AUTHORIZE, PaymentType.RV),
        (Purpose.DEBIT, PaymentType.RV),
        (Purpose.CAPTURE, PaymentType.RF),
        (Purpose.GOODWILL, PaymentType.RF),
    ],
)
async def test_a_second_entry_is_undone_by_an_operation_of_its_own(
    till: Till, purpose: Purpose, inverse: PaymentType
) -> None:
    plan = await _plan(till, purpose)
    operation = await _twice(till, plan)
    older, newer = await till.booked(plan)
    assert (operation.gateway_id, operation.twins) == (older["id"], ())
    undone = [it for it in await till.sandbox.book() if it["referenced_id"] == newer["id"]]
    assert [(it["payment_type"], it["amount_minor"]) for it in undone] == [(inverse, 4000)]
    assert till.scene.ledger.verify() == []
    for root in {str(older["root_id"]), str(newer["root_id"])}:
        theirs, ours = await till.books(root)
        assert theirs == ours


async def test_a_debit_that_cannot_be_reversed_any_more_is_refunded(till: Till) -> None:
    plan = await _plan(till, Purpose.DEBIT)
    await till.sandbox.arm("refuse", match={"payment_type": "RV"}, code="700.300.700")
    assert (await _twice(till, plan)).twins == ()
    _, newer = await till.booked(plan)
    undone = [it for it in await till.sandbox.book() if it["referenced_id"] == newer["id"]]
    assert [it["payment_type"] for it in undone] == ["RF"]
    assert await till.books(str(newer["root_id"])) == (0, 0)


async def test_a_twin_of_a_rebill_leaves_the_shopper_charged_once(till: Till) -> None:
    dispute = await till.disputed()
    await till.settle(dispute)
    dispute.ruled(Outcome.CARDHOLDER_WON)
    dispute.rebill(9200)
    operation = await _twice(till, dispute.plan)
    assert operation.twins == ()
    book = await till.sandbox.book(dispute.payment_id)
    assert [it["payment_type"] for it in book] == ["DB", "CB", "RB", "RB", "RF"]
    assert book[4]["referenced_id"] == book[3]["id"]
    assert till.scene.readings() == {"acquirer": 92, "loss": 92, "recovered": 92, "in_hand": 77}
    assert till.scene.ledger.verify() == []
    again = (await till.act(dispute.plan)).operations[0]
    assert again.gateway_id == operation.gateway_id
    assert len(await till.sandbox.book(dispute.payment_id)) == 5


async def test_a_twin_that_cannot_be_undone_is_left_to_a_person(till: Till) -> None:
    """The gateway refuses the refund: the second entry stands, and is told."""
    dispute = await till.disputed()
    await till.settle(dispute)
    dispute.ruled(Outcome.CARDHOLDER_WON)
    dispute.rebill(9200)
    await till.sandbox.arm("refuse", match={"payment_type": "RF"}, code="700.400.200")
    operation = await _twice(till, dispute.plan)
    _, _, kept, twin = await till.sandbox.book(dispute.payment_id)
    assert (operation.gateway_id, operation.twins) == (kept["id"], (twin["id"],))
    assert till.scene.ledger.verify() == []


async def test_a_twin_on_which_something_builds_is_not_undone(till: Till) -> None:
    """Both were disputed: whatever is done to either is for a person to decide."""
    dispute = await till.disputed()
    await till.settle(dispute)
    dispute.ruled(Outcome.CARDHOLDER_WON)
    dispute.rebill(9200)
    plan = dispute.plan
    await till.sandbox.arm("duplicate_answer", match={"payment_type": "RB"})
    till.scene.book.mark_sent(plan.key, attempts=till.scene.book.intend(plan, ()).attempts)
    await till.gateway.send(plan, 60)
    for rebill in await till.booked(plan):
        await till.sandbox.own_booking("CB", str(rebill["id"]))
    operation = (await till.act(plan)).operations[0]
    assert len(operation.twins) == 1
    kinds = [it["payment_type"] for it in await till.sandbox.book(dispute.payment_id)]
    assert kinds == ["DB", "CB", "RB", "RB", "CB", "CB"]


async def test_a_second_chargeback_has_no_inverse(till: Till) -> None:
    dispute = await till.disputed()
    operation = await _twice(till, dispute.plan)
    assert len(operation.twins) == 1
    kinds = [it["payment_type"] for it in await till.sandbox.book(dispute.payment_id)]
    assert kinds == ["DB", "CB", "CB"], "both show, and the acquirer must undo one"
    assert await till.books(dispute.payment_id) == (-9200, -9200)


async def test_the_entry_that_another_worker_settled_with_is_never_undone(till: Till) -> None:
    """Its answer came while we asked, and named the newer one: then the older is the twin."""
    plan = await _plan(till, Purpose.DEBIT)
    await till.sandbox.arm("duplicate_answer", match={"payment_type": "DB"})
    till.scene.book.mark_sent(plan.key, attempts=till.scene.book.intend(plan, ()).attempts)
    await till.gateway.send(plan, 60)
    record, live = till.scene.book.intend(plan, ()), (await till.gateway.find(plan)).entries
    older, newer = await till.booked(plan)
    settled, own = OperationState.SETTLED, str(newer["id"])
    till.scene.book.settle(plan.key, settled, gateway_id=own, at=START)
    (operation,) = await till.runner._adopt(record, live, START)  # noqa: SLF001 - the moment between
    assert (operation.gateway_id, operation.twins) == (own, ())
    undone = [it for it in await till.sandbox.book() if it["payment_type"] == "RV"]
    assert [it["referenced_id"] for it in undone if it["root_id"] == older["id"]] == [older["id"]]
    assert [it for it in undone if it["root_id"] == newer["id"]] == []


async def test_what_a_person_settled_without_an_entry_is_left_alone(till: Till) -> None:
    plan = await _plan(till, Purpose.DEBIT)
    till.scene.book.mark_sent(plan.key, attempts=till.scene.book.intend(plan, ()).attempts)
    await till.gateway.send(plan, 60)
    record, live = till.scene.book.intend(plan, ()), (await till.gateway.find(plan)).entries
    till.scene.book.settle(plan.key, OperationState.IN_DOUBT, at=START)
    till.scene.book.resolve(plan.key, happened=True, reason="seen in the portal", at=START)
    (operation,) = await till.runner._adopt(record, live, START)  # noqa: SLF001 - the moment between
    assert (operation.state, operation.twins) == (OperationState.SETTLED, ())
    assert len(await till.booked(plan)) == 1
    assert not [it for it in await till.sandbox.book() if it["referenced_id"] == live[0].gateway_id]
