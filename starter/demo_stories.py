"""The stories that ``disputes demo --scenario`` tells, on real parts, with virtual dates."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from disputes.decode import sha256
from disputes.messages import BankRuling, Consent
from disputes.money import Money
from disputes.notice import DisputeNotice
from disputes.requests import (
    Capture,
    PreAuthorization,
    RebillRequest,
    RefundRequest,
)
from disputes.vocabulary import (
    Condition,
    Network,
    OnExpiry,
    Outcome,
    RebillReason,
    RefundReason,
    Stage,
)
from starter.demo_story import Teller

_MERCHANT = "M-1"
_REGISTRATION = sha256("a shopper of the demo")[:32]


def _eur(amount: str) -> Money:
    return Money(amount=amount, currency="EUR")


def _now() -> datetime:
    return datetime.now(UTC)


async def preauth(tell: Teller) -> None:
    """Captured by its conditions, expired with notice, authorized anew."""
    await _captured(tell)
    await _expired(tell)
    await _authorized_anew(tell)


async def _authorization(tell: Teller, amount: str, **more: object) -> str:
    payment_id = await tell.payment(amount, "PA")
    base: dict[str, object] = {
        "payment_id": payment_id,
        "merchant_id": _MERCHANT,
        "network": Network.VISA,
        "amount": _eur(amount),
        "authorized_at": _now(),
        "initiator": "customer",
        "card_present": False,
    }
    await tell.authorize(PreAuthorization.model_validate(base | more))
    await tell.news("preauthorization", payment_id)
    return payment_id


async def _captured(tell: Teller) -> None:
    tell.scene("A capture that waits for its conditions")
    tell.say("a shop authorizes 92.00 EUR: captured when the fraud check and the order are done")
    wanted = (Condition.FRAUD_CLEARED, Condition.ORDER_FULFILLED)
    payment = await _authorization(tell, "92.00", capture_when=wanted)
    for condition in wanted:
        await tell.pass_time(payment, hours=20)
        tell.say(f"twenty hours later: {condition.value.replace('_', ' ')}")
        await tell.condition(payment, condition)
        await tell.news("preauthorization", payment)


async def _expired(tell: Teller) -> None:
    tell.scene("Nobody does anything: it lapses, but not unnoticed")
    tell.say("60.00 EUR are authorized, 25.00 are captured, and the rest is forgotten")
    payment = await _authorization(tell, "60.00")
    await tell.command(payment, "capture", Capture(requested_by="ann", amount=_eur("25.00")))
    await tell.pass_time(payment, days=11)
    await tell.news("preauthorization", payment)


async def _authorized_anew(tell: Teller) -> None:
    tell.scene("Authorized anew before it lapses")
    tell.say("a hotel holds 300.00 EUR, and its guest stays longer than the card network allows")
    payment = await _authorization(
        tell, "300.00", on_expiry=OnExpiry.REAUTHORIZE, registration_id=_REGISTRATION
    )
    await tell.pass_time(payment, days=10)
    status = await tell.news("preauthorization", payment)
    successor = getattr(status, "reauthorized_as", None)
    if successor is None:
        return
    tell.say("the guest leaves, and the hotel captures the new one")
    await tell.command(successor, "capture", Capture(requested_by="ann"))
    await tell.news("preauthorization", successor)


async def refund(tell: Teller) -> None:
    """Inside the window, beyond it, and while a dispute holds the money."""
    tell.scene("Inside the refund window")
    payment = await tell.payment("92.00")
    tell.say("a shopper sends one of two shirts back: 20.00 of 92.00 EUR")
    await _refund(tell, "R-1", payment, "20.00")
    tell.say("and then asks for more than is left")
    await _refund(tell, "R-2", payment, "80.00")

    tell.scene("Ten weeks later")
    old = await tell.payment("92.00", days_ago=70)
    tell.say("the window is over, and no registration of the shopper's is known")
    await _refund(tell, "R-3", old, "20.00")
    tell.say("with a registration it is a credit")
    await _refund(tell, "R-4", old, "20.00", registration_id=_REGISTRATION)

    tell.scene("While a dispute holds the money")
    disputed = await tell.payment("92.00")
    tell.say("the bank opens a chargeback, and the shopper asks the shop for the money as well")
    await tell.dispute(_notice("D-1", disputed, "92.00"))
    await tell.case("D-1")
    await _refund(tell, "R-5", disputed, "92.00")


async def _refund(
    tell: Teller, refund_id: str, payment: str, amount: str, registration_id: str | None = None
) -> None:
    request = RefundRequest(
        refund_id=refund_id,
        payment_id=payment,
        merchant_id=_MERCHANT,
        amount=_eur(amount),
        reason=RefundReason.CHANGE_OF_MIND,
        requested_by="ann",
        registration_id=registration_id,
    )
    await tell.order("refund", refund_id, request)


async def rebill(tell: Teller) -> None:
    """On top of a debit by the policy's share; after a lost dispute, and given back."""
    tell.scene("The final amount differs")
    ride = await tell.payment("40.00")
    tell.say(
        "a ride was estimated at 40.00 EUR and cost 44.00: the policy allows 15 percent on top"
    )
    await _rebill(tell, "RB-1", ride, "4.00", RebillReason.FINAL_AMOUNT_DIFFERS)
    tell.say("a second surcharge of 3.00 is more than that")
    await _rebill(tell, "RB-2", ride, "3.00", RebillReason.FINAL_AMOUNT_DIFFERS)

    tell.scene("A chargeback that was not justified")
    payment = await tell.payment("92.00")
    tell.say("the bank takes 92.00 EUR back and rules for the cardholder")
    await tell.dispute(_notice("D-2", payment, "92.00"))
    lost = BankRuling(ruling_id="L-1", outcome=Outcome.CARDHOLDER_WON, decided_at=_now())
    await tell.rule("D-2", lost)
    await tell.case("D-2")
    tell.say("two days later the shopper agrees to pay again")
    await tell.days_pass("D-2", 2)
    consent = Consent(given_at=_now(), evidence_id="letter-1")
    await _rebill(
        tell,
        "RB-3",
        payment,
        "92.00",
        RebillReason.UNJUSTIFIED_CHARGEBACK,
        dispute_id="D-2",
        consent=consent,
    )
    await tell.case("D-2")
    tell.say("then the bank changes its mind: what was charged again is given back")
    won = BankRuling(ruling_id="W-1", outcome=Outcome.MERCHANT_WON, decided_at=_now())
    await tell.rule("D-2", won)
    await tell.case("D-2")


async def _rebill(
    tell: Teller,
    rebill_id: str,
    payment: str,
    amount: str,
    reason: RebillReason,
    dispute_id: str | None = None,
    consent: Consent | None = None,
) -> None:
    request = RebillRequest(
        rebill_id=rebill_id,
        payment_id=payment,
        merchant_id=_MERCHANT,
        amount=_eur(amount),
        reason=reason,
        requested_by="ann",
        dispute_id=dispute_id,
        consent=consent,
    )
    await tell.order("rebill", rebill_id, request)


def _notice(dispute_id: str, payment: str, amount: str) -> DisputeNotice:
    return DisputeNotice(
        dispute_id=dispute_id,
        merchant_id=_MERCHANT,
        payment_id=payment,
        stage=Stage.CHARGEBACK,
        network=Network.VISA,
        reason_code="13.1",
        amount=_eur(amount),
        received_at=_now(),
        processed_at=_now().date(),
    )


STORIES: Mapping[str, Callable[[Teller], Awaitable[None]]] = {
    "preauth": preauth,
    "refund": refund,
    "rebill": rebill,
}
