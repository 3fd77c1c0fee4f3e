"""What a running API tells of feeds and notifications, and that it delivers them by itself."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from disputes.decode import sha256
from disputes.store.engine import open_store
from disputes.store.migrations import migrate
from disputes.store.operations import SqlOperationBook
from disputes.vocabulary import OperationState, PaymentType, Purpose
from starter.api import office
from starter.api.keys import Role
from starter.api.webhooks import PATH
from starter.processes import claim_port
from starter.temporal_server import start_temporal
from tests.store.scene import START, entry
from tests.support.api import key_of, run_api
from tests.support.desk import line, opened
from tests.support.engine import Engine
from tests.support.plans import own_plan
from tests.support.webhooks import KEY, notification, sealed
from tests.workflows.hands import Dispute
from tests.workflows.payment_hands import PreAuth, fresh_id
from workflows.connection import connect

Json = dict[str, Any]
CARD = "4111111111111111"
WAITING, REJECTED = "/v1/intake/waiting", "/v1/intake/rejected"


async def _all(client: httpx.AsyncClient, path: str, limit: int) -> list[Json]:
    """Every item of a list, page by page."""
    items: list[Json] = []
    params: Json = {"limit": limit}
    while True:
        answer = await client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        params["cursor"] = page["next_cursor"]


async def _notify(client: httpx.AsyncClient, told: Json) -> httpx.Response:
    """Send one, and again while it is not known to be kept, as the gateway does."""
    body, headers = sealed(told)
    while True:
        answer = await client.post(PATH, content=body, headers=headers)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            return answer


async def test_the_api_takes_a_notification_and_tells_its_case(
    alone: Engine, tmp_path: Path
) -> None:
    dispute = await Dispute.booked(alone)
    [_, chargeback] = await dispute.book()
    reversal = await dispute.gateway_books("CR", str(chargeback["id"]), 40_00)
    entries = {str(it["id"]): it for it in await dispute.book()}
    told = notification(entries[reversal])
    env = alone.env | {"DISPUTES_WEBHOOK_KEYS": KEY}
    async with run_api(env, tmp_path) as api:
        gateway, eve = await api.as_(None), await api.as_("eve")
        for _ in range(2):
            assert (await _notify(gateway, told)).status_code == 200
        await dispute.until(booked_out="52.00")
        refused = await gateway.post(PATH, content=b"00", headers={})
        assert (refused.status_code, refused.json()["type"]) == (401, "NotAuthentic")
        counts = (await eve.get("/metrics")).text
        for outcome in ("kept", "repeated", "not_authentic"):
            assert f'disputes_notifications_total{{outcome="{outcome}"}} 1' in counts

        stranger = {"id": "c" * 32, "payment_type": "CB", "referenced_id": "d" * 32}
        await _notify(gateway, notification(stranger))
        # What a case was told of is listed too, until it is looked at again.
        waiting = (await _all(eve, WAITING, 1))[-1]
        assert (waiting["kind"], waiting["notification"]["entry"]["gateway_id"]) == (
            "notification",
            "c" * 32,
        )


async def test_without_a_key_there_is_no_door(engine: Engine, tmp_path: Path) -> None:
    async with run_api(engine.env, tmp_path) as api:
        client = await api.as_(None)
        assert (await _notify(client, {"type": "test"})).status_code == 404
        assert PATH not in (await client.get("/openapi.json")).json()["paths"]


async def test_what_came_before_temporal_did_is_delivered_when_it_comes(tmp_path: Path) -> None:
    """An API that starts without Temporal keeps what comes, says so, and needs no restart."""
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    migrate(url)
    store, payment = open_store(url), "e" * 32
    plan, book = own_plan("refund", "R-1", Purpose.REFUND, 10_00, payment), SqlOperationBook(store)
    shown = entry(PaymentType.DB, 92_00, gateway_id=payment)
    assert book.adopt_own("M-1", payment, [shown], START).known
    book.mark_sent(plan.key, attempts=book.intend(plan, ()).attempts)
    book.settle(plan.key, OperationState.IN_DOUBT, at=START)
    store.close()
    port = claim_port(0, "Temporal")
    env = {
        "DISPUTES_DATABASE_URL": url,
        "DISPUTES_WEBHOOK_KEYS": KEY,
        "TEMPORAL_ADDRESS": f"127.0.0.1:{port}",
    }
    async with run_api(env, tmp_path) as api:
        gateway, eve = await api.as_(None), await api.as_("eve")
        refund = {"id": sha256(plan.key)[:32], "payment_type": "RF", "referenced_id": payment}
        refund["merchant_transaction_id"] = plan.merchant_transaction_id
        assert (await _notify(gateway, notification(refund))).status_code == 200
        assert [it["state"] for it in await _all(eve, WAITING, 10)] == ["received"]
        server = await start_temporal(os.environ, log=tmp_path / "temporal.log", port=port)
        try:
            # No worker runs, so that nobody takes it.
            while "refund/R-1 was told" not in str(await _all(eve, WAITING, 10)):
                pass
            client = await connect(env)
            handle = client.get_workflow_handle("refund/R-1")
            signalled = [it async for it in handle.fetch_history_events()]
            assert any(
                it.HasField("workflow_execution_signaled_event_attributes") for it in signalled
            )
        finally:
            await server.child.stop()


async def test_what_waits_is_listed_page_by_page(alone: Engine, tmp_path: Path) -> None:
    env = alone.env | {"DISPUTES_WEBHOOK_KEYS": KEY}
    fewer = key_of("fewer", (Role.VIEWER,), merchants=("M-1",))
    async with run_api(env, tmp_path, fewer) as api:
        gateway, eve, bank = await api.as_(None), await api.as_("eve"), await api.as_("bank")
        for number in range(3):
            stranger = {"id": f"{number:032x}", "payment_type": "CB", "referenced_id": "d" * 32}
            await _notify(gateway, notification(stranger))
        cases = sorted(alone.new_id() for _ in range(3))
        ruling = {"ruling_id": "R", "outcome": "merchant_won", "decided_at": START.isoformat()}
        for case_id in cases:
            answer = await bank.post(f"/v1/disputes/{case_id}/rulings", json=ruling)
            assert answer.is_success, answer.text
        while len(whole := await _all(eve, WAITING, 50)) < 6:
            pass
        assert [it["kind"] for it in whole] == ["notification"] * 3 + ["case"] * 3
        assert sorted(it["dispute_id"] for it in whole[3:]) == cases
        for limit in (1, 2, 3, 4):
            told = await _all(eve, WAITING, limit)
            assert [_name(it) for it in told] == [_name(it) for it in whole]
        assert await _all(await api.as_("fewer"), WAITING, 50) == []
        wrong = await eve.get(WAITING, params={"cursor": "WyJ4IiwxLDJd"})
        assert (wrong.status_code, wrong.json()["fields"].keys()) == (422, {"cursor"})


def _name(item: Json) -> str:
    return str(item.get("dispute_id") or item["sha256"])


async def test_rejected_lines_are_kept_without_what_must_not_be(
    alone: Engine, tmp_path: Path
) -> None:
    lines = [
        json.dumps({"event_id": "E-1", "type": "dispute.opened", "data": {"arn": CARD}}),
        '{"event_id": "E-2", "type": "dispute.closed"}',
        '{"event_id": "E-3", "type": "dispute.opened", "data": {}, "\\ud800": 1}',
        "\x00" + "x" * 5000,
    ]
    body = "\n".join([*lines, lines[1]]).encode()
    fewer = key_of("fewer", (Role.VIEWER,), merchants=("M-1",))
    async with run_api(alone.env, tmp_path, fewer) as api:
        door, eve = await api.as_("door"), await api.as_("eve")
        for _ in range(2):
            answer = await door.post("/v1/disputes/feed", content=body)
            assert (answer.status_code, answer.json()["rejected"]) == (200, 5)
        told = {it["line_number"]: it for it in await _all(eve, REJECTED, 3)}
        assert sorted(told) == [1, 2, 3, 4]
        assert CARD not in str(told)
        assert told[1]["redacted"]
        assert told[1]["sha256"] == sha256(lines[0])
        assert told[2]["line"] == lines[1]
        assert "must be one of" in told[2]["reasons"]["type"]
        assert told[4]["cut"]
        assert len(told[4]["line"]) == 2000
        assert (await (await api.as_("fewer")).get(REJECTED)).status_code == 403
        assert (await (await api.as_("door")).get(REJECTED)).status_code == 403


async def test_the_answer_does_not_grow_with_the_reasons_of_rejected_lines(
    alone: Engine, tmp_path: Path
) -> None:
    many = {f"field_{number}": number for number in range(10_000)}
    long = {f"field_{number}".ljust(200, "x"): number for number in range(60)}
    lines = [line("dispute.opened", f"E-{n}", many if n < 20 else long) for n in range(320)]
    async with run_api(alone.env, tmp_path) as api:
        door = await api.as_("door")
        answer = await door.post("/v1/disputes/feed", content="\n".join(lines).encode())
    told = answer.json()
    assert (answer.status_code, told["rejected"]) == (200, 320)
    assert 20 < len(told["rejected_lines"]) < 320
    assert len(answer.content) < 1_000_000


async def test_a_feed_may_take_longer_than_any_single_answer(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender that is slow, and a feed that is long, are no silence of Temporal."""
    monkeypatch.setattr(office, "_GRACE", timedelta())
    notice = await engine.notice()
    payment_id = fresh_id()
    await engine.sandbox.payment(payment_id, "92.00", "EUR", "PA")
    first = opened(notice)
    second = line("preauthorization.opened", payment_id, PreAuth.request(payment_id))

    async def slowly() -> AsyncIterator[bytes]:
        yield first.encode() + b"\n"
        await asyncio.sleep(2.5)  # the sender's own pause, longer than the API's patience
        yield second.encode()

    async with run_api(engine.env, tmp_path, patience_s=2) as api:
        answer = await (await api.as_("door")).post("/v1/disputes/feed", content=slowly())
    assert (answer.status_code, answer.json()["accepted"]) == (200, 2)
    assert (await PreAuth(engine, payment_id, payment_id).until(state="authorized")).authorized
