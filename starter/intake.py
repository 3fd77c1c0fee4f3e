"""Takes the feed: each line is checked, taken once whatever repeats it, and never stops the rest.

Lines of one dispute are delivered in their order, those of others side by side; memory does not
grow with the feed.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO

from disputes.errors import Conflict, InvalidMessage
from disputes.store.intake import IntakeBook
from starter.client import DisputeDesk
from starter.feed import (
    MAX_LINE_BYTES,
    Entry,
    EvidenceLine,
    NetworkEventLine,
    OpenedLine,
    RulingLine,
    read_line,
)

#: Lines under way at once: enough to keep Temporal busy, few enough to leave it to others.
_AT_ONCE = 16
#: Lines read ahead while the oldest is still under way.
_WINDOW = 256
_TOO_LONG = {"line": f"is longer than {MAX_LINE_BYTES} bytes"}
_BOM = b"\xef\xbb\xbf"


class Outcome(StrEnum):
    """What became of a line."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class LineResult:
    """What became of a line; ``reasons`` maps a field to why it was rejected."""

    outcome: Outcome
    event_id: str | None = None
    dispute_id: str | None = None
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawLine:
    """A line of a feed: its number from 1, its bytes without the end, and if it was cut off."""

    number: int
    content: bytes
    cut: bool = False


class Intake:
    """Delivers feed lines to their cases through the desk, each event once."""

    def __init__(self, desk: DisputeDesk, book: IntakeBook) -> None:
        self._desk = desk
        self._book = book

    async def take_line(self, text: str, now: datetime) -> LineResult:
        """Check one line and deliver it.

        Args:
            text: one line of JSON, without its end.
            now: this moment (UTC).

        Raises:
            Unreachable: Temporal is away; the line can be taken again.
        """
        entry = _read(text, now)
        return entry if isinstance(entry, LineResult) else await self._take(entry)

    async def take_lines(
        self, lines: Iterable[RawLine], now: datetime
    ) -> AsyncGenerator[tuple[RawLine, LineResult]]:
        """Take a feed and yield each line with its result, in the feed's order.

        Args:
            lines: as ``raw_lines`` reads them.
            now: this moment (UTC).

        Raises:
            Unreachable: Temporal is away; run the same feed again, what was taken is known.
        """
        under_way: deque[tuple[RawLine, asyncio.Task[LineResult]]] = deque()
        newest: dict[str, asyncio.Task[LineResult]] = {}
        places = asyncio.Semaphore(_AT_ONCE)
        try:
            for raw in lines:
                entry = _read_raw(raw, now)
                before = None if isinstance(entry, LineResult) else newest.get(entry.dispute_id)
                task = asyncio.create_task(self._in_turn(entry, before, places))
                under_way.append((raw, task))
                if not isinstance(entry, LineResult):
                    newest[entry.dispute_id] = task
                if len(under_way) >= _WINDOW:
                    yield await _oldest(under_way, newest)
            while under_way:
                yield await _oldest(under_way, newest)
        finally:
            for _, task in under_way:
                task.cancel()
            await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)

    async def _in_turn(
        self,
        entry: Entry | LineResult,
        before: asyncio.Task[LineResult] | None,
        places: asyncio.Semaphore,
    ) -> LineResult:
        if isinstance(entry, LineResult):
            return entry
        if before is not None:
            await before  # if it failed, so must this: order is kept
        async with places:
            return await self._take(entry)

    async def _take(self, entry: Entry) -> LineResult:
        line = entry.line
        try:
            seen = await asyncio.to_thread(
                self._book.begin, line.event_id, entry.sha256, line.type, entry.dispute_id
            )
        except Conflict:
            return _rejected(entry, {"event_id": "is known already with other content"})
        if seen == "delivered":
            return LineResult(Outcome.DUPLICATE, line.event_id, entry.dispute_id)
        try:
            known = await self._deliver(entry)
        except Conflict as conflict:
            differs = "differs from what is known under this dispute_id"
            return _rejected(entry, {f"data.{name}": differs for name in conflict.fields})
        except InvalidMessage as fault:  # it names a chargeback whose notice has not come
            return _rejected(entry, fault.fields)
        await asyncio.to_thread(self._book.delivered, line.event_id)
        repeated = known and seen == "new"
        outcome = Outcome.DUPLICATE if repeated else Outcome.ACCEPTED
        return LineResult(outcome, line.event_id, entry.dispute_id)

    async def _deliver(self, entry: Entry) -> bool:
        """Deliver a line's content; true when it told nothing new."""
        line = entry.line
        if isinstance(line, OpenedLine):
            return (await self._desk.open(line.data)).known
        await self._desk.fact(entry.dispute_id, _signal(line), line.data)
        return False


def raw_lines(feed: BinaryIO) -> Iterator[RawLine]:
    """The lines of a feed that say something, cut off where one is too long to keep."""
    number = 0
    while content := feed.readline(MAX_LINE_BYTES + 2):
        number += 1
        cut = len(content) > MAX_LINE_BYTES and not content.endswith(b"\n")
        rest = content
        while rest and not rest.endswith(b"\n"):
            rest = feed.readline(MAX_LINE_BYTES)
        content = content.removeprefix(_BOM) if number == 1 else content
        if content.strip():
            yield RawLine(number, content.rstrip(b"\r\n"), cut)


async def _oldest(
    under_way: deque[tuple[RawLine, asyncio.Task[LineResult]]],
    newest: dict[str, asyncio.Task[LineResult]],
) -> tuple[RawLine, LineResult]:
    """Wait for the oldest line and forget it."""
    raw, task = under_way[0]
    result = await task
    under_way.popleft()
    if result.dispute_id and newest.get(result.dispute_id) is task:
        del newest[result.dispute_id]
    return raw, result


def _read_raw(raw: RawLine, now: datetime) -> Entry | LineResult:
    if raw.cut:
        return LineResult(Outcome.REJECTED, reasons=_TOO_LONG)
    try:
        text = raw.content.decode("utf-8")
    except UnicodeDecodeError:
        return LineResult(Outcome.REJECTED, reasons={"line": "is not UTF-8"})
    return _read(text, now)


def _read(text: str, now: datetime) -> Entry | LineResult:
    try:
        return read_line(text, now)
    except InvalidMessage as fault:
        return LineResult(Outcome.REJECTED, reasons=fault.fields)


def _signal(line: RulingLine | NetworkEventLine | EvidenceLine) -> str:
    """The signal that carries a fact, as the contract names it."""
    match line:
        case RulingLine():
            return "bank_ruling"
        case NetworkEventLine():
            return "network_event"
        case EvidenceLine():
            return "evidence_submitted"


def _rejected(entry: Entry, reasons: dict[str, str]) -> LineResult:
    return LineResult(Outcome.REJECTED, entry.line.event_id, entry.dispute_id, reasons)
