"""Alerts and inquiries settled by a refund of their own, and refunds that meet the chargeback."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from disputes.operations import merchant_transaction_id
from disputes.status import CaseStatus
from disputes.store.reads import Reads
from tests.support.engine import Engine, Json
from tests.support.waiting import until
from tests.workflows.hands import Dispute, refused

BACK = {"requested_by": "ana"}


def _attends(code: str) -> Callable[[CaseStatus], bool]:
    return lambda status: code in status.attention


async def _early(engine: Engine, stage: str = "inquiry", **changes: object) -> Dispute:
    """An alert or inquiry whose payment is known."""
    dispute = await Dispute.opened(engine, stage=stage, **changes)
    register = Reads(engine.store)

    def payment_known() -> bool:
        return any(it.body.kind == "payment_known" for it in register.events(dispute.id))

    await until(payment_known)
    return dispute


async def _refund(dispute: Dispute, **more: object) -> Json:
    return await dispute.update("resolve_by_refund", BACK | more)


async def test_an_alert_is_refunded_and_watched_to_the_end_of_its_tail(engine: Engine) -> None:
    dispute = await _early(engine, "alert", alert_program="ethoca")
    assert await _refund(dispute) == {"status": "received"}
    settled = await dispute.until(status="deflected")
    assert (settled.stage, settled.finality, settled.attention) == ("alert", "provisional", ())
    [operation] = settled.operations
    assert (operation.key, operation.type) == (f"dispute:{dispute.id}:refund:1", "RF")
    kind, details = await refused(_refund(dispute))
    assert (kind, details["status"]) == ("IllegalTransition", "deflected")
    assert await dispute.booked_types() == ["DB", "RF"]
    await dispute.money_is(acquirer=0)
    assert await dispute.days_pass(119)
    assert (await dispute.status()).finality == "provisional"
    ended = await dispute.ends()
    assert (ended["status"], ended["finality"]) == ("deflected", "final")


async def test_inquiry_closed_by_refund(engine: Engine) -> None:
    """In two parts, the second above the limit: a second person approves what is left."""
    amount = {"amount": "9200.00", "currency": "EUR"}
    dispute = await _early(engine, amount=amount)
    part = {"amount": "200.00", "currency": "EUR"}
    assert await _refund(dispute, amount=part) == {"status": "collecting"}
    await engine.settled(dispute.case, 1)
    asked = await _refund(dispute)
    assert asked["status"] == "collecting"
    approval = {"request_id": asked["request_id"], "decided_by": "ana"}
    assert (await refused(dispute.update("approve", approval)))[0] == "SecondPersonNeeded"
    await dispute.update("approve", approval | {"decided_by": "ben"})
    closed = await dispute.until(status="deflected", attention=())
    assert [operation.amount for operation in closed.operations] == ["200.00", "9000.00"]
    assert await dispute.booked_types() == ["DB", "RF", "RF"]
    await dispute.money_is(acquirer=0)


async def test_what_cannot_be_refunded_says_why(engine: Engine) -> None:
    taken = await Dispute.booked(engine)
    by_network = await _early(engine, "alert", alert_program="rdr")
    inquiry = await _early(engine)
    too_much = {"amount": "92.01", "currency": "EUR"}
    assert (await refused(_refund(taken)))[0] == "IllegalTransition"
    kind, details = await refused(_refund(by_network))
    assert (kind, "rdr" in details["instead"]) == ("NotSupported", True)
    assert (await refused(_refund(inquiry, amount=too_much)))[0] == "InvalidMessage"


async def test_an_alert_that_escalates_after_its_refund_is_a_double_loss(engine: Engine) -> None:
    """The bank took the money all the same: nothing more is sent."""
    dispute = await _early(engine, "alert", alert_program="ethoca")
    await _refund(dispute)
    await dispute.until(status="deflected")
    await dispute.event("escalated")
    again = await dispute.until(_attends("double_loss"), status="collecting", stage="chargeback")
    assert "not_mirrored" not in again.attention
    await dispute.money_is(acquirer=0, disputed=92_00, unmirrored=-92_00)
    assert await dispute.booked_types() == ["DB", "RF"]


async def test_alert_refund_wins_race(quick: Engine) -> None:
    """It had left, and is booked, when the chargeback came: never both, and a person knows."""
    dispute = await _early(quick, "alert", alert_program="ethoca")
    match = {"payment_type": "RF", "payment_id": dispute.payment}
    await quick.sandbox.arm("book_late", match=match, delay_s=1)
    await _refund(dispute)
    await until(dispute.is_sent)
    await dispute.event("escalated")
    await dispute.until(_attends("double_loss"), status="collecting")
    await dispute.money_is(acquirer=0, disputed=92_00, unmirrored=-92_00)
    assert await dispute.booked_types() == ["DB", "RF"]


async def test_alert_refund_loses_race(quick: Engine) -> None:
    """It was lost on its way and the chargeback came: it is not sent again, a person decides."""
    dispute = await _early(quick, "alert", alert_program="ethoca")
    match = {"payment_type": "RF", "payment_id": dispute.payment}
    await quick.sandbox.arm("timeout_before_booking", match=match, delay_s=0)
    await _refund(dispute)
    await until(dispute.is_sent)
    await dispute.event("escalated")
    doubtful = await dispute.until(_attends("operation_in_doubt"), status="collecting")
    assert await dispute.booked_types() == ["DB"]
    doubt: Json = {
        "operation_key": doubtful.operations[-1].key,
        "resolution": "did_not_happen",
        "resolved_by": "ana",
        "proof": "the acquirer's list of today",
    }
    await dispute.update("resolve_operation", doubt)
    answered = await dispute.until(booked_out="92.00")
    assert not {"double_loss", "operation_in_doubt"} & set(answered.attention)
    await dispute.money_is(disputed=92_00)
    assert await dispute.booked_types() == ["DB", "CB"]


@pytest.mark.parametrize("who", ["a person", "the gateway"])
async def test_a_refund_in_doubt_that_was_booked_closes_the_inquiry(
    quick: Engine, who: str
) -> None:
    dispute = await _early(quick)
    match = {"payment_type": "RF", "payment_id": dispute.payment}
    await quick.sandbox.arm("result_code", match=match, code="000.400.030")
    await _refund(dispute)
    doubtful = await dispute.until(_attends("operation_in_doubt"), status="collecting")
    key = doubtful.operations[-1].key
    kind, details = await refused(_refund(dispute))
    assert (kind, details["operation_key"]) == ("MoneyHeld", key)
    entry = await dispute.gateway_books("RF", dispute.payment, 92_00)
    if who == "a person":
        doubt = {"operation_key": key, "resolved_by": "ana", "proof": "the acquirer's list"}
        await dispute.update("resolve_operation", doubt | {"resolution": "happened"})
    else:
        await dispute.booking("RF", entry, dispute.payment)
    await dispute.until(status="deflected", attention=())
    await dispute.money_is(acquirer=0)


async def test_a_case_that_begins_anew_goes_on_with_its_refund(quick: Engine) -> None:
    """Its run was ended while nobody knew whether the refund was booked."""
    dispute = await _early(quick)
    reference = merchant_transaction_id(f"dispute:{dispute.id}:refund:1")
    asked = {"query": True, "merchant_transaction_id": reference}
    await quick.sandbox.arm("http_500", match=asked, times=None)
    match = {"payment_type": "RF", "payment_id": dispute.payment}
    await quick.sandbox.arm("timeout_after_booking", match=match, delay_s=0)
    await _refund(dispute)
    await until(dispute.is_sent)
    await dispute.case.terminate("for the test")
    await quick.sandbox.disarm()
    await dispute.reopening_update("add_note", {"author": "ana", "text": "restarted"})
    closed = await dispute.until(status="deflected", attention=())
    assert closed.tail_until is not None
    assert closed.tail_until - await dispute.now() > timedelta(days=119)
    assert await dispute.booked_types() == ["DB", "RF"]
    await dispute.money_is(acquirer=0)
