"""The gateway's door: an authentic notification is kept, then acknowledged, and nothing waits.

One transaction keeps all that came meanwhile. A store that is too slow is not waited for: whether
it keeps a notification is then not known, so the gateway must send it again, which is harmless.

Nobody who cannot seal an envelope with one of our keys learns or leaves anything: one answer for
every fault, and a count.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from disputes.gateway.webhooks import (
    IV_HEADER,
    MAX_BODY_BYTES,
    TAG_HEADER,
    NotAuthentic,
    WebhookKeys,
    read_notification,
)
from disputes.notification import Arrival
from disputes.store.inbox import Inbox
from starter.api import documents, examples
from starter.api.metrics import DoorCounts
from starter.api.problems import not_known, problem
from starter.grouped import Grouped

#: Where the gateway sends its notifications (contract, HTTP).
PATH: Final = "/v1/webhooks/payunity"
#: Seconds: whatever the store does, the gateway has its answer within one (contract).
_PATIENCE_S: Final = 0.8
#: While so many wait for a store that does not answer, more are turned away at once.
_MOST_WAITING: Final = 256
_HEX = {"type": "string", "pattern": "^[0-9A-Fa-f]+$"}
#: What the OpenAPI document says of the envelope; the example's is sealed with no key of anybody's.
_DOCUMENT: Final = {
    "parameters": [
        {"name": IV_HEADER, "in": "header", "required": True, "schema": _HEX},
        {"name": TAG_HEADER, "in": "header", "required": True, "schema": _HEX},
    ],
    "requestBody": {
        "required": True,
        "content": {
            "text/plain": {"schema": _HEX, "example": examples.SEALED},
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"encryptedBody": _HEX},
                    "required": ["encryptedBody"],
                },
                "example": {"encryptedBody": examples.SEALED},
            },
        },
    },
}


class Kept(BaseModel):
    """It is authentic and kept, now or before."""

    status: Literal["kept"] = "kept"


def webhook_router(
    keys: WebhookKeys,
    inbox: Inbox,
    news: asyncio.Event,
    counts: DoorCounts,
    *,
    patience_s: float = _PATIENCE_S,
) -> APIRouter:
    """The route ``POST /v1/webhooks/payunity``, for an application to include.

    Args:
        keys: those that notifications may be sealed with.
        inbox: where they are kept before they are acknowledged.
        news: set when something new was kept, to wake who delivers.
        counts: what it counts.
        patience_s: seconds that the store may take before the answer is *not known*.
    """
    keep = Grouped(inbox.keep_all)
    router = APIRouter(tags=["webhooks"])

    @router.post(
        PATH,
        summary="A notification of the gateway, sealed with AES-256-GCM",
        responses=documents.refusals(401, 413, 503),
        response_model=Kept,
        openapi_extra=_DOCUMENT,
    )
    async def payunity(request: Request) -> JSONResponse:
        """Keep an authentic notification; a repeated one is acknowledged again."""
        body = await _read(request)
        if body is None:
            counts.too_large += 1
            return problem(413, "TooLarge", f"the body may have at most {MAX_BODY_BYTES} bytes")
        headers = request.headers
        try:
            plaintext = keys.open(body, headers.get(IV_HEADER), headers.get(TAG_HEADER))
        except NotAuthentic:
            counts.not_authentic += 1
            return problem(401, "NotAuthentic", "no key of ours sealed it")
        fresh = await _kept(keep, read_notification(plaintext), patience_s)
        if fresh is None:
            counts.not_kept += 1
            return not_known("it could not be kept: send it again")
        if fresh:
            counts.kept += 1
            news.set()
        else:
            counts.repeated += 1
        return JSONResponse(Kept().model_dump())

    return router


async def _kept(keep: Grouped[Arrival, bool], arrival: Arrival, patience_s: float) -> bool | None:
    """Whether it is new; ``None`` when the store did not say so in time: it may keep it yet."""
    if keep.waiting < _MOST_WAITING:
        with suppress(TimeoutError, SQLAlchemyError):
            async with asyncio.timeout(patience_s):
                return await keep.do(arrival)
    return None


async def _read(request: Request) -> bytes | None:
    """The body, or ``None`` as soon as it is too long; what it says of its length is no proof."""
    body = bytearray()
    stream: AsyncIterator[bytes] = request.stream()
    async for chunk in stream:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)
