"""Unpacks a feed piece by piece, so that no archive, however made, fills the memory."""

import zlib
from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol

import zstandard

from disputes.errors import InvalidMessage

#: Most bytes that one piece of an unpacked feed has.
_PIECE_BYTES = 256 * 1024
#: A block of 4 bytes may stand for 128 KiB (RFC 8878, 3.1.1.2): 8 MiB at most come at once.
_ZSTD_INPUT_BYTES = 256
#: What every decoder must support (RFC 8878, 3.1.1.1.2); more is the sender's memory in ours.
_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
_GZIP = 31  # zlib's window bits for a gzip header and its checksum


class Encoding(StrEnum):
    """How a feed is packed."""

    PLAIN = "plain"
    GZIP = "gzip"
    ZSTD = "zstd"


class Unpacker(Protocol):
    """Takes packed bytes as they come."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Pieces of what ``data`` unpacks to; ``InvalidMessage`` where it is damaged."""

    def close(self) -> None:
        """Say that nothing more comes; ``InvalidMessage`` if the archive ends early."""


def sniff(head: bytes) -> Encoding:
    """How a feed is packed that begins with these bytes (four or more)."""
    if head.startswith(b"\x1f\x8b"):
        return Encoding.GZIP
    return Encoding.ZSTD if head.startswith(zstandard.FRAME_HEADER) else Encoding.PLAIN


def unpacker(encoding: Encoding) -> Unpacker:
    """An unpacker for one feed."""
    match encoding:
        case Encoding.PLAIN:
            return _Plain()
        case Encoding.GZIP:
            return _Gzip()
        case Encoding.ZSTD:
            return _Zstd()


class _Plain:
    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data

    def close(self) -> None:
        pass


class _Gzip:
    """RFC 1952: one or more members."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)

    def feed(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._member.eof:
                data = data.lstrip(b"\0")  # padding of tapes
                if not data:
                    return
                self._member = zlib.decompressobj(_GZIP)
            try:
                piece = self._member.decompress(data, _PIECE_BYTES)
            except zlib.error:
                raise _damaged("gzip") from None
            if piece:
                yield piece
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if not data and len(piece) < _PIECE_BYTES:
                return

    def close(self) -> None:
        if not self._member.eof:
            raise _ends_early("gzip")


class _Zstd:
    """RFC 8878: one or more frames."""

    def __init__(self) -> None:
        self._decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        self._frame = self._decoder.decompressobj()

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_INPUT_BYTES):
            rest = data[start : start + _ZSTD_INPUT_BYTES]
            while rest:
                if self._frame.eof:
                    self._frame = self._decoder.decompressobj()
                try:
                    piece = self._frame.decompress(rest)
                except zstandard.ZstdError:
                    raise _damaged("zstd") from None
                for at in range(0, len(piece), _PIECE_BYTES):
                    yield piece[at : at + _PIECE_BYTES]
                rest = self._frame.unused_data if self._frame.eof else b""

    def close(self) -> None:
        if not self._frame.eof:
            raise _ends_early("zstd")


def _damaged(kind: str) -> InvalidMessage:
    reason = "is damaged, or needs more memory than is given; what came before was taken"
    return InvalidMessage({f"{kind} archive": reason}, what="the feed")


def _ends_early(kind: str) -> InvalidMessage:
    reason = "ends early; what came before was taken"
    return InvalidMessage({f"{kind} archive": reason}, what="the feed")
