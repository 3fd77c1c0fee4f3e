"""Several cases given up by one request: each is asked, and none is left half-told."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from starter.api import office
from starter.api.keys import Role
from starter.processes import claim_port
from tests.support.api import Api, key_of, run_api
from tests.support.engine import Engine, Json

PATH = "/v1/disputes/bulk-acceptance"
#: Above the example policy's limit.
LARGE = {"amount": "9200.00", "currency": "EUR"}


@pytest_asyncio.fixture(scope="module")
async def api(
    engine_process: Engine, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Api]:
    """An API on the engine, also for an analyst of another merchant."""
    other = key_of("zoe", (Role.ANALYST,), merchants=("M-bulk",))
    async with run_api(engine_process.env, tmp_path_factory.mktemp("api"), other) as api:
        yield api


async def _case(engine: Engine, **changes: object) -> str:
    notice = await engine.notice(**changes)
    await engine.settled(await engine.open(notice), 1)
    return str(notice["dispute_id"])


async def _give_up(
    client: httpx.AsyncClient, *ids: str, key: str | None = None, **more: object
) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await client.post(PATH, json={"dispute_ids": ids, **more}, headers=headers)


async def _acceptances(client: httpx.AsyncClient, dispute_id: str) -> list[str]:
    told = (await client.get(f"/v1/disputes/{dispute_id}/timeline?live=true")).json()["items"]
    return [entry["actor"] for entry in told if entry["what"] == "liability_accepted"]


def _types(items: list[Json]) -> list[str | None]:
    return [it["problem"]["type"] if "problem" in it else None for it in items]


async def test_each_case_answers_for_itself_in_the_order_given(api: Api, engine: Engine) -> None:
    ann = await api.as_("ann")
    small, large, gone = await _case(engine), await _case(engine, amount=LARGE), await _case(engine)
    await ann.post(f"/v1/disputes/{gone}/acceptance", json={})
    answer = await _give_up(ann, gone, small, "D-none", large, reason="the goods were lost")
    assert answer.status_code == 200
    assert "retry-after" not in answer.headers
    items = answer.json()["items"]
    assert [it["dispute_id"] for it in items] == [gone, small, "D-none", large]
    assert _types(items) == ["IllegalTransition", None, "NotFound", None]
    assert items[1] == {"dispute_id": small, "status": "accepted"}
    assert items[3]["request_id"]
    alone = await ann.post(f"/v1/disputes/{gone}/acceptance", json={})
    assert items[0]["problem"] == alone.json()
    assert await _acceptances(ann, small) == ["ann"]
    assert await _acceptances(ann, large) == []


async def test_a_repeat_changes_nothing_and_is_answered_the_same(api: Api, engine: Engine) -> None:
    """Also where the process ended between the cases' answers and its own."""
    ann = await api.as_("ann")
    ids = [await _case(engine), "D-none", await _case(engine, amount=LARGE)]
    first = await _give_up(ann, *ids, key=f"bulk {ids[0]}")
    again = await _give_up(ann, *ids, key=f"bulk {ids[0]}")
    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert again.headers["idempotency-replayed"] == "true"
    with engine.store.write() as session:
        forget = text("UPDATE api_request SET status = NULL WHERE idempotency_key = :key")
        session.connection().execute(forget, {"key": f"bulk {ids[0]}"})
    lost = await _give_up(ann, *ids, key=f"bulk {ids[0]}")
    assert (lost.status_code, lost.json()) == (200, first.json())
    assert await _acceptances(ann, ids[0]) == ["ann"]
    other = await _give_up(ann, *ids[:2], key=f"bulk {ids[0]}")
    assert (other.status_code, other.json()["type"]) == (409, "Conflict")


async def test_a_repeat_is_known_to_a_case_whose_run_was_lost(api: Api, engine: Engine) -> None:
    """Temporal forgets the ids of a run's updates with it."""
    ann, dispute_id = await api.as_("ann"), await _case(engine)
    first = await _give_up(ann, dispute_id, key=f"run {dispute_id}")
    await engine.handle(dispute_id).terminate()
    await ann.post(f"/v1/disputes/{dispute_id}/notes", json={"text": "a run of its own"})
    with engine.store.write() as session:
        forget = text("UPDATE api_request SET status = NULL WHERE idempotency_key = :key")
        session.connection().execute(forget, {"key": f"run {dispute_id}"})
    again = await _give_up(ann, dispute_id, key=f"run {dispute_id}")
    assert (again.status_code, _types(again.json()["items"])) == (200, [None])
    assert first.json() == again.json()
    assert await _acceptances(ann, dispute_id) == ["ann"]


async def test_other_merchants_cases_are_not_found_and_stay_as_they_are(
    api: Api, engine: Engine
) -> None:
    mine, other = await _case(engine, merchant_id="M-bulk"), await _case(engine)
    answer = await _give_up(await api.as_("zoe"), other, mine)
    assert _types(answer.json()["items"]) == ["NotFound", None]
    assert await _acceptances(await api.as_("ann"), other) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "dispute_ids"),
        ({"dispute_ids": []}, "dispute_ids"),
        ({"dispute_ids": [f"D-{number}" for number in range(101)]}, "dispute_ids"),
        ({"dispute_ids": ["D-1", "D-2", "D-1"]}, "dispute_ids"),
        ({"dispute_ids": ["D-1", "../D-2"]}, "dispute_ids.1"),
        ({"dispute_ids": ["D-1"], "amount": LARGE}, "amount"),
    ],
)
async def test_what_is_no_list_of_cases_is_refused_as_a_whole(
    api: Api, body: Json, field: str
) -> None:
    answer = await (await api.as_("ann")).post(PATH, json=body)
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])


async def test_an_analyst_gives_up_and_nobody_below(api: Api) -> None:
    for name in ("eve", "door", "bank"):
        assert (await _give_up(await api.as_(name), "D-1")).status_code == 403


async def test_what_a_silent_case_did_is_not_known_and_stops_no_other(
    api: Api, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More silent cases than are asked at once: the answer comes, and is not kept."""
    monkeypatch.setattr(office, "_GRACE", timedelta())
    small, idle = await _case(engine), {"DISPUTES_TASK_QUEUE": "nobody-works-here"}
    async with run_api(engine.env | idle, tmp_path, patience_s=2) as hasty:
        door, ann = await hasty.as_("door"), await hasty.as_("ann")
        notices = [await engine.notice() for _ in range(12)]
        silent = [str(notice["dispute_id"]) for notice in notices]
        for notice in notices:
            assert (await door.post("/v1/disputes", json=notice)).status_code == 201
        once = f"bulk {small}"
        for _ in range(2):
            answer = await _give_up(ann, small, *silent, key=once)
            assert answer.status_code == 200
            assert int(answer.headers["retry-after"]) > 0
            assert "idempotency-replayed" not in answer.headers
            items = answer.json()["items"]
            assert items[0] == {"dispute_id": small, "status": "accepted"}
            assert _types(items[1:]) == ["Unreachable"] * 12
        none = await _give_up(ann, *silent)
        assert (none.status_code, none.json()["type"]) == (503, "Unreachable")
    assert await _acceptances(await api.as_("ann"), small) == ["ann"]


async def test_without_temporal_nothing_is_known(engine: Engine, tmp_path: Path) -> None:
    nobody = f"127.0.0.1:{claim_port(0, 'nobody')}"
    async with run_api(engine.env | {"TEMPORAL_ADDRESS": nobody}, tmp_path) as away:
        answer = await _give_up(await away.as_("ann"), "D-1", "D-2")
    assert (answer.status_code, answer.json()["type"]) == (503, "Unreachable")
    assert int(answer.headers["retry-after"]) > 0
