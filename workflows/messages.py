"""Reads what callers send to a case: one decoder for every kind of message.

Nothing is decoded by the SDK: an undecodable signal would be dropped, one with no payload or two
would wedge the case (architecture, Messages).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from disputes import messages
from disputes.card_data import redact
from disputes.decode import decode, sha256
from disputes.errors import InvalidMessage, InvalidNotice
from disputes.messages import Command
from disputes.notice import DisputeNotice

SIGNALS: Final[Mapping[str, type[BaseModel]]] = {
    "dispute_opened": DisputeNotice,
    "bank_ruling": messages.BankRuling,
    "network_event": messages.NetworkEvent,
    "booking": messages.Booking,
    "evidence_submitted": messages.AddEvidence,
}
COMMANDS: Final[Mapping[str, type[Command]]] = {
    "add_evidence": messages.AddEvidence,
    "withdraw_evidence": messages.WithdrawEvidence,
    "submit_representment": messages.SubmitRepresentment,
    "answer_pre_arbitration": messages.AnswerPreArbitration,
    "file_arbitration": messages.FileArbitration,
    "accept_liability": messages.AcceptLiability,
    "resolve_by_refund": messages.ResolveByRefund,
    "approve": messages.Decide,
    "decline": messages.Decide,
    "request_rebill": messages.RequestRebill,
    "assign": messages.Assign,
    "add_note": messages.AddNote,
    "resolve_operation": messages.ResolveOperation,
}
_JSON: Final = b"json/plain"
_M = TypeVar("_M", bound=BaseModel)

#: The input of a start that brings none.
NOTHING: Final = RawValue(Payload())

#: How far a sender's clock may run ahead of ours.
CLOCK_AHEAD: Final = timedelta(days=1)


def payload_json(args: Sequence[RawValue]) -> bytes:
    """The JSON of a message's one payload; ``InvalidMessage`` for none, two or another encoding."""
    if len(args) != 1:
        raise InvalidMessage({"payload": f"must be one JSON value, not {len(args)}"})
    payload = args[0].payload
    if payload.metadata.get("encoding") != _JSON:
        raise InvalidMessage({"payload": "must be plain JSON"})
    return payload.data


def payload_sha256(args: Sequence[RawValue]) -> str:
    """Hex SHA-256 over the payloads as they came."""
    return sha256(b"".join(item.payload.data for item in args))


def shown_name(name: str) -> str:
    """A message's name as the register may keep it: anybody may send any name."""
    printable = "".join(char if char.isprintable() else "?" for char in name)
    return redact(printable)[:64]


def not_taken(name: str, args: Sequence[RawValue], fault: InvalidMessage) -> str:
    """A line of history for a message that cannot be taken: never what it held."""
    return f"{shown_name(name)} was not taken (SHA-256 {payload_sha256(args)}): {fault.message}"


def read_one_of(
    models: Mapping[str, type[_M]], name: str, args: Sequence[RawValue], what: str
) -> _M:
    """The message of that ``name``, which must be ``what``; raises ``InvalidMessage``."""
    if name not in models:
        raise InvalidMessage({"name": f"is not {what}"})
    return decode(models[name], payload_json(args))


def read_signal(name: str, args: Sequence[RawValue]) -> BaseModel:
    """The fact or notice that a signal brings; raises ``InvalidMessage``."""
    return read_one_of(SIGNALS, name, args, "a signal of a dispute")


def read_command(name: str, args: Sequence[RawValue]) -> Command:
    """The command that an update brings; raises ``InvalidMessage``."""
    return read_one_of(COMMANDS, name, args, "an update of a dispute")


def brings_nothing(raw: RawValue) -> bool:
    """Whether a start brings no input: none at all, or ``null``."""
    encoding = raw.payload.metadata.get("encoding", b"")
    return encoding in (b"", b"binary/null") or raw.payload.data == b"null"


def read_notice(raw: RawValue, case_id: str, now: datetime) -> DisputeNotice | None:
    """The notice that a start brings at ``now`` (UTC), if any; raises ``InvalidNotice``."""
    if brings_nothing(raw):
        return None
    fields: dict[str, str] = {}
    try:
        notice = decode(DisputeNotice, payload_json([raw]))
    except InvalidMessage as error:
        fields = error.fields
    else:
        fields = notice_faults(notice, case_id, now)
    if fields:
        raise InvalidNotice(fields)
    return notice


def notice_faults(notice: DisputeNotice, case_id: str, now: datetime) -> dict[str, str]:
    """A notice must name the case that it is sent to, and have been received by ``now`` (UTC)."""
    fields: dict[str, str] = {}
    if notice.dispute_id != case_id:
        fields["dispute_id"] = "must be the id in the workflow id"
    if notice.received_at > now + CLOCK_AHEAD:
        fields["received_at"] = "is more than a day in the future"
    return fields


def read_hypothetical(raw: RawValue) -> messages.BankRuling | messages.NetworkEvent | None:
    """The ruling or event of a what-if query; ``None`` for silence. Raises ``InvalidMessage``."""
    if raw.payload.metadata.get("encoding", b"binary/null") == b"binary/null":
        return None
    content = payload_json([raw])
    if content == b"null":
        return None
    if b'"outcome"' in content:
        return decode(messages.BankRuling, content)
    return decode(messages.NetworkEvent, content)
