"""Credits and authorizations made anew that are in doubt: the gateway tells of them by their id.

They hang under nothing, so whoever asks about the payment that they are for is not shown them.
"""

from datetime import UTC, datetime

from disputes.operations import business_key, merchant_transaction_id
from disputes.store.notices import SqlNotices
from disputes.vocabulary import Purpose
from tests.support.engine import Engine, Json
from tests.support.plans import REGISTRATION
from tests.workflows.payment_hands import Payout, PreAuth, Refund, fresh_id

#: The gateway asks for a person.
_DOUBT = "000.400.030"


async def _arm(engine: Engine, key: str) -> str:
    """An operation is booked, and its answer does not say so; gives its reference."""
    reference = merchant_transaction_id(key)
    match = {"merchant_transaction_id": reference}
    await engine.sandbox.arm("result_code_after_booking", match=match, code=_DOUBT)
    return reference


async def _entry(engine: Engine, reference: str) -> Json:
    [entry] = [
        it for it in await engine.sandbox.book() if it["merchant_transaction_id"] == reference
    ]
    return entry


async def _notify(own: Payout | Refund | PreAuth, entry: Json) -> None:
    """What a notification of an entry tells a workflow."""
    await own.signal(
        "booking",
        gateway_id=entry["id"],
        payment_type=entry["payment_type"],
        occurred_at=datetime.now(UTC).isoformat(),
    )


async def test_a_payout_for_a_payment_is_settled_by_a_notification(quick: Engine) -> None:
    payment = fresh_id()
    await quick.sandbox.payment(payment, "92.00", "EUR")
    own = Payout(quick, f"{quick.name}-told-payout", payment)
    reference = await _arm(quick, business_key("payout", own.id, Purpose.CREDIT))
    await own.start(own.request())
    await own.until(state="in_doubt")
    credit = await _entry(quick, reference)
    await _notify(own, credit)
    summary = await own.result()
    assert summary.operation is not None
    assert (summary.state, summary.operation.gateway_id) == ("settled", credit["id"])
    kinds = [it.kind for it in SqlNotices(quick.store).told(limit=1000) if it.payment_id == payment]
    assert kinds == ["payout_sent"]
    own.verify()


async def test_a_refund_beyond_the_window_is_settled_by_a_notification(quick: Engine) -> None:
    payment = fresh_id()
    await quick.sandbox.payment(payment, "92.00", "EUR", booked_at="2020-01-01T00:00:00Z")
    own = Refund(quick, f"{quick.name}-told-refund", payment)
    reference = await _arm(quick, business_key("refund", own.id, Purpose.CREDIT))
    await own.start(own.request(registration_id=REGISTRATION))
    await own.until(state="in_doubt")
    credit = await _entry(quick, reference)
    assert credit["payment_type"] == "CD"
    await _notify(own, credit)
    assert (await own.result()).state == "settled"
    own.verify()


async def test_an_authorization_made_anew_is_found_by_a_notification(quick: Engine) -> None:
    payment = fresh_id()
    await quick.sandbox.payment(payment, "92.00", "EUR", "PA")
    own = PreAuth(quick, payment, payment)
    reference = await _arm(quick, business_key("preauthorization", payment, Purpose.AUTHORIZE))
    # So near its end the policy acts at once.
    changes = {"on_expiry": "reauthorize", "registration_id": REGISTRATION}
    await own.start(own.request(payment, hours=3, **changes))
    await own.until(state="in_doubt")
    anew = await _entry(quick, reference)
    await _notify(own, anew)
    summary = await own.result()
    assert (summary.state, summary.reauthorized_as) == ("reversed", anew["id"])
    assert await own.book() == ["PA", "RV"]
    successor = PreAuth(quick, str(anew["id"]), str(anew["id"]))
    assert (await successor.until(state="authorized")).open_amount == "92.00"
    assert successor.accounts() == {"memo_auth": 92_00, "memo_auth_contra": -92_00}
    own.verify()
