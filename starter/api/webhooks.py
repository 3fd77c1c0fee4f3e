"""The gateway's door: an authentic notification is kept, then acknowledged, and nothing waits.

Nobody who cannot seal an envelope with one of our keys learns or leaves anything: one answer for
every fault, and a count.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from disputes.gateway.webhooks import (
    IV_HEADER,
    MAX_BODY_BYTES,
    TAG_HEADER,
    NotAuthentic,
    WebhookKeys,
    read_notification,
)
from disputes.store.inbox import Inbox

#: Where the gateway sends its notifications (contract, HTTP).
PATH: Final = "/v1/webhooks/payunity"
#: The gateway gives up after 30 s and tries again; so do we when the store does not answer.
_STORE_TIMEOUT_S: Final = 10


@dataclass
class DoorCounts:
    """What came to the door since the process started, for its metrics."""

    kept: int = 0
    repeated: int = 0
    not_authentic: int = 0
    too_large: int = 0
    not_kept: int = 0


def webhook_router(
    keys: WebhookKeys, inbox: Inbox, news: asyncio.Event, counts: DoorCounts
) -> APIRouter:
    """The route ``POST /v1/webhooks/payunity``, for an application to include.

    Args:
        keys: those that notifications may be sealed with.
        inbox: where they are kept before they are acknowledged.
        news: set when something new was kept, to wake who delivers.
        counts: what it counts.
    """
    router = APIRouter(tags=["webhooks"])

    @router.post(
        PATH,
        summary="A notification of the gateway, sealed with AES-256-GCM",
        responses={
            401: {"description": "not sealed with a key of ours"},
            413: {"description": f"longer than {MAX_BODY_BYTES} bytes"},
            503: {"description": "it could not be kept: send it again"},
        },
    )
    async def payunity(request: Request) -> JSONResponse:
        """Keep an authentic notification; a repeated one is acknowledged again."""
        body = await _read(request)
        if body is None:
            counts.too_large += 1
            return _problem(413, "the body is too long")
        headers = request.headers
        try:
            plaintext = keys.open(body, headers.get(IV_HEADER), headers.get(TAG_HEADER))
        except NotAuthentic:
            counts.not_authentic += 1
            return _problem(401, "not authentic")
        opened = read_notification(plaintext)
        try:
            async with asyncio.timeout(_STORE_TIMEOUT_S):
                fresh = await asyncio.to_thread(
                    inbox.keep, opened.notification, opened.sha256, opened.meaning
                )
        except (TimeoutError, SQLAlchemyError):
            counts.not_kept += 1
            return _problem(503, "it could not be kept: send it again")
        if fresh:
            counts.kept += 1
            news.set()
        else:
            counts.repeated += 1
        return JSONResponse({"status": "kept"})

    return router


async def _read(request: Request) -> bytes | None:
    """The body, or ``None`` as soon as it is too long; what it says of its length is no proof."""
    body = bytearray()
    stream: AsyncIterator[bytes] = request.stream()
    async for chunk in stream:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _problem(status: int, title: str) -> JSONResponse:
    return JSONResponse(
        {"type": "about:blank", "title": title, "status": status},
        status_code=status,
        media_type="application/problem+json",
    )
