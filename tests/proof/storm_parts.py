"""Parts of a storm's ground that are ours to break: connections, and a disk."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from starter.processes import LOOPBACK

_DISK_BYTES = 2 * 1024**3
_CHUNK = 64 * 1024**2


class Proxy:
    """Passes connections on to a port, until they are cut."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def start(self) -> asyncio.Server:
        """Listen on a free port."""
        server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def cut(self) -> int:
        """Reset every connection in this moment; gives how many there were."""
        count = len(self._open) // 2
        for writer in list(self._open):
            writer.transport.abort()
        return count

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, out = await asyncio.open_connection(LOOPBACK, self._target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, out}
        self._open |= both
        try:
            await asyncio.gather(_pass_on(reader, out), _pass_on(there, writer))
        finally:
            self._open -= both


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


class Disk:
    """The disk of database and Temporal server, which can be full; ``None``: it cannot."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave no byte free."""
        with self._ballast.open("wb") as ballast:
            size = 0
            chunk = _CHUNK
            while chunk >= 1:
                try:
                    os.posix_fallocate(ballast.fileno(), size, chunk)
                    size += chunk
                except OSError:
                    chunk //= 16

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk() -> Iterator[Disk | None]:
    """A file system of its own in memory; ``None`` where this user may mount none."""
    folder = Path(tempfile.mkdtemp(prefix="disputes-storm-disk-"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES},mode=755", "tmpfs", str(folder)]
    mounted = shutil.which("mount") and subprocess.run(command, check=False).returncode == 0
    try:
        yield Disk(folder) if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()
