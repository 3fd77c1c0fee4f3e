"""Field types shared by every message: ids, moments and texts with their limits."""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
)

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RFC_3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")
_YEARS = range(2000, 2200)
_GATEWAY_ID = re.compile(r"[a-f0-9]{32}")


def _identifier(value: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError("must be 1-64 letters, digits, dots, underscores or hyphens")
    return value


def _printable(value: str) -> str:
    # These reach database columns and search attributes, which take no control characters.
    if not value.isprintable():
        raise ValueError("must not hold control characters")
    return value


def _gateway_id(value: str) -> str:
    if not _GATEWAY_ID.fullmatch(value):
        raise ValueError("must be 32 lower-case hex digits")
    return value


def _rfc_3339(value: object) -> object:
    # pydantic also takes seconds since 1970 as text; the contract does not.
    if not isinstance(value, str):
        return value
    if _RFC_3339.match(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError("must be an RFC 3339 moment")


def _in_range(value: date) -> date:
    # Beyond these years a window added to a moment could leave the calendar.
    if value.year not in _YEARS:
        raise ValueError(f"must be in the years {_YEARS.start} to {_YEARS.stop - 1}")
    return value


def _utc(value: datetime) -> datetime:
    _in_range(value)
    return value.astimezone(UTC)


#: Our ids and those of callers (contract, first paragraph).
Identifier = Annotated[str, AfterValidator(_identifier)]
#: Of a request for a second person: an id of ours with what stands before and after it.
RequestId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
#: An entry's id at the gateway.
GatewayId = Annotated[str, AfterValidator(_gateway_id)]
#: A moment in UTC; RFC 3339 with an offset on the wire.
Moment = Annotated[AwareDatetime, BeforeValidator(_rfc_3339), AfterValidator(_utc)]
#: A calendar day.
Day = Annotated[date, AfterValidator(_in_range)]
#: A person's or system's name.
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
#: Free text that a person wrote.
Text = Annotated[str, StringConstraints(max_length=20_000)]
#: A short code or label.
Label = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_printable)]


class Durable(BaseModel):
    """Base of everything that lives in a history: immutable, unknown fields ignored.

    Fields added later need defaults: old histories are replayed for ever. What cannot be read is
    not repeated by the error: it may hold a shopper's token.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)
