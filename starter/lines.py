"""Cuts a feed into its lines as the bytes come; CSV records may run over several."""

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

#: Bytes of one line; the largest notice is far below, and memory stays bounded.
MAX_LINE_BYTES = 1024 * 1024
_BOM = b"\xef\xbb\xbf"
#: Enough to see that a line is too long, whatever stands before and behind it.
_KEPT_BYTES = MAX_LINE_BYTES + len(_BOM) + len(b"\r\n") + 1


@dataclass(frozen=True, slots=True)
class RawLine:
    """A line of a feed, or a record of CSV.

    Attributes:
        number: of its first line, from 1.
        content: its bytes without the end; only the first ones where it is too long to keep.
        cut: whether it was too long.
        end: bytes of the unpacked feed up to and with its end.
        last: the number of its last line.
        sha256: of the unpacked feed up to ``end``.
    """

    number: int
    content: bytes
    cut: bool = False
    end: int = 0
    last: int = 0
    sha256: bytes = b""


class LineSplitter:
    """Takes bytes, gives the lines that say something.

    Args:
        records: whether a quoted field may hold line ends (RFC 4180).
        line: how many lines came before the first byte.
        offset: how many bytes came before.
        sha256: is told what comes; it knows what came before.
    """

    def __init__(
        self,
        *,
        records: bool = False,
        line: int = 0,
        offset: int = 0,
        sha256: "hashlib._Hash | None" = None,
    ) -> None:
        self._sha256 = sha256 or hashlib.sha256()
        self._records = records
        self._line = line
        self._end = offset
        self._rest = bytearray()  # of a line whose end has not come
        self._dropped = 0
        self._record = bytearray()  # lines of a record with a quote that is still open
        self._first = line + 1

    def feed(self, data: bytes) -> Iterator[RawLine]:
        """The lines that ``data`` completes."""
        start, all_of_it = 0, memoryview(data)
        while (stop := data.find(b"\n", start)) >= 0:
            stop += 1
            self._sha256.update(all_of_it[start:stop])
            if self._rest or self._dropped:
                self._keep(data[start:stop])
                content, size = bytes(self._rest), len(self._rest) + self._dropped
                self._rest.clear()
                self._dropped = 0
            else:
                content, size = data[start:stop], stop - start
            yield from self._ended(content, size)
            start = stop
        self._sha256.update(all_of_it[start:])
        self._keep(data[start:])

    def close(self) -> Iterator[RawLine]:
        """The last line, if it has no end; nothing is left then."""
        rest, self._rest = bytes(self._rest), bytearray()
        if rest:
            yield from self._ended(rest, len(rest) + self._dropped)
        record, self._record = bytes(self._record), bytearray()
        if record:
            yield self._made(record)

    def _keep(self, data: bytes) -> None:
        room = _KEPT_BYTES - len(self._rest)
        self._rest += data[:room]
        self._dropped += max(0, len(data) - room)

    def _ended(self, content: bytes, size: int) -> Iterator[RawLine]:
        """A line has ended: ``size`` bytes, of which ``content`` was kept."""
        self._line += 1
        self._end += size
        if self._line == 1:
            content = content.removeprefix(_BOM)
        if self._record:
            # Whatever a field may hold, its quotes come in pairs.
            closes = content.count(b'"') % 2 == 1
            self._record += content
            if not closes and len(self._record) <= MAX_LINE_BYTES:
                return
            content = bytes(self._record)
            self._record.clear()
        else:
            self._first = self._line
            if self._records and len(content) <= MAX_LINE_BYTES and _is_open(content):
                self._record += content
                return
        if content.strip():
            yield self._made(content)

    def _made(self, content: bytes) -> RawLine:
        kept = content.rstrip(b"\r\n")
        cut = len(kept) > MAX_LINE_BYTES
        seen = self._sha256.digest()
        return RawLine(self._first, kept[:MAX_LINE_BYTES], cut, self._end, self._line, seen)


def _is_open(content: bytes) -> bool:
    """Whether a record's first line ends within quotes, and does not just hold a stray one."""
    if content.count(b'"') % 2 == 0:
        return False
    try:
        list(csv.reader([content.decode("utf-8", errors="replace")], strict=True))
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False
