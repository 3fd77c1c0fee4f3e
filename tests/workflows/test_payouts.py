"""Payouts and rebills of a payment's own: by capability, within the guards, with four eyes."""

from tests.support.engine import Engine, Json
from tests.workflows.hands import CONSENT, Dispute, refused
from tests.workflows.payment_hands import Payout, Rebill, Refund, eur, fresh_id


async def test_a_gesture_is_paid_without_a_payment(engine: Engine) -> None:
    own = await Payout.asked(
        engine, alone=True, reason="customer_service_gesture", amount=eur("10.00")
    )
    summary = await own.result()
    assert summary.operation is not None
    assert (summary.state, summary.operation.purpose) == ("settled", "goodwill")


async def test_a_payout_counts_with_what_its_payment_has_left(engine: Engine) -> None:
    refund = await Refund.asked(engine, amount=eur("80.00"))
    await refund.result()
    own = await Payout.asked(engine, refund.payment, reason="billing_error", amount=eur("12.01"))
    kind, details = await refused(own.case.result())
    assert kind == "InvalidMessage"
    assert "12.00 EUR" in details["fields"]["amount"]
    fits = await Payout.asked(engine, refund.payment, reason="billing_error", amount=eur("12.00"))
    assert (await fits.result()).state == "settled"
    fits.verify()


async def test_a_payout_names_its_payment_but_for_a_gesture(engine: Engine) -> None:
    own = await Payout.asked(engine, alone=True, reason="billing_error")
    kind, details = await refused(own.case.result())
    assert kind == "InvalidMessage"
    assert "payment_id is required" in str(details["fields"])


async def test_a_rebill_stays_within_the_policys_share(engine: Engine) -> None:
    own = await Rebill.asked(engine)
    summary = await own.result()
    assert summary.operation is not None
    assert (summary.operation.type, summary.operation.amount) == ("RB", "10.00")
    assert own.accounts() == {"acquirer": 102_00, "sales": -102_00}
    over = await Rebill.asked(engine, own.payment, amount=eur("3.81"))
    kind, details = await refused(over.case.result())
    assert kind == "InvalidMessage"
    assert "3.80 EUR" in details["fields"]["amount"]


async def test_an_excess_refund_is_charged_again_up_to_the_excess(engine: Engine) -> None:
    payment = fresh_id()
    await engine.sandbox.payment(payment, "92.00", "EUR")
    own = await Rebill.asked(engine, payment, reason="excess_refund", amount=eur("1.00"))
    kind, details = await refused(own.case.result())
    assert kind == "InvalidMessage"
    assert "0.00 EUR" in details["fields"]["amount"]


async def test_a_capture_has_no_rebill(engine: Engine) -> None:
    payment = fresh_id()
    await engine.sandbox.payment(payment, "92.00", "EUR", "CP")
    own = await Rebill.asked(engine, payment)
    kind, details = await refused(own.case.result())
    assert kind == "NotSupported"
    assert "new DB" in details["instead"]


async def test_a_rebill_after_a_dispute_is_carried_out_by_its_case(engine: Engine) -> None:
    dispute = await Dispute.lost(engine)
    assert await dispute.days_pass(2)
    own = await Rebill.asked(
        engine,
        dispute.payment,
        reason="unjustified_chargeback",
        dispute_id=dispute.id,
        consent=CONSENT,
        amount=eur("92.00"),
    )
    summary = await own.result()
    assert summary.operation is not None
    assert (summary.state, summary.operation.type) == ("settled", "RB")
    await dispute.until(rebilled="92.00")
    await dispute.money_is(acquirer=92_00, dispute_loss=92_00, recovered=92_00)
    # A late win gives it back (lifecycle row 22).
    await dispute.rule("merchant_won")
    await dispute.until(
        lambda status: "give_back_due" not in status.attention, status="won", booked_out="0.00"
    )
    assert await dispute.booked_types() == ["DB", "CB", "RB", "CR", "RF"]
    await dispute.money_is(acquirer=92_00)


async def test_a_rebill_in_doubt_ends_as_its_case_learns(engine: Engine) -> None:
    """A person settles it at the case; the rebill hears of it by itself."""
    dispute = await Dispute.lost(engine)
    assert await dispute.days_pass(2)
    match = {"payment_type": "RB", "payment_id": dispute.payment}
    await engine.sandbox.arm("result_code", match=match, code="000.400.030")
    own = await Rebill.asked(
        engine,
        dispute.payment,
        reason="unjustified_chargeback",
        dispute_id=dispute.id,
        consent=CONSENT,
        amount=eur("92.00"),
    )
    await own.until(state="in_doubt")
    doubt = {"resolved_by": "ben", "proof": "the acquirer's list of today"}
    key = f"dispute:{dispute.id}:rebill:{own.id}"
    await dispute.update(
        "resolve_operation", {"operation_key": key, "resolution": "happened", **doubt}
    )
    await dispute.until(rebilled="92.00")
    assert (await own.result()).state == "settled"


async def test_a_rebill_of_a_dispute_that_is_not_lost_is_refused_by_its_case(
    engine: Engine,
) -> None:
    dispute = await Dispute.booked(engine)
    own = await Rebill.asked(
        engine,
        dispute.payment,
        reason="unjustified_chargeback",
        dispute_id=dispute.id,
        consent=CONSENT,
    )
    kind, details = await refused(own.case.result())
    assert (kind, details["status"]) == ("IllegalTransition", "collecting")


async def test_a_rebill_charges_no_other_payment_than_it_names(engine: Engine) -> None:
    """Another shopper's dispute, or another merchant's, is named in vain."""
    dispute = await Dispute.lost(engine)
    assert await dispute.days_pass(2)
    named: Json = {"reason": "unjustified_chargeback", "dispute_id": dispute.id, "consent": CONSENT}
    elsewhere = await Rebill.asked(engine, **named)
    foreign = await Rebill.asked(engine, dispute.payment, merchant_id="M-2", **named)
    for own in (elsewhere, foreign):
        kind, details = await refused(own.case.result())
        assert (kind, list(details["fields"])) == ("InvalidMessage", ["dispute_id"])
    assert await dispute.booked_types() == ["DB", "CB"]


async def test_a_rebill_that_is_charged_back_is_a_case_of_its_own(engine: Engine) -> None:
    own = await Rebill.asked(engine)
    operation = (await own.result()).operation
    assert operation is not None
    dispute = await Dispute.booked(engine, payment_id=operation.gateway_id, amount=eur("10.00"))
    status = await dispute.until(booked_out="10.00")
    assert status.status == "collecting"
    assert await own.book() == ["DB", "RB", "CB"]
    own.verify()
