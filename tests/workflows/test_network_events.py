"""What the network does besides ruling: second chargebacks, pre-arbitration, withdrawals, fees."""

from datetime import timedelta

from disputes.store.reads import Reads
from tests.support.engine import Engine
from tests.support.waiting import until
from tests.workflows.hands import Dispute, refused

#: Visa's fraud codes take the allocation flow: our answer is the pre-arbitration attempt.
FRAUD = {"reason_code": "10.4"}


async def test_second_chargeback_after_reversal(engine: Engine) -> None:
    """With a deadline it can be answered again, and won again."""
    dispute = await Dispute.booked(engine)
    await dispute.rule("merchant_won")
    await dispute.until(booked_out="0.00")
    respond_by = await dispute.now() + timedelta(days=20)
    await dispute.event("second_chargeback", respond_by=respond_by.isoformat())
    again = await dispute.until(booked_out="92.00", cycle=2)
    assert (again.status, again.respond_by, again.at_risk) == ("collecting", respond_by, "92.00")
    await dispute.money_is(disputed=92_00)
    await dispute.represent()
    await dispute.rule("merchant_won")
    await dispute.until(status="won", booked_out="0.00")
    assert await dispute.booked_types() == ["DB", "CB", "CR", "CR", "CR"]
    await dispute.money_is(acquirer=92_00)


async def test_a_second_chargeback_without_a_deadline_is_lost(engine: Engine) -> None:
    dispute = await Dispute.booked(engine)
    await dispute.rule("merchant_won")
    await dispute.until(booked_out="0.00")
    await dispute.event("second_chargeback")
    await dispute.until(status="lost", cycle=2, booked_out="92.00")
    await dispute.money_is(dispute_loss=92_00)


async def _filed(engine: Engine) -> Dispute:
    """An allocation case with our one response, which is the pre-arbitration attempt."""
    dispute = await Dispute.booked(engine, **FRAUD)
    await dispute.represent()
    await dispute.until(stage="pre_arbitration", status="under_review")
    return dispute


async def test_allocation_issuer_silent(engine: Engine) -> None:
    """Silence to the end of the issuer's clock is a win."""
    dispute = await _filed(engine)
    assert await dispute.days_pass(40)
    await dispute.until(status="won", booked_out="0.00")
    await dispute.money_is(acquirer=92_00)


async def test_allocation_issuer_accepts(engine: Engine) -> None:
    dispute = await _filed(engine)
    await dispute.event("pre_arbitration_accepted")
    await dispute.until(status="won", booked_out="0.00")
    await dispute.money_is(acquirer=92_00)


async def test_allocation_issuer_declines(engine: Engine) -> None:
    """Nobody files arbitration in time: lost."""
    dispute = await _filed(engine)
    respond_by = await dispute.now() + timedelta(days=10)
    await dispute.event("pre_arbitration_declined", respond_by=respond_by.isoformat())
    waiting = await dispute.until(status="collecting")
    assert (waiting.stage, waiting.respond_by) == ("pre_arbitration", respond_by)
    again = {"submitted_by": "ana"}
    kind, details = await refused(dispute.update("submit_representment", again))
    assert kind == "IllegalTransition"
    assert "file_arbitration" in details["allowed"]
    assert await dispute.days_pass(11)
    await dispute.until(status="lost")
    await dispute.money_is(dispute_loss=92_00)


async def _in_arbitration(engine: Engine) -> Dispute:
    dispute = await _filed(engine)
    await dispute.event("pre_arbitration_declined")
    await dispute.until(status="collecting")
    await dispute.update("file_arbitration", {"filed_by": "ana"})
    await dispute.until(stage="arbitration", status="under_review")
    return dispute


async def test_arbitration_won(engine: Engine) -> None:
    """The network's own word is final: the case ends without a tail."""
    dispute = await _in_arbitration(engine)
    await dispute.rule("merchant_won", stage="arbitration")
    summary = await dispute.result()
    assert (summary["status"], summary["finality"]) == ("won", "final")
    await dispute.money_is(acquirer=92_00)


async def test_arbitration_lost(engine: Engine) -> None:
    dispute = await _in_arbitration(engine)
    fee = {"amount": "600.00", "currency": "EUR"}
    await dispute.event("fee_charged", amount=fee, fee_type="arbitration")
    await dispute.rule("cardholder_won", stage="arbitration")
    summary = await dispute.result()
    assert (summary["status"], summary["finality"]) == ("lost", "final")
    assert summary["fees"] == [{"amount": "615.00", "currency": "EUR"}]
    await dispute.money_is(dispute_loss=92_00)


async def test_cardholder_withdrew(engine: Engine) -> None:
    """Only the bank ends a chargeback: the evidence is sent all the same."""
    dispute = await Dispute.booked(engine)
    await dispute.event("cardholder_withdrew")
    await dispute.until(lambda status: "cardholder_withdrew" in status.attention)
    await dispute.add_evidence()
    assert await dispute.days_pass(25)
    await dispute.until(status="under_review")
    await dispute.rule("merchant_won")
    await dispute.until(status="won", booked_out="0.00")
    await dispute.money_is(acquirer=92_00)


async def test_issuer_withdrew(engine: Engine) -> None:
    """The chargeback is taken back: the money returns without a ruling."""
    dispute = await Dispute.booked(engine)
    await dispute.event("chargeback_withdrawn")
    await dispute.until(status="withdrawn", booked_out="0.00")
    await dispute.money_is(acquirer=92_00)
    assert (await dispute.ends())["status"] == "withdrawn"


async def test_a_fee_replaces_the_expected_one_and_may_come_back(engine: Engine) -> None:
    dispute = await Dispute.booked(engine)
    assert [fee.amount for fee in (await dispute.status()).fees] == ["15.00"]
    fee = {"amount": "20.00", "currency": "EUR"}
    await dispute.event("fee_charged", amount=fee)
    await dispute.until(lambda status: [fee.amount for fee in status.fees] == ["20.00"])
    await dispute.event("fee_returned", amount=fee)
    await dispute.until(lambda status: not status.fees)
    await dispute.money_is(disputed=92_00)


async def test_facts_in_any_order_of_arrival_end_in_one_position(engine: Engine) -> None:
    """The whole story told backwards, its notice last."""
    dispute = Dispute(engine, await engine.notice())
    start = await dispute.now()

    def at(hours: int) -> str:
        return (start + timedelta(hours=hours)).isoformat()

    await dispute.rule("merchant_won", decided_at=at(4))
    respond_by = (start + timedelta(days=20)).isoformat()
    await dispute.event("second_chargeback", occurred_at=at(3), respond_by=respond_by)
    await dispute.rule("merchant_won", decided_at=at(2))
    await dispute.rule("cardholder_won", decided_at=at(1))
    await dispute.tell("dispute_opened", dispute.notice)
    await dispute.until(status="won", cycle=2, booked_out="0.00")
    await dispute.money_is(acquirer=92_00)


async def test_inquiry_escalated(engine: Engine) -> None:
    """What was refunded behind our back since the inquiry is not charged back at the gateway."""
    dispute = await Dispute.opened(engine, stage="inquiry")
    register = Reads(engine.store)

    def payment_known() -> bool:
        return any(it.body.kind == "payment_known" for it in register.events(dispute.id))

    await until(payment_known)
    await dispute.gateway_books("RF", dispute.payment, 30_00)
    await dispute.event("escalated")
    escalated = await dispute.until(status="collecting", booked_out="62.00")
    assert (escalated.stage, escalated.at_risk) == ("chargeback", "92.00")
    assert "double_loss" in escalated.attention
    assert "deadline_unknown" not in escalated.attention
    assert await dispute.booked_types() == ["DB", "RF", "CB"]
    await dispute.money_is(disputed=92_00, unmirrored=-30_00)
