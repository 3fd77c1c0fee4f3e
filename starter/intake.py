"""Takes the feed: each line is checked, taken once whatever repeats it, and never stops the rest.

Lines of one dispute are delivered in their order, those of others side by side; memory does not
grow with the feed.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from disputes.errors import Conflict, InvalidMessage
from disputes.store.intake import IntakeBook, LineKey, Seen
from disputes.store.tables import MerchantMonthRow
from starter.client import DisputeDesk
from starter.feed import (
    AuthorizationLine,
    Entry,
    EvidenceLine,
    MerchantMonth,
    MonthLine,
    NetworkEventLine,
    OpenedLine,
    RulingLine,
    read_line,
)
from starter.grouped import Grouped
from starter.lines import MAX_LINE_BYTES, RawLine
from starter.payment_desk import PaymentDesk
from starter.report import Report
from starter.report_desk import ReportDesk
from starter.window import Window

#: Lines under way at once: enough to keep Temporal busy, few enough to leave it to others.
_AT_ONCE = 32
_TOO_LONG = {"line": f"is longer than {MAX_LINE_BYTES} bytes"}


class Outcome(StrEnum):
    """What became of a line."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class LineResult:
    """What became of a line.

    Attributes:
        reasons: a field to why it was rejected.
        replaced: whether it stands for what another line had told (a merchant's month).
    """

    outcome: Outcome
    event_id: str | None = None
    dispute_id: str | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    replaced: bool = False


#: Tells this moment (UTC).
Clock = Callable[[], datetime]

#: A line that can be taken: what it brings, or a row to compare with the one before.
Item = Entry | Report


class LineReader(Protocol):
    """Reads lines of one kind of feed."""

    def __call__(self, raw: bytes, now: datetime) -> Item:
        """What a line brings; ``InvalidMessage`` naming every field at fault."""


class Intake:
    """Delivers feed lines to their cases and payments through the desks, each event once.

    ``rejected``: where whoever feeds it keeps the lines that could not be taken.
    """

    def __init__(self, desk: DisputeDesk, book: IntakeBook, payments: PaymentDesk) -> None:
        self._desk = desk
        self._payments = payments
        self._book = book
        self.rejected = book.rejected
        self._reports = ReportDesk(book.reports, self._take_entry)
        self._begin: Grouped[LineKey, Seen] = Grouped(book.begin_all)
        self._delivered: Grouped[str, None] = Grouped(self._mark)
        self._tell_month: Grouped[MerchantMonthRow, bool] = Grouped(book.tell_months)

    async def take_line(self, text: str, now: datetime) -> LineResult:
        """Check one line of JSON and deliver it.

        Args:
            text: one line, without its end.
            now: this moment (UTC).

        Raises:
            Unreachable: Temporal is away; the line can be taken again.
        """
        try:
            entry = read_line(text, now)
        except InvalidMessage as fault:
            return LineResult(Outcome.REJECTED, reasons=fault.fields)
        return await self._take(entry, now)

    async def take_lines(
        self, batches: AsyncIterable[Sequence[RawLine]], read: LineReader, now: Clock
    ) -> AsyncGenerator[tuple[RawLine, LineResult]]:
        """Take a feed and yield each line with its result, in the feed's order.

        What a whole batch repeats costs one question to the database.

        Args:
            batches: lines as they come.
            read: what reads one.
            now: asked for each batch, for a feed may stay open for days.

        Raises:
            Unreachable: Temporal is away; run the same feed again, what was taken is known.
        """
        window: Window[LineResult] = Window()
        places = asyncio.Semaphore(_AT_ONCE)
        try:
            async for batch in batches:
                moment = now()
                read_ahead, known = await asyncio.to_thread(self._ahead, batch, read, moment)
                for raw, item in read_ahead:
                    if isinstance(item, LineResult):
                        window.add(raw, item)
                    elif known.get(item.event_id) == item.sha256:
                        window.add(raw, _result(Outcome.DUPLICATE, item))
                    else:
                        before = window.newest(item.subject)
                        work = self._in_turn(item, before, places, moment)
                        window.start(raw, item.subject, work)
                    while window.full:
                        yield await window.oldest()
                while window.ready:
                    yield await window.oldest()
            while window:
                yield await window.oldest()
        finally:
            await window.cancel()

    def _ahead(
        self, batch: Sequence[RawLine], read: LineReader, now: datetime
    ) -> tuple[list[tuple[RawLine, Item | LineResult]], dict[str, str]]:
        """What lines bring, and the SHA-256 of those delivered before, by event id.

        Reading long lines takes seconds: call it in a thread.
        """
        items = [(raw, _read(read, raw, now)) for raw in batch]
        ids = {item.event_id for _, item in items if not isinstance(item, LineResult)}
        return items, self._book.delivered_of(ids)

    async def _in_turn(
        self,
        item: Item,
        before: asyncio.Future[LineResult] | None,
        places: asyncio.Semaphore,
        now: datetime,
    ) -> LineResult:
        if before is not None:
            await before  # if it failed, so must this: order is kept
        async with places:
            return await self._take(item, now)

    async def _take(self, item: Item, now: datetime) -> LineResult:
        try:
            kind = "report.row" if isinstance(item, Report) else item.line.type
            key = LineKey(item.event_id, item.sha256, kind, item.dispute_id)
            seen = await self._begin.do(key)
        except Conflict:
            reasons = {"event_id": "is known already with other content"}
            return _result(Outcome.REJECTED, item, reasons)
        if seen == "delivered":
            return _result(Outcome.DUPLICATE, item)
        if isinstance(item, Report):
            return await self._take_report(item, now)
        return await self._take_new(item, seen, now)

    async def _take_new(self, entry: Entry, seen: Seen, now: datetime) -> LineResult:
        if isinstance(entry.line, MonthLine):
            row = _month_row(entry.event_id, entry.line.data, now)
            replaced = await self._tell_month.do(row)
            return LineResult(Outcome.ACCEPTED, entry.event_id, replaced=replaced)
        try:
            known = await self._deliver(entry)
        except Conflict as conflict:
            reason = f"differs from what is known under this {_id_name(entry)}"
            if conflict.known_as is not None:
                reason = f"means {conflict.known_as}: its notice has come already, use that id"
            reasons = {f"data.{name}": reason for name in conflict.fields}
            return _result(Outcome.REJECTED, entry, reasons)
        except InvalidMessage as fault:  # it names a chargeback whose notice has not come
            return _result(Outcome.REJECTED, entry, fault.fields)
        await self._delivered.do(entry.event_id)
        repeated = known and seen == "new"
        return _result(Outcome.DUPLICATE if repeated else Outcome.ACCEPTED, entry)

    async def _take_report(self, report: Report, now: datetime) -> LineResult:
        try:
            news = await self._reports.take(report, now)
        except InvalidMessage as fault:
            return _result(Outcome.REJECTED, report, fault.fields)
        await self._delivered.do(report.event_id)
        return _result(Outcome.ACCEPTED if news else Outcome.DUPLICATE, report)

    async def _take_entry(self, entry: Entry, now: datetime) -> dict[str, str]:
        """Take one line that follows from a row; gives the reasons if it was rejected."""
        return (await self._take(entry, now)).reasons

    async def _deliver(self, entry: Entry) -> bool:
        """Deliver a line's content to its case or payment; true when it told nothing new."""
        line = entry.line
        match line:
            case OpenedLine():
                return (await self._desk.open(line.data)).known
            case AuthorizationLine():
                return (await self._payments.authorize(line.data)).known
            case RulingLine() | NetworkEventLine() | EvidenceLine():
                await self._desk.fact(line.dispute_id, _signal(line), line.data)
        return False

    def _mark(self, event_ids: Sequence[str]) -> list[None]:
        self._book.delivered(*event_ids)
        return [None] * len(event_ids)


def _read(read: LineReader, raw: RawLine, now: datetime) -> Item | LineResult:
    if raw.cut:
        return LineResult(Outcome.REJECTED, reasons=_TOO_LONG)
    try:
        return read(raw.content, now)
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


def _id_name(entry: Entry) -> str:
    return "payment_id" if isinstance(entry.line, AuthorizationLine) else "dispute_id"


def _month_row(event_id: str, month: MerchantMonth, told_at: datetime) -> MerchantMonthRow:
    return MerchantMonthRow(
        merchant_id=month.merchant_id,
        network=month.network,
        month=month.month,
        settled_count=month.settled_count,
        settled_minor=month.settled_minor,
        currency=month.currency,
        fraud_reports=month.fraud_reports,
        event_id=event_id,
        told_at=told_at,
    )


def _result(outcome: Outcome, item: Item, reasons: dict[str, str] | None = None) -> LineResult:
    return LineResult(outcome, item.event_id, item.dispute_id, reasons or {})
