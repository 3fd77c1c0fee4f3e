"""Takes the feeds that come into a folder, one after the other, and moves them aside.

A file is whole when it has its name: whoever delivers writes it under another (ending in ``.part``
or ``.tmp``, or beginning with a dot) and renames it. A feed is moved into ``taking`` before its
first line is taken: what comes under its name meanwhile is another, and waits. The folder itself
says what is left to do, so a watcher that was killed goes on where it was.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from disputes.errors import Refusal
from starter import progress
from starter.feed_file import How, take_file
from starter.intake import Intake
from starter.progress import FeedReport, OtherFeed
from starter.rejected import printable

TAKING, DONE, FAILED = "taking", "done", "failed"
_FEEDS = tuple(f"{kind}{packed}" for kind in (".jsonl", ".csv") for packed in ("", ".gz", ".zst"))
#: Our own, and those that are being written.
_NOT_FEEDS = (".rejected.jsonl", ".progress", ".part", ".tmp")
_EVERY_S = 1.0


@dataclass(frozen=True)
class Watched:
    """What became of a feed in the folder; ``failed``: why it could not be taken to its end."""

    feed: Path
    report: FeedReport
    failed: str | None


async def watch(intake: Intake, folder: Path, how: How) -> AsyncGenerator[Watched]:
    """Take what is in the folder and what comes, until closed.

    A feed that was taken goes to ``done``, one that cannot be read to its end to ``failed``; its
    file of rejected lines goes with it.

    Args:
        intake: where lines go.
        folder: the folder.
        how: how each is taken; always resumed.

    Raises:
        OSError: the folder cannot be read, or nothing moved in it.
        Unreachable: Temporal is away; watch again, what was taken is known.
        ConfigurationError: the Temporal server refuses us; the same holds.
    """
    taking = folder / TAKING
    taking.mkdir(exist_ok=True)
    while True:
        # What a killed watcher was at comes first: its name must be free before it is used again.
        for feed in (*_feeds(taking), *_feeds(folder)):
            yield await _take(intake, feed.replace(taking / feed.name), folder, how)
        await asyncio.sleep(_EVERY_S)


async def _take(intake: Intake, feed: Path, folder: Path, how: How) -> Watched:
    report, failed = FeedReport(), _unreadable(feed)
    try:
        if failed is None:
            report = await take_file(intake, feed, datetime.now(UTC), how)
            failed = report.damage
    except (Refusal, OtherFeed) as error:
        failed = str(error)
    moved = _move(feed, folder / (FAILED if failed else DONE))
    if report.rejected_file:
        report.rejected_file = printable(str(moved.with_name(f"{moved.name}.rejected.jsonl")))
    return Watched(moved, report, failed)


def _unreadable(feed: Path) -> str | None:
    """Why a file cannot even be opened: it must not hold up those that can."""
    try:
        feed.open("rb").close()
    except OSError as error:
        return f"the file cannot be opened: {error.strerror}"
    return None


def _feeds(folder: Path) -> list[Path]:
    """Feeds that wait, by name: providers put the date into it."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file()
        and path.name.endswith(_FEEDS)
        and not path.name.endswith(_NOT_FEEDS)
        and not path.name.startswith(".")
    )


def _move(feed: Path, aside: Path) -> Path:
    """Move a feed and what belongs to it aside, the feed last: until then it is taken again."""
    aside.mkdir(exist_ok=True)
    target, number = aside / feed.name, 1
    while target.exists():
        number += 1
        target = aside / f"{number}.{feed.name}"
    rejected = feed.with_name(f"{feed.name}.rejected.jsonl")
    if rejected.exists():
        rejected.replace(target.with_name(f"{target.name}.rejected.jsonl"))
    kept = progress.progress_file(feed)
    if kept.exists():
        kept.replace(progress.progress_file(target))
    feed.replace(target)
    return target
