"""Cursors: where a page ended, as text that a caller only hands back."""

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from disputes.errors import InvalidMessage

MOST = 500


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must not hold control characters")
    return value


Word = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_printable)]


class Page(BaseModel):
    """Query fields that every list takes; others are refused by name."""

    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[str, StringConstraints(max_length=1000)] | None = Field(
        default=None, description="`next_cursor` of the page before."
    )
    limit: int = Field(default=50, ge=1, le=MOST, description="How many at most.")


def cursor_of(*place: object) -> str:
    """A cursor for a place: moments, numbers, texts or nothing."""
    told = [item.isoformat() if isinstance(item, datetime) else item for item in place]
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")


def place_of(cursor: str, parts: int) -> list[object]:
    """The place that a cursor names; ``InvalidMessage`` for one that we never gave."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        told: object = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        told = None
    if isinstance(told, list) and len(told) == parts:
        return told
    raise no_cursor()


def moment_of(part: object) -> datetime:
    """A cursor's moment; ``InvalidMessage`` for what is none."""
    moment = None
    try:
        told = datetime.fromisoformat(str(part))
        # In UTC already: what is outside of the calendar there would break the question later.
        moment = told.astimezone(UTC) if told.tzinfo else None
    except (ValueError, OverflowError):
        pass
    if moment is None:
        raise no_cursor()
    return moment


def text_of(part: object) -> str:
    """A cursor's text; ``InvalidMessage`` for what is none."""
    if not isinstance(part, str) or not part.isprintable():
        raise no_cursor()
    return part


def number_of(part: object) -> int:
    """A cursor's number; ``InvalidMessage`` for what is none, or fits no column."""
    # A boolean is an int here, and none on PostgreSQL.
    if not isinstance(part, int) or isinstance(part, bool) or abs(part) >= 2**63:
        raise no_cursor()
    return part


def no_cursor() -> InvalidMessage:
    """What was handed back is no cursor of this list."""
    return InvalidMessage({"cursor": "is not one that this list gave"}, what="the request")
