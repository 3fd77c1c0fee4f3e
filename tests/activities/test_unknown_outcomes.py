"""Each way in which nobody is told what became of a call, and how it is found out.

The judge is always the sandbox's own book.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from activities.operation import Patience
from disputes.gateway.client import Gateway, Timeouts
from disputes.operations import Operation
from disputes.vocabulary import OperationState, PaymentType
from tests.activities.bench import Bench

#: Where nothing may be sent again however slow the machine is, and nobody is asked too soon.
_PATIENT = Patience(settle_window_s=120, doubt_after_s=120)


@pytest_asyncio.fixture
async def bench(bench: Bench) -> AsyncIterator[Bench]:
    """A bench that is never in a hurry: no test here is about time."""
    bench.patience = _PATIENT
    async with Gateway(Timeouts.within(60)) as gateway:
        bench.gateway = gateway
        yield bench


async def _books_instead(bench: Bench, payment_type: str, minor: int) -> Operation:
    """The call is lost, and this is what the gateway shows under its reference."""
    await bench.sandbox.arm("http_500", match=bench.fault())
    plan = await bench.sent()
    await bench.sandbox.own_booking(
        payment_type,
        bench.payment_id,
        amount_minor=minor,
        merchant_transaction_id=plan.merchant_transaction_id,
    )
    operation = await bench.one()
    assert (await bench.methods(plan)).count("POST") == 1, "nothing is sent again"
    return operation


async def test_another_amount_under_our_reference_is_taken_as_what_it_is(bench: Bench) -> None:
    """Ignored, it would be sent again and move money twice."""
    operation = await _books_instead(bench, "CB", 9000)
    (entry,) = await bench.booked(PaymentType.CB)
    assert (operation.state, operation.gateway_id) == (OperationState.SETTLED, entry["id"])
    assert (operation.amount_minor, operation.asked_minor) == (9000, 9200)
    assert bench.scene.readings() == {
        "acquirer": 2,
        "unmirrored": -2,
        "disputed": 92,
        "in_hand": -15,
    }
    assert bench.scene.ledger.verify() == []
    status = bench.scene.reads.status(bench.dispute.case_id)
    assert status is not None
    assert "other_amount" in status.attention


async def test_another_transaction_under_our_reference_asks_for_a_person(bench: Bench) -> None:
    operation = await _books_instead(bench, "RF", 9200)
    (entry,) = await bench.booked(PaymentType.RF)
    assert operation.state is OperationState.IN_DOUBT
    assert str(entry["id"]) in (operation.reason or "")


@pytest.mark.parametrize("gateway_says", ["succeeded", "refused"])
async def test_what_is_pending_is_waited_for(bench: Bench, gateway_says: str) -> None:
    await bench.sandbox.arm("pending", match=bench.fault(), delay_s=0.4)
    if gateway_says == "refused":
        await bench.sandbox.own_booking("CB", bench.payment_id)
    operation = await bench.one()
    assert operation.state == ("settled" if gateway_says == "succeeded" else "refused")
    assert len(await bench.booked(PaymentType.CB)) == 1
    assert (await bench.methods(bench.dispute.plan)).count("POST") == 1


async def test_what_is_pending_for_days_is_settled_by_its_notification(bench: Bench) -> None:
    """Until then a person is asked; the notification names no reference of ours."""
    bench.patience = Patience(settle_window_s=60, doubt_after_s=0.5)
    await bench.sandbox.arm("pending", match=bench.fault(), delay_s=7200, code="800.400.500")
    plan = bench.dispute.plan
    assert (await bench.one()).state is OperationState.IN_DOUBT
    assert (await bench.methods(plan)).count("POST") == 1, "pending is no denial"
    (pending,) = (await bench.port().find(plan)).entries
    booked = pending.model_copy(
        update={"pending": False, "succeeded": True, "merchant_transaction_id": None}
    )
    told = bench.scene.book.adopt_entry(bench.dispute.case_id, booked, bench.dispute.now)
    assert told is not None
    assert (told.key, told.state) == (plan.key, OperationState.SETTLED)
    assert bench.scene.readings() == {"disputed": 92, "in_hand": -15}


@pytest.mark.parametrize(
    ("fault", "state", "booked"),
    [
        ({"kind": "refuse", "code": "700.400.402", "http_status": 200}, "refused", 0),
        ({"kind": "refuse_success_status"}, "settled", 1),
    ],
    ids=["a refusal with HTTP 200", "a success with HTTP 400"],
)
async def test_the_http_status_decides_nothing(
    bench: Bench, fault: dict[str, Any], state: str, booked: int
) -> None:
    await bench.sandbox.arm(match=bench.fault(), **fault)
    plan = bench.dispute.plan
    assert (await bench.one()).state == state
    assert len(await bench.booked(PaymentType.CB)) == booked
    assert await bench.methods(plan) == ["POST"], "the answer said it all"


async def test_all_workers_together_ask_no_more_than_they_may(bench: Bench) -> None:
    """Each has a throttle of its own, on the one database."""
    bench.query_interval_s = 0.5
    await bench.sandbox.arm("http_500_after_booking", match=bench.fault())
    await bench.sandbox.arm("http_500", match={"query": True}, times=3)
    loop, plan = asyncio.get_running_loop(), bench.dispute.plan
    began = loop.time()
    await asyncio.gather(*(bench.run(plan) for _ in range(4)))
    lasted = loop.time() - began
    questions = (await bench.methods(plan)).count("GET")
    assert 4 <= questions <= 1 + lasted / bench.query_interval_s
    assert len(await bench.booked(PaymentType.CB)) == 1


async def test_after_an_outage_of_ours_one_lost_answer_troubles_nobody(bench: Bench) -> None:
    """It was sent longer ago than the policy's patience, and had not been asked for since."""
    bench.patience = Patience(settle_window_s=60, doubt_after_s=0)
    plan = await bench.sent()
    await bench.sandbox.arm("throttle", match={"query": True}, times=2)
    assert (await bench.one()).state is OperationState.SETTLED
    assert await bench.methods(plan) == ["POST", "GET", "GET", "GET"]


async def test_of_two_entries_the_one_that_something_builds_on_is_kept(bench: Bench) -> None:
    await bench.sandbox.arm("duplicate_answer", match=bench.fault())
    await bench.sent()
    older, newer = await bench.booked(PaymentType.CB)
    await bench.sandbox.own_booking("CR", str(newer["id"]))
    kept = (await bench.run()).operations[0]
    assert (kept.gateway_id, kept.twins) == (newer["id"], (older["id"],))
    assert bench.scene.ledger.verify() == []
