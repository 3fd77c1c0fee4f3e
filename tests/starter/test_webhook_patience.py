"""A store that does not answer: the gateway is told so, and repeats; nothing piles up behind it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import text

from disputes.gateway.webhooks import WebhookKeys
from disputes.store import Store, open_store
from disputes.store.inbox import Inbox
from disputes.store.migrations import migrate
from starter.api.metrics import DoorCounts
from starter.api.webhooks import webhook_router
from tests.support.door import Door, door_app
from tests.support.waiting import until
from tests.support.webhooks import KEY, sealed

_WAITING = 3


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    migrate(database_url)
    opened = open_store(database_url)
    yield opened
    opened.close()


@contextmanager
def _held(url: str) -> Iterator[None]:
    """Another process writes, and does not end."""
    other = open_store(url)
    with other.write() as session:
        connection = session.connection()
        if connection.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE notification"))
        yield
    other.close()


@pytest_asyncio.fixture
async def door(store: Store) -> AsyncIterator[Door]:
    """A door that waits for the store for long."""
    counts = DoorCounts()
    transport = httpx.ASGITransport(door_app(store, asyncio.Event(), counts))
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as http:
        yield Door(http, Inbox(store), counts)


@pytest_asyncio.fixture
async def hasty_door(store: Store) -> AsyncIterator[Door]:
    """A door as the API has it."""
    inbox, counts, app = Inbox(store), DoorCounts(), FastAPI()
    app.include_router(webhook_router(WebhookKeys((KEY,)), inbox, asyncio.Event(), counts))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as http:
        yield Door(http, inbox, counts)


async def test_what_the_store_does_not_confirm_in_time_is_sent_again_and_kept_once(
    hasty_door: Door, database_url: str
) -> None:
    body, headers = sealed({"type": "test"})
    with _held(database_url):
        answer = await hasty_door.knock(body, headers)
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert int(answer.headers["Retry-After"]) > 0
        assert hasty_door.counts.not_kept == 1
    # It was on its way, and is kept although nobody waits for it any more.
    await until(lambda: len(hasty_door.inbox.lines()) == 1)
    while (await hasty_door.knock(body, headers)).status_code != httpx.codes.OK:
        pass
    assert (hasty_door.counts.kept, hasty_door.counts.repeated) == (0, 1)
    assert len(hasty_door.inbox.lines()) == 1


async def test_what_is_too_much_for_a_store_that_hangs_is_turned_away_at_once(
    door: Door, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starter.api.webhooks._MOST_WAITING", _WAITING)
    envelopes = [sealed({"type": "test", "place": place}) for place in range(50)]
    with _held(database_url):
        asked = [asyncio.create_task(door.knock(*envelope)) for envelope in envelopes]
        turned_away, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert {it.result().status_code for it in turned_away} == {503}
    statuses = [answer.status_code for answer in await asyncio.gather(*asked)]
    # Some are under way, and as many as may be wait behind them.
    assert _WAITING <= statuses.count(200) <= 2 * _WAITING
    assert door.counts.not_kept == statuses.count(503) == len(asked) - statuses.count(200)
    assert len(door.inbox.lines()) == door.counts.kept == statuses.count(200)
    for envelope in envelopes:
        assert (await door.knock(*envelope)).status_code == httpx.codes.OK
    assert len(door.inbox.lines()) == len(envelopes)
