"""Reads one line of the intake feed: everything wrong with it, or what to deliver (contract)."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from disputes.card_data import redact, redact_json, redact_tokens
from disputes.decode import canonical_of, decode, sha256
from disputes.errors import InvalidMessage
from disputes.fields import Identifier, Moment
from disputes.messages import AddEvidence, BankRuling, NetworkEvent
from disputes.money import to_minor
from disputes.notice import DisputeNotice
from disputes.requests import PreAuthorization
from disputes.vocabulary import Network
from workflows.messages import CLOCK_AHEAD

_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


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


_Count = Annotated[int, Field(ge=0, le=10**15)]


class MerchantMonth(BaseModel):
    """What a merchant settled in a month on a network, and how much fraud was reported.

    ``settled_volume`` is a decimal string with exactly the currency's decimals, zero allowed.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    merchant_id: Identifier
    network: Network
    month: Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]
    settled_count: _Count
    settled_volume: str
    currency: str
    fraud_reports: _Count

    @model_validator(mode="after")
    def _exact(self) -> Self:
        to_minor(self.settled_volume, self.currency)
        return self

    @property
    def settled_minor(self) -> int:
        """The settled volume in minor units."""
        return to_minor(self.settled_volume, self.currency)


class MonthLine(_Envelope):
    """A merchant's month; the line that is told last holds."""

    type: Literal["merchant.month"]
    data: MerchantMonth


class AuthorizationLine(_Envelope):
    """An authorization to watch over."""

    type: Literal["preauthorization.opened"]
    data: PreAuthorization


Line = OpenedLine | RulingLine | NetworkEventLine | EvidenceLine | MonthLine | AuthorizationLine
_LINES: dict[str, type[Line]] = {
    "dispute.opened": OpenedLine,
    "dispute.ruling": RulingLine,
    "dispute.network_event": NetworkEventLine,
    "dispute.evidence": EvidenceLine,
    "merchant.month": MonthLine,
    "preauthorization.opened": AuthorizationLine,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A line that can be taken; ``sha256`` (hex) is equal for equal content, however written.

    Lines of one ``subject`` (a dispute, an authorization, or a merchant whose months are told)
    keep their order.
    """

    line: Line
    sha256: str

    @property
    def event_id(self) -> str:
        """The id under which the line is known for ever."""
        return self.line.event_id

    @property
    def dispute_id(self) -> str | None:
        """The dispute that the line is about, if any."""
        match self.line:
            case OpenedLine():
                return self.line.data.dispute_id
            case MonthLine() | AuthorizationLine():
                return None
            case _:
                return self.line.dispute_id

    @property
    def subject(self) -> str:
        """What the line is about, as one key."""
        match self.line:
            case MonthLine():
                return f"merchant/{self.line.data.merchant_id}"
            case AuthorizationLine():
                return f"preauthorization/{self.line.data.payment_id}"
            case _:
                return f"dispute/{self.dispute_id}"


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
    return Entry(line, sha256(canonical_of(line)))


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


def rejection(
    number: int, raw: bytes, reasons: dict[str, str], shown: str | None = None
) -> dict[str, object]:
    """The entry of a line in the file of rejected lines (contract, Intake feed).

    Args:
        number: the line's number, from 1.
        raw: the line as it came, without its end.
        reasons: field name to reason.
        shown: the line without what must not be kept, where more than the line itself tells it.
    """
    text = raw.decode("utf-8", errors="backslashreplace")
    shown = redact_tokens(redact_json(text) if shown is None else redact(shown))
    entry: dict[str, object] = {"line_number": number, "reasons": reasons, "line": shown}
    if shown != text:
        entry["redacted"] = True
    if shown.encode() != raw:
        entry["sha256"] = sha256(raw)
    return entry
