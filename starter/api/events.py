"""A case's news as they come: server-sent events, read from the register."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response, StreamingResponse

from disputes.errors import NotFound
from disputes.fields import Identifier
from disputes.status import TimelineEntry
from starter.api import documents
from starter.api.access import Viewer
from starter.api.office import ApiOffice, office_of

router = APIRouter(tags=["disputes"])
#: Between two looks at the register, and two signs of life that keep proxies from giving up.
_LOOK_S: Final = 0.5
_ALIVE_S: Final = 15.0
#: Then the client comes again by itself, perhaps to another replica.
_LONGEST_S: Final = 600.0


@router.get(
    "/v1/disputes/{dispute_id}/events",
    summary="A case's news as they come",
    response_class=StreamingResponse,
    responses=documents.reads(None)
    | {
        200: {
            "description": "Server-sent events: `id` is the register's sequence, `event` what"
            " happened, `data` a line of the timeline.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def events(
    request: Request,
    key: Viewer,
    dispute_id: Identifier,
    last: Annotated[int, Header(alias="Last-Event-ID", ge=0, le=2**31)] = 0,
) -> Response:
    """Stream the timeline from the event after ``Last-Event-ID``, and then whatever is added."""
    office = office_of(request)
    await asyncio.to_thread(office.see, key, dispute_id)
    known = await asyncio.to_thread(_known, office, dispute_id)
    if not known:
        raise NotFound("there is no case with this id")
    return StreamingResponse(_news(office, dispute_id, last), media_type="text/event-stream")


def _known(office: ApiOffice, dispute_id: str) -> bool:
    return office.reads.sequence(dispute_id) > 0 or office.reads.claimed(dispute_id)


async def _news(office: ApiOffice, dispute_id: str, last: int) -> AsyncIterator[str]:
    ends = time.monotonic() + _LONGEST_S
    told = time.monotonic()
    yield "retry: 1000\n\n"
    while time.monotonic() < ends:
        if await asyncio.to_thread(office.reads.sequence, dispute_id) > last:
            for entry in await asyncio.to_thread(office.reads.timeline, dispute_id):
                if entry.sequence > last:
                    yield _event(entry)
                    last = entry.sequence
            told = time.monotonic()
        elif time.monotonic() - told > _ALIVE_S:
            yield ": alive\n\n"
            told = time.monotonic()
        await asyncio.sleep(_LOOK_S)


def _event(entry: TimelineEntry) -> str:
    return f"id: {entry.sequence}\nevent: {entry.what}\ndata: {entry.model_dump_json()}\n\n"
