"""Clients of the API, each on a connection of its own.

They speak just enough HTTP/1.1: httpx would take longer for an answer than the API, on processors
that both share.
"""

import asyncio
import random
from collections.abc import Iterator, Sequence
from time import perf_counter
from urllib.parse import SplitResult, urlsplit

_PAGE_BYTES = 1024 * 1024


class Clients:
    """So many clients, spread over the replicas of an API.

    Args:
        addresses: of the replicas.
        secret: of an API key.
        clients: how many ask at once.
        pause_s: how long each waits between an answer and its next question, on average.
    """

    def __init__(
        self, addresses: Sequence[str], secret: str, clients: int, pause_s: float = 0.0
    ) -> None:
        self._addresses = [urlsplit(address) for address in addresses]
        self._head = f"HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {secret}\r\n\r\n"
        self._clients = clients
        self._pause_s = pause_s

    async def ask(self, paths: Iterator[str], requests: int) -> tuple[float, list[float]]:
        """Answers per second, and the seconds of each, shortest first."""
        took: list[float] = []
        left = iter(range(requests))
        begun = perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(self._clients):
                address = self._addresses[number % len(self._addresses)]
                group.create_task(self._one(address, paths, left, took))
        return len(took) / (perf_counter() - begun), sorted(took)

    async def _one(
        self,
        address: SplitResult,
        paths: Iterator[str],
        left: Iterator[int],
        took: list[float],
    ) -> None:
        reader, writer = await asyncio.open_connection(
            address.hostname, address.port, limit=_PAGE_BYTES
        )
        for _ in left:
            if self._pause_s:
                await asyncio.sleep(random.uniform(0, 2 * self._pause_s))  # noqa: S311 - no secret
            begun = perf_counter()
            await self._answer(next(paths), reader, writer)
            took.append(perf_counter() - begun)
        writer.close()

    async def _answer(
        self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(f"GET {path} {self._head}".encode())
        status, *headers = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        if status != "HTTP/1.1 200 OK":
            raise RuntimeError(f"the API answered {status}")
        length = dict(header.lower().partition(": ")[::2] for header in headers)
        await reader.readexactly(int(length["content-length"]))
