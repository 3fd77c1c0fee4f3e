"""Every gateway operation, by its own activity on the real sandbox: once in effect, or never."""

import logging

import pytest
from temporalio.exceptions import ApplicationError

from disputes.operations import PAYMENT_TYPE, Plan
from disputes.terms import Capabilities
from disputes.vocabulary import OperationState, Outcome, Purpose
from tests.activities.till import Till
from tests.support.plans import REGISTRATION


async def planned(till: Till, purpose: Purpose) -> Plan:
    """A plan of this purpose, with all that must have happened before it."""
    match purpose:
        case Purpose.BOOK:
            return (await till.disputed()).plan
        case Purpose.REINSTATE | Purpose.UNDO:
            dispute = await till.disputed()
            await till.settle(dispute)
            dispute.ruled(Outcome.MERCHANT_WON)
            if purpose is Purpose.UNDO:
                await till.settle(dispute)
                dispute.charged_again()
            return dispute.plan
        case Purpose.REBILL:
            dispute = await till.disputed()
            await till.settle(dispute)
            dispute.ruled(Outcome.CARDHOLDER_WON)
            dispute.rebill(9200)
            return dispute.plan
        case Purpose.GIVE_BACK:
            return (await till.rebilled()).plan
        case Purpose.GIVE_BACK_CREDIT:
            dispute = await till.rebilled()
            plan = till.plan(purpose, 9200, dispute.payment_id)
            return plan.model_copy(update={"dispute_id": dispute.case_id})
        case Purpose.AUTHORIZE | Purpose.DEBIT | Purpose.GOODWILL:
            return till.plan(purpose, 9200)
        case Purpose.INCREASE | Purpose.CAPTURE | Purpose.REVERSE:
            return till.plan(purpose, 9200, await till.made(Purpose.AUTHORIZE, 9200))
        case Purpose.REBILL_DIFFERENCE:
            payment = await till.made(Purpose.DEBIT, 9200)
            return till.plan(purpose, 800, payment, limit_minor=920)
        case Purpose.REBILL_EXCESS_REFUND:
            return till.plan(purpose, 800, await till.over_refunded())
        case Purpose.REFUND | Purpose.CREDIT:
            return till.plan(purpose, 9200, await till.made(Purpose.DEBIT, 9200))


@pytest.mark.parametrize("purpose", Purpose)
async def test_an_operation_is_booked_once_however_often_it_is_asked_for(
    till: Till, purpose: Purpose
) -> None:
    plan = await planned(till, purpose)
    operation = await till.one(plan)
    assert await till.one(plan) == operation
    (booked,) = await till.booked(plan)
    assert (operation.state, operation.gateway_id) == (OperationState.SETTLED, booked["id"])
    assert (booked["payment_type"], booked["amount_minor"]) == (
        PAYMENT_TYPE[purpose],
        plan.amount_minor,
    )
    if purpose is not Purpose.REBILL_EXCESS_REFUND:  # there the sandbox did not refund too much
        theirs, ours = await till.books(str(booked["root_id"]))
        assert theirs == ours
    assert till.scene.ledger.verify() == []


@pytest.mark.parametrize("purpose", Purpose)
async def test_an_operation_whose_answer_is_lost_is_adopted(till: Till, purpose: Purpose) -> None:
    plan = await planned(till, purpose)
    named = {"merchant_transaction_id": plan.merchant_transaction_id}
    await till.sandbox.arm("http_500_after_booking", match=named)
    operation = await till.one(plan)
    (booked,) = await till.booked(plan)
    assert (operation.state, operation.gateway_id) == (OperationState.SETTLED, booked["id"])
    assert till.scene.ledger.verify() == []


@pytest.mark.parametrize("purpose", Purpose)
async def test_a_refused_operation_moves_nothing_and_says_what_to_do(
    till: Till, purpose: Purpose
) -> None:
    plan = await planned(till, purpose)
    before = till.scene.ledger.balances()
    named = {"merchant_transaction_id": plan.merchant_transaction_id}
    await till.sandbox.arm("refuse", match=named, code="800.100.152", times=None)
    operation = await till.one(plan)
    assert (operation.state, operation.result_code) == (OperationState.REFUSED, "800.100.152")
    assert "What to do: look the code up" in (operation.reason or "")
    assert till.scene.ledger.balances() == before
    assert await till.booked(plan) == []


async def test_captures_refunds_and_the_rest_add_up(till: Till) -> None:
    """An authorization of 100 increased by 20, captured twice, the rest reversed; both refunded."""
    authorized = await till.made(Purpose.AUTHORIZE, 10000)
    await till.made(Purpose.INCREASE, 2000, authorized)
    first = await till.made(Purpose.CAPTURE, 5000, authorized)
    second = await till.made(Purpose.CAPTURE, 6000, authorized)
    await till.made(Purpose.REVERSE, 1000, authorized)
    await till.made(Purpose.REFUND, 2000, first)
    await till.made(Purpose.REFUND, 3000, first)
    await till.made(Purpose.REFUND, 1000, second)
    assert await till.books(authorized) == (5000, 5000)
    assert till.scene.ledger.verify() == []


async def test_a_part_of_an_authorization_is_reversed_where_the_acquirer_does_it(
    till: Till,
) -> None:
    authorized = await till.made(Purpose.AUTHORIZE, 10000)
    await till.made(Purpose.REVERSE, 4000, authorized)
    await till.made(Purpose.CAPTURE, 6000, authorized)
    assert await till.books(authorized) == (6000, 6000)


async def test_a_payout_comes_back_by_refund(till: Till) -> None:
    paid_out = await till.made(Purpose.GOODWILL, 5000)
    await till.made(Purpose.REFUND, 5000, paid_out)
    assert await till.books(paid_out) == (0, 0)
    assert till.scene.ledger.verify() == []


async def test_a_debit_is_reversed_as_a_whole(till: Till) -> None:
    debit = await till.made(Purpose.DEBIT, 9200)
    await till.made(Purpose.REVERSE, 9200, debit)
    assert await till.books(debit) == (0, 0)
    assert till.scene.ledger.verify() == []


async def test_a_payment_made_elsewhere_is_asked_for_before_it_is_refunded(till: Till) -> None:
    payment = await till.debited()
    early = await till.one(till.plan(Purpose.REFUND, 1000, payment))
    assert early.state is OperationState.REFUSED
    assert (early.reason or "").startswith("payment_history_unknown")
    assert (await till.ask(payment)).amount_minor == 9200
    await till.made(Purpose.REFUND, 1000, payment)
    assert await till.books(payment) == (8200, 8200)


@pytest.mark.parametrize(
    ("purpose", "instead"),
    [
        (Purpose.INCREASE, "authorize the difference anew"),
        (Purpose.GOODWILL, "refund the payment"),
        (Purpose.CREDIT, "refund the payment"),
        (Purpose.REBILL_DIFFERENCE, "new DB"),
        (Purpose.GIVE_BACK_CREDIT, "by hand"),
    ],
)
async def test_what_the_acquirer_lacks_is_refused_before_any_call(
    till: Till, purpose: Purpose, instead: str
) -> None:
    plan = await planned(till, purpose)
    lacking = {"capabilities": Capabilities(), "acquirer": "plain"}
    with pytest.raises(ApplicationError) as refused:
        await till.act(plan.model_copy(update=lacking))
    error = refused.value
    assert (error.type, error.non_retryable) == ("NotSupported", True)
    (details,) = error.details
    assert details["acquirer"] == "plain"
    assert instead in details["instead"]
    assert await till.sandbox.requests(plan.merchant_transaction_id) == []


async def test_a_shoppers_token_shows_in_no_log_and_no_text(
    till: Till, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "disputes")
    plan = till.plan(Purpose.DEBIT, 9200)
    await till.sandbox.arm("malformed_body", match={"payment_type": "DB"})
    operation = await till.one(plan)
    seen = await till.sandbox.requests(plan.merchant_transaction_id)
    for text in (caplog.text, repr(plan), str(plan), repr(operation), repr(seen)):
        assert REGISTRATION not in text


async def test_a_wrong_token_at_the_gateway_only_holds_the_call(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials are put right, and then it goes out: nothing is refused for good."""
    monkeypatch.setattr("activities.operation._BACKOFF_S", ())
    plan = await planned(till, Purpose.CAPTURE)
    stranger = Till(till.sandbox, till.scene, till.http, key="stolen")
    assert (await stranger.act(plan)).hold == "gateway_unreachable"
    assert (await till.one(plan)).state is OperationState.SETTLED


async def test_a_chargeback_goes_out_with_its_reason(till: Till) -> None:
    plan = (await till.disputed()).plan
    await till.sandbox.set(chargeback_answers_reason=True)
    try:
        operation = await till.one(plan)
    finally:
        await till.sandbox.set(chargeback_answers_reason=False)
    assert (operation.state, operation.result_code) == (OperationState.SETTLED, "000.100.221")
