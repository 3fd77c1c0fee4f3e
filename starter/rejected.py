"""Keeps lines that could not be taken for ``GET /v1/intake/rejected``, by whatever door they came.

Many go in one transaction, and memory does not grow with them.
"""

import asyncio
from typing import Final

from disputes.card_data import redact
from disputes.decode import sha256
from disputes.store.rejected import RejectedBook
from starter.feed import rejection
from starter.feed_stream import Taken

#: Of a line, characters that are kept; the feed itself is with whoever sent it.
_KEPT_CHARS: Final = 2000
#: Lines that are kept together, and characters of them: one line may have many reasons.
_TOGETHER: Final = 500
_TOGETHER_CHARS: Final = 1_000_000
#: A longer line is read in a thread, so that others are served meanwhile.
_LONG_BYTES: Final = 4 * 1024


class RejectedLines:
    """The rejected lines of one feed on their way to the book.

    Args:
        book: where they are kept, each once.
        feed: the name of the file that they stand in, if it is one.
    """

    def __init__(self, book: RejectedBook, feed: str | None = None) -> None:
        self._book = book
        self._feed = None if feed is None else redact(printable(feed))
        self._waiting: list[dict[str, object]] = []
        self._chars = 0

    async def add(self, taken: Taken) -> dict[str, object]:
        """Keep a line, now or soon; gives the whole of what may be told of it."""
        raw, reasons = taken.raw, taken.result.reasons
        if len(raw.content) > _LONG_BYTES:
            entry = await asyncio.to_thread(_entry, taken)
        else:
            entry = _entry(taken)
        line = str(entry["line"])
        shown = {"line": line[:_KEPT_CHARS], "cut": raw.cut or len(line) > _KEPT_CHARS}
        known = {"sha256": sha256(raw.content), "feed": self._feed}
        self._waiting.append(entry | shown | known)
        self._chars += len(line[:_KEPT_CHARS]) + sum(map(len, (*reasons, *reasons.values())))
        if len(self._waiting) >= _TOGETHER or self._chars >= _TOGETHER_CHARS:
            await self.flush()
        return entry

    async def flush(self) -> None:
        """Keep what waits; nothing behind it may count as taken before."""
        if self._waiting:
            # Those of a book that fails wait on: whoever asks again keeps them.
            await asyncio.to_thread(self._book.keep, self._waiting)
        self._waiting, self._chars = [], 0


def _entry(taken: Taken) -> dict[str, object]:
    raw = taken.raw
    return rejection(raw.number, raw.content, taken.result.reasons, taken.shown)


def printable(name: str) -> str:
    """A file's name, which may be any bytes, as text that can be kept and told."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
