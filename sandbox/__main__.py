"""Runs the sandbox: ``python -m sandbox [--port 0] [--book FILE.sqlite3]``."""

import argparse
import asyncio
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from sandbox.app import application
from sandbox.book import Book
from sandbox.gateway import Gateway
from sandbox.settings import Settings


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--book", type=Path, help="SQLite file that outlives the process")
    parser.add_argument(
        "--query-limit-per-minute", type=int, default=2, help="reads per key; 0 lifts the limit"
    )
    return parser.parse_args(argv)


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets:
            host, port = sockets[0].getsockname()[:2]
            sys.stdout.write(f"sandbox listening on http://{host}:{port}\n")
            sys.stdout.flush()


async def _serve(gateway: Gateway, listener: socket.socket) -> None:
    config = uvicorn.Config(
        application(gateway),
        lifespan="off",
        access_log=False,
        log_level="critical",
        # A request that a fault holds back must not hold back the stop.
        timeout_graceful_shutdown=1,
    )
    await _Server(config).serve(sockets=[listener])


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 1 where the port cannot be had."""
    asked = _arguments(argv)
    # asyncio switches Nagle off only where it knows that the socket speaks TCP.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((asked.host, asked.port))
    except OSError as error:
        sys.stderr.write(f"sandbox cannot listen on {asked.host}:{asked.port}: {error.strerror}\n")
        return 1
    # The server catches these while it runs and raises them again once it has stopped.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    settings = Settings(query_limit_per_minute=asked.query_limit_per_minute)
    book = Book(asked.book)
    try:
        asyncio.run(_serve(Gateway(book, settings), listener))
    finally:
        book.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
