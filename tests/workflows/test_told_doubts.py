"""What the gateway tells of late: operations that are in doubt, or that a person took for refused.

Credits and authorizations made anew hang under nothing, so whoever asks about the payment that
they are for is not shown them.
"""

from datetime import UTC, datetime

from disputes.operations import business_key, merchant_transaction_id
from disputes.store.notices import SqlNotices
from disputes.vocabulary import Purpose
from tests.support.engine import Engine, Json
from tests.support.plans import REGISTRATION
from tests.support.reconciliation import reconcile
from tests.workflows.payment_hands import Payout, PreAuth, Refund, eur, fresh_id

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


def _sent(own: Payout | Refund) -> list[str]:
    """What the shopper was told."""
    notices = SqlNotices(own.engine.store).told(limit=1000)
    return [it.kind for it in notices if it.payment_id == own.payment]


async def _taken_for_refused(own: Payout | Refund, purpose: Purpose) -> Json:
    """It is booked, nobody knows, and a person says that it did not happen; gives its entry."""
    assert own.payment is not None
    await own.engine.sandbox.payment(own.payment, "92.00", "EUR")
    key = business_key("refund" if isinstance(own, Refund) else "payout", own.id, purpose)
    reference = await _arm(own.engine, key)
    await own.start(own.request())
    await own.until(state="in_doubt")
    word = {"resolved_by": "ben", "proof": "not on the acquirer's list of today"}
    await own.update("resolve_operation", operation_key=key, resolution="did_not_happen", **word)
    assert (await own.result()).state == "refused"
    return await _entry(own.engine, reference)


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
    assert _sent(own) == ["payout_sent"]
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


async def test_a_refund_that_was_taken_for_refused_is_settled_by_a_notification(
    quick: Engine,
) -> None:
    own = Refund(quick, f"{quick.name}-late-refund", fresh_id())
    late = await _taken_for_refused(own, Purpose.REFUND)
    await _notify(own, late)
    summary = await own.result()
    assert summary.operation is not None
    assert (summary.state, summary.operation.gateway_id) == ("settled", late["id"])
    assert (summary.explanation, summary.attention) == (None, ())
    assert _sent(own) == ["refund_sent"]
    assert own.accounts() == {"acquirer": 72_00, "sales": -92_00, "refunds": 20_00}
    # Told once more, it is over.
    await _notify(own, late)
    assert (await own.result()).state == "settled"
    assert _sent(own) == ["refund_sent"]
    assert await own.posts() == ["RF"]
    own.verify()


async def test_a_payout_that_was_taken_for_refused_is_settled_by_a_notification(
    quick: Engine,
) -> None:
    own = Payout(quick, f"{quick.name}-late-payout", fresh_id())
    await _notify(own, await _taken_for_refused(own, Purpose.CREDIT))
    assert (await own.result()).state == "settled"
    assert _sent(own) == ["payout_sent"]
    own.verify()


async def test_a_refund_that_was_taken_for_refused_is_settled_by_a_comparison(
    quick: Engine,
) -> None:
    own = Refund(quick, f"{quick.name}-compared-refund", fresh_id())
    await _taken_for_refused(own, Purpose.REFUND)
    await reconcile(quick, str(own.payment))
    assert (await own.result()).state == "settled"
    assert _sent(own) == ["refund_sent"]
    own.verify()


async def test_a_refund_hears_by_the_comparison_of_what_another_was_shown(quick: Engine) -> None:
    """Its money is on the books already, so there is nothing new to take over."""
    own = Refund(quick, f"{quick.name}-shown-refund", fresh_id())
    await _taken_for_refused(own, Purpose.REFUND)
    other = await Refund.asked(quick, own.payment, amount=eur("1.00"))
    assert (await other.result()).state == "settled"
    assert own.accounts() == {"acquirer": 71_00, "sales": -92_00, "refunds": 21_00}
    await reconcile(quick, str(own.payment))
    assert (await own.result()).state == "settled"
    assert _sent(own) == ["refund_sent", "refund_sent"]
    own.verify()


async def test_a_refund_that_the_gateway_refused_stays_so_when_it_tells_of_it(
    quick: Engine,
) -> None:
    own = Refund(quick, f"{quick.name}-declined-refund", fresh_id())
    assert own.payment is not None
    await quick.sandbox.payment(own.payment, "92.00", "EUR")
    await quick.sandbox.arm("refuse", match={"payment_type": "RF", "payment_id": own.payment})
    await own.start(own.request())
    assert (await own.result()).state == "refused"
    await _notify(own, {"id": fresh_id(), "payment_type": "RF"})
    summary = await own.result()
    assert (summary.state, summary.attention, _sent(own)) == ("refused", (), [])
    assert own.accounts() == {"acquirer": 92_00, "sales": -92_00}
    own.verify()
