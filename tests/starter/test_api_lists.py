"""Lists page by page while cases change."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio

from disputes.messages import Assign
from disputes.store.engine import Store, open_store
from disputes.store.migrations import migrate
from disputes.store.tables import CaseRow
from starter.api.paging import cursor_of
from tests.support.api import Api, run_api

Json = dict[str, Any]
START = datetime(2026, 11, 1, tzinfo=UTC)
SOME = 40


@pytest_asyncio.fixture
async def shelf(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Store, Api]]:
    """Forty cases, a fourth without a deadline, and an API that knows nothing but them."""
    migrate(database_url)
    store = open_store(database_url)
    for number in range(SOME):
        _put(store, number, START + timedelta(hours=number // 3) if number % 4 else None)
    env = {"DISPUTES_DATABASE_URL": database_url, "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    async with run_api(env, tmp_path) as api:
        yield store, api
    store.close()


def _put(store: Store, number: int, due: datetime | None) -> None:
    with store.write() as session:
        case_id = f"D-{number}"
        shown = {"dispute_id": case_id, "next_deadline": due and due.isoformat()}
        row = CaseRow(
            case_id=case_id,
            merchant_id=f"M-{number % 2}",
            payment_id=f"{number:032x}",
            arn=f"{number:023d}",
            reason_code="13.1" if number % 5 else "10.4",
            amount_minor=100 + number // 2,
            currency="EUR",
            next_deadline=due,
            updated_at=START + timedelta(minutes=number // 2),
            status_json=json.dumps(shown),
        )
        session.merge(row)


async def _page(client: httpx.AsyncClient, query: str, cursor: str | None) -> Json:
    params = dict(part.split("=") for part in query.split("&") if part)
    answer = await client.get(
        "/v1/disputes", params=params | ({"cursor": cursor} if cursor else {})
    )
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    return told


async def _all(client: httpx.AsyncClient, query: str) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = await _page(client, query, cursor)
        found += [item["dispute_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def test_every_order_pages_through_each_case_once(shelf: tuple[Store, Api]) -> None:
    _, api = shelf
    client = await api.as_("eve")
    every = {f"D-{number}" for number in range(SOME)}
    for sort in ("next_deadline", "updated_at", "amount"):
        whole = await _all(client, f"sort={sort}&limit=500")
        assert (set(whole), len(whole)) == (every, SOME)
        for limit in (1, 7, SOME):
            assert await _all(client, f"sort={sort}&limit={limit}") == whole
    by_deadline = await _all(client, "limit=9")
    dated = [int(name[2:]) % 4 != 0 for name in by_deadline]
    assert dated == sorted(dated, reverse=True)
    filtered = await _all(client, "merchant_id=M-1&limit=3")
    assert filtered == [name for name in by_deadline if int(name[2:]) % 2 == 1]
    soon = await _all(client, "due_before=2026-11-01T02:00:00Z&limit=2")
    assert set(soon) == {"D-1", "D-2", "D-3", "D-5"}


async def test_cases_that_change_between_pages_hide_or_repeat_no_other(
    shelf: tuple[Store, Api],
) -> None:
    store, api = shelf
    client = await api.as_("eve")
    whole = await _all(client, "limit=500")
    page = await _page(client, "limit=10", None)
    seen = [item["dispute_id"] for item in page["items"]]
    moved = [seen[-1], whole[12], whole[-1]]
    for number, name in enumerate(moved):
        _put(store, int(name[2:]), START - timedelta(days=number + 1))
    _put(store, SOME, START - timedelta(days=9))
    while cursor := page["next_cursor"]:
        page = await _page(client, "limit=10", cursor)
        seen += [item["dispute_id"] for item in page["items"]]
    assert len(seen) == len(set(seen))
    assert [name for name in seen if name not in moved] == [
        name for name in whole if name not in moved
    ]


async def test_a_search_finds_beginnings_of_ids_and_whole_references(
    shelf: tuple[Store, Api],
) -> None:
    _, api = shelf
    client = await api.as_("eve")
    assert set(await _all(client, "q=D-3&limit=4")) == {"D-3", *(f"D-{n}" for n in range(30, 40))}
    assert await _all(client, f"q={7:032x}") == ["D-7"]
    assert await _all(client, f"q={8:023d}") == ["D-8"]
    assert set(await _all(client, "q=10.4")) == {f"D-{n}" for n in range(0, SOME, 5)}
    for nothing in ("-3", "d-3", "D-3%", "D_3", "10."):
        assert await _all(client, f"q={nothing}") == []


async def test_whoever_can_have_a_case_can_be_asked_for(shelf: tuple[Store, Api]) -> None:
    store, api = shelf
    client = await api.as_("eve")
    longest = "ä b" * 66 + "cd"
    Assign(assignee=longest, assigned_by="ann")
    with store.write() as session:
        session.get_one(CaseRow, "D-7").assignee = longest
    assert await _all(client, f"assignee={longest}") == ["D-7"]
    answer = await client.get("/v1/disputes", params={"assignee": longest + "e"})
    assert (answer.status_code, list(answer.json()["fields"])) == (422, ["assignee"])


async def test_a_place_that_no_list_gave_is_refused_by_name(shelf: tuple[Store, Api]) -> None:
    """Also where only the database would have found that it is none."""
    _, api = shelf
    client = await api.as_("root")
    never = "0001-01-01T00:00:00+14:00"  # in UTC before the calendar
    places: list[tuple[str, dict[str, str], Sequence[object]]] = [
        ("/v1/disputes", {}, ("next_deadline", never, "D-1")),
        ("/v1/disputes", {"sort": "amount"}, ("amount", True, "D-1")),
        ("/v1/operations", {}, (never, "key")),
        ("/v1/refunds", {}, (None, never, "refund/R-1")),
        ("/v1/preauthorizations", {}, (never, never, "preauthorization/P-1")),
        ("/v1/intake/rejected", {}, (never, "0" * 64)),
        ("/v1/intake/waiting", {}, ("notification", never, "0" * 64)),
        ("/v1/intake/waiting", {}, ("case", never, "D-1")),
    ]
    for path, params, place in places:
        answer = await client.get(path, params=params | {"cursor": cursor_of(*place)})
        assert (answer.status_code, list(answer.json()["fields"])) == (422, ["cursor"]), path
    for path, field in (
        ("/v1/disputes", "due_before"),
        ("/v1/preauthorizations", "due_before"),
        ("/v1/ledger/entries", "from"),
        ("/v1/ledger/entries", "to"),
    ):
        answer = await client.get(path, params={field: never})
        assert (answer.status_code, list(answer.json()["fields"])) == (422, [field]), path


async def test_a_notice_to_go_on_after_is_a_printable_word(shelf: tuple[Store, Api]) -> None:
    _, api = shelf
    answer = await (await api.as_("eve")).get("/v1/notices", params={"after": "\0"})
    assert (answer.status_code, list(answer.json()["fields"])) == (422, ["after"])
