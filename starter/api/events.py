"""A case's news as they come: server-sent events, read from the register.

The register may replace its newest events: a worker that died before the server had its task
recorded messages that the next one takes in another order (``store.projection.append``). So an
event's id says not only its place, but also what stood in the register up to there.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from itertools import accumulate
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response, StreamingResponse

from disputes.decode import sha256
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
#: Of an event: its sequence and its mark; the sequence alone means whatever stands there.
_ID: Final = r"^[0-9]{1,10}(-[0-9a-f]{16})?$"


@router.get(
    "/v1/disputes/{dispute_id}/events",
    summary="A case's news as they come",
    response_class=StreamingResponse,
    responses=documents.reads(None)
    | {
        200: {
            "description": "Server-sent events: `id` names the place in the register, `event` what"
            " happened, `data` a line of the timeline.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def events(
    request: Request,
    key: Viewer,
    dispute_id: Identifier,
    last: Annotated[str, Header(alias="Last-Event-ID", pattern=_ID)] = "0",
) -> Response:
    """Stream the timeline from the event after ``Last-Event-ID``, and then whatever is added."""
    office = office_of(request)
    await asyncio.to_thread(office.see, key, dispute_id)
    if not await asyncio.to_thread(office.reads.known, dispute_id):
        raise NotFound("there is no case with this id")
    return StreamingResponse(_news(office, dispute_id, last), media_type="text/event-stream")


async def _news(office: ApiOffice, dispute_id: str, last: str) -> AsyncIterator[str]:
    ends = time.monotonic() + _LONGEST_S
    alive = time.monotonic()
    seen: str | None = None
    told: list[str] | None = None
    yield "retry: 1000\n\n"
    while time.monotonic() < ends:
        newest = await asyncio.to_thread(office.reads.newest, dispute_id)
        if newest != seen:
            entries = await asyncio.to_thread(office.reads.timeline, dispute_id)
            marks = _marks(entries)
            known = _known_by(last, marks) if told is None else told
            # Where one differs all that follow do: these are told, whatever was told before.
            same = sum(ours == theirs for ours, theirs in zip(marks, known, strict=False))
            for entry, mark in zip(entries[same:], marks[same:], strict=True):
                yield _event(entry, mark)
            seen, told = newest, marks
            alive = time.monotonic()
        elif time.monotonic() - alive > _ALIVE_S:
            yield ": alive\n\n"
            alive = time.monotonic()
        await asyncio.sleep(_LOOK_S)


def _marks(entries: Iterable[TimelineEntry]) -> list[str]:
    """For each entry a digest of it and of all before it."""
    # Why one is ignored may change with what follows; it is the same event.
    lines = (entry.model_dump_json(exclude={"ignored"}) for entry in entries)
    return list(accumulate(lines, lambda mark, line: sha256(mark + line)[:16], initial=""))[1:]


def _known_by(last: str, marks: list[str]) -> list[str]:
    """The marks that a client has seen; none where its last is not in the register any more.

    Where it differs from the register first, nobody knows then: all is told again.
    """
    sequence, _, mark = last.partition("-")
    known = marks[: int(sequence)]
    return known if not mark or known[-1:] == [mark] else []


def _event(entry: TimelineEntry, mark: str) -> str:
    data = entry.model_dump_json()
    return f"id: {entry.sequence}-{mark}\nevent: {entry.what}\ndata: {data}\n\n"
