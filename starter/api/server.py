"""Serves the API until it is stopped."""

import gc
import socket
import sys
from collections.abc import Mapping
from typing import Final

import uvicorn

from disputes.errors import ConfigurationError
from starter.api.app import make_app

#: What the first line of the output begins with; the address follows.
SAYS: Final = "api listening on "
_BACKLOG: Final = 2048


def serve(env: Mapping[str, str], host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM; port 0 takes a free one.

    Raises:
        ConfigurationError: the port is in use, or as ``make_app``.
        Unreachable: no database answers.
    """
    app = make_app(env)
    # What is loaded stays: to look through it again holds up every request for 0.13 s.
    gc.freeze()
    listener = listen(host, port)
    address, bound = listener.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    sys.stdout.write(f"{SAYS}http://{shown}:{bound}\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        app,
        # Paths name cases, and a query what somebody searched for.
        access_log=False,
        log_level="warning",
        server_header=False,
        # A stream of events never ends by itself.
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A socket for the API; ``ConfigurationError`` where the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle off only where it knows that the socket speaks TCP.
    listener = socket.socket(family, proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    problem = None
    try:
        listener.bind((host, port))
        # Who reads that it listens may come at once: the kernel keeps them until they are served.
        listener.listen(_BACKLOG)
    except OSError as error:
        problem = error.strerror
    if problem:
        listener.close()
        raise ConfigurationError(f"port {port} for the API cannot be had: {problem}")
    return listener
