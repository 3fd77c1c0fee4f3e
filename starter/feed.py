"""Reads one line of the intake feed: everything wrong with it, or what to deliver (contract)."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from disputes.card_data import redact
from disputes.decode import canonical_of, decode, sha256
from disputes.errors import InvalidMessage
from disputes.fields import Identifier, Moment
from disputes.messages import AddEvidence, BankRuling, NetworkEvent
from disputes.notice import DisputeNotice
from workflows.messages import CLOCK_AHEAD

#: Bytes of one line; the largest notice is far below, and memory stays bounded.
MAX_LINE_BYTES = 1024 * 1024
_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)
#: Types of the contract that this version cannot take yet.
_LATER = frozenset({"preauthorization.opened", "merchant.month"})


class _Envelope(BaseModel):
    model_config = ConfigDict(frozen=True)

    event_id: Identifier


class OpenedLine(_Envelope):
    """A dispute that the bank opened."""

    type: Literal["dispute.opened"]
    dispute_id: Identifier | None = None
    data: DisputeNotice


class RulingLine(_Envelope):
    """A bank's ruling."""

    type: Literal["dispute.ruling"]
    dispute_id: Identifier
    data: BankRuling


class NetworkEventLine(_Envelope):
    """What the network did besides ruling."""

    type: Literal["dispute.network_event"]
    dispute_id: Identifier
    data: NetworkEvent


class EvidenceLine(_Envelope):
    """A piece of evidence; ``occurred_at`` is when it came to hand."""

    type: Literal["dispute.evidence"]
    dispute_id: Identifier
    occurred_at: Moment | None = None
    data: AddEvidence


Line = OpenedLine | RulingLine | NetworkEventLine | EvidenceLine
_LINES: dict[str, type[Line]] = {
    "dispute.opened": OpenedLine,
    "dispute.ruling": RulingLine,
    "dispute.network_event": NetworkEventLine,
    "dispute.evidence": EvidenceLine,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A line that can be taken; ``sha256`` (hex) is equal for equal content, however written."""

    line: Line
    dispute_id: str
    sha256: str


def read_line(text: str, now: datetime) -> Entry:
    """What a line of JSON brings.

    Args:
        text: the line, without its end.
        now: the moment (UTC) that ``received_at`` may not be more than a day ahead of.

    Raises:
        InvalidMessage: naming every field at fault, with the reason and never the value.
    """
    envelope = _object(text)
    model = _model(envelope)
    fields = _notice_faults(envelope, now) if model is OpenedLine else {}
    line: Line | None = None
    try:
        line = decode(model, text, edge=True)
    except InvalidMessage as fault:
        fields = fault.fields | fields
    if fields or line is None:
        raise InvalidMessage(fields, what="the line")
    dispute_id = line.data.dispute_id if isinstance(line, OpenedLine) else line.dispute_id
    return Entry(line, dispute_id, sha256(canonical_of(line)))


def _object(text: str) -> dict[str, object]:
    problem = "must be one JSON object"
    try:
        parsed: object = json.loads(text)
    except RecursionError:
        problem = "is nested too deeply"
    except ValueError:
        problem = "is not valid JSON"
    else:
        if isinstance(parsed, dict):
            return parsed
    raise InvalidMessage({"line": problem}, what="the line")


def _model(envelope: dict[str, object]) -> type[Line]:
    kind = envelope.get("type")
    if isinstance(kind, str) and kind in _LATER:
        raise InvalidMessage({"type": "is not supported by this version yet"}, what="the line")
    model = _LINES.get(kind) if isinstance(kind, str) else None
    if model is None:
        reason = "is required" if kind is None else f"must be one of {', '.join(_LINES)}"
        raise InvalidMessage({"type": reason}, what="the line")
    return model


def _notice_faults(envelope: dict[str, object], now: datetime) -> dict[str, str]:
    """What no model can say of a notice; told together with what its model says."""
    data = envelope.get("data")
    if not isinstance(data, dict):
        return {}
    fields: dict[str, str] = {}
    if envelope.get("dispute_id", data.get("dispute_id")) != data.get("dispute_id"):
        fields["dispute_id"] = "must be the notice's own"
    try:
        if _MOMENT.validate_python(data.get("received_at")) > now + CLOCK_AHEAD:
            fields["data.received_at"] = "is more than a day in the future"
    except ValidationError:
        pass  # its model says so
    return fields


def rejection(number: int, raw: bytes, reasons: dict[str, str]) -> dict[str, object]:
    """The entry of a line in the file of rejected lines (contract, Intake feed).

    Args:
        number: the line's number, from 1.
        raw: the line as it came, without its end.
        reasons: field name to reason.
    """
    text = raw.decode("utf-8", errors="backslashreplace")
    shown = redact(text)
    entry: dict[str, object] = {"line_number": number, "reasons": reasons, "line": shown}
    if shown != text:
        entry["redacted"] = True
    if shown.encode() != raw:
        entry["sha256"] = sha256(raw)
    return entry
