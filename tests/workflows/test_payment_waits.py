"""Commands that have to wait for the payment to be free: carried out in time all the same."""

from datetime import UTC, datetime

from disputes.store.operations import SqlOperationBook
from disputes.vocabulary import OperationState, Purpose
from tests.support.engine import Engine, Json
from tests.support.plans import own_plan
from tests.support.waiting import until
from tests.workflows.hands import refused
from tests.workflows.payment_hands import PreAuth, eur


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
