"""One gateway operation, exactly once in effect: the algorithm on a real store and gateway.

The judge is always the sandbox's own book.
"""

import asyncio
import socket
from types import SimpleNamespace

import pytest

from disputes.events import OperationReported
from disputes.operations import OperationRecord
from disputes.steps import Hold, MoneyMoved
from disputes.vocabulary import OperationState, Outcome, PaymentType
from tests.activities.bench import PATIENCE, Bench


@pytest.mark.parametrize(
    "kind",
    [
        "timeout_after_booking",
        "http_500_after_booking",
        "malformed_body",
        "truncated_body",
        "empty_body",
    ],
)
async def test_a_lost_answer_to_a_booking_is_found_and_adopted(bench: Bench, kind: str) -> None:
    await bench.sandbox.arm(kind, match=bench.fault(), delay_s=2)
    operation = await bench.one()
    (entry,) = await bench.booked(PaymentType.CB)
    assert (operation.state, operation.gateway_id) == (OperationState.SETTLED, entry["id"])
    assert bench.scene.readings() == {"disputed": 92, "in_hand": -15}
    assert bench.scene.ledger.verify() == []


@pytest.mark.parametrize("kind", ["timeout_before_booking", "http_500"])
async def test_what_was_never_booked_is_sent_again_after_two_denials(
    bench: Bench, kind: str
) -> None:
    await bench.sandbox.arm(kind, match=bench.fault(), delay_s=2)
    plan = bench.dispute.plan
    operation = await bench.one()
    assert operation.state is OperationState.SETTLED
    assert len(await bench.booked(PaymentType.CB)) == 1
    seen = await bench.sandbox.requests(plan.merchant_transaction_id)
    methods = [request["method"] for request in seen]
    first, *asked, again = methods
    assert (first, again) == ("POST", "POST")
    assert asked.count("GET") == len(asked) >= 2


async def test_a_booking_that_comes_late_within_the_window_is_adopted(bench: Bench) -> None:
    await bench.sandbox.arm("book_late", match=bench.fault(), delay_s=0.4)
    operation = await bench.one()
    (entry,) = await bench.booked(PaymentType.CB)
    assert (operation.state, operation.gateway_id) == (OperationState.SETTLED, entry["id"])


@pytest.mark.parametrize("code", ["900.100.301", "900.100.310"])
async def test_what_the_gateway_says_never_happened_is_sent_again_at_once(
    bench: Bench, code: str
) -> None:
    await bench.sandbox.arm("result_code", match=bench.fault(), code=code)
    plan = bench.dispute.plan
    assert (await bench.one()).state is OperationState.SETTLED
    seen = await bench.sandbox.requests(plan.merchant_transaction_id)
    assert [request["method"] for request in seen] == ["POST", "POST"]


async def test_a_definite_refusal_ends_the_operation_and_posts_nothing(bench: Bench) -> None:
    await bench.sandbox.arm("refuse", match=bench.fault(), code="700.400.402")
    operation = await bench.one()
    assert (operation.state, operation.result_code) == (OperationState.REFUSED, "700.400.402")
    assert bench.scene.readings() == {
        "acquirer": 92,
        "unmirrored": -92,
        "disputed": 92,
        "in_hand": -15,
    }


async def test_an_uncertain_code_is_never_a_decline(bench: Bench) -> None:
    """900.100.300 answers although the gateway booked: the entry is found and kept."""
    await bench.sandbox.arm("result_code_after_booking", match=bench.fault(), code="900.100.300")
    assert (await bench.one()).state is OperationState.SETTLED
    assert len(await bench.booked(PaymentType.CB)) == 1


async def test_where_the_gateway_asks_for_a_person_nobody_sends_again(bench: Bench) -> None:
    await bench.sandbox.arm("result_code", match=bench.fault(), code="000.400.030")
    assert (await bench.one()).state is OperationState.IN_DOUBT


async def test_patience_ends_in_doubt_and_a_person_settles_it(bench: Bench) -> None:
    """Nobody can say what happened: the operation waits for a person, and for one only."""
    await bench.sandbox.arm("http_500_after_booking", match=bench.fault())
    await bench.sandbox.arm("http_500", match={"query": True}, times=None)
    plan = bench.dispute.plan
    assert (await bench.one()).state is OperationState.IN_DOUBT
    assert (await bench.one()).state is OperationState.IN_DOUBT, "nothing is sent meanwhile"
    assert len(await bench.booked(PaymentType.CB)) == 1
    resolved = bench.scene.book.resolve(
        plan.key, happened=True, reason="seen in the portal", at=bench.dispute.now
    )
    assert resolved.state is OperationState.SETTLED
    assert bench.scene.readings() == {"disputed": 92, "in_hand": -15}


async def test_a_partial_reversal_that_may_have_been_sent_is_not_sent_twice(bench: Bench) -> None:
    """A twin of a partial CR would be accepted and cannot be undone."""
    bench.dispute.record(OperationReported(operation=await bench.one()))
    bench.dispute.ruled(Outcome.PARTIAL, 4000)
    await bench.sandbox.arm("timeout_before_booking", match={"payment_type": "CR"}, delay_s=2)
    operation = await bench.one()
    assert operation.state is OperationState.IN_DOUBT
    assert await bench.booked(PaymentType.CR) == []


async def test_a_booking_under_our_id_twice_is_told_to_a_person(bench: Bench) -> None:
    await bench.sandbox.arm("duplicate_answer", match=bench.fault())
    await bench.sandbox.arm("empty_body", match={"query": True}, times=1)
    plan = bench.dispute.plan
    record = bench.scene.book.intend(plan, ())
    bench.scene.book.mark_sent(plan.key, attempts=record.attempts)
    await bench.port().send(plan, 1)
    operation = await bench.one()
    entries = {str(entry["id"]) for entry in await bench.booked(PaymentType.CB)}
    assert len(entries) == 2
    assert {operation.gateway_id, *operation.twins} == entries


async def test_a_process_frozen_between_its_mark_and_its_call_sends_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline runs from the mark: what stood still past it may have been taken for lost."""
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], time=lambda: now[0])
    monkeypatch.setattr("activities.operation.time", clock)
    monkeypatch.setattr("activities.operation._BACKOFF_S", ())
    mark = bench.scene.book.mark_sent

    def frozen(key: str, *, attempts: int) -> OperationRecord:
        record = mark(key, attempts=attempts)
        now[0] += PATIENCE.send_within_s
        return record

    monkeypatch.setattr(bench.scene.book, "mark_sent", frozen)
    assert await bench.run() == MoneyMoved(hold=Hold.GATEWAY_UNREACHABLE)
    assert await bench.booked(PaymentType.CB) == []


async def test_two_workers_with_one_plan_send_once(bench: Bench) -> None:
    plan = bench.dispute.plan
    runs = (bench.runner().run(plan, (), bench.dispute.now) for _ in range(4))
    outcomes = await asyncio.gather(*runs)
    assert len(await bench.booked(PaymentType.CB)) == 1
    assert {op.gateway_id for moved in outcomes for op in moved.operations} == {
        (await bench.booked(PaymentType.CB))[0]["id"]
    }


async def test_a_gateway_that_nobody_reaches_leaves_the_operation_unsent(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.operation._BACKOFF_S", (0.01, 0.01))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    moved = await bench.runner(url).run(bench.dispute.plan, (), bench.dispute.now)
    assert moved == MoneyMoved(hold=Hold.GATEWAY_UNREACHABLE)
    assert (await bench.one()).state is OperationState.SETTLED, "and it goes out later, once"
    assert len(await bench.booked(PaymentType.CB)) == 1
