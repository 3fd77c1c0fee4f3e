"""Commands that have to wait for the payment to be free: carried out in time all the same."""

import asyncio
from datetime import UTC, datetime

import pytest
from temporalio.client import WorkflowUpdateStage

from disputes.operations import business_key, merchant_transaction_id
from disputes.store.operations import SqlOperationBook
from disputes.vocabulary import OperationState, Purpose
from tests.support.engine import Engine, Json
from tests.support.plans import REGISTRATION, own_plan
from tests.support.waiting import until
from tests.workflows.hands import refused
from tests.workflows.payment_hands import PreAuth, eur, fresh_id


def _now() -> str:
    return datetime.now(UTC).isoformat()


class _Other:
    """Somebody else's call on an authorization, whose answer is awaited."""

    def __init__(self, engine: Engine, payment_id: str) -> None:
        self._book = SqlOperationBook(engine.store)
        self._plan = own_plan("refund", f"other-{payment_id}", Purpose.REVERSE, 92_00, payment_id)
        record = self._book.intend(self._plan, ())
        self._book.mark_sent(self._plan.key, attempts=record.attempts)

    def ends(self) -> None:
        """It was refused: the payment is free."""
        now = datetime.now(UTC)
        self._book.settle(self._plan.key, OperationState.REFUSED, at=now)


async def _other(own: PreAuth) -> _Other:
    """Somebody else's call, once the books know the authorization: before, it would be refused."""
    await until(lambda: bool(own.accounts()))
    return _Other(own.engine, own.id)


async def test_what_waits_is_tried_ever_more_often_as_the_end_comes_near(quick: Engine) -> None:
    """Free again an hour before the end: a pause of hours would have cost the capture."""
    own = await PreAuth.opened(quick, hours=5)
    other = await _other(own)
    answer = await own.capture()
    assert (answer["state"], answer["waiting"]) == ("authorized", "money_held")
    assert await own.pass_time(hours=3.9)
    assert await own.posts() == []
    other.ends()
    assert not await own.pass_time(hours=1)
    assert (await own.result()).state == "captured"
    assert await own.book() == ["PA", "CP"]
    own.verify()


async def test_what_waits_still_when_the_time_is_over_is_not_sent(quick: Engine) -> None:
    own = await PreAuth.opened(quick, hours=5)
    other = await _other(own)
    assert (await own.capture())["waiting"] == "money_held"
    assert not await own.pass_time(hours=6)
    other.ends()
    status = await own.status()
    assert (status.state, "capture_refused" in status.attention) == ("expired", True)
    # Whoever asked was told that it waits, and finds what came of it.
    assert [it for it in status.timeline if it.what.startswith("capture refused")]
    assert await own.posts() == []
    own.verify()


async def test_what_waits_has_its_turn_in_order(quick: Engine) -> None:
    """The capture first, and the rest is released after it."""
    own = await PreAuth.opened(quick)
    other = await _other(own)
    assert (await own.capture("30.00"))["waiting"] == "money_held"
    assert (await own.reverse())["waiting"] == "money_held"
    other.ends()
    assert not await own.pass_time(hours=1)
    summary = await own.result()
    assert (summary.state, summary.captured) == ("captured", "30.00")
    assert await own.book() == ["PA", "CP", "RV"]
    own.verify()


async def test_the_same_request_id_is_one_while_it_waits_and_after(quick: Engine) -> None:
    own = await PreAuth.opened(quick)
    other = await _other(own)
    capture: Json = {"requested_by": "ana", "amount": eur("30.00"), "request_id": "C-1"}
    for _ in range(2):
        assert (await own.update("capture", **capture))["waiting"] == "money_held"
    kind, details = await refused(own.update("capture", **(capture | {"amount": eur("31.00")})))
    assert (kind, details["fields"]) == ("Conflict", ["amount"])
    other.ends()
    assert await own.pass_time(hours=7)
    await own.until(captured="30.00")
    again = await own.update("capture", **capture)
    assert (again["operation"]["state"], again["operation"]["amount"]) == ("settled", "30.00")
    assert (await refused(own.update("increase", **capture)))[0] == "Conflict"
    assert (await own.update("capture", **(capture | {"request_id": "C-2"})))["operation"]
    assert await own.book() == ["PA", "CP", "CP"]
    await own.reverse()
    own.verify()


async def test_what_was_refused_before_it_was_sent_may_be_asked_for_again(quick: Engine) -> None:
    own = await PreAuth.opened(quick)
    capture: Json = {"requested_by": "ana", "amount": eur("93.00"), "request_id": "C-1"}
    assert (await refused(own.update("capture", **capture)))[0] == "InvalidMessage"
    capture["amount"] = eur("92.00")
    assert (await own.update("capture", **capture))["state"] == "captured"
    assert await own.book() == ["PA", "CP"]


async def test_an_increase_with_an_id_is_made_once(quick: Engine) -> None:
    own = await PreAuth.opened(quick)
    increase: Json = {"requested_by": "ana", "amount": eur("8.00"), "request_id": "I-1"}
    first = await own.update("increase", **increase)
    assert (await own.update("increase", **increase))["operation"] == first["operation"]
    assert (await own.status()).authorized == "100.00"
    assert await own.posts() == ["PA"]


async def test_the_same_request_id_is_one_while_a_lost_runs_capture_is_under_way(
    quick: Engine,
) -> None:
    """The first was sent when its run was lost, and the next run learns what became of it."""
    own = await PreAuth.opened(quick)
    match = {"payment_type": "CP", "payment_id": own.payment}
    await quick.sandbox.arm("timeout_after_booking", match=match, delay_s=1)
    capture: Json = {"requested_by": "ana", "amount": eur("25.00"), "request_id": "C-1"}
    await own.case.start_update("capture", capture, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
    await own.until_posted("CP")
    await own.case.terminate()
    reference = merchant_transaction_id(business_key("preauthorization", own.id, Purpose.CAPTURE))
    slow = {"merchant_transaction_id": reference, "query": True}
    await quick.sandbox.arm("hang", match=slow, delay_s=0.7)
    await own.signal("booking", gateway_id=fresh_id(), payment_type="CP", occurred_at=_now())
    answer = await own.update("capture", **capture)
    assert (answer["operation"]["state"], answer["operation"]["amount"]) == ("settled", "25.00")
    assert await own.update("capture", **capture) == answer
    assert await own.book() == ["PA", "CP"]
    await own.reverse()
    assert (await own.result()).captured == "25.00"
    own.verify()


# What would authorize it anew, and cannot be sent

_ANEW: Json = {
    "on_expiry": "reauthorize",
    "registration_id": REGISTRATION,
    "capture_when": ["fraud_cleared"],
}


def _reference(payment_id: str) -> str:
    """Of what authorizes it anew."""
    return merchant_transaction_id(business_key("preauthorization", payment_id, Purpose.AUTHORIZE))


async def _tries_anew(engine: Engine) -> PreAuth:
    """So near its end that the policy acts at once, and the gateway takes nothing."""
    payment = fresh_id()
    await engine.sandbox.payment(payment, "92.00", "EUR", "PA")
    match = {"merchant_transaction_id": _reference(payment)}
    await engine.sandbox.arm("result_code", match=match, code="900.100.301", times=None)
    own = PreAuth(engine, payment, payment)
    await own.start(PreAuth.request(payment, hours=3, **_ANEW))
    async with asyncio.timeout(60):
        while not await engine.sandbox.requests(_reference(payment)):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    return own


async def _held_anew(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> PreAuth:
    """It waits for the gateway, which is back by now."""
    monkeypatch.setattr("activities.operation._BACKOFF_S", (0.01,))
    own = await _tries_anew(engine)
    await own.until(lambda it: "gateway_unreachable" in it.attention)
    await engine.sandbox.disarm()
    return own


async def _booked_anew(own: PreAuth) -> int:
    entries = await own.engine.sandbox.book()
    return sum(it["merchant_transaction_id"] == _reference(own.id) for it in entries)


async def test_it_is_not_authorized_anew_once_it_is_captured(
    quick: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended while the new authorization waited: word of it later must not send that."""
    own = await _held_anew(quick, monkeypatch)
    assert (await own.capture())["waiting"] == "gateway_unreachable"
    assert not await own.pass_time(hours=1)
    assert (await own.result()).state == "captured"
    await own.met("fraud_cleared")
    summary = await own.result()
    assert (summary.state, summary.reauthorized_as) == ("captured", None)
    assert (await own.book(), await _booked_anew(own)) == (["PA", "CP"], 0)
    own.verify()


async def test_it_is_not_authorized_anew_once_its_capture_is_owed(
    quick: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The conditions are met while the gateway is still being tried."""
    monkeypatch.setattr("activities.operation._BACKOFF_S", (2.0,))
    own = await _tries_anew(quick)
    await own.met("fraud_cleared")
    await own.until(lambda it: "gateway_unreachable" in it.attention)
    await quick.sandbox.disarm()
    assert not await own.pass_time(hours=1)
    assert (await own.result()).state == "captured"
    assert (await own.book(), await _booked_anew(own)) == (["PA", "CP"], 0)
    own.verify()


async def test_it_is_authorized_anew_by_a_new_run_while_that_is_owed(
    quick: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = await _held_anew(quick, monkeypatch)
    await own.case.terminate()
    await own.signal("booking", gateway_id=fresh_id(), payment_type="CP", occurred_at=_now())
    assert (await own.result()).state == "reversed"
    assert (await own.book(), await _booked_anew(own)) == (["PA", "RV"], 1)
    own.verify()
