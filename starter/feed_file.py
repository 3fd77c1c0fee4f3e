"""Takes a feed from a file or a pipe and leaves the lines that could not be taken in a file."""

import asyncio
import json
import os
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from disputes.errors import InvalidMessage
from starter import progress
from starter.decompress import sniff
from starter.feed_stream import FeedForm, FeedKind, Position, Taken, take_feed
from starter.intake import Clock, Intake, Outcome
from starter.mapping import Mapping
from starter.progress import FeedReport, Progress, RejectedLine
from starter.rejected import RejectedLines, printable

#: Rejected lines that a report names; the file has them all.
_SHOWN = 20
_CHUNK_BYTES = 128 * 1024
#: Lines after which progress is kept, if this many seconds have passed too.
_KEEP_LINES = 256
_KEEP_S = 0.5
#: Seconds between two words to who watches.
_TELL_S = 0.2

#: Told now and then: bytes of the file read, and what became of its lines.
Watcher = Callable[[int, FeedReport], None]


def form_of(name: str, head: bytes, mapping: Mapping | None, kind: FeedKind | None) -> FeedForm:
    """What a feed is by the name of its file and its first bytes.

    Args:
        name: the file's name; ``.csv``, ``.csv.gz`` and ``.csv.zst`` are CSV, all else JSON Lines.
        head: four bytes or more of it.
        mapping: of another provider's columns; those are CSV.
        kind: what it is, where somebody says so.
    """
    csv = mapping is not None or ".csv" in Path(name).suffixes
    return FeedForm(kind or (FeedKind.CSV if csv else FeedKind.JSONL), sniff(head), mapping)


@dataclass(frozen=True)
class How:
    """How a feed is taken.

    Attributes:
        mapping: of another provider's report.
        kind: how the feed is written, where its name does not tell.
        rejected: the file for rejected lines; beside the feed by default.
        resume: whether to go on where an intake of the same file ended.
        tell: who is told how far it is.
    """

    mapping: Mapping | None = None
    kind: FeedKind | None = None
    rejected: Path | None = None
    resume: bool = False
    tell: Watcher | None = None


async def take_file(intake: Intake, feed: Path, now: datetime, how: How = How()) -> FeedReport:
    """Take every line of ``feed``; rejected ones go to ``<feed>.rejected.jsonl``.

    Args:
        intake: where lines go.
        feed: the file.
        now: this moment (UTC); the file was whole before.
        how: how it is taken.

    Raises:
        InvalidMessage: its header is wrong.
        OtherFeed: another file was under way under its name.
        ConfigurationError: the Temporal server refuses us.
        OSError: the file cannot be read, or its folder not written to.
        Unreachable: Temporal is away; resume it, what was taken is known.
    """
    rejected = how.rejected or feed.with_name(f"{feed.name}.rejected.jsonl")
    if not how.resume:
        progress.forget(feed)  # what it tells of the file of rejected lines holds no longer
    before = progress.load(feed) or progress.fresh(feed)
    with feed.open("rb") as source:
        form = form_of(feed.name, source.read(4), how.mapping, how.kind)
        source.seek(0)
        run = _Run(
            rejected,
            RejectedLines(intake.rejected, feed.name),
            before,
            how.tell,
            source.tell,
            keep=lambda at: progress.save(feed, at),
        )
        try:
            report = await run.take(intake, _chunks(source), form, lambda: now)
        except InvalidMessage:
            progress.forget(feed)
            raise
    if report.damage is None:
        progress.forget(feed)
    return report


async def take_pipe(
    intake: Intake, source: BinaryIO, rejected: Path, now: Clock, how: How
) -> FeedReport:
    """Take every line that comes through a pipe; as ``take_file``, but it cannot be resumed."""
    head = await asyncio.to_thread(source.read, 4)
    form = form_of("", head, how.mapping, how.kind)

    async def chunks() -> AsyncGenerator[bytes]:
        yield head
        async for chunk in _chunks(source):
            yield chunk

    start = Progress(size=0, head_sha256="", sha256="")
    kept = RejectedLines(intake.rejected)
    run = _Run(rejected, kept, start, how.tell, lambda: 0, keep=lambda _: None)
    return await run.take(intake, chunks(), form, now)


async def _chunks(source: BinaryIO) -> AsyncGenerator[bytes]:
    read = getattr(source, "read1", source.read)  # what is there, for a pipe may be slow
    while chunk := await asyncio.to_thread(read, _CHUNK_BYTES):
        yield chunk


class _Run:
    """One way through a feed: counts, rejected lines and progress."""

    def __init__(
        self,
        rejected: Path,
        kept: RejectedLines,
        before: Progress,
        tell: Watcher | None,
        read: Callable[[], int],
        keep: Callable[[Progress], None],
    ) -> None:
        self._file, self._kept, self._at = rejected, kept, before
        self._tell, self._read, self._keep = tell, read, keep
        self._report = before.report.model_copy(deep=True, update={"damage": None})
        self._rejected: BinaryIO | None = None
        self._lines = 0
        self._kept_at = self._told_at = time.monotonic()

    async def take(
        self, intake: Intake, chunks: AsyncGenerator[bytes], form: FeedForm, now: Clock
    ) -> FeedReport:
        """Take the feed from where it was left."""
        self._open()
        start = Position(self._at.offset, self._at.line, self._at.sha256)
        try:
            async with (
                aclosing(chunks),
                aclosing(take_feed(intake, chunks, form, now, start)) as lines,
            ):
                async for taken in lines:
                    await self._count(taken)
        except InvalidMessage as fault:
            if self._at.offset == 0:
                raise  # nothing at all could be read: there is nothing to go on with
            self._report.damage = fault.message
        finally:
            try:
                if self._lines:  # or it may be another file's progress: that stays as it was
                    await self._save()
                self._show()
            finally:
                if self._rejected is not None:
                    self._rejected.close()
        return self._report

    def _open(self) -> None:
        """What was rejected after the progress was kept is rejected again: cut it off."""
        kept = self._at.rejected_bytes
        if not kept or not self._file.exists() or self._file.stat().st_size < kept:
            if self._file.is_file() and not self._file.is_symlink():
                self._file.unlink()  # a device or a named pipe is not ours to remove
            return
        self._rejected = self._file.open("r+b")
        self._rejected.truncate(kept)
        self._rejected.seek(0, os.SEEK_END)

    async def _count(self, taken: Taken) -> None:
        raw, result, report = taken.raw, taken.result, self._report
        match result.outcome:
            case Outcome.ACCEPTED:
                report.accepted += 1
                report.replaced += result.replaced
            case Outcome.DUPLICATE:
                report.duplicates += 1
            case Outcome.REJECTED:
                await self._write(taken)
                report.rejected += 1
                report.rejected_file = printable(str(self._file))
                if len(report.rejected_lines) < _SHOWN:
                    shown = RejectedLine(line_number=raw.number, reasons=result.reasons)
                    report.rejected_lines.append(shown)
        at = {"offset": raw.end, "line": raw.last, "sha256": raw.sha256.hex()}
        self._at = self._at.model_copy(update=at)
        self._lines += 1
        now = time.monotonic()
        if self._lines % _KEEP_LINES == 0 and now - self._kept_at > _KEEP_S:
            await self._save()
        if now - self._told_at > _TELL_S:
            self._show()

    async def _write(self, taken: Taken) -> None:
        self._rejected = self._rejected or self._file.open("wb")
        entry = await self._kept.add(taken)
        self._rejected.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        self._rejected.flush()  # a pipe may be silent for hours, and its intake killed meanwhile

    def _show(self) -> None:
        if self._tell:
            self._tell(self._read(), self._report)
        self._told_at = time.monotonic()

    async def _save(self) -> None:
        await self._kept.flush()
        size = 0
        if self._rejected is not None:
            self._rejected.flush()
            if self._file.is_file():
                os.fsync(self._rejected.fileno())
                size = self._rejected.tell()
        self._keep(self._at.model_copy(update={"rejected_bytes": size, "report": self._report}))
        self._kept_at = time.monotonic()
