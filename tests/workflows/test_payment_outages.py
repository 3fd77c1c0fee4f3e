"""Workers that are away or killed: an end is not missed in silence, and nothing is moved twice."""

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta

import pytest

from disputes.operations import business_key, merchant_transaction_id
from disputes.store.notices import SqlNotices
from disputes.vocabulary import Purpose
from starter.processes import Child
from tests.support.engine import Engine
from tests.support.plans import REGISTRATION
from tests.support.waiting import until
from tests.workflows.conftest import Workers
from tests.workflows.payment_hands import PreAuth, Refund, fresh_id


async def _kill(worker: Child) -> None:
    os.killpg(worker.pid, signal.SIGKILL)
    await worker.process.wait()


async def _asked(engine: Engine, payment_id: str | None) -> int:
    """How often the gateway was asked for a payment."""
    seen = await engine.sandbox.requests()
    return sum(str(it["path"]).endswith(f"/query/{payment_id}") for it in seen)


async def _sent(engine: Engine, reference: str) -> int:
    """How often an operation of ours was sent."""
    seen = await engine.sandbox.requests(reference)
    return sum(it["method"] == "POST" for it in seen)


async def _ends_unattended(workers: Workers) -> PreAuth:
    """An authorization of which the worker is killed some seconds before its end."""
    worker = await workers.stack.start_worker()
    ends = datetime.now(UTC) + timedelta(seconds=12)
    own = await PreAuth.opened(workers.engine, expires_at=ends.isoformat())
    await own.until(lambda it: "expiry_action_needed" in it.attention)
    await _kill(worker)
    assert datetime.now(UTC) < ends, "the machine was too slow: the worker was there at the end"
    await until(lambda: datetime.now(UTC) > ends)
    return own


async def test_nobody_was_there_when_it_lapsed(workers: Workers) -> None:
    engine = workers.engine
    own = await _ends_unattended(workers)
    before = await _asked(engine, own.payment)
    await workers.stack.start_worker()
    summary = await own.result()
    assert (summary.state, summary.captured) == ("expired", "0.00")
    assert await _asked(engine, own.payment) > before
    told = [it for it in SqlNotices(engine.store).told() if it.payment_id == own.payment]
    assert [it.kind for it in told][-1] == "preauthorization_expiry"
    # Told when somebody was there again, and dated so.
    assert told[-1].at > summary.expires_at
    assert await own.posts() == []
    assert own.accounts() == {}
    own.verify()


async def test_what_was_captured_while_nobody_was_there_is_not_lost(workers: Workers) -> None:
    own = await _ends_unattended(workers)
    assert own.payment is not None
    await workers.engine.sandbox.own_booking("CP", own.payment, amount_minor=92_00)
    await workers.stack.start_worker()
    summary = await own.result()
    assert (summary.state, summary.captured) == ("captured", "92.00")
    assert own.accounts() == {"acquirer": 92_00, "sales": -92_00}
    own.verify()


@pytest.mark.parametrize("purpose", [Purpose.AUTHORIZE, Purpose.REVERSE])
async def test_killed_while_it_is_authorized_anew(workers: Workers, purpose: Purpose) -> None:
    """Killed while the new one is booked, or the old one released: one of each in the end."""
    engine = workers.engine
    victim = await workers.stack.start_worker()
    payment = fresh_id()
    key = business_key("preauthorization", payment, purpose)
    reference = merchant_transaction_id(key)
    await engine.sandbox.payment(payment, "92.00", "EUR", "PA")
    match = {"merchant_transaction_id": reference}
    await engine.sandbox.arm("hang", match=match, delay_s=2)
    own = PreAuth(engine, payment, payment)
    # So near its end the policy acts at once.
    changes = {"on_expiry": "reauthorize", "registration_id": REGISTRATION}
    await own.start(PreAuth.request(payment, hours=3, **changes))
    async with asyncio.timeout(60):
        while not await _sent(engine, reference):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    await _kill(victim)
    await workers.stack.start_worker()
    summary = await own.result()
    assert summary.state == "reversed"
    assert await own.book() == ["PA", "RV"]
    anew = merchant_transaction_id(business_key("preauthorization", payment, Purpose.AUTHORIZE))
    entries = await engine.sandbox.book()
    [made] = [it for it in entries if it["merchant_transaction_id"] == anew]
    assert (made["id"], made["amount_minor"]) == (summary.reauthorized_as, 92_00)
    successor = PreAuth(engine, str(made["id"]), str(made["id"]))
    assert (await successor.until(state="authorized")).open_amount == "92.00"
    assert successor.accounts() == {"memo_auth": 92_00, "memo_auth_contra": -92_00}
    own.verify()


async def test_a_refund_whose_worker_is_killed_is_made_once(workers: Workers) -> None:
    engine = workers.engine
    victim = await workers.stack.start_worker()
    payment = fresh_id()
    await engine.sandbox.payment(payment, "92.00", "EUR")
    match = {"payment_type": "RF", "payment_id": payment}
    await engine.sandbox.arm("timeout_after_booking", match=match, delay_s=3)
    own = await Refund.asked(engine, payment)
    await own.until_posted("RF")
    await _kill(victim)
    await workers.stack.start_worker()
    assert (await own.result()).state == "settled"
    assert (await own.book(), await own.posts()) == (["DB", "RF"], ["RF"])
    told = [it.kind for it in SqlNotices(engine.store).told() if it.payment_id == payment]
    assert told == ["refund_sent"]
    assert own.accounts() == {"acquirer": 72_00, "sales": -92_00, "refunds": 20_00}
    own.verify()
