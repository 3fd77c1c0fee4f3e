"""A key of some merchants sees and touches only theirs: of all else there is nothing."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from starter.api.keys import Role
from tests.support.api import Api, key_of, run_api
from tests.support.engine import Engine
from tests.workflows.payment_hands import eur, fresh_id


@pytest_asyncio.fixture(scope="module")
async def api(
    engine_process: Engine, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Api]:
    """An API with two keys of one merchant each."""
    roles = (Role.ANALYST, Role.BANK, Role.INTAKE)
    more = (
        key_of("shop", roles, merchants=("M-1",)),
        key_of("other", roles, merchants=("M-2",)),
    )
    async with run_api(engine_process.env, tmp_path_factory.mktemp("api"), *more) as api:
        yield api


def _refused(answer: httpx.Response, status: int = 404, kind: str = "NotFound") -> None:
    assert (answer.status_code, answer.json()["type"]) == (status, kind), answer.text


async def test_other_merchants_cases_do_not_exist(api: Api, engine: Engine) -> None:
    notice = await engine.notice()
    path = f"/v1/disputes/{notice['dispute_id']}"
    shop, other = await api.as_("shop"), await api.as_("other")
    _refused(await other.post("/v1/disputes", json=notice))
    assert (await shop.post("/v1/disputes", json=notice)).status_code == 201
    await engine.settled(engine.handle(notice["dispute_id"]), 1)
    assert (await shop.get(path)).status_code == 200
    for tail in ("", "/timeline", "/events", "?live=true"):
        _refused(await other.get(path + tail))
    ruling = {"ruling_id": "R", "outcome": "merchant_won", "decided_at": notice["received_at"]}
    for tail, content in (("/notes", {"text": "x"}), ("/rulings", ruling), ("/consequences", {})):
        _refused(await other.post(path + tail, json=content))
    guess = await other.post("/v1/disputes", json=notice | {"merchant_id": "M-2"})
    _refused(guess)
    assert "fields" not in guess.json()
    _refused(await other.get(f"/v1/payments/{notice['payment_id']}"))
    for route in ("/v1/disputes?limit=500", "/v1/operations", "/v1/approvals"):
        assert (await other.get(route)).json()["items"] == []
    assert (await other.get("/v1/ledger/entries")).text == ""
    assert (await shop.get("/v1/ledger/entries")).text != ""
    _refused(await other.post("/v1/disputes/feed", content=b""), 403, "Forbidden")


async def test_no_dispute_opens_on_another_merchants_payment(api: Api, engine: Engine) -> None:
    """Nor is its money held: the gateway's entity may be everybody's."""
    shop, other = await api.as_("shop"), await api.as_("other")
    payment = fresh_id()
    await engine.sandbox.payment(payment, "92.00", "EUR")
    refund = {
        "payment_id": payment,
        "merchant_id": "M-1",
        "amount": eur("10.00"),
        "reason": "change_of_mind",
    }
    first = await shop.post("/v1/refunds", json=refund | {"refund_id": engine.new_id()})
    assert (first.status_code, first.json()["state"]) == (201, "settled")
    notice = await engine.notice(payment_id=payment, merchant_id="M-2", amount=eur("82.00"))
    _refused(await other.post("/v1/disputes", json=notice))
    _refused(await other.get(f"/v1/disputes/{notice['dispute_id']}"))
    next_one = await shop.post("/v1/refunds", json=refund | {"refund_id": engine.new_id()})
    assert (next_one.status_code, next_one.json()["state"]) == (201, "settled")
    booked = [entry["payment_type"] for entry in await engine.sandbox.book(payment)]
    assert booked == ["DB", "RF", "RF"]
    # Its own merchant's dispute is taken, and once.
    own = await engine.notice(payment_id=payment, amount=eur("72.00"))
    opened = [await shop.post("/v1/disputes", json=own) for _ in range(2)]
    assert [answer.status_code for answer in opened] == [201, 200]
