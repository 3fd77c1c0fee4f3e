"""Workers that are killed, frozen or away: cases move on, and no call is made twice."""

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta

from starter.processes import Child
from tests.support.waiting import until
from tests.workflows.conftest import Workers
from tests.workflows.hands import Dispute, refused


async def _kill(worker: Child) -> None:
    os.killpg(worker.pid, signal.SIGKILL)
    await worker.process.wait()


async def test_worker_killed_mid_call(workers: Workers) -> None:
    """The gateway books what the dead worker sent; the next one asks first and adopts it."""
    engine = workers.engine
    victim = await workers.stack.start_worker()
    dispute = Dispute(engine, await engine.notice())
    match = {"payment_type": "CB", "payment_id": dispute.payment}
    await engine.sandbox.arm("hang", match=match, delay_s=2.0)
    await engine.open(dispute.notice)
    await until(dispute.is_sent)
    await _kill(victim)
    await workers.stack.start_worker()
    await dispute.until(booked_out="92.00")
    assert await dispute.booked_types() == ["DB", "CB"]
    await dispute.money_is(disputed=92_00)


async def test_worker_killed_before_the_gateway_booked(workers: Workers) -> None:
    """Nothing was booked: it is sent again once that is certain, under the same reference."""
    engine = workers.engine
    victim = await workers.stack.start_worker()
    dispute = Dispute(engine, await engine.notice())
    match = {"payment_type": "CB", "payment_id": dispute.payment}
    await engine.sandbox.arm("timeout_before_booking", match=match, delay_s=3.0)
    await engine.open(dispute.notice)
    await until(dispute.is_sent)
    await _kill(victim)
    await workers.stack.start_worker()
    await dispute.until(booked_out="92.00")
    assert await dispute.booked_types() == ["DB", "CB"]
    [booked] = dispute.operations()[-1:]
    posts = await engine.sandbox.requests(booked.merchant_transaction_id)
    assert [it["method"] for it in posts if it["payment_type"] == "CB"] == ["POST", "POST"]


async def test_idle_cases_of_a_killed_worker_move_again(workers: Workers) -> None:
    engine = workers.engine
    victim = await workers.stack.start_worker()
    cases = [await Dispute.booked(engine) for _ in range(5)]
    await workers.stack.start_worker()
    await _kill(victim)
    await asyncio.gather(*(dispute.rule("merchant_won") for dispute in cases))
    await asyncio.gather(*(dispute.until(status="won") for dispute in cases))
    for dispute in cases:
        await dispute.until(booked_out="0.00")
        await dispute.money_is(acquirer=92_00)


async def test_a_frozen_worker_holds_nothing_up_and_does_nothing_twice(workers: Workers) -> None:
    """Frozen in the middle of a call and of its cases; thawed when others have done its work."""
    engine = workers.engine
    victim = await workers.stack.start_worker()
    idle = await Dispute.booked(engine)
    dispute = Dispute(engine, await engine.notice())
    match = {"payment_type": "CB", "payment_id": dispute.payment}
    await engine.sandbox.arm("hang", match=match, delay_s=1.0)
    await engine.open(dispute.notice)
    await until(dispute.is_sent)
    os.killpg(victim.pid, signal.SIGSTOP)
    try:
        await workers.stack.start_worker()
        await idle.rule("merchant_won")
        # A question to the case itself would wait at the frozen worker too.
        await until(lambda: not dispute.is_sent(), within_s=60)
        await until(lambda: len(idle.operations()) == 2, within_s=60)
    finally:
        os.killpg(victim.pid, signal.SIGCONT)
    await dispute.rule("merchant_won")
    await dispute.until(booked_out="0.00")
    await victim.stop()
    for case in (idle, dispute):
        await case.until(status="won", booked_out="0.00")
        assert await case.booked_types() == ["DB", "CB", "CR"]
        await case.money_is(acquirer=92_00)


async def test_outage_over_deadline(workers: Workers) -> None:
    """Nobody was there at the deadline: the case is late, says so, and takes the late branch."""
    engine = workers.engine
    worker = await workers.stack.start_worker()
    respond_by = datetime.now(UTC) + timedelta(seconds=6)
    dispute = await Dispute.booked(engine, respond_by=respond_by.isoformat())
    await dispute.add_evidence()
    await worker.stop()
    assert datetime.now(UTC) < respond_by
    await until(lambda: datetime.now(UTC) > respond_by)
    command = asyncio.create_task(
        refused(dispute.update("submit_representment", {"submitted_by": "ana"}))
    )
    await workers.stack.start_worker()
    kind, _ = await command
    assert kind == "DeadlinePassed"
    await dispute.until(status="expired")
    [late] = [entry for entry in await dispute.timeline() if entry["what"] == "deadline"]
    assert datetime.fromisoformat(late["at"]) == respond_by
    assert datetime.fromisoformat(late["recorded_at"]) > respond_by
    assert all(entry["what"] != "submitted" for entry in await dispute.timeline())
    await dispute.money_is(dispute_loss=92_00)


async def test_a_stopped_worker_finishes_its_call(workers: Workers) -> None:
    """A deploy asks the worker to end: the call in flight ends with its answer noted."""
    engine = workers.engine
    worker = await workers.stack.start_worker()
    dispute = Dispute(engine, await engine.notice())
    match = {"payment_type": "CB", "payment_id": dispute.payment}
    await engine.sandbox.arm("hang", match=match, delay_s=1.0)
    await engine.open(dispute.notice)
    await until(dispute.is_sent)
    await worker.stop()
    assert not dispute.is_sent()
    assert await dispute.booked_types() == ["DB", "CB"]
