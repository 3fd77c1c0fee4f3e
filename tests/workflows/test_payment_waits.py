"""Commands that have to wait for the payment to be free: carried out in time all the same."""

from datetime import UTC, datetime

from disputes.store.operations import SqlOperationBook
from disputes.vocabulary import OperationState, Purpose
from tests.support.engine import Engine
from tests.support.plans import own_plan
from tests.workflows.payment_hands import PreAuth


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


async def test_what_waits_is_tried_ever_more_often_as_the_end_comes_near(quick: Engine) -> None:
    """Free again an hour before the end: a pause of hours would have cost the capture."""
    own = await PreAuth.opened(quick, hours=5)
    other = _Other(quick, own.id)
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
    other = _Other(quick, own.id)
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
    other = _Other(quick, own.id)
    assert (await own.capture("30.00"))["waiting"] == "money_held"
    assert (await own.reverse())["waiting"] == "money_held"
    other.ends()
    assert not await own.pass_time(hours=1)
    summary = await own.result()
    assert (summary.state, summary.captured) == ("captured", "30.00")
    assert await own.book() == ["PA", "CP", "RV"]
    own.verify()
