"""The feed over HTTP: lines as they arrive, in memory that does not grow with the feed."""

import io
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel

from disputes.store.intake import IntakeBook
from starter.api import documents, examples
from starter.api.access import IntakeKey
from starter.api.office import office_of
from starter.api.once import json_answer
from starter.api.problems import HttpRefusal
from starter.feed import MAX_LINE_BYTES
from starter.feed_file import RejectedLine
from starter.intake import Intake, LineResult, Outcome, RawLine, raw_lines

router = APIRouter(tags=["intake"])
#: Bytes of whole lines that are taken together.
_TOGETHER: Final = 4 * MAX_LINE_BYTES
#: Rejected lines that the answer tells.
_TOLD: Final = 1000


class FeedAnswer(BaseModel):
    """What became of a feed; ``rejected_lines`` are the first 1,000."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejected_lines: list[RejectedLine] = []


@router.post(
    "/v1/disputes/feed",
    summary="Take a feed of JSON Lines",
    responses=documents.writes(FeedAnswer, "What became of its lines; some may be rejected."),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/jsonl": {"schema": {"type": "string"}, "example": examples.FEED}
            },
        }
    },
)
async def take(request: Request, key: IntakeKey) -> Response:
    """Take every line that can be taken. After a 503, send the whole feed again: each counts once.

    A line's ``event_id`` is what makes it count once; an ``Idempotency-Key`` adds nothing.
    """
    if key.merchants is not None:
        raise HttpRefusal(403, "Forbidden", "a feed is of all merchants, and the key's are few")
    office = office_of(request)
    answer = FeedAnswer()
    async for raw in _batches(request.stream()):
        async with office.temporal.desk() as desk:
            intake = Intake(desk, IntakeBook(office.store))
            async for line, result in _taken(intake, raw):
                _count(answer, line, result)
    return json_answer(answer)


async def _taken(
    intake: Intake, lines: Iterator[RawLine]
) -> AsyncIterator[tuple[RawLine, LineResult]]:
    async with aclosing(intake.take_lines(lines, datetime.now(UTC))) as results:
        async for line, result in results:
            yield line, result


async def _batches(stream: AsyncIterator[bytes]) -> AsyncIterator[Iterator[RawLine]]:
    """Whole lines, some megabytes at a time; of a line that is too long, only its beginning."""
    waiting, lines = bytearray(), 0
    async for chunk in stream:
        waiting += chunk
        if len(waiting) < _TOGETHER:
            continue
        end = waiting.rfind(b"\n") + 1
        if end:
            yield _numbered(bytes(waiting[:end]), lines)
            lines += waiting.count(b"\n", 0, end)
        rest = waiting[end:]
        # Without its end it can only be refused, whatever follows up to there.
        waiting = rest[: MAX_LINE_BYTES + 2] if len(rest) > MAX_LINE_BYTES + 2 else rest
    if waiting:
        yield _numbered(bytes(waiting), lines)


def _numbered(content: bytes, before: int) -> Iterator[RawLine]:
    return (replace(raw, number=raw.number + before) for raw in raw_lines(io.BytesIO(content)))


def _count(answer: FeedAnswer, raw: RawLine, result: LineResult) -> None:
    match result.outcome:
        case Outcome.ACCEPTED:
            answer.accepted += 1
        case Outcome.DUPLICATE:
            answer.duplicates += 1
        case Outcome.REJECTED:
            answer.rejected += 1
            if len(answer.rejected_lines) < _TOLD:
                told = RejectedLine(line_number=raw.number, reasons=result.reasons)
                answer.rejected_lines.append(told)
