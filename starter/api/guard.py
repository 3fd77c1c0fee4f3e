"""Around every request: limits of its body, headers of its answer, a count, and no bare 500."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from starter.api.metrics import Metrics
from starter.api.problems import answer_of, of_http, too_large

#: Bytes of a body; evidence is text of 20,000 characters, and the largest notice is far below.
MAX_BODY_BYTES = 1024 * 1024
#: Read line by line, however long it is.
FEED_PATH = "/v1/disputes/feed"
_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]


class Guard:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        try:
            refused = _told_too_large(scope)
            if refused is None:
                await self._app(scope, _bounded(scope, receive), answer)
            else:
                await refused(scope, receive, answer)
        except Exception as error:
            if status:
                raise
            await answer_of(error)(scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            seconds = time.perf_counter() - begun
            self._metrics.count(scope["method"], route, status, seconds)


def _told_too_large(scope: Scope) -> ASGIApp | None:
    """The refusal of a body that says itself that it is too long."""
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    said = int(lengths[0]) if lengths and lengths[0].isdigit() else 0
    if scope["path"] == FEED_PATH or said <= MAX_BODY_BYTES:
        return None
    return of_http(too_large(MAX_BODY_BYTES))


def _bounded(scope: Scope, receive: Receive) -> Receive:
    """The same body, refused where it turns out to be too long."""
    if scope["path"] == FEED_PATH:
        return receive
    read = 0

    async def bounded() -> Message:
        nonlocal read
        message = await receive()
        if message["type"] == "http.request":
            read += len(message.get("body", b""))
            if read > MAX_BODY_BYTES:
                raise too_large(MAX_BODY_BYTES)
        return message

    return bounded
