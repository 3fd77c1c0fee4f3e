"""A case's news as they come, also where the register takes some of them back."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from disputes.events import CaseEvent, NoteAdded
from disputes.messages import AddNote
from disputes.notification import NotifiedEntry
from disputes.store.engine import open_store
from disputes.store.migrations import migrate
from disputes.store.placeholders import Placeholders
from disputes.vocabulary import PaymentType
from tests.store.scene import Dispute, Scene, entry
from tests.support.api import Api, run_api
from tests.support.engine import Engine

Json = dict[str, Any]


@pytest_asyncio.fixture
async def register(sqlite_url: str, tmp_path: Path) -> AsyncIterator[tuple[Scene, Api]]:
    """A register without workers, and an API that reads it."""
    migrate(sqlite_url)
    store = open_store(sqlite_url)
    env = {"DISPUTES_DATABASE_URL": sqlite_url, "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    async with run_api(env, tmp_path) as api:
        yield Scene(store), api
    store.close()


async def _events(lines: AsyncIterator[str], count: int) -> list[Json]:
    found: list[Json] = []
    event: Json = {}
    async for line in lines:
        name, _, value = line.partition(": ")
        if name == "data":
            found.append(event | {"data": json.loads(value)})
            event = {}
        elif name in ("id", "event"):
            event[name] = value
        if len(found) == count:
            break
    return found


async def test_news_come_as_they_happen_and_go_on_where_they_were_left(
    engine: Engine, tmp_path: Path
) -> None:
    notice = await engine.notice()
    path = f"/v1/disputes/{notice['dispute_id']}"
    async with run_api(engine.env, tmp_path) as api:
        ann = await api.as_("ann")
        await (await api.as_("door")).post("/v1/disputes", json=notice)
        await engine.settled(engine.handle(notice["dispute_id"]), 1)
        await ann.post(f"{path}/notes", json={"text": "wrote"})
        known: list[Json] = []
        async with asyncio.timeout(30):
            while not known or known[-1]["what"] != "note_added":
                known = (await ann.get(f"{path}/timeline")).json()["items"]
        async with asyncio.timeout(30), ann.stream("GET", f"{path}/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            told = await _events(stream.aiter_lines(), len(known))
        assert [event["data"] for event in told] == known
        assert [event["event"] for event in told] == [entry["what"] for entry in known]
        after = {"Last-Event-ID": told[-2]["id"]}
        async with (
            asyncio.timeout(30),
            ann.stream("GET", f"{path}/events", headers=after) as stream,
        ):
            waiting = asyncio.create_task(_events(stream.aiter_lines(), 2))
            await ann.post(f"{path}/notes", json={"text": "called"})
            again, news = await waiting
        assert again["id"] == told[-1]["id"]
        numbers = [event["data"]["sequence"] for event in (told[-1], news)]
        assert (news["event"], numbers) == ("note_added", [len(known), len(known) + 1])
        assert (await ann.get("/v1/disputes/D-none/events")).status_code == 404


def _notes(case: Dispute, *texts: str) -> list[CaseEvent]:
    """Notes as a worker numbers them after what stands; those without an id are named so too."""
    following = Dispute(case.scene, case.case_id, case.entries, list(case.events))
    return [following.happen(NoteAdded(note=AddNote(author="ann", text=it))) for it in texts]


def _told(events: list[Json]) -> list[tuple[int, str]]:
    return [(it["data"]["sequence"], it["data"]["data"]["note"]["text"]) for it in events]


@pytest.mark.parametrize("ends", [["B"], ["B", "A"]])
async def test_no_news_are_lost_where_another_worker_takes_them_in_another_order(
    register: tuple[Scene, Api], ends: list[str]
) -> None:
    """The first worker recorded A and died; the next takes B first, and perhaps never A."""
    scene, api = register
    case = scene.dispute("D-1", [entry(PaymentType.DB, 92_00)], 92_00)
    path, eve, placed = "/v1/disputes/D-1/events", await api.as_("eve"), len(case.events)
    after = {"Last-Event-ID": str(placed)}
    expected = [(placed + 1 + place, text) for place, text in enumerate(ends)]
    async with asyncio.timeout(30), eve.stream("GET", path, headers=after) as stream:
        lines = stream.aiter_lines()
        scene.register.record("D-1", _notes(case, "A"))
        [first] = await _events(lines, 1)
        assert _told([first]) == [(placed + 1, "A")]
        scene.register.record("D-1", _notes(case, *ends))
        news = await _events(lines, len(ends))
        assert _told(news) == expected
    # A client that was away meanwhile is told them too, and one that was not what follows.
    whole = placed + len(ends)
    after = {"Last-Event-ID": first["id"]}
    async with asyncio.timeout(30), eve.stream("GET", path, headers=after) as stream:
        assert (await _events(stream.aiter_lines(), whole))[placed:] == news
    scene.register.record("D-1", _notes(case, *ends, "C"))
    after = {"Last-Event-ID": news[-1]["id"]}
    async with asyncio.timeout(30), eve.stream("GET", path, headers=after) as stream:
        assert _told(await _events(stream.aiter_lines(), 1)) == [(whole + 1, "C")]
    for wrong in ("-1", "x", "3-", "3-xyz", "99999999999"):
        refused = await eve.get(path, headers={"Last-Event-ID": wrong})
        assert (refused.status_code, refused.json()["type"]) == (422, "InvalidMessage")


async def test_a_listed_chargeback_has_no_history_until_its_dispute_comes(
    register: tuple[Scene, Api],
) -> None:
    """Its stream goes on with the dispute's; the database knows that there is nothing to ask."""
    scene, api = register
    payment = entry(PaymentType.DB, 92_00)
    chargeback = entry(PaymentType.CB, 92_00, payment.gateway_id)
    told = NotifiedEntry(
        gateway_id=chargeback.gateway_id,
        payment_type=PaymentType.CB,
        referenced_id=payment.gateway_id,
        amount_minor=92_00,
        currency="EUR",
    )
    path, eve = f"/v1/disputes/{Placeholders(scene.store).open(told)}", await api.as_("eve")
    assert (await eve.get(f"{path}/timeline")).json() == {"items": []}
    packet = await eve.get(f"{path}/packet.pdf")
    assert (packet.status_code, packet.json()["type"]) == (409, "IllegalTransition")
    async with asyncio.timeout(30), eve.stream("GET", f"{path}/events") as stream:
        assert stream.status_code == 200
        case = scene.dispute("D-1", [payment, chargeback], 92_00)
        news = await _events(stream.aiter_lines(), len(case.events))
    assert [event["event"] for event in news] == ["opened", "payment_known"]
    nothing = f"/v1/disputes/gw-{'0' * 32}"
    for tail in ("", "/timeline", "/events", "/packet.pdf"):
        assert (await eve.get(nothing + tail)).status_code == 404
