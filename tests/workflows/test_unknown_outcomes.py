"""Calls whose outcome nobody told: asked after, adopted, sent again, or given to a person."""

import asyncio
from collections.abc import Callable

import pytest

from disputes.operations import merchant_transaction_id
from disputes.status import CaseStatus
from disputes.vocabulary import OperationState
from tests.support.engine import Engine, Json
from tests.support.missing import without
from tests.support.waiting import until
from tests.workflows.hands import Dispute, refused

#: What may happen to a call without an answer that proves anything, and after how long it is over.
LOST_ANSWERS: dict[str, Json] = {
    "timeout before booking": {"kind": "timeout_before_booking", "delay_s": 0},
    "timeout after booking": {"kind": "timeout_after_booking", "delay_s": 0},
    "no answer in time": {"kind": "hang", "delay_s": 1.5},
    "books late": {"kind": "book_late", "delay_s": 1},
    "books after it was sent again": {"kind": "book_late", "delay_s": 4},
    "error before booking": {"kind": "http_500"},
    "error after booking": {"kind": "http_500_after_booking"},
    "no body": {"kind": "empty_body"},
    "half a body": {"kind": "truncated_body"},
    "no JSON": {"kind": "malformed_body"},
    "throttled": {"kind": "throttle"},
    "uncertain code": {"kind": "result_code_after_booking", "code": "900.100.300"},
    "unknown code": {"kind": "result_code_after_booking", "code": "999.888.777"},
    "pending": {"kind": "result_code_after_booking", "code": "000.200.000"},
}


def _attends(code: str) -> Callable[[CaseStatus], bool]:
    return lambda status: code in status.attention


async def _unlucky(engine: Engine, payment_type: str, fault: Json) -> Dispute:
    """A case of which the first call of a type goes wrong."""
    dispute = Dispute(engine, await engine.notice())
    match = {"payment_type": payment_type, "payment_id": dispute.payment}
    await engine.sandbox.arm(match=match, **fault)
    await engine.open(dispute.notice)
    return dispute


async def test_gateway_unknown_outcome(quick: Engine) -> None:
    """Whatever the answer was, the chargeback is booked once, and so is its reversal."""

    async def carried(fault: Json) -> None:
        dispute = await _unlucky(quick, "CB", fault)
        await dispute.until(booked_out="92.00")
        await quick.sandbox.arm(
            match={"payment_type": "CR", "payment_id": dispute.payment}, **fault
        )
        await dispute.rule("merchant_won")
        won = await dispute.until(status="won", booked_out="0.00")
        assert won.attention == (), fault
        assert await dispute.booked_types() == ["DB", "CB", "CR"], fault
        await dispute.money_is(acquirer=92_00)

    await asyncio.gather(*(carried(fault) for fault in LOST_ANSWERS.values()))


async def test_gateway_books_after_timeout(quick: Engine) -> None:
    """What shows under our own reference is ours: the shopper is charged again once."""
    dispute = await Dispute.lost(quick)
    assert await dispute.days_pass(2)
    match = {"payment_type": "RB", "payment_id": dispute.payment}
    await quick.sandbox.arm("book_late", match=match, delay_s=1)
    await dispute.request_rebill()
    await dispute.until(rebilled="92.00")
    assert await dispute.booked_types() == ["DB", "CB", "RB"]
    await dispute.money_is(acquirer=92_00, dispute_loss=92_00, recovered=92_00)


async def test_two_entries_under_one_reference_ask_for_a_person(quick: Engine) -> None:
    """One is the case's own; the twin is on the books too, and waits for a person."""
    dispute = await Dispute.booked(quick)
    [_, chargeback] = await dispute.book()
    match = {"payment_type": "CR", "payment_id": dispute.payment}
    await quick.sandbox.arm("timeout_after_booking", match=match, delay_s=0.8)
    await dispute.rule("partial", merchant_amount={"amount": "40.00", "currency": "EUR"})
    await until(dispute.is_sent)
    await quick.sandbox.own_booking(
        "CR",
        str(chargeback["id"]),
        amount_minor=40_00,
        merchant_transaction_id=dispute.operations()[-1].merchant_transaction_id,
    )
    await dispute.until(_attends("twin_entries"), status="partially_won")
    assert await dispute.booked_types() == ["DB", "CB", "CR", "CR"]
    await dispute.money_is(acquirer=80_00, unmirrored=-40_00, dispute_loss=52_00)


async def test_a_case_goes_on_while_nobody_knows(quick: Engine) -> None:
    """Evidence, submission and rulings do not wait for the gateway, which answers nothing."""
    dispute = Dispute(quick, await quick.notice())
    reference = merchant_transaction_id(f"dispute:{dispute.id}:book:1")
    asked = {"query": True, "merchant_transaction_id": reference}
    await quick.sandbox.arm("http_500", match=asked, times=None)
    match = {"payment_type": "CB", "payment_id": dispute.payment}
    await quick.sandbox.arm("timeout_after_booking", match=match, delay_s=0)
    await quick.open(dispute.notice)
    await until(dispute.is_sent)
    await dispute.represent()
    await dispute.rule("merchant_won")
    await dispute.until(status="won")
    assert dispute.is_sent()
    await quick.sandbox.disarm()
    await dispute.until(lambda status: len(status.operations) > 1, booked_out="0.00")
    await dispute.money_is(acquirer=92_00)


async def _in_doubt(engine: Engine) -> Dispute:
    """A partial reversal that nobody answered: a twin of it could not be undone."""
    dispute = await Dispute.booked(engine)
    match = {"payment_type": "CR", "payment_id": dispute.payment}
    await engine.sandbox.arm("timeout_before_booking", match=match, delay_s=0)
    await dispute.rule("partial", merchant_amount={"amount": "40.00", "currency": "EUR"})
    await dispute.until(_attends("operation_in_doubt"), status="partially_won")
    return dispute


def _key(status: CaseStatus) -> str:
    [doubtful] = [op.key for op in status.operations if op.state == "in_doubt"]
    return doubtful


async def test_what_must_not_be_sent_twice_goes_to_a_person(quick: Engine) -> None:
    """In doubt: no further call on the payment, but facts go on."""
    dispute = await _in_doubt(quick)
    await dispute.rule("merchant_won")
    await dispute.until(_attends("operation_in_doubt"), status="won")
    assert await dispute.booked_types() == ["DB", "CB"]
    await dispute.money_is(acquirer=0, unmirrored=92_00)
    key = _key(await dispute.status())
    doubt = {"operation_key": key, "resolved_by": "ana", "proof": "the acquirer's list of today"}
    nothing = doubt | {"operation_key": "dispute:x:book:1", "resolution": "happened"}
    assert (await refused(dispute.update("resolve_operation", nothing)))[0] == "NotFound"
    await dispute.update("resolve_operation", doubt | {"resolution": "did_not_happen"})
    await dispute.until(booked_out="0.00", attention=())
    assert await dispute.booked_types() == ["DB", "CB", "CR"]
    await dispute.money_is(acquirer=92_00)


async def test_what_a_person_found_booked_is_not_sent_again(quick: Engine) -> None:
    dispute = await _in_doubt(quick)
    [_, chargeback] = await dispute.book()
    await dispute.gateway_books("CR", str(chargeback["id"]), 40_00)
    key = _key(await dispute.status())
    doubt = {"operation_key": key, "resolved_by": "ana", "proof": "the acquirer's list of today"}
    await dispute.update("resolve_operation", doubt | {"resolution": "happened"})
    await dispute.until(booked_out="52.00", attention=())
    assert (await dispute.ends())["status"] == "partially_won"
    assert await dispute.booked_types() == ["DB", "CB", "CR"]
    await dispute.money_is(acquirer=40_00, dispute_loss=52_00)


async def test_a_word_that_the_books_cannot_take_leaves_the_case_as_it_was(quick: Engine) -> None:
    """The case says so, goes on with everything else, and takes the word once it can."""
    dispute = await _in_doubt(quick)
    key = _key(await dispute.status())
    doubt = {
        "operation_key": key,
        "resolved_by": "ana",
        "proof": "the acquirer's list of today",
        "resolution": "did_not_happen",
    }
    with without(quick.store, key):
        await dispute.update("resolve_operation", doubt)
        await dispute.until(_attends("message_not_taken"))
        await dispute.update("add_note", {"author": "ana", "text": "the copy is being restored"})
        await dispute.rule("merchant_won")
        status = await dispute.until(status="won")
        assert "operation_in_doubt" in status.attention
    await dispute.update("resolve_operation", doubt)
    await dispute.until(booked_out="0.00")
    assert await dispute.booked_types() == ["DB", "CB", "CR"]


async def test_a_notification_settles_what_was_in_doubt(quick: Engine) -> None:
    """The gateway's late word on its own entry is proof enough."""
    dispute = await _in_doubt(quick)
    [_, chargeback] = await dispute.book()
    reversal = await dispute.gateway_books("CR", str(chargeback["id"]), 40_00)
    key = _key(await dispute.status())
    await dispute.booking("CR", reversal, str(chargeback["id"]))
    status = await dispute.until(booked_out="52.00", attention=())
    assert [(op.state, op.gateway_id) for op in status.operations if op.key == key] == [
        ("settled", reversal)
    ]
    assert (await dispute.ends())["status"] == "partially_won"
    await dispute.money_is(acquirer=40_00, dispute_loss=52_00)


async def test_doubt_stops_calls_and_nothing_else(engine: Engine) -> None:
    """Evidence, submission, rulings and deadlines of two cases whose chargeback is in doubt."""
    doubt: Json = {"kind": "result_code", "code": "000.400.030"}
    answered, silent = [await _unlucky(engine, "CB", doubt) for _ in range(2)]
    for dispute in (answered, silent):
        await dispute.until(_attends("operation_in_doubt"), status="collecting")
    await answered.represent()
    await answered.until(status="under_review")
    await answered.rule("merchant_won")
    assert await silent.days_pass(26)
    for dispute, status in ((answered, "won"), (silent, "expired")):
        await dispute.until(_attends("operation_in_doubt"), status=status)
        assert await dispute.booked_types() == ["DB"]
        [operation] = dispute.operations()
        assert operation.state is OperationState.IN_DOUBT


async def test_a_code_that_asks_for_a_person_is_in_doubt_at_once(quick: Engine) -> None:
    dispute = await _unlucky(quick, "CB", {"kind": "result_code", "code": "000.400.030"})
    await dispute.until(_attends("operation_in_doubt"), status="collecting")


@pytest.mark.parametrize("kind", ["http_500", "throttle", "empty_body", "malformed_body"])
async def test_questions_that_fail_are_asked_again(quick: Engine, kind: str) -> None:
    """The first thing a case asks is what became of the payment."""
    dispute = Dispute(quick, await quick.notice())
    match = {"query": True, "payment_id": dispute.payment}
    await quick.sandbox.arm(kind, match=match, times=3)
    await quick.open(dispute.notice)
    await dispute.until(booked_out="92.00")
    await dispute.money_is(disputed=92_00)
