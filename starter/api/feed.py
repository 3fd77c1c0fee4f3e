"""The feed over HTTP: lines as they arrive, in memory that does not grow with the feed."""

from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, PrivateAttr

from disputes.store.intake import IntakeBook
from starter.api import documents, examples
from starter.api.access import IntakeKey
from starter.api.office import office_of
from starter.api.once import json_answer
from starter.api.problems import HttpRefusal
from starter.decompress import Encoding
from starter.feed_stream import FeedForm, FeedKind, Taken, take_feed
from starter.intake import Intake, Outcome
from starter.progress import RejectedLine
from starter.rejected import RejectedLines

router = APIRouter(tags=["intake"])
#: Rejected lines that the answer tells, and characters of their reasons.
_TOLD: Final = 1000
_TOLD_CHARS: Final = 500_000
_KINDS: Final = {
    "application/jsonl": FeedKind.JSONL,
    "application/x-ndjson": FeedKind.JSONL,
    "application/json": FeedKind.JSONL,
    "text/csv": FeedKind.CSV,
}
_ENCODINGS: Final = {"": Encoding.PLAIN, "gzip": Encoding.GZIP, "zstd": Encoding.ZSTD}


class FeedAnswer(BaseModel):
    """What became of a feed; ``rejected_lines``: its first 1,000 (all: `/v1/intake/rejected`).

    Fewer are told where they have very many reasons.
    """

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejected_lines: list[RejectedLine] = []
    _chars: int = PrivateAttr(0)

    def reject(self, taken: Taken) -> None:
        """Count a rejected line, and tell it while there is room."""
        self.rejected += 1
        reasons = taken.result.reasons
        self._chars += sum(map(len, (*reasons, *reasons.values())))
        if len(self.rejected_lines) < _TOLD and self._chars <= _TOLD_CHARS:
            line = RejectedLine(line_number=taken.raw.number, reasons=reasons)
            self.rejected_lines.append(line)


@router.post(
    "/v1/disputes/feed",
    summary="Take a feed of JSON Lines or CSV",
    responses=documents.writes(FeedAnswer, "What became of its lines; some may be rejected."),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/jsonl": {"schema": {"type": "string"}, "example": examples.FEED},
                "text/csv": {"schema": {"type": "string"}, "example": examples.FEED_CSV},
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
    form, answer = _form(request), FeedAnswer()
    temporal = office.temporal
    async with temporal.limited() as limit:
        desks = await temporal.dispute_desk(), await temporal.payment_desk()
        intake = Intake(desks[0], IntakeBook(office.store), desks[1])
        rejected = RejectedLines(intake.rejected)
        body = limit.not_while_reading(request.stream())
        feed = take_feed(intake, body, form, lambda: datetime.now(UTC))
        try:
            async with aclosing(feed) as lines:
                async for taken in lines:
                    limit.begin()
                    _count(answer, taken)
                    if taken.result.outcome is Outcome.REJECTED:
                        await rejected.add(taken)
        finally:
            await rejected.flush()
    return json_answer(answer)


def _form(request: Request) -> FeedForm:
    """How the body is written and packed, by its headers; JSON Lines where they do not say."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if kind and kind not in _KINDS:
        raise HttpRefusal(415, "UnsupportedMediaType", f"takes {', '.join(_KINDS)}")
    if encoding not in _ENCODINGS:
        raise HttpRefusal(415, "UnsupportedMediaType", "Content-Encoding must be gzip or zstd")
    return FeedForm(kind=_KINDS.get(kind, FeedKind.JSONL), encoding=_ENCODINGS[encoding])


def _count(answer: FeedAnswer, taken: Taken) -> None:
    match taken.result.outcome:
        case Outcome.REJECTED:
            answer.reject(taken)
        case Outcome.DUPLICATE:
            answer.duplicates += 1
        case _:
            answer.accepted += 1
