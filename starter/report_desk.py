"""Tells cases what changed in a provider's report, each change once."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime

from pydantic import TypeAdapter

from disputes.decode import canonical, json_of
from disputes.errors import InvalidMessage
from disputes.store.reports import LastRow, ReportBook
from starter.feed import Entry
from starter.mapping import ReportState
from starter.report import (
    Report,
    check_row,
    entries_of,
    is_outdated,
    last_moment,
    lines_of,
    moment_of,
)

_LINES = TypeAdapter(list[str])
#: Kept beside the row's own fields; none of them has this name.
_TOLD_AT = "told_at"

#: Takes one line and gives the reasons, by field, if it was rejected.
TakeEntry = Callable[[Entry, datetime], Awaitable[dict[str, str]]]


class ReportDesk:
    """Compares rows with the last ones; what follows is kept before it is delivered."""

    def __init__(self, book: ReportBook, take: TakeEntry) -> None:
        self._book = book
        self._take = take

    async def take(self, report: Report, now: datetime) -> bool:
        """Deliver what a row brings; false when it brings nothing new.

        Args:
            report: the row.
            now: this moment (UTC).

        Raises:
            InvalidMessage: the row cannot be taken, or its case is known with other content.
            Unreachable: Temporal is away; the row can be taken again.
        """
        check_row(report, now)
        name, dispute_id = report.mapping.name, report.dispute_id
        while True:
            last = await asyncio.to_thread(self._book.last, name, dispute_id)
            finished = bool(last and last.pending_json)
            if last is not None:
                await self._finish(report, last, now)
                before = ReportState.model_validate(json.loads(last.state_json))
                if before == report.state:
                    return finished
                if is_outdated(before, report.state):
                    return False
            if await self._change(report, last, now):
                return True

    async def _change(self, report: Report, last: LastRow | None, now: datetime) -> bool:
        """Keep a change and deliver it; false if another intake came first."""
        before = ReportState.model_validate(json.loads(last.state_json)) if last else None
        changes = last.changes if last else 0
        told_at = _told_at(last)
        lines = lines_of(report, before, changes, moment_of(report.state, told_at, now))
        entries = entries_of(lines, now)  # what could never be delivered is not kept
        state = _kept(report.state, last_moment(entries, told_at))
        kept = await asyncio.to_thread(
            self._book.change, report.mapping.name, report.dispute_id, state, lines, changes
        )
        if kept:
            await self._deliver(report, lines, changes + 1, now)
        return kept

    async def _finish(self, report: Report, last: LastRow, now: datetime) -> None:
        """Deliver what an intake that ended too early left behind."""
        if last.pending_json:
            lines = _LINES.validate_json(last.pending_json)
            await self._deliver(report, lines, last.changes, now)

    async def _deliver(self, report: Report, lines: list[str], changes: int, now: datetime) -> None:
        reasons: dict[str, str] = {}
        for entry in entries_of(lines, now):
            reasons |= await self._take(entry, now)
        # What was rejected now would be for ever: it is told once and does not hold the rest up.
        await asyncio.to_thread(self._book.settle, report.mapping.name, report.dispute_id, changes)
        if reasons:
            raise InvalidMessage(reasons, what="the line")


def _kept(state: ReportState, told_at: datetime | None) -> str:
    """A row as it is kept, with the moment of the last fact that the report told of its dispute."""
    moment = {} if told_at is None else {_TOLD_AT: told_at.isoformat()}
    return canonical(json_of(state) | moment)


def _told_at(last: LastRow | None) -> datetime | None:
    moment = json.loads(last.state_json).get(_TOLD_AT) if last else None
    return datetime.fromisoformat(moment) if moment else None
