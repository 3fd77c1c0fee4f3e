"""Takes a feed as its bytes come, from wherever: a file, a pipe or a request's body."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Final

from disputes.errors import InvalidMessage
from starter.decompress import Encoding, unpacker
from starter.feed import Entry, read_line
from starter.feed_csv import Header, check_own, read_header, read_record
from starter.intake import Clock, Intake, LineReader, LineResult
from starter.lines import LineSplitter, RawLine
from starter.mapping import Mapping, read_row
from starter.progress import OtherFeed
from starter.report import Report

#: Lines that are read together: a small archive may be very many short ones.
_BATCH_LINES: Final = 256


class FeedKind(StrEnum):
    """How a feed is written."""

    JSONL = "jsonl"
    CSV = "csv"


@dataclass(frozen=True)
class FeedForm:
    """What a feed is: how it is written and packed, and whose columns it has (``None``: ours)."""

    kind: FeedKind = FeedKind.JSONL
    encoding: Encoding = Encoding.PLAIN
    mapping: Mapping | None = None


@dataclass(frozen=True)
class Position:
    """Where to go on: so many bytes of the unpacked feed, and lines, were taken before.

    ``sha256`` (hex) is of those bytes: a feed that begins otherwise is another.
    """

    offset: int = 0
    line: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class Taken:
    """A line, what became of it, and the line as a file may keep it."""

    raw: RawLine
    result: LineResult
    header: Header | None

    @property
    def shown(self) -> str | None:
        """A CSV record without what only its column's name gives away; ``None`` for JSON."""
        return self.header.shown(self.raw.content) if self.header else None


async def take_feed(
    intake: Intake,
    chunks: AsyncIterable[bytes],
    form: FeedForm,
    now: Clock,
    start: Position = Position(),
) -> AsyncGenerator[Taken]:
    """Take a feed and yield each line with its result, in the feed's order.

    Close it (``contextlib.aclosing``) where it may be left before its end.

    Args:
        intake: where lines go.
        chunks: the feed from its first byte, however cut.
        form: what it is.
        now: asked again and again while lines come.
        start: where to go on.

    Raises:
        InvalidMessage: the header is wrong, or the archive is damaged or ends early; what came
            before was taken.
        OtherFeed: it is not the feed to go on with; nothing was taken.
        Unreachable: Temporal is away; take the same feed again, what was taken is known.
    """
    source = _Source(chunks, form, start)
    async with aclosing(source.data()) as data:
        header: Header | None = None
        read: LineReader = read_json
        if form.kind is FeedKind.CSV:
            header, read = await source.header(data)
        async with aclosing(intake.take_lines(source.batches(data), read, now)) as results:
            async for raw, result in results:
                yield Taken(raw, result, header)
        if source.damage is not None:
            raise source.damage


class _Source:
    """The unpacked feed, cut into lines from where to go on."""

    def __init__(self, chunks: AsyncIterable[bytes], form: FeedForm, start: Position) -> None:
        self._chunks, self._form, self._start = chunks, form, start
        self._lines = LineSplitter(records=form.kind is FeedKind.CSV)
        self._first: Iterator[RawLine] = iter(())  # lines that came along with the header
        self._seen = 0  # bytes
        self._sha256 = hashlib.sha256()  # of what was taken before, then of what is taken
        self.damage: InvalidMessage | None = None
        if form.kind is FeedKind.JSONL:
            self._restart()

    def _restart(self) -> None:
        start = self._start
        records = self._form.kind is FeedKind.CSV
        self._lines = LineSplitter(
            records=records, line=start.line, offset=start.offset, sha256=self._sha256
        )

    async def data(self) -> AsyncGenerator[bytes]:
        """The feed, unpacked."""
        packed = unpacker(self._form.encoding)
        async for chunk in self._chunks:
            for piece in packed.feed(chunk):
                self._count(piece)
                yield piece
        packed.close()
        if self._seen < self._start.offset:
            raise _other_feed()

    def _count(self, piece: bytes) -> None:
        """What was taken before must be here too, or nothing behind it is taken."""
        before = self._start.offset - self._seen
        self._seen += len(piece)
        if before <= 0:
            return
        self._sha256.update(piece[:before])
        if self._seen >= self._start.offset and self._sha256.hexdigest() != self._start.sha256:
            raise _other_feed()

    async def header(self, data: AsyncIterator[bytes]) -> tuple[Header, LineReader]:
        """Read the header row; gives it, and what reads the records below it."""
        piece = b""
        async for piece in data:
            self._first = self._lines.feed(piece)
            first = await asyncio.to_thread(_next, self._first, 1)
            if first:
                break
        else:
            self._first = self._lines.close()
            first = _next(self._first, 1)
        if not first or first[0].cut:
            raise InvalidMessage({"header": "is missing"}, what="the feed")
        if self._start.offset:
            self._restart()
            self._first = self._lines.feed(self._after_start(piece))
        header = read_header(first[0].content)
        return header, _csv_reader(header, self._form.mapping)

    async def batches(self, data: AsyncIterator[bytes]) -> AsyncGenerator[list[RawLine]]:
        """The lines as they come, from where to go on."""
        async for batch in _batches(self._first):
            yield batch
        try:
            async for piece in data:
                async for batch in _batches(self._lines.feed(self._after_start(piece))):
                    yield batch
        except InvalidMessage as fault:
            self.damage = fault  # told once what came before it is taken
        else:
            yield list(self._lines.close())

    def _after_start(self, piece: bytes) -> bytes:
        """The part of the newest piece that was not taken before."""
        new = self._seen - self._start.offset
        return piece if new >= len(piece) else piece[len(piece) - new :] if new > 0 else b""


async def _batches(lines: Iterator[RawLine]) -> AsyncGenerator[list[RawLine]]:
    """All of these lines, cut in a thread: a piece may be nothing but ends of lines."""
    while batch := await asyncio.to_thread(_next, lines, _BATCH_LINES):
        yield batch
        if len(batch) < _BATCH_LINES:
            break  # they are used up


def _next(lines: Iterator[RawLine], count: int) -> list[RawLine]:
    return list(islice(lines, count))


def _other_feed() -> OtherFeed:
    reason = "the feed does not begin with what was taken before: it is another file"
    again = "without --resume it is taken from its start (what was taken is known)"
    return OtherFeed(f"{reason}; {again}")


def read_json(raw: bytes, now: datetime) -> Entry:
    """What a line of JSON Lines brings; raises ``InvalidMessage``."""
    text = None
    with suppress(UnicodeDecodeError):
        text = raw.decode("utf-8")
    if text is None:
        raise InvalidMessage({"line": "is not UTF-8"}, what="the line")
    return read_line(text, now)


def _csv_reader(header: Header, mapping: Mapping | None) -> LineReader:
    if mapping is None:
        check_own(header)
        return lambda raw, now: read_record(header, raw, now)
    mapping.check(header)
    return lambda raw, _now: Report.of(mapping, read_row(mapping, header, raw))
