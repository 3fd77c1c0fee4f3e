"""What an acquirer does not offer is refused before any call, naming it and what to do instead."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from starter.temporal_server import TemporalServer
from tests.support.engine import Engine, run_engine
from tests.support.plans import REGISTRATION
from tests.support.sandbox import Sandbox
from tests.workflows.hands import refused
from tests.workflows.payment_hands import Order, Payout, PreAuth, Rebill, Refund, eur, fresh_id

#: An acquirer that offers next to nothing.
_POLICY = """
version = "poor"

[refunds]
window_days = 1

[rebills]
difference_percent = 15

[acquirers.default."*"]
multiple_capture = false
"""


@pytest_asyncio.fixture(scope="module")
async def poor_process(
    temporal_server: TemporalServer,
    sandbox_process: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Engine]:
    folder = tmp_path_factory.mktemp("poor")
    policy = folder / "policy.toml"
    policy.write_text(_POLICY)
    url = f"sqlite:///{folder / 'store.sqlite3'}"
    async with run_engine(
        temporal_server, sandbox_process, url, "poor", DISPUTES_POLICY_FILE=str(policy)
    ) as engine:
        yield engine


@pytest.fixture
def poor(poor_process: Engine, sandbox: Sandbox) -> Engine:
    """An engine for an acquirer without credits, rebills, increases and second captures."""
    assert poor_process.sandbox is sandbox
    return poor_process


async def _sent(engine: Engine) -> int:
    """How many calls that move money the gateway has seen."""
    seen = await engine.sandbox.requests()
    return sum(it["method"] == "POST" and it["payment_type"] is not None for it in seen)


async def test_a_second_capture_is_refused_and_the_rest_can_be_released(poor: Engine) -> None:
    own = await PreAuth.opened(poor)
    await own.capture("30.00")
    before = await _sent(poor)
    kind, details = await refused(own.capture("10.00"))
    assert kind == "NotSupported"
    assert details == {
        "operation": "a second capture",
        "acquirer": "default",
        "instead": "make a new payment for the rest",
    }
    assert await _sent(poor) == before
    assert (await own.reverse())["state"] == "captured"
    assert await own.book() == ["PA", "CP", "RV"]


async def test_the_policy_leaves_a_second_capture_to_a_person(poor: Engine) -> None:
    own = await PreAuth.opened(poor, on_expiry="capture")
    await own.capture("30.00")
    assert await own.pass_time(hours=165)
    status = await own.until(lambda it: "expiry_action_needed" in it.attention)
    assert "takes one capture only: reverse the rest" in status.timeline[-1].what
    assert not await own.pass_time(hours=5)
    assert (await own.result()).state == "expired"
    assert await own.posts() == ["CP"]
    own.verify()


async def test_an_increase_is_refused(poor: Engine) -> None:
    own = await PreAuth.opened(poor)
    kind, details = await refused(own.update("increase", amount=eur("8.00"), requested_by="ana"))
    assert (kind, details["acquirer"]) == ("NotSupported", "default")
    assert "authorize the difference anew" in details["instead"]
    assert await own.posts() == []
    assert (await own.capture())["state"] == "captured"


async def _old(engine: Engine) -> str:
    payment = fresh_id()
    booked = "2026-01-02T03:04:05+00:00"
    await engine.sandbox.payment(payment, "92.00", "EUR", booked_at=booked)
    return payment


@pytest.mark.parametrize(
    ("order", "instead"),
    [
        (Payout, "refund the payment (RF), or transfer the money by hand"),
        (Rebill, "make a new DB by the shopper's registration"),
        (Refund, "transfer the money by hand"),
    ],
)
async def test_an_order_is_refused_before_any_call(
    poor: Engine, order: type[Order], instead: str
) -> None:
    """Of the refund: its window is over, and there is no credit."""
    payment = await _old(poor)
    before = await _sent(poor)
    own = await order.asked(poor, payment, registration_id=REGISTRATION)
    kind, details = await refused(own.case.result())
    assert (kind, details["acquirer"], details["instead"]) == ("NotSupported", "default", instead)
    assert await _sent(poor) == before
    assert await own.book() == ["DB"]
    assert own.accounts() in ({}, {"acquirer": 92_00, "sales": -92_00})
    own.verify()


async def test_what_is_offered_goes_on(poor: Engine) -> None:
    """Inside the window it is an RF, which needs no capability."""
    own = await Refund.asked(poor)
    assert (await own.result()).state == "settled"
