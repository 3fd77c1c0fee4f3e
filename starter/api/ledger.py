"""The ledger for other programs: every posting of a window, streamed as lines of JSON or CSV."""

import csv
import io
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from disputes.errors import InvalidMessage
from disputes.fields import Moment
from disputes.ledger import Account
from disputes.money import to_decimal
from disputes.reconciliation import FIRST, LAST
from disputes.store.ledger import LedgerBook, LedgerLine
from starter.api import documents
from starter.api.access import Viewer
from starter.api.office import office_of

router = APIRouter(tags=["ledger"])
_AT_ONCE: Final = 1000


class LedgerEntry(BaseModel):
    """One posting from ``credit`` to ``debit``; ``id`` stays, the amount is a decimal string."""

    id: int
    moment: Moment
    merchant_id: str
    currency: str
    amount: str
    debit: Account
    credit: Account
    root_id: str
    entry_id: str
    dispute_id: str | None
    source: str
    text: str


class Format(StrEnum):
    """How postings are written."""

    JSONL = "jsonl"
    CSV = "csv"


_TYPES: Final = {Format.JSONL: "application/jsonl", Format.CSV: "text/csv; charset=utf-8"}


class LedgerQuery(BaseModel):
    """Which postings: from a moment (case time) until before another."""

    model_config = ConfigDict(extra="forbid")

    from_: Moment = Field(default=FIRST, alias="from", description="First moment (RFC 3339).")
    to: Moment = Field(default=LAST, description="The moment after the last.")
    format: Format | None = Field(default=None, description="Else the Accept header decides.")


@router.get(
    "/v1/ledger/entries",
    summary="Every posting of a window",
    response_class=StreamingResponse,
    responses=documents.reads(None, "Postings in the order of their moments, one a line.")
    | {
        200: {
            "description": "Postings in the order of their moments, one a line.",
            "content": {
                "application/jsonl": {"schema": {"type": "string"}},
                "text/csv": {"schema": {"type": "string"}},
            },
        }
    },
)
def entries(request: Request, key: Viewer, asked: Annotated[LedgerQuery, Query()]) -> Response:
    """Stream the ledger; a posting never changes, so what was read once need not be read again."""
    if asked.from_ >= asked.to:
        raise InvalidMessage({"from": "must be before to"}, what="the request")
    wants_csv = "text/csv" in request.headers.get("accept", "")
    chosen = asked.format or (Format.CSV if wants_csv else Format.JSONL)
    lines = _lines(office_of(request).ledger, asked, key.merchants)
    written = _csv(lines) if chosen is Format.CSV else _jsonl(lines)
    return StreamingResponse(written, media_type=_TYPES[chosen])


def entry_of(line: LedgerLine) -> LedgerEntry:
    """A posting as programs read it."""
    shown = line.model_dump(exclude={"amount_minor"})
    return LedgerEntry(amount=to_decimal(line.amount_minor, line.currency), **shown)


def _lines(
    book: LedgerBook, asked: LedgerQuery, merchants: tuple[str, ...] | None
) -> Iterator[list[LedgerEntry]]:
    """Page by page, for a transaction that lasts as long as a slow reader would hold others up."""
    after = None
    while page := book.entries(
        asked.from_, asked.to, merchants=merchants, after=after, limit=_AT_ONCE
    ):
        yield [entry_of(line) for line in page]
        after = (page[-1].moment, page[-1].id)


def _jsonl(pages: Iterator[list[LedgerEntry]]) -> Iterator[str]:
    for page in pages:
        yield "".join(f"{entry.model_dump_json()}\n" for entry in page)


def _csv(pages: Iterator[list[LedgerEntry]]) -> Iterator[str]:
    yield ",".join(LedgerEntry.model_fields) + "\r\n"
    for page in pages:
        text = io.StringIO()
        csv.writer(text).writerows(entry.model_dump(mode="json").values() for entry in page)
        yield text.getvalue()
