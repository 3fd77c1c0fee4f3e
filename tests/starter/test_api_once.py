"""The same Idempotency-Key does a command once, whichever replica it reaches, and in doubt too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from disputes.store.requests import KEPT
from tests.support.api import Api, run_api
from tests.support.desk import desk_of
from tests.support.engine import Engine
from tests.workflows.payment_hands import PreAuth, eur, fresh_id

Json = dict[str, Any]


@pytest_asyncio.fixture(scope="module")
async def replicas(
    engine_process: Engine, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Api, Api]]:
    """Two APIs on one database and one Temporal server."""
    async with AsyncExitStack() as exits:
        first, second = [
            await exits.enter_async_context(
                run_api(engine_process.env, tmp_path_factory.mktemp("api"))
            )
            for _ in range(2)
        ]
        yield first, second


async def _case(replicas: tuple[Api, Api], engine: Engine) -> str:
    notice = await engine.notice()
    await (await replicas[0].as_("door")).post("/v1/disputes", json=notice)
    await engine.settled(engine.handle(notice["dispute_id"]), 1)
    return f"/v1/disputes/{notice['dispute_id']}"


async def _notes(api: Api, path: str) -> list[str]:
    entries = (await (await api.as_("eve")).get(f"{path}/timeline?live=true")).json()["items"]
    return [entry["data"]["note"]["text"] for entry in entries if entry["what"] == "note_added"]


async def test_a_repeated_command_is_done_once_and_answered_the_same(
    replicas: tuple[Api, Api], engine: Engine
) -> None:
    path = await _case(replicas, engine)
    once = {"Idempotency-Key": f"{path}-1"}
    clients = [await api.as_("ann") for api in replicas]
    first, second = [
        await client.post(f"{path}/notes", json={"text": "called"}, headers=once)
        for client in clients
    ]
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    together = {"Idempotency-Key": f"{path}-2"}
    posts = [
        client.post(f"{path}/notes", json={"text": "twice"}, headers=together)
        for client in clients * 3
    ]
    answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert await _notes(replicas[0], path) == ["called", "twice"]
    opening = await engine.notice()
    door = await replicas[0].as_("door")
    opened = [await door.post("/v1/disputes", json=opening, headers=once) for _ in range(2)]
    assert [answer.status_code for answer in opened] == [201, 201]


async def test_the_same_key_with_other_content_is_a_conflict(
    replicas: tuple[Api, Api], engine: Engine
) -> None:
    """Content, case and decision are the request; another key's holder and route are others."""
    path, other = await _case(replicas, engine), await _case(replicas, engine)
    once = {"Idempotency-Key": f"{path}-1"}
    ann, bob = await replicas[0].as_("ann"), await replicas[1].as_("bob")
    note = {"text": "called"}
    assert (await ann.post(f"{path}/notes", json=note, headers=once)).status_code == 200
    for where, content in ((path, {"text": "wrote"}), (other, note)):
        refused = await ann.post(f"{where}/notes", json=content, headers=once)
        assert (refused.status_code, refused.json()["type"]) == (409, "Conflict")
        assert f"{path}-1" not in refused.text
    assert (await bob.post(f"{path}/notes", json=note, headers=once)).status_code == 200
    assigned = await ann.post(f"{path}/assignment", json={"assignee": "bob"}, headers=once)
    assert assigned.status_code == 200
    assert len(await _notes(replicas[0], path)) == 2


async def test_a_refusal_is_not_kept_for_nothing_was_done(
    replicas: tuple[Api, Api], engine: Engine
) -> None:
    path = await _case(replicas, engine)
    once = {"Idempotency-Key": f"{path}-1"}
    ann = await replicas[0].as_("ann")
    refused = await ann.post(f"{path}/representment", json={}, headers=once)
    for kind in refused.json()["missing"]:
        evidence = {"evidence_type": kind, "text": "as agreed"}
        await ann.post(f"{path}/evidence", json=evidence)
    done = await ann.post(f"{path}/representment", json={}, headers=once)
    assert (refused.status_code, done.status_code) == (409, 200)


async def test_what_a_running_payment_refused_may_be_right_later(
    replicas: tuple[Api, Api], engine: Engine
) -> None:
    """Refused as it is carried out, too: Temporal keeps that for the update's id."""
    payment_id = fresh_id()
    await engine.sandbox.payment(payment_id, "92.00", "EUR", "PA")
    ann = await replicas[0].as_("ann")
    opened = await ann.post("/v1/preauthorizations", json=PreAuth.request(payment_id))
    assert opened.status_code == 201
    path, once = f"/v1/preauthorizations/{payment_id}", {"Idempotency-Key": payment_id}

    async def capture(api: Api) -> httpx.Response:
        client = await api.as_("ann")
        return await client.post(f"{path}/capture", json={"amount": eur("100.00")}, headers=once)

    assert {(await capture(api)).status_code for api in replicas} == {422}
    await ann.post(f"{path}/increase", json={"amount": eur("8.00")})
    done = [await capture(api) for api in replicas]
    assert [answer.status_code for answer in done] == [200, 200]
    assert done[0].json() == done[1].json()
    assert done[0].json()["operation"]["amount"] == "100.00"


async def test_a_capture_counts_once_for_its_key_whatever_temporal_has_forgotten(
    replicas: tuple[Api, Api], engine: Engine
) -> None:
    """Another attempt has another id for Temporal; the authorization knows the key's own."""
    payment_id = fresh_id()
    await engine.sandbox.payment(payment_id, "92.00", "EUR", "PA")
    ann, once = await replicas[0].as_("ann"), {"Idempotency-Key": payment_id}
    await ann.post("/v1/preauthorizations", json=PreAuth.request(payment_id))
    path, part = f"/v1/preauthorizations/{payment_id}/capture", {"amount": eur("30.00")}
    first = await ann.post(path, json=part, headers=once)
    with engine.store.write() as session:
        forget = "UPDATE api_request SET status = NULL, body = '' WHERE idempotency_key = :key"
        session.connection().execute(text(forget), {"key": payment_id})
    again = await ann.post(path, json=part, headers=once)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["operation"] == first.json()["operation"]
    assert [it["payment_type"] for it in await engine.sandbox.book(payment_id)] == ["PA", "CP"]


async def test_a_refund_in_part_is_paid_once_for_its_key_whatever_temporal_has_forgotten(
    replicas: tuple[Api, Api], engine: Engine
) -> None:
    """Neither the answer nor the run that knew the update's id are there any more."""
    notice = await engine.notice(stage="inquiry")
    await (await replicas[0].as_("door")).post("/v1/disputes", json=notice)
    case, at = engine.handle(notice["dispute_id"]), f"/v1/disputes/{notice['dispute_id']}"
    path = f"{at}/refund"
    once, part = {"Idempotency-Key": f"{path}-part"}, {"amount": eur("10.00")}
    ann = await replicas[0].as_("ann")
    while (await ann.post(path, json={"amount": eur("92.01")})).status_code == 409:
        pass  # its payment is not known yet
    first = await ann.post(path, json=part, headers=once)
    await engine.settled(case, 1)
    await case.terminate()
    await ann.post(f"{at}/notes", json={"text": "a run of its own"})
    with engine.store.write() as session:
        forget = text("UPDATE api_request SET status = NULL WHERE idempotency_key = :key")
        session.connection().execute(forget, {"key": f"{path}-part"})
    again = await (await replicas[1].as_("ann")).post(path, json=part, headers=once)
    assert (first.status_code, again.status_code) == (200, 200)
    assert (first.status_code, again.status_code) == (200, 200)
    told = [entry.what for entry in await desk_of(engine).timeline(notice["dispute_id"])]
    assert told.count("refund_requested") == 1
    book = await engine.sandbox.book(notice["payment_id"])
    assert [it["payment_type"] for it in book] == ["DB", "RF"]


async def test_an_answer_that_was_lost_is_found_by_asking_again(
    replicas: tuple[Api, Api], engine: Engine
) -> None:
    """The process ended between the command and its answer: the case knows the command."""
    path = await _case(replicas, engine)
    once = {"Idempotency-Key": f"{path}-lost"}
    ann = await replicas[0].as_("ann")
    first = await ann.post(f"{path}/notes", json={"text": "called"}, headers=once)
    with engine.store.write() as session:
        forget = text("UPDATE api_request SET status = NULL WHERE idempotency_key = :key")
        session.connection().execute(forget, {"key": f"{path}-lost"})
    again = await (await replicas[1].as_("ann")).post(
        f"{path}/notes", json={"text": "called"}, headers=once
    )
    assert (again.status_code, again.json()) == (200, first.json())
    assert await _notes(replicas[0], path) == ["called"]


async def test_a_key_stands_for_a_day(replicas: tuple[Api, Api], engine: Engine) -> None:
    path = await _case(replicas, engine)
    once = {"Idempotency-Key": f"{path}-old"}
    ann = await replicas[0].as_("ann")
    await ann.post(f"{path}/assignment", json={"assignee": "bob"}, headers=once)
    age = f"-{(KEPT + timedelta(minutes=1)).total_seconds():.0f} seconds"
    with engine.store.write() as session:
        older = text("UPDATE api_request SET at = datetime(at, :age) WHERE idempotency_key = :key")
        session.connection().execute(older, {"age": age, "key": f"{path}-old"})
    done = await ann.post(f"{path}/assignment", json={"assignee": "ann"}, headers=once)
    assert done.status_code == 200
    shown = await (await replicas[0].as_("eve")).get(f"{path}?live=true")
    assert shown.json()["assignee"] == "ann"
