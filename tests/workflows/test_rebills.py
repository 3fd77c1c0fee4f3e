"""Charging again after a lost dispute: never twice, and given back when the bank turns."""

import pytest

from disputes.decode import sha256
from tests.support.engine import Engine
from tests.workflows.hands import Dispute, refused


async def _rebillable(engine: Engine, **changes: object) -> Dispute:
    """Lost, and past the policy's cool-off of a day."""
    dispute = await Dispute.lost(engine, **changes)
    assert await dispute.days_pass(2)
    return dispute


async def test_accepted_then_won(engine: Engine) -> None:
    """The merchant gave up, the bank did not: the money comes back."""
    dispute = await Dispute.booked(engine)
    answer = await dispute.update("accept_liability", {"accepted_by": "ana"})
    assert answer == {"status": "accepted"}
    await dispute.money_is(dispute_loss=92_00)
    await dispute.rule("merchant_won")
    await dispute.until(status="won", booked_out="0.00")
    await dispute.money_is(acquirer=92_00)


async def test_rebill_after_loss(engine: Engine) -> None:
    """The loss stays a loss; what is charged again is recovered, once."""
    dispute = await _rebillable(engine)
    assert await dispute.request_rebill() == {"status": "lost"}
    status = await dispute.until(rebilled="92.00")
    assert (status.recovered, status.written_off) == ("92.00", "92.00")
    assert await dispute.booked_types() == ["DB", "CB", "RB"]
    await dispute.money_is(acquirer=92_00, dispute_loss=92_00, recovered=92_00)
    assert (await refused(dispute.request_rebill()))[0] == "MoneyHeld"
    assert (await dispute.ends())["recovered"] == "92.00"


async def test_the_same_rebill_asked_twice_is_one(engine: Engine) -> None:
    dispute = await _rebillable(engine)
    for _ in range(2):
        await dispute.request_rebill(rebill_id="again-1")
    await dispute.until(rebilled="92.00")
    kind, details = await refused(dispute.request_rebill(rebill_id="again-1", reason="other"))
    assert (kind, details["fields"]) == ("Conflict", ["reason"])
    assert (await dispute.ends())["rebilled"] == "92.00"
    await dispute.money_is(acquirer=92_00, dispute_loss=92_00, recovered=92_00)
    assert await dispute.booked_types() == ["DB", "CB", "RB"]


async def test_rebill_then_late_win(engine: Engine) -> None:
    """The bank returns what was charged again: the shopper gets the rebill back."""
    dispute = await _rebillable(engine)
    await dispute.request_rebill()
    await dispute.until(rebilled="92.00")
    await dispute.rule("merchant_won")
    await dispute.until(
        lambda status: "give_back_due" not in status.attention, status="won", booked_out="0.00"
    )
    assert await dispute.booked_types() == ["DB", "CB", "RB", "CR", "RF"]
    await dispute.money_is(acquirer=92_00)
    kind, details = await refused(dispute.request_rebill())
    assert (kind, details["status"]) == ("IllegalTransition", "won")
    assert (await dispute.ends())["recovered"] == "0.00"


async def test_a_give_back_that_the_gateway_refuses_stays_due(engine: Engine) -> None:
    """What is owed to the shopper stands on the books until a person pays it."""
    dispute = await _rebillable(engine)
    await dispute.request_rebill()
    await dispute.until(rebilled="92.00")
    await engine.sandbox.arm("refuse", match={"payment_type": "RF", "payment_id": dispute.payment})
    await dispute.rule("merchant_won")
    await dispute.until(lambda status: "give_back_due" in status.attention, booked_out="0.00")
    await dispute.money_is(acquirer=184_00, giveback_due=92_00)


async def test_only_the_lost_part_can_be_charged_again(engine: Engine) -> None:
    dispute = await Dispute.booked(engine)
    await dispute.rule("partial", merchant_amount={"amount": "40.00", "currency": "EUR"})
    await dispute.until(status="partially_won", booked_out="52.00")
    assert await dispute.days_pass(2)
    too_much = {"amount": "52.01", "currency": "EUR"}
    assert (await refused(dispute.request_rebill(amount=too_much)))[0] == "InvalidMessage"
    await dispute.request_rebill()
    await dispute.until(rebilled="52.00")
    await dispute.money_is(acquirer=92_00, dispute_loss=52_00, recovered=52_00)


async def test_a_rebill_that_the_gateway_refuses_recovers_nothing(engine: Engine) -> None:
    dispute = await _rebillable(engine)
    await engine.sandbox.arm("refuse", match={"payment_type": "RB", "payment_id": dispute.payment})
    await dispute.request_rebill()
    await dispute.until(lambda status: "rebill_refused" in status.attention)
    await dispute.money_is(dispute_loss=92_00)


async def test_a_rebill_that_the_gateway_refused_may_be_asked_for_again(engine: Engine) -> None:
    dispute = await _rebillable(engine)
    await engine.sandbox.arm("refuse", match={"payment_type": "RB", "payment_id": dispute.payment})
    await dispute.request_rebill()
    await dispute.until(lambda status: "rebill_refused" in status.attention)
    await dispute.request_rebill()
    status = await dispute.until(rebilled="92.00")
    assert "rebill_refused" not in status.attention
    assert (await refused(dispute.request_rebill()))[0] == "MoneyHeld"
    await dispute.money_is(acquirer=92_00, dispute_loss=92_00, recovered=92_00)


async def test_a_rebill_waits_for_the_cool_off(engine: Engine) -> None:
    dispute = await Dispute.lost(engine)
    assert (await refused(dispute.request_rebill()))[0] == "MoneyHeld"


@pytest.mark.parametrize("what", ["fraud code", "captured authorization"])
async def test_what_cannot_be_charged_again_is_refused_before_any_call(
    engine: Engine, what: str
) -> None:
    if what == "fraud code":
        dispute = await _rebillable(engine, reason_code="10.4")
    else:
        payment = sha256("a capture")[:32]
        await engine.sandbox.payment(payment, "92.00", "EUR", "CP")
        dispute = await _rebillable(engine, payment_id=payment)
    kind, details = await refused(dispute.request_rebill())
    assert (kind, details["operation"]) == ("NotSupported", "rebill")
    assert "RB" not in await dispute.booked_types()
