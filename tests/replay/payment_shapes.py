"""The shapes of payments' own workflows that are recorded: each lives to its end in seconds."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

from temporalio.client import WorkflowFailureError

from tests.support.engine import Engine
from tests.support.plans import REGISTRATION
from tests.workflows.hands import CONSENT, Dispute
from tests.workflows.payment_hands import Order, Payout, PreAuth, Rebill, Refund, eur, fresh_id

Own: TypeAlias = PreAuth | Order
Shape: TypeAlias = Callable[[Engine], Awaitable[Own]]

#: Hours until it lapses, so that the policy's buffer of four begins in a few seconds.
_SOON = 4 + 4 / 3600


async def captured_in_parts(engine: Engine) -> Own:
    """Two captures, and the rest released."""
    own = await PreAuth.opened(engine)
    await own.capture("30.00")
    await own.capture("20.00")
    await own.reverse("product_unavailable")
    return own


async def captured_by_conditions(engine: Engine) -> Own:
    """Two conditions, each told for itself, and a message that cannot be read."""
    own = await PreAuth.opened(engine, capture_when=["fraud_cleared", "order_fulfilled"])
    await own.signal("condition_met", condition="stars aligned")
    await own.met("fraud_cleared")
    await own.until(lambda it: any(c.met_at is not None for c in it.conditions))
    await own.met("order_fulfilled")
    return own


async def expired(engine: Engine) -> Own:
    """Nobody does anything: reminders, and the end."""
    return await PreAuth.opened(engine, hours=4 / 3600)


async def authorized_anew(engine: Engine) -> Own:
    """A new one by registration, and then the old one released."""
    return await PreAuth.opened(
        engine, hours=_SOON, on_expiry="reauthorize", registration_id=REGISTRATION
    )


async def captured_before_expiry(engine: Engine) -> Own:
    """The policy takes what is open."""
    return await PreAuth.opened(engine, hours=_SOON, on_expiry="capture")


async def refunded(engine: Engine) -> Own:
    """A part of a debit."""
    return await Refund.asked(engine)


async def refund_refused(engine: Engine) -> Own:
    """More than there is: refused before anything is sent."""
    return await Refund.asked(engine, amount=eur("92.01"))


async def refund_approved(engine: Engine) -> Own:
    """Above the limit of four eyes."""
    payment = fresh_id()
    await engine.sandbox.payment(payment, "9000.00", "EUR")
    own = await Refund.asked(engine, payment, amount=eur("9000.00"))
    status = await own.until(state="waiting_for_approval")
    assert status.approval is not None
    await own.update("approve", request_id=status.approval.request_id, decided_by="ben")
    return own


async def gesture_paid(engine: Engine) -> Own:
    """A credit on no payment."""
    return await Payout.asked(engine, alone=True, reason="customer_service_gesture")


async def rebilled_on_top(engine: Engine) -> Own:
    """The final amount differs."""
    return await Rebill.asked(engine)


async def rebilled_by_its_case(engine: Engine) -> Own:
    """After a lost dispute, by the rules of its case."""
    dispute = await Dispute.lost(engine)
    return await Rebill.asked(
        engine,
        dispute.payment,
        reason="unjustified_chargeback",
        dispute_id=dispute.id,
        consent=CONSENT,
        amount=eur("92.00"),
    )


async def ended(own: Own) -> None:
    """Wait for its end, whatever it is."""
    with suppress(WorkflowFailureError):
        await own.case.result()


PAYMENT_SHAPES: tuple[Shape, ...] = (
    captured_in_parts,
    captured_by_conditions,
    expired,
    authorized_anew,
    captured_before_expiry,
    refunded,
    refund_refused,
    refund_approved,
    gesture_paid,
    rebilled_on_top,
    rebilled_by_its_case,
)
