"""Delivers the gateway's notifications, from the inbox to whom they concern, however long it takes.

Acknowledged is what is stored; delivering comes after it and in its own time. What cannot be
delivered, because Temporal is away or nobody is concerned yet, is looked at again.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from typing import Final

from disputes.errors import Unreachable
from disputes.messages import Booking
from disputes.notification import (
    TOLD,
    Known,
    Nobody,
    TellDisputes,
    TellWorkflow,
    Wait,
    route,
)
from disputes.ports import PaymentNews
from disputes.requests import EntryTold
from disputes.store.inbox import Due, Inbox, InboxState
from disputes.store.placeholders import Placeholders
from disputes.vocabulary import PaymentType
from starter.client import DisputeDesk
from starter.refusals import translated

#: Delivered at once by one process; more wait for its next round.
_AT_ONCE: Final = 16
#: A process that died holds what it took for no longer.
_LEASE: Final = timedelta(minutes=1)
#: How often an idle process looks for what has become due.
_LOOK: Final = timedelta(seconds=1)
#: The first and the longest pause before one is looked at again; between them a tenth of its age.
_FIRST_PAUSE: Final = timedelta(seconds=5)
_LONGEST_PAUSE: Final = timedelta(minutes=10)
#: As many first pauses pass before somebody is told of one again, and then as long as it is old:
#: half a minute lets a question of its owner's be answered, and few repeats fill no history.
_BEFORE_REPEAT: Final = 6
#: Until when: the gateway's report lags by seconds. What it denies for longer the comparison finds.
_REPEATED: Final = timedelta(hours=1)
_log = logging.getLogger(__name__)


class Deliveries:
    """The way from the inbox to cases and workflows; several processes may run one each.

    Args:
        inbox: where notifications are kept.
        placeholders: lists chargebacks that no case explains.
        desk: reaches the cases.
        payments: reaches the workflows of a payment's own operations.
        orphan: how long a chargeback waits for its case before it is listed as one.
        news: set by the door when something new has come.
        first_pause: before what cannot be delivered is looked at again.
    """

    def __init__(
        self,
        inbox: Inbox,
        placeholders: Placeholders,
        desk: DisputeDesk,
        payments: PaymentNews,
        orphan: timedelta,
        *,
        news: asyncio.Event | None = None,
        first_pause: timedelta = _FIRST_PAUSE,
    ) -> None:
        self._inbox = inbox
        self._placeholders = placeholders
        self._desk = desk
        self._payments = payments
        self._orphan = orphan
        self._first_pause = first_pause
        self.news = news or asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled; a fault of one notification or of the store ends nothing."""
        while True:
            self.news.clear()
            try:
                more = await self.deliver_due()
            except Exception:  # noqa: BLE001 - whatever it is, they are kept: it may only be told
                _log.exception("notifications wait: the inbox cannot be read or written")
                more = False
            if not more:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK.total_seconds()):
                        await self.news.wait()

    async def deliver_due(self) -> bool:
        """Look at what is due, once; true when there may be more."""
        claimed = await asyncio.to_thread(self._inbox.claim_due, _AT_ONCE, _LEASE)
        await asyncio.gather(*map(self._deliver, claimed))
        return len(claimed) == _AT_ONCE

    async def _deliver(self, due: Due) -> None:
        try:
            await self._follow(due)
        except Unreachable:
            await self._park(due, self._first_pause, "Temporal is away")
        except Exception:  # noqa: BLE001 - one that cannot be delivered must not stop the others
            _log.exception("a notification waits: %s", due.sha256)
            await self._again(due, "it could not be delivered: see the log")

    async def _follow(self, due: Due) -> None:
        match route(due.entry, due.bearings):
            case TellDisputes(dispute_ids):
                await self._tell(due, *dispute_ids)
                await self._told(due, case_id=dispute_ids[0])
            case TellWorkflow(workflow_id):
                told = EntryTold.model_validate(due.entry.booking(due.received_at))
                async with translated():
                    await self._payments.payment_booking(workflow_id, told)
                await self._told(due, workflow_id=workflow_id)
            case Known(dispute_id):
                await self._end(due, InboxState.DELIVERED, reason="known", case_id=dispute_id)
            case Nobody(reason):
                await self._end(due, InboxState.IGNORED, reason=reason)
            case Wait(reason, orphan, told):
                listed = await self._listed(due) if orphan else None
                if told is not None and _fresh(due):
                    await self._tell(due, told)
                    await self._until_taken(due, reason, told)
                else:
                    await self._again(due, reason, told or listed)

    async def _tell(self, due: Due, *dispute_ids: str) -> None:
        """Only ids: the case asks the gateway, for a payload proves nothing about money."""
        booking = Booking.model_validate(due.entry.booking(due.received_at))
        for dispute_id in dispute_ids:
            await self._desk.fact(dispute_id, "booking", booking)

    async def _told(
        self, due: Due, *, case_id: str | None = None, workflow_id: str | None = None
    ) -> None:
        """It is delivered, unless who was told has not taken it, and may yet.

        The gateway may not have shown it to them; and of a chargeback a case may take another.
        """
        if _is_nobodys_chargeback(due) or (_fresh(due) and _awaited(due)):
            reason = TOLD if case_id else f"{workflow_id} was told, and has not taken it yet"
            await self._until_taken(due, reason, case_id)
        else:
            await self._end(due, InboxState.DELIVERED, reason=workflow_id, case_id=case_id)

    async def _until_taken(self, due: Due, reason: str, case_id: str | None) -> None:
        age = due.now - due.received_at
        pause = min(max(age, _BEFORE_REPEAT * self._first_pause), _LONGEST_PAUSE)
        await self._park(due, pause, reason, case_id)

    async def _listed(self, due: Due) -> str | None:
        """The placeholder of a chargeback that has waited for its case long enough."""
        if due.now - due.received_at < self._orphan:
            return None
        return await asyncio.to_thread(self._placeholders.open, due.entry)

    async def _end(
        self,
        due: Due,
        state: InboxState,
        *,
        reason: str | None = None,
        case_id: str | None = None,
    ) -> None:
        if due.entry.payment_type is PaymentType.CB:
            await asyncio.to_thread(self._placeholders.close, due.entry.gateway_id)
        await asyncio.to_thread(self._inbox.finish, due, state, reason=reason, case_id=case_id)

    async def _again(self, due: Due, reason: str, case_id: str | None = None) -> None:
        age = due.now - due.received_at
        pause = min(max(age / 10, self._first_pause), _LONGEST_PAUSE)
        await self._park(due, pause, reason, case_id)

    async def _park(
        self, due: Due, pause: timedelta, reason: str, case_id: str | None = None
    ) -> None:
        await asyncio.to_thread(self._inbox.again, due, pause, reason=reason, case_id=case_id)


def _fresh(due: Due) -> bool:
    """Whether the gateway's report may not have the entry yet."""
    return due.now - due.received_at < _REPEATED


def _awaited(due: Due) -> bool:
    """Whether a reversal, or what is ours, is not on the books as it must come to be."""
    operation = due.bearings.operation
    if operation is None:
        return due.entry.payment_type is PaymentType.CR
    return not operation.has(due.entry.gateway_id)


def _is_nobodys_chargeback(due: Due) -> bool:
    operation = due.bearings.operation
    owned = operation is not None and operation.dispute_id is not None
    return due.entry.payment_type is PaymentType.CB and not owned
