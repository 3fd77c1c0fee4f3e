"""The webhook's door as a part of the running API: its route, and who delivers what comes."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

from fastapi import APIRouter
from temporalio.client import Client

from disputes.errors import ConfigurationError, Unreachable
from disputes.gateway.webhooks import WebhookKeys
from disputes.rulebook.policy_file import read_policy
from disputes.store.inbox import Inbox
from disputes.store.placeholders import Placeholders
from disputes.store.register import SqlRegister
from starter.api.office import ApiOffice
from starter.api.webhooks import webhook_router
from starter.client import DisputeDesk
from starter.notifications import Deliveries
from workflows.news import TemporalCaseNews

#: Between two tries to connect to a Temporal server that was away at the start.
_PAUSE_S: Final = 2.0
_log = logging.getLogger(__name__)


class GatewayDoor:
    """Takes notifications from the first moment, and delivers them once Temporal answers.

    Raises ``ConfigurationError`` for a policy that cannot be read.
    """

    def __init__(self, office: ApiOffice) -> None:
        self._office = office
        self._inbox = Inbox(office.store)
        self._news = asyncio.Event()
        self._orphan = timedelta(hours=read_policy(office.settings).clocks.orphan_hours)

    @property
    def router(self) -> APIRouter:
        """Its route, for the application to include."""
        keys = WebhookKeys(key.get_secret_value() for key in self._office.settings.webhook_keys)
        return webhook_router(keys, self._inbox, self._news, self._office.metrics.door)

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """Deliver in the background for as long as the context lasts."""
        task = asyncio.create_task(self._deliver())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _deliver(self) -> None:
        client = await self._client()
        office, queue = self._office, self._office.settings.task_queue
        await Deliveries(
            self._inbox,
            Placeholders(office.store),
            DisputeDesk(client, SqlRegister(office.store), queue),
            TemporalCaseNews(client, queue),
            self._orphan,
            news=self._news,
        ).run()

    async def _client(self) -> Client:
        told = False
        while True:
            try:
                return await self._office.temporal.client()
            except (Unreachable, ConfigurationError) as error:
                if not told:
                    _log.warning("notifications are kept and wait for Temporal: %s", error)
                told = True
            await asyncio.sleep(_PAUSE_S)
