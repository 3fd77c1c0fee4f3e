"""The refund of a case's own, by its activity on the real sandbox."""

from datetime import timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from disputes.events import OperationReported
from disputes.operations import Operation
from disputes.steps import MoneyMoved, MoveMoney
from disputes.vocabulary import NetworkEventKind, OperationState, PaymentType, Purpose, Stage
from tests.activities.till import Till
from tests.store.scene import START, Dispute, entry


async def _asked(till: Till) -> Dispute:
    """An inquiry on a DB of 92.00 that its desk wants refunded."""
    payment_id = await till.debited()
    debit = entry(PaymentType.DB, 9200, gateway_id=payment_id)
    dispute = Dispute(till.scene, f"D-{payment_id}", [debit])
    dispute.open(9200, stage=Stage.INQUIRY)
    dispute.refund(9200)
    return dispute


async def _refunded(till: Till, dispute: Dispute) -> Operation:
    move = MoveMoney(plan=dispute.plan, at=START + timedelta(days=1))
    moved: MoneyMoved = await ActivityEnvironment().run(till.disputes.refund_dispute, move)
    (operation,) = moved.operations
    return operation


@pytest.mark.parametrize("fault", [None, "http_500_after_booking", "http_500"])
async def test_it_is_booked_once_whatever_the_answer_was(till: Till, fault: str | None) -> None:
    dispute = await _asked(till)
    plan = dispute.plan
    if fault:
        await till.sandbox.arm(fault, match={"payment_id": dispute.payment_id})
    operation = await _refunded(till, dispute)
    assert await _refunded(till, dispute) == operation
    (booked,) = await till.booked(plan)
    assert (operation.state, operation.gateway_id) == (OperationState.SETTLED, booked["id"])
    assert (booked["payment_type"], booked["amount_minor"]) == ("RF", 9200)
    assert await till.books(dispute.payment_id) == (0, 0)
    assert till.scene.ledger.verify() == []


async def test_it_is_not_sent_again_once_the_chargeback_came(till: Till) -> None:
    """The first call was lost, and nobody can take a second refund back: a person is asked."""
    dispute = await _asked(till)
    plan = dispute.plan
    record = till.scene.book.intend(plan, ())
    till.scene.book.mark_sent(plan.key, attempts=record.attempts)
    dispute.reported(NetworkEventKind.ESCALATED)
    move = MoveMoney(plan=plan, at=START + timedelta(days=1))
    moved: MoneyMoved = await ActivityEnvironment().run(till.disputes.refund_dispute, move)
    (doubtful,) = moved.operations
    assert doubtful.state is OperationState.IN_DOUBT
    assert "owes it no longer" in (doubtful.reason or "")
    assert await till.booked(plan) == []

    resolved = till.scene.book.resolve(plan.key, happened=False, reason="none", at=dispute.now)
    dispute.record(OperationReported(operation=resolved))
    assert dispute.plan.purpose is Purpose.BOOK
