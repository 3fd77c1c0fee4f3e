"""What an answer proves: decided by the body alone, and unknown wherever it does not fit."""

from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from disputes.gateway.calls import Call
from disputes.gateway.codes import Verdict, classify
from disputes.gateway.wire import Answer, Entry

#: The one proof that the gateway does not know a transaction (protocol, section 5).
_CANNOT_FIND: Final = "700.400.580"
_THROTTLED: Final = "800.120.100"
_HTTP_TOO_MANY_REQUESTS: Final = 429
#: A list answer's own code: it says that the query worked, and nothing about a transaction.
_QUERY_WORKED: Final = "000.000.100"


@dataclass(frozen=True)
class Reply:
    """Outcome of one post: ``entry`` and ``result_code`` as the gateway gave them, if readable.

    ``http_status`` is ``None`` when no answer came. Only ``verdict`` decides.
    """

    verdict: Verdict
    entry: Entry | None = None
    result_code: str | None = None
    http_status: int | None = None


@dataclass(frozen=True)
class Found:
    """The gateway knows these transactions, in its own order; match type, amount and reference."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Absent:
    """The gateway said 700.400.580 for this entity; one such answer alone is no proof."""


@dataclass(frozen=True)
class Throttled:
    """Too many queries: nothing was learned, ask again later."""


@dataclass(frozen=True)
class Unknown:
    """Nothing was learned; ``result_code`` and ``http_status`` as far as there were any."""

    result_code: str | None = None
    http_status: int | None = None


@dataclass(frozen=True)
class GatewayId:
    """Asked for one transaction by the gateway's own id."""

    value: str


@dataclass(frozen=True)
class MerchantTransactionId:
    """Asked for every transaction under one id of ours."""

    value: str


Asked = GatewayId | MerchantTransactionId
QueryReply = Found | Absent | Throttled | Unknown


def read_reply(call: Call, http_status: int, body: bytes | None) -> Reply:
    """What the answer to ``call`` proves; ``body`` is ``None`` when it was too long to be one.

    The HTTP status decides nothing (protocol, section 1): refusals come with 200, successes may
    come with 400. An answer that contradicts the call, or a success without id and type, is
    unknown: the gateway is asked again before anything is believed.
    """
    answer = _parsed(body)
    if answer is None:
        return Reply(Verdict.UNKNOWN, http_status=http_status)
    code = answer.result.code
    try:
        entry = answer.entry()
    except ValueError:
        return Reply(Verdict.UNKNOWN, result_code=code, http_status=http_status)
    verdict = classify(code, call.payment_type)
    booked = entry.id is not None and entry.payment_type is call.payment_type
    if (verdict is Verdict.SUCCESS and not booked) or _contradicts(call, answer, entry):
        verdict = Verdict.UNKNOWN
    return Reply(verdict, entry, code, http_status)


def read_query(http_status: int, body: bytes | None, asked: Asked) -> QueryReply:
    """What the answer to a query proves; what was asked for must come back with it."""
    answer = _parsed(body)
    if answer is None:
        busy = http_status == _HTTP_TOO_MANY_REQUESTS
        return Throttled() if busy else Unknown(http_status=http_status)
    code = answer.result.code
    try:
        entries = answer.entries()
    except ValueError:
        return Unknown(code, http_status)
    if not entries:
        return _without_entries(code, http_status)
    if not _fits(answer, entries, asked):
        return Unknown(code, http_status)
    return Found(entries)


def _fits(answer: Answer, entries: tuple[Entry, ...], asked: Asked) -> bool:
    if not answer.is_transaction and answer.result.code != _QUERY_WORKED:
        return False
    if isinstance(asked, GatewayId):
        return asked.value in {entry.id for entry in entries}
    # In a list the gateway may leave out what it was asked by; a lone transaction must show it.
    possible = {asked.value} if answer.is_transaction else {asked.value, None}
    return all(entry.merchant_transaction_id in possible for entry in entries)


def _without_entries(code: str, http_status: int) -> QueryReply:
    if code == _CANNOT_FIND:
        return Absent()
    if code == _THROTTLED or http_status == _HTTP_TOO_MANY_REQUESTS:
        return Throttled()
    return Unknown(code, http_status)


def _parsed(body: bytes | None) -> Answer | None:
    try:
        return Answer.model_validate_json(body) if body else None
    except ValidationError:
        return None


def _contradicts(call: Call, answer: Answer, entry: Entry) -> bool:
    """Whether a field that came back is not the one that was sent: then it answers another call."""
    pairs = (
        (call.payment_type.value, answer.payment_type),
        (call.merchant_transaction_id, entry.merchant_transaction_id),
        (call.referenced_id, entry.referenced_id),
        (call.amount_minor, entry.amount_minor),
        (call.currency, entry.currency),
    )
    return any(None not in (sent, back) and sent != back for sent, back in pairs)
