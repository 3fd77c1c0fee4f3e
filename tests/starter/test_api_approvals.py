"""What waits for a second person, wherever it was asked for, and where their word is taken."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from starter.api.keys import Role
from tests.support.api import Api, key_of, run_api
from tests.support.engine import Engine, Json
from tests.workflows.payment_hands import PreAuth, eur, fresh_id

#: Above the example policy's limit.
LARGE = eur("9200.00")
WORD = {"resolution": "did_not_happen", "proof": "the acquirer's list of today"}
YES = {"decision": "approve"}


@pytest_asyncio.fixture(scope="module")
async def api(
    engine_process: Engine, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Api]:
    """An API on the engine, also for an approver of another merchant."""
    other = key_of("zoe", (Role.APPROVER,), merchants=("M-2",))
    async with run_api(engine_process.env, tmp_path_factory.mktemp("api"), other) as api:
        yield api


async def _waiting(client: httpx.AsyncClient, payment: str) -> list[Json]:
    found: list[Json] = []
    params: dict[str, str | int] = {"limit": 2}
    while True:
        told = (await client.get("/v1/approvals", params=params)).json()
        found += [it for it in told["items"] if it["payment_id"] == payment]
        if told["next_cursor"] is None:
            return found
        params["cursor"] = told["next_cursor"]


async def _until(client: httpx.AsyncClient, payment: str, requests: int) -> list[Json]:
    async with asyncio.timeout(60):
        while len(found := await _waiting(client, payment)) != requests:
            pass
    return found


async def _in_doubt(engine: Engine, payment: str, entry: str) -> None:
    match = {"payment_type": entry, "payment_id": payment}
    await engine.sandbox.arm("result_code", match=match, code="000.400.030")


async def test_a_word_on_a_captures_doubt_waits_in_the_list(api: Api, engine: Engine) -> None:
    ann, bob, root, zoe = [await api.as_(name) for name in ("ann", "bob", "root", "zoe")]
    payment = fresh_id()
    path = f"/v1/preauthorizations/{payment}"
    await engine.sandbox.payment(payment, "9200.00", "EUR", "PA")
    request = PreAuth.request(payment, amount=LARGE)
    assert (await ann.post("/v1/preauthorizations", json=request)).status_code == 201
    await _in_doubt(engine, payment, "CP")
    taken = (await ann.post(f"{path}/capture", json={"amount": eur("9000.00")})).json()
    doubt = taken["operation"]["key"]
    asked = (await root.post(f"{path}/operations/{doubt}/resolution", json=WORD)).json()
    [mine] = await _until(bob, payment, 1)
    assert (mine["kind"], mine["order_id"], mine["dispute_id"]) == ("preauthorization", None, None)
    assert (mine["command"], mine["requested_by"]) == ("resolve_operation", "root")
    assert (mine["amount"], mine["currency"]) == ("9000.00", "EUR")
    said = mine["resolution"]
    assert (said["operation_key"], said["resolution"]) == (doubt, "did_not_happen")
    assert said["proof"] == WORD["proof"]
    assert mine["request_id"] == asked["request_id"]
    assert mine["decision_path"] == f"{path}/approvals/{asked['request_id']}"
    assert await _waiting(zoe, payment) == []
    assert (await root.post(mine["decision_path"], json=YES)).status_code == 403
    assert (await bob.post(mine["decision_path"], json=YES)).status_code == 200
    await _until(bob, payment, 0)


async def test_an_order_waits_first_for_itself_and_then_for_a_word_on_its_doubt(
    api: Api, engine: Engine
) -> None:
    ann, bob, root = [await api.as_(name) for name in ("ann", "bob", "root")]
    payment, refund = fresh_id(), engine.new_id()
    await engine.sandbox.payment(payment, "9200.00", "EUR")
    await _in_doubt(engine, payment, "RF")
    request = {
        "refund_id": refund,
        "payment_id": payment,
        "merchant_id": "M-1",
        "amount": LARGE,
        "reason": "change_of_mind",
    }
    await ann.post("/v1/refunds", json=request)
    [mine] = await _until(bob, payment, 1)
    assert (mine["kind"], mine["order_id"], mine["command"]) == ("refund", refund, "refund")
    assert (mine["amount"], mine["resolution"]) == ("9200.00", None)
    assert (await bob.post(mine["decision_path"], json=YES)).status_code == 200
    await _until(bob, payment, 0)
    async with asyncio.timeout(60):
        while (told := (await ann.get(f"/v1/refunds/{refund}")).json())["state"] != "in_doubt":
            pass
    where = f"/v1/refunds/{refund}/operations/{told['operation']['key']}/resolution"
    assert (await root.post(where, json=WORD)).status_code == 200
    [word] = await _until(bob, payment, 1)
    assert (word["order_id"], word["command"]) == (refund, "resolve_operation")
    assert (word["amount"], word["resolution"]["proof"]) == ("9200.00", WORD["proof"])
    assert (await bob.post(word["decision_path"], json={"decision": "decline"})).status_code == 200
    await _until(bob, payment, 0)


async def test_an_admins_key_is_one_person_whatever_names_it_gives(
    api: Api, engine: Engine
) -> None:
    """Of a refund, and of a word on a capture's doubt: no call goes out on one key's word."""
    root = await api.as_("root")
    payment, watched = fresh_id(), fresh_id()
    await engine.sandbox.payment(payment, "9200.00", "EUR")
    request = {
        "refund_id": engine.new_id(),
        "payment_id": payment,
        "merchant_id": "M-1",
        "amount": LARGE,
        "reason": "change_of_mind",
        "requested_by": "ann",
    }
    assert (await root.post("/v1/refunds", json=request)).status_code == 201
    path = f"/v1/preauthorizations/{watched}"
    await engine.sandbox.payment(watched, "9200.00", "EUR", "PA")
    await root.post("/v1/preauthorizations", json=PreAuth.request(watched, amount=LARGE))
    await _in_doubt(engine, watched, "CP")
    taken = (await root.post(f"{path}/capture", json={"amount": LARGE})).json()
    where = f"{path}/operations/{taken['operation']['key']}/resolution"
    assert (await root.post(where, json=WORD | {"resolved_by": "ann"})).status_code == 200
    for about, booked in ((payment, ["DB"]), (watched, ["PA"])):
        [mine] = await _until(root, about, 1)
        assert mine["requested_by"] == "root"
        for name in ({}, {"decided_by": "somebody"}):
            alone = await root.post(mine["decision_path"], json=YES | name)
            assert (alone.status_code, alone.json()["type"]) == (403, "SecondPersonNeeded")
        [still] = await _until(root, about, 1)
        assert still["request_id"] == mine["request_id"]
        assert [it["payment_type"] for it in await engine.sandbox.book(about)] == booked


async def test_what_a_dispute_asks_for_names_its_own_address(api: Api, engine: Engine) -> None:
    ann, bob = await api.as_("ann"), await api.as_("bob")
    notice = await engine.notice(amount=LARGE)
    await engine.settled(await engine.open(notice), 1)
    path = f"/v1/disputes/{notice['dispute_id']}"
    asked = (await ann.post(f"{path}/acceptance", json={})).json()
    async with asyncio.timeout(60):
        found: list[Json] = []
        while not found:
            items = (await bob.get("/v1/approvals?limit=500")).json()["items"]
            found = [it for it in items if it["dispute_id"] == notice["dispute_id"]]
    assert found[0]["decision_path"] == f"{path}/approvals/{asked['request_id']}"
    done = await bob.post(found[0]["decision_path"], json=YES)
    assert done.json() == {"status": "accepted"}
