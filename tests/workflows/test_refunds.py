"""Refunds: RF inside the window, a credit beyond it, never both, never what a dispute holds."""

from datetime import UTC, datetime, timedelta

from disputes.store.notices import SqlNotices
from disputes.store.payment_register import SqlPaymentRegister
from disputes.store.reads import Reads
from tests.support.engine import Engine
from tests.support.plans import REGISTRATION
from tests.support.waiting import until
from tests.workflows.hands import Dispute, refused
from tests.workflows.payment_hands import Payout, Refund, eur, fresh_id


async def _old_payment(engine: Engine, days: int) -> str:
    payment = fresh_id()
    booked = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    await engine.sandbox.payment(payment, "92.00", "EUR", booked_at=booked)
    return payment


async def test_a_part_is_refunded_and_the_shopper_told_when_it_arrives(engine: Engine) -> None:
    own = await Refund.asked(engine)
    summary = await own.result()
    assert summary.state == "settled"
    assert summary.operation is not None
    assert (summary.operation.type, summary.operation.amount) == ("RF", "20.00")
    assert await own.book() == ["DB", "RF"]
    assert own.accounts() == {"acquirer": 72_00, "sales": -92_00, "refunds": 20_00}
    told = [it for it in SqlNotices(engine.store).told(limit=1000) if it.payment_id == own.payment]
    assert [(it.audience, it.kind) for it in told] == [("shopper", "refund_sent")]
    assert summary.expected_by is not None
    assert f"{summary.expected_by:%Y-%m-%d}" in told[0].text
    own.verify()


async def test_several_refunds_never_exceed_what_was_paid(engine: Engine) -> None:
    first = await Refund.asked(engine, amount=eur("50.00"))
    await first.result()
    second = await Refund.asked(engine, first.payment, amount=eur("42.01"))
    kind, details = await refused(second.case.result())
    assert kind == "InvalidMessage"
    assert "42.00 EUR" in details["fields"]["amount"]
    whole = await Refund.asked(engine, first.payment, amount=eur("42.00"))
    assert (await whole.result()).state == "settled"
    assert await first.book() == ["DB", "RF", "RF"]


async def test_beyond_the_window_it_is_credited_to_the_registration(engine: Engine) -> None:
    payment = await _old_payment(engine, 70)
    own = await Refund.asked(engine, payment, registration_id=REGISTRATION)
    summary = await own.result()
    assert summary.operation is not None
    assert (summary.operation.type, summary.operation.purpose) == ("CD", "credit")
    assert "RF" not in await own.book()
    assert REGISTRATION not in summary.model_dump_json()


async def test_beyond_the_window_without_a_registration_there_is_no_route(engine: Engine) -> None:
    payment = await _old_payment(engine, 70)
    own = await Refund.asked(engine, payment)
    kind, details = await refused(own.case.result())
    assert kind == "NotSupported"
    assert "no_route" in details["operation"]
    assert "by hand" in details["instead"]
    assert await own.book() == ["DB"]


async def test_a_dispute_that_holds_the_money_refuses_it_but_its_own(engine: Engine) -> None:
    dispute = await Dispute.opened(engine, stage="inquiry", reason_code="13.1")
    await dispute.until(lambda it: it.status == "collecting")
    await until(lambda: bool(_known(dispute)))
    other = await Refund.asked(engine, dispute.payment)
    kind, _ = await refused(other.case.result())
    assert kind == "MoneyHeld"
    own = await Refund.asked(engine, dispute.payment, dispute_id=dispute.id)
    assert (await own.result()).state == "settled"
    assert await own.book() == ["DB", "RF"]


async def test_a_dispute_that_is_not_on_the_payment_is_named_in_vain(engine: Engine) -> None:
    own = await Refund.asked(engine, dispute_id="D-of-nobody")
    kind, details = await refused(own.case.result())
    assert (kind, list(details["fields"])) == ("InvalidMessage", ["dispute_id"])
    assert Reads(engine.store).status("D-of-nobody") is None
    assert await own.book() == ["DB"]


def _known(dispute: Dispute) -> tuple[object, ...]:
    return SqlPaymentRegister(dispute.engine.store).open_disputes(dispute.payment)


async def test_what_was_refused_can_be_asked_for_again_once_the_money_is_free(
    engine: Engine,
) -> None:
    dispute = await Dispute.booked(engine)
    own = await Refund.asked(engine, dispute.payment)
    assert (await refused(own.case.result()))[0] == "MoneyHeld"
    await dispute.rule("merchant_won", final=True)
    await dispute.ends()
    await own.start(own.request())
    summary = await own.result()
    # Nothing holds it any more; that the bank has paid already is the gateway's own word.
    assert summary.state == "refused"
    assert "the bank has returned" in str(summary.explanation)


async def test_a_refund_that_raced_a_chargeback_tells_its_case(engine: Engine) -> None:
    """The guard saw no dispute; the chargeback came while the money was on its way."""
    payment = fresh_id()
    await engine.sandbox.payment(payment, "92.00", "EUR")
    await engine.sandbox.arm("hang", match={"payment_type": "RF", "payment_id": payment}, delay_s=2)
    own = await Refund.asked(engine, payment)
    await own.until_posted("RF")
    dispute = await Dispute.opened(engine, payment_id=payment)
    summary = await own.result()
    assert summary.state == "settled"
    assert summary.raced == (dispute.id,)
    assert "raced_chargeback" in summary.attention
    status = await dispute.until(
        lambda it: "double_loss" in it.attention and it.booked_out == "72.00"
    )
    assert status.status == "collecting"
    assert await own.book() == ["DB", "RF", "CB"]
    own.verify()


async def test_a_refund_that_raced_a_return_of_a_direct_debit_tells_its_case(
    engine: Engine,
) -> None:
    """Final as it comes: decided before the refund is booked, and paid twice all the same."""
    payment = fresh_id()
    await engine.sandbox.payment(payment, "92.00", "EUR")
    await engine.sandbox.arm("hang", match={"payment_type": "RF", "payment_id": payment}, delay_s=2)
    own = await Refund.asked(engine, payment)
    await own.until_posted("RF")
    returned = {"network": "sepa_dd", "reason_code": "MD01", "respond_by": None}
    dispute = await Dispute.opened(engine, payment_id=payment, **returned)
    await dispute.until(lambda it: it.finality == "final")
    summary = await own.result()
    assert (summary.raced, "raced_chargeback" in summary.attention) == ((dispute.id,), True)
    await dispute.until(lambda it: "double_loss" in it.attention)
    own.verify()


async def test_the_refund_of_a_payout_is_never_a_second_payout(engine: Engine) -> None:
    gesture = await Payout.asked(
        engine, alone=True, reason="customer_service_gesture", amount=eur("15.00")
    )
    paid = (await gesture.result()).operation
    assert paid is not None
    assert paid.gateway_id is not None
    own = await Refund.asked(
        engine, paid.gateway_id, amount=eur("15.00"), registration_id=REGISTRATION
    )
    summary = await own.result()
    assert summary.operation is not None
    assert summary.operation.type == "RF"
    assert summary.expected_by is None
    again = await Refund.asked(engine, paid.gateway_id, amount=eur("0.01"))
    assert (await refused(again.case.result()))[0] == "InvalidMessage"
    assert own.accounts() == {}
    own.verify()


async def test_above_the_limit_a_second_person_approves(engine: Engine) -> None:
    payment = fresh_id()
    await engine.sandbox.payment(payment, "9000.00", "EUR")
    own = await Refund.asked(engine, payment, amount=eur("5000.01"))
    status = await own.until(state="waiting_for_approval")
    assert status.approval is not None
    request_id = status.approval.request_id
    assert await own.book() == ["DB"]
    kind, _ = await refused(own.update("approve", request_id=request_id, decided_by="Ana"))
    assert kind == "SecondPersonNeeded"
    await own.update("approve", request_id=request_id, decided_by="ben")
    assert (await own.result()).state == "settled"


async def test_nobody_approves_in_time(engine: Engine) -> None:
    payment = fresh_id()
    await engine.sandbox.payment(payment, "9000.00", "EUR")
    own = await Refund.asked(engine, payment, amount=eur("5000.01"))
    await own.until(state="waiting_for_approval")
    assert not await own.pass_time(hours=73)
    assert (await own.result()).state == "declined"
    assert await own.book() == ["DB"]


async def test_a_declined_refund_moves_nothing(engine: Engine) -> None:
    payment = fresh_id()
    await engine.sandbox.payment(payment, "9000.00", "EUR")
    own = await Refund.asked(engine, payment, amount=eur("5000.01"))
    request_id = f"refund.{own.id}-A1"
    await own.until(state="waiting_for_approval")
    await own.update("decline", request_id=request_id, decided_by="ben", reason="not ours")
    assert (await own.result()).state == "declined"
    assert await own.book() == ["DB"]


async def test_the_same_refund_again_is_one_and_another_content_a_conflict(engine: Engine) -> None:
    own = await Refund.asked(engine)
    await own.result()
    await own.start(own.request())
    assert (await own.result()).state == "settled"
    await own.start(own.request(amount=eur("21.00")))
    kind, details = await refused(own.case.result())
    assert (kind, details["fields"]) == ("Conflict", ["amount"])
    assert await own.book() == ["DB", "RF"]


async def test_a_payment_that_the_gateway_does_not_know_is_refused(engine: Engine) -> None:
    own = await Refund.asked(engine, fresh_id())
    kind, _ = await refused(own.case.result())
    assert kind == "NotFound"
    assert "payment_history_unknown" in str(await _message(own))


async def _message(own: Refund) -> str:
    return SqlPaymentRegister(own.engine.store).load(own.workflow_id).content or ""
