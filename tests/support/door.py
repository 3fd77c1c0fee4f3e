"""The webhook's door of a running engine, and who delivers what comes to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
from fastapi import FastAPI

from disputes.gateway.webhooks import WebhookKeys
from disputes.store import Store
from disputes.store.inbox import Inbox, InboxLine, InboxState
from disputes.store.placeholders import Placeholders
from starter.api.metrics import DoorCounts
from starter.api.webhooks import PATH, webhook_router
from starter.notifications import Deliveries
from tests.support.desk import desk_of
from tests.support.engine import Engine
from tests.support.waiting import until
from tests.support.webhooks import KEY, Json, sealed
from workflows.news import TemporalCaseNews

#: What cannot be delivered is looked at again so soon that a test need not wait.
_PAUSE = timedelta(seconds=0.1)
_PATIENCE_S = 30


def door_app(store: Store, news: asyncio.Event, counts: DoorCounts, *keys: str) -> FastAPI:
    """An application that has the door and nothing else; a slow machine makes no 503 of it."""
    app = FastAPI()
    ring, inbox = WebhookKeys(keys or (KEY,)), Inbox(store)
    app.include_router(webhook_router(ring, inbox, news, counts, patience_s=_PATIENCE_S))
    return app


@dataclass
class Door:
    """The gateway's side of it."""

    http: httpx.AsyncClient
    inbox: Inbox
    counts: DoorCounts = field(default_factory=DoorCounts)

    async def knock(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        """Anything at all."""
        return await self.http.post(PATH, content=body, headers=headers)

    async def notify(self, content: Json | bytes, key: str = KEY) -> None:
        """A notification, which must be acknowledged."""
        answer = await self.knock(*sealed(content, key))
        assert answer.status_code == httpx.codes.OK, answer.text

    def states(self) -> list[InboxState]:
        """What became of all that was kept."""
        return [line.state for line in self.inbox.lines()]

    async def until(self, *states: InboxState) -> InboxLine:
        """Wait until the newest notification is in one of these states."""
        await until(lambda: self.inbox.lines()[0].state in states)
        return self.inbox.lines()[0]


@asynccontextmanager
async def open_door(
    engine: Engine, *keys: str, orphan: timedelta = timedelta(days=1)
) -> AsyncIterator[Door]:
    """The engine's door, open, with one process that delivers."""
    inbox, counts = Inbox(engine.store), DoorCounts()
    deliveries = Deliveries(
        inbox,
        Placeholders(engine.store),
        desk_of(engine),
        TemporalCaseNews(engine.client, engine.settings.task_queue),
        orphan,
        first_pause=_PAUSE,
    )
    app = door_app(engine.store, deliveries.news, counts, *keys)
    transport = httpx.ASGITransport(app)
    delivering = asyncio.create_task(deliveries.run())
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://door") as http:
            yield Door(http, inbox, counts)
    finally:
        delivering.cancel()
        with suppress(asyncio.CancelledError):
            await delivering
