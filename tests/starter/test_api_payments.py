"""Payments' own workflows over HTTP: watched over, captured, paid back, by whom and how often."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from starter.api.keys import Role
from tests.support.api import Api, key_of, run_api
from tests.support.engine import Engine
from tests.support.plans import REGISTRATION
from tests.workflows.payment_hands import PreAuth, eur, fresh_id

Json = dict[str, Any]
#: Above the example policy's limit.
LARGE = eur("9200.00")


@pytest_asyncio.fixture(scope="module")
async def api(
    engine_process: Engine, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Api]:
    """An API on the engine, also for an analyst of another merchant."""
    folder = tmp_path_factory.mktemp("api")
    other = key_of("zoe", (Role.ANALYST, Role.APPROVER), merchants=("M-2",))
    async with run_api(engine_process.env, folder, other) as api:
        yield api


async def _watched(api: Api, engine: Engine, changes: Json | None = None) -> tuple[str, Json]:
    """An authorization of 92.00 EUR that is watched over; its path and what was asked for."""
    payment = fresh_id()
    await engine.sandbox.payment(payment, "92.00", "EUR", "PA")
    request = PreAuth.request(payment, **(changes or {}))
    answer = await (await api.as_("ann")).post("/v1/preauthorizations", json=request)
    assert answer.status_code == 201, answer.text
    return f"/v1/preauthorizations/{payment}", request


async def _order(engine: Engine, kind: str, paid: str = "92.00", **changes: object) -> Json:
    """What asks for an order on a fresh debit."""
    payment = fresh_id()
    await engine.sandbox.payment(payment, paid, "EUR")
    reason = "final_amount_differs" if kind == "rebill" else "change_of_mind"
    base: Json = {
        f"{kind}_id": engine.new_id(),
        "payment_id": payment,
        "merchant_id": "M-1",
        "amount": eur("10.00"),
        "reason": reason,
    }
    return base | changes


async def _until(client: httpx.AsyncClient, path: str, **fields: object) -> Json:
    async with asyncio.timeout(60):
        while True:
            told: Json = (await client.get(path)).json()
            if all(told[name] == value for name, value in fields.items()):
                return told
            await asyncio.sleep(0.02)


async def _booked(engine: Engine, request: Json) -> list[str]:
    book = await engine.sandbox.book(request["payment_id"])
    return [str(entry["payment_type"]) for entry in book]


async def _count(engine: Engine, entry: str) -> int:
    return sum(it["payment_type"] == entry for it in await engine.sandbox.book())


def _refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"]


async def test_an_authorization_is_watched_over_once_and_shown_at_once(
    api: Api, engine: Engine
) -> None:
    path, request = await _watched(api, engine, {"registration_id": REGISTRATION})
    ann, eve = await api.as_("ann"), await api.as_("eve")
    again = await ann.post("/v1/preauthorizations", json=request)
    assert (again.status_code, again.json()["state"]) == (200, "authorized")
    other = await ann.post("/v1/preauthorizations", json=request | {"amount": eur("91.00")})
    assert _refused(other) == (409, "Conflict")
    assert other.json()["fields"] == ["amount"]
    stored, live = await eve.get(path), await eve.get(f"{path}?live=true")
    assert (stored.status_code, live.status_code) == (200, 200)
    assert stored.json()["open_amount"] == live.json()["open_amount"] == "92.00"
    for answer in (again, other, stored, live):
        assert REGISTRATION not in answer.text


async def test_captured_in_part_increased_and_released(api: Api, engine: Engine) -> None:
    path, request = await _watched(api, engine)
    ann = await api.as_("ann")
    more = (await ann.post(f"{path}/increase", json={"amount": eur("8.00")})).json()
    assert (more["operation"]["type"], more["operation"]["state"]) == ("PA", "settled")
    part = (await ann.post(f"{path}/capture", json={"amount": eur("30.00")})).json()
    assert (part["state"], part["operation"]["amount"]) == ("partially_captured", "30.00")
    too_much = await ann.post(f"{path}/capture", json={"amount": eur("70.01")})
    assert _refused(too_much) == (422, "InvalidMessage")
    assert list(too_much.json()["fields"]) == ["amount"]
    rest = await ann.post(f"{path}/reversal", json={"reason": "product_unavailable"})
    assert (rest.status_code, rest.json()["operation"]["state"]) == (200, "settled")
    ended = await _until(ann, path, open_amount="0.00")
    assert {"ann"} <= {note["actor"] for note in ended["timeline"]}
    late = await ann.post(f"{path}/capture", json={})
    assert _refused(late) == (409, "IllegalTransition")
    assert late.json()["case_status"] == "captured"
    assert "CP" in await _booked(engine, request)


async def test_a_capture_repeated_with_its_key_captures_once(api: Api, engine: Engine) -> None:
    """Also where its answer was lost, and the capture ended the workflow."""
    path, request = await _watched(api, engine)
    ann, once = await api.as_("ann"), {"Idempotency-Key": f"capture {path}"}
    first = await ann.post(f"{path}/capture", json={}, headers=once)
    again = await ann.post(f"{path}/capture", json={}, headers=once)
    assert (first.status_code, again.text) == (200, first.text)
    assert again.headers["idempotency-replayed"] == "true"
    with engine.store.write() as session:
        forget = text("UPDATE api_request SET status = NULL WHERE idempotency_key = :key")
        session.connection().execute(forget, {"key": f"capture {path}"})
    lost = await ann.post(f"{path}/capture", json={}, headers=once)
    assert (lost.status_code, lost.json()) == (200, first.json())
    other = await ann.post(f"{path}/capture", json={"amount": eur("1.00")}, headers=once)
    assert _refused(other) == (409, "Conflict")
    assert await _booked(engine, request) == ["PA", "CP"]


async def test_what_the_gateway_refuses_is_told_with_the_reason(api: Api, engine: Engine) -> None:
    path, _ = await _watched(api, engine)
    await engine.sandbox.arm("refuse", match={"payment_type": "CP"}, code="800.100.153")
    refused = await (await api.as_("ann")).post(f"{path}/capture", json={})
    assert refused.status_code == 200
    assert refused.json()["operation"]["state"] == "refused"
    assert refused.json()["operation"]["reason"]


async def test_conditions_release_the_capture(api: Api, engine: Engine) -> None:
    path, _ = await _watched(api, engine, {"capture_when": ["order_fulfilled"]})
    ann = await api.as_("ann")
    met = {"condition": "order_fulfilled", "occurred_at": datetime.now(UTC).isoformat()}
    told = [await ann.post(f"{path}/conditions", json=met) for _ in range(2)]
    assert [answer.status_code for answer in told] == [202, 202]
    await _until(ann, path, state="captured")
    nobody = await ann.post(f"/v1/preauthorizations/{fresh_id()}/conditions", json=met)
    assert _refused(nobody) == (404, "NotFound")
    wrong = await ann.post(f"{path}/conditions", json=met | {"condition": "sunshine"})
    assert (_refused(wrong), list(wrong.json()["fields"])) == (
        (422, "InvalidMessage"),
        ["condition"],
    )


@pytest.mark.parametrize(
    ("kind", "entry", "changes"),
    [
        ("refund", "RF", {}),
        ("rebill", "RB", {}),
        ("payout", "CD", {"reason": "expired_refund_window", "registration_id": REGISTRATION}),
    ],
)
async def test_an_order_is_carried_out_once_and_answered_with_its_outcome(
    api: Api, engine: Engine, kind: str, entry: str, changes: Json
) -> None:
    request, before = await _order(engine, kind, **changes), await _count(engine, entry)
    path, ann, eve = f"/v1/{kind}s", await api.as_("ann"), await api.as_("eve")
    first = await ann.post(path, json=request)
    assert (first.status_code, first.json()["state"]) == (201, "settled")
    assert (first.json()["operation"]["type"], first.json()["requested_by"]) == (entry, "ann")
    again = await ann.post(path, json=request)
    assert (again.status_code, again.json()["state"]) == (200, "settled")
    other = await ann.post(path, json=request | {"amount": eur("9.00")})
    assert (_refused(other), other.json()["fields"]) == ((409, "Conflict"), ["amount"])
    shown = await eve.get(f"{path}/{request[f'{kind}_id']}")
    live = await eve.get(f"{path}/{request[f'{kind}_id']}?live=true")
    assert shown.json()["operation"] == live.json()["operation"] == first.json()["operation"]
    assert await _count(engine, entry) == before + 1
    for answer in (first, again, other, shown, live):
        assert REGISTRATION not in answer.text


async def test_an_order_that_cannot_be_is_refused_by_its_type(api: Api, engine: Engine) -> None:
    ann = await api.as_("ann")
    too_much = await _order(engine, "refund", amount=eur("92.01"))
    for _ in range(2):
        refused = await ann.post("/v1/refunds", json=too_much)
        assert _refused(refused) == (422, "InvalidMessage")
        assert "92.00 EUR" in refused.json()["fields"]["amount"]
    unknown = await ann.post("/v1/refunds", json=too_much | {"payment": "no field"})
    assert (_refused(unknown), list(unknown.json()["fields"])) == (
        (422, "InvalidMessage"),
        ["payment"],
    )
    assert await _booked(engine, too_much) == ["DB"]
    for path in ("refunds", "payouts", "rebills"):
        assert _refused(await ann.get(f"/v1/{path}/of-nobody")) == (404, "NotFound")


async def test_above_the_limit_a_second_person_decides(api: Api, engine: Engine) -> None:
    ann, bob, root = [await api.as_(name) for name in ("ann", "bob", "root")]
    request = await _order(engine, "refund", "9200.00", amount=LARGE)
    path = f"/v1/refunds/{request['refund_id']}"
    asked = await bob.post("/v1/refunds", json=request)
    assert (asked.status_code, asked.json()["state"]) == (201, "waiting_for_approval")
    mine = [it for it in await _approvals(bob) if it["order_id"] == request["refund_id"]]
    assert [(it["kind"], it["amount"], it["requested_by"]) for it in mine] == [
        ("refund", "9200.00", "bob")
    ]
    where, yes = f"{path}/approvals/{mine[0]['request_id']}", {"decision": "approve"}
    assert _refused(await ann.post(where, json=yes)) == (403, "Forbidden")
    assert _refused(await bob.post(where, json=yes)) == (403, "SecondPersonNeeded")
    forged = await bob.post(where, json=yes | {"decided_by": "carol"})
    assert _refused(forged) == (403, "SecondPersonNeeded")
    assert _refused(await root.post(f"{path}/approvals/other", json=yes)) == (404, "NotFound")
    assert await _booked(engine, request) == ["DB"]
    assert (await root.post(where, json=yes)).status_code == 200
    await _until(ann, path, state="settled")
    assert await _booked(engine, request) == ["DB", "RF"]
    declined = await _order(engine, "rebill", "9200.00", amount=LARGE)
    waiting = (await ann.post("/v1/rebills", json=declined)).json()
    where = f"/v1/rebills/{declined['rebill_id']}/approvals/{waiting['approval']['request_id']}"
    assert (await bob.post(where, json={"decision": "decline"})).json() == {"state": "declined"}
    again = await ann.post("/v1/rebills", json=declined)
    assert (again.status_code, again.json()["state"]) == (200, "declined")


async def _approvals(client: httpx.AsyncClient, limit: int = 1) -> list[Json]:
    found: list[Json] = []
    params: dict[str, str | int] = {"limit": limit}
    while True:
        told = (await client.get("/v1/approvals", params=params)).json()
        found += told["items"]
        assert len({(it["dispute_id"], it["order_id"]) for it in told["items"]}) <= limit
        if told["next_cursor"] is None:
            return found
        params["cursor"] = told["next_cursor"]


async def test_cases_and_orders_that_wait_are_paged_through_once(api: Api, engine: Engine) -> None:
    ann, door = await api.as_("ann"), await api.as_("door")
    notice = await engine.notice(amount=LARGE)
    await door.post("/v1/disputes", json=notice)
    await engine.settled(engine.handle(notice["dispute_id"]), 1)
    given_up = await ann.post(f"/v1/disputes/{notice['dispute_id']}/acceptance", json={})
    assert given_up.json()["request_id"]
    for kind in ("refund", "rebill"):
        request = await _order(engine, kind, "9200.00", amount=LARGE)
        await ann.post(f"/v1/{kind}s", json=request)
    await _until(ann, f"/v1/disputes/{notice['dispute_id']}", dispute_id=notice["dispute_id"])
    whole = [it["request_id"] for it in await _approvals(ann, 500)]
    assert len(whole) >= 3
    assert len(set(whole)) == len(whole)
    for limit in (1, 2, len(whole)):
        assert [it["request_id"] for it in await _approvals(ann, limit)] == whole
    assert await _approvals(await api.as_("zoe"), 500) == []


async def test_lists_are_filtered_and_paged(api: Api, engine: Engine) -> None:
    eve, ann = await api.as_("eve"), await api.as_("ann")
    opened = [(await _watched(api, engine))[1]["payment_id"] for _ in range(3)]
    gone, _ = await _watched(api, engine)
    await ann.post(f"{gone}/reversal", json={"reason": "customer_change_of_mind"})
    await _until(eve, gone, state="reversed")
    whole = await _pages(eve, "/v1/preauthorizations", limit=500)
    assert {*opened, gone.rpartition("/")[2]} <= {it["payment_id"] for it in whole}
    for limit in (1, 2):
        assert await _pages(eve, "/v1/preauthorizations", limit=limit) == whole
    moments = [(it["next_action"] or {}).get("at") for it in whole]
    dated = [moment for moment in moments if moment]
    assert moments == sorted(dated) + [None] * (len(moments) - len(dated))
    reversed_ = await _pages(eve, "/v1/preauthorizations", state="reversed")
    assert {it["state"] for it in reversed_} == {"reversed"}
    assert await _pages(eve, "/v1/preauthorizations", due_before="2020-01-01T00:00:00Z") == []
    assert await _pages(eve, "/v1/preauthorizations", merchant_id="M-9") == []
    assert await _pages(await api.as_("zoe"), "/v1/preauthorizations") == []
    page = (await eve.get("/v1/preauthorizations?limit=1")).json()
    wrong = await eve.get("/v1/refunds", params={"cursor": page["next_cursor"]})
    assert (_refused(wrong), list(wrong.json()["fields"])) == ((422, "InvalidMessage"), ["cursor"])
    refund = await _order(engine, "refund")
    await ann.post("/v1/refunds", json=refund)
    settled = await _pages(eve, "/v1/refunds", state="settled", merchant_id="M-1", limit=2)
    assert refund["refund_id"] in [it["id"] for it in settled]


async def _pages(client: httpx.AsyncClient, path: str, **params: object) -> list[Json]:
    found: list[Json] = []
    asked = {name: str(value) for name, value in params.items()}
    while True:
        answer = await client.get(path, params=asked)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next_cursor"] is None:
            return found
        asked["cursor"] = answer.json()["next_cursor"]


async def test_a_key_acts_within_its_merchants(api: Api, engine: Engine) -> None:
    zoe, ann = await api.as_("zoe"), await api.as_("ann")
    path, request = await _watched(api, engine)
    refund = await _order(engine, "refund")
    await ann.post("/v1/refunds", json=refund)
    order = f"/v1/refunds/{refund['refund_id']}"
    for answer in (
        await zoe.get(path),
        await zoe.get(f"{path}?live=true"),
        await zoe.post(f"{path}/capture", json={}),
        await zoe.post("/v1/preauthorizations", json=request | {"merchant_id": "M-2"}),
        await zoe.get(order),
        await zoe.post(f"{order}/approvals/any", json={"decision": "approve"}),
        await zoe.post(
            "/v1/refunds", json=refund | {"merchant_id": "M-2", "refund_id": engine.new_id()}
        ),
    ):
        assert _refused(answer) == (404, "NotFound")
    for path_, body in (("/v1/preauthorizations", request), ("/v1/refunds", refund)):
        assert _refused(await zoe.post(path_, json=body)) == (403, "Forbidden")
    assert (await zoe.get("/v1/refunds")).json()["items"] == []
    assert await _booked(engine, request) == ["PA"]


async def test_only_the_roles_may(api: Api, engine: Engine) -> None:
    path, request = await _watched(api, engine)
    doubt = {"resolution": "happened", "proof": "seen in the back office"}
    for name, route, body in (
        ("eve", "/v1/preauthorizations", request),
        ("eve", f"{path}/capture", {}),
        ("door", f"{path}/reversal", {"reason": "expired"}),
        ("bank", "/v1/refunds", await _order(engine, "refund")),
        ("ann", "/v1/refunds/R/approvals/A", {"decision": "approve"}),
        ("bob", f"{path}/operations/K/resolution", doubt),
        ("bob", "/v1/payouts/P/operations/K/resolution", doubt),
    ):
        answer = await (await api.as_(name)).post(route, json=body)
        assert _refused(answer) == (403, "Forbidden"), route
    for route in ("/v1/preauthorizations", path, "/v1/refunds", "/v1/notices"):
        assert (await (await api.as_("door")).get(route)).status_code == 403
        assert (await (await api.as_(None)).get(route)).status_code == 401


async def test_a_doubt_is_settled_by_an_admins_word(api: Api, engine: Engine) -> None:
    """Of a refund and of a capture for which the gateway asks for a person."""
    ann, root = await api.as_("ann"), await api.as_("root")
    request = await _order(engine, "refund")
    refund = f"/v1/refunds/{request['refund_id']}"
    watched, authorized = await _watched(api, engine)
    for entry, payment in (("RF", request["payment_id"]), ("CP", authorized["payment_id"])):
        match = {"payment_type": entry, "payment_id": payment}
        await engine.sandbox.arm("result_code", match=match, code="000.400.030")
    asked = await ann.post("/v1/refunds", json=request)
    assert (asked.status_code, asked.json()["state"]) == (201, "in_doubt")
    taken = await ann.post(f"{watched}/capture", json={"amount": eur("30.00")})
    assert (taken.status_code, taken.json()["state"]) == (200, "in_doubt")
    held = await ann.post(f"{watched}/capture", json={"amount": eur("30.00")})
    assert _refused(held) == (409, "MoneyHeld")
    word = {"resolution": "happened", "proof": "seen in the back office"}
    for path, told in ((refund, asked), (watched, taken)):
        wrong = await root.post(f"{path}/operations/of:nobody/resolution", json=word)
        assert _refused(wrong) == (404, "NotFound")
        where = f"{path}/operations/{told.json()['operation']['key']}/resolution"
        bare = await root.post(where, json={"resolution": "happened"})
        assert (_refused(bare), list(bare.json()["fields"])) == ((422, "InvalidMessage"), ["proof"])
        assert (await root.post(where, json=word)).status_code == 200
    await _until(ann, refund, state="settled")
    shown = await _until(ann, watched, state="partially_captured")
    assert shown["captured"] == "30.00"


async def test_notices_are_read_in_order_by_whom_they_concern(api: Api, engine: Engine) -> None:
    ann, eve, zoe = [await api.as_(name) for name in ("ann", "eve", "zoe")]
    requests = [await _order(engine, "refund") for _ in range(2)]
    for request in requests:
        await ann.post("/v1/refunds", json=request)
    wanted = [f"refund/{request['refund_id']}:sent" for request in requests]
    read: list[str] = []
    async with asyncio.timeout(60):
        while not set(wanted) <= set(read):
            params = {"audience": "shopper", "limit": "1"} | ({"after": read[-1]} if read else {})
            items = (await eve.get("/v1/notices", params=params)).json()["items"]
            assert {it["audience"] for it in items} <= {"shopper"}
            read += [it["notice_id"] for it in items]
    assert [it for it in read if it in wanted] == wanted
    assert len(set(read)) == len(read)
    assert (await zoe.get("/v1/notices")).json() == {"items": []}
    assert _refused(await zoe.get("/v1/notices", params={"after": wanted[0]})) == (404, "NotFound")
    assert _refused(await eve.get("/v1/notices?after=none")) == (404, "NotFound")
    assert _refused(await eve.get("/v1/notices?audience=all")) == (422, "InvalidMessage")
