"""Clients that ask without a pause, each on a connection of its own.

They speak just enough HTTP/1.1: httpx would take longer for an answer than the API, on processors
that both share.
"""

import asyncio
from collections.abc import Iterator, Sequence
from time import perf_counter
from urllib.parse import urlsplit

_WARM_UP = 10
_PAGE_BYTES = 1024 * 1024


class Clients:
    """So many clients, spread over the replicas of an API."""

    def __init__(self, addresses: Sequence[str], secret: str, clients: int) -> None:
        self._addresses = [urlsplit(address) for address in addresses]
        self._head = f"HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {secret}\r\n\r\n"
        self._clients = clients

    async def ask(self, paths: Iterator[str], requests: int) -> tuple[float, list[float]]:
        """Answers per second, and the seconds of each, shortest first."""
        took: list[float] = []
        left = iter(range(requests + _WARM_UP))
        begun = perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(self._clients):
                group.create_task(self._one(number, paths, left, took))
        rate = len(took) / (perf_counter() - begun)
        return rate, sorted(took[_WARM_UP:])

    async def _one(
        self, number: int, paths: Iterator[str], left: Iterator[int], took: list[float]
    ) -> None:
        address = self._addresses[number % len(self._addresses)]
        reader, writer = await asyncio.open_connection(
            address.hostname, address.port, limit=_PAGE_BYTES
        )
        for _ in left:
            begun = perf_counter()
            writer.write(f"GET {next(paths)} {self._head}".encode())
            status, *headers = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            if status != "HTTP/1.1 200 OK":
                raise RuntimeError(f"the API answered {status}")
            length = dict(header.lower().partition(": ")[::2] for header in headers)
            await reader.readexactly(int(length["content-length"]))
            took.append(perf_counter() - begun)
        writer.close()
