"""The fault switchboard: what should go wrong, for which request, how often."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt

from disputes.vocabulary import PaymentType
from sandbox import codes


class Kind(StrEnum):
    """What can go wrong.

    ``refuse`` answers ``code`` and books nothing. ``result_code`` answers ``code`` and books only
    if that is a success. ``result_code_after_booking`` books and answers ``code`` all the same.
    The timeouts hold the request for ``delay_s`` and then answer 504 as a proxy would.
    ``book_late`` answers 504 at once and books ``delay_s`` later, ``hang`` answers as usual after
    ``delay_s``, ``refuse_success_status`` tells a success with HTTP 400.
    ``duplicate_answer`` books twice under one reference. ``pending`` shows ``code`` (000.200.000
    where none is given) and books, or refuses, ``delay_s`` later under the same id. The bodies are
    spoiled after booking.
    """

    REFUSE = "refuse"
    RESULT_CODE = "result_code"
    RESULT_CODE_AFTER_BOOKING = "result_code_after_booking"
    REFUSE_SUCCESS_STATUS = "refuse_success_status"
    TIMEOUT_BEFORE_BOOKING = "timeout_before_booking"
    TIMEOUT_AFTER_BOOKING = "timeout_after_booking"
    BOOK_LATE = "book_late"
    HANG = "hang"
    HTTP_500 = "http_500"
    HTTP_500_AFTER_BOOKING = "http_500_after_booking"
    MALFORMED_BODY = "malformed_body"
    TRUNCATED_BODY = "truncated_body"
    EMPTY_BODY = "empty_body"
    THROTTLE = "throttle"
    DUPLICATE_ANSWER = "duplicate_answer"
    PENDING = "pending"


_DELAYS = {
    Kind.TIMEOUT_BEFORE_BOOKING: 60.0,
    Kind.TIMEOUT_AFTER_BOOKING: 60.0,
    Kind.HANG: 60.0,
    Kind.BOOK_LATE: 2.0,
    Kind.PENDING: 2.0,
}


class Match(BaseModel):
    """Which requests a fault strikes; every given field must fit.

    ``payment_id`` is the payment's root or the referenced transaction; ``query`` chooses reads
    instead of posts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    payment_type: PaymentType | None = None
    payment_id: str | None = None
    merchant_transaction_id: str | None = None
    query: bool = False


class Fault(BaseModel):
    """One armed fault; ``times`` ``None`` means until it is removed.

    ``http_status`` replaces the status of the answer, where there is one. ``delay_s`` in seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    match: Match = Match()
    times: PositiveInt | None = 1
    code: Annotated[str, Field(pattern=r"^[0-9]{3}\.[0-9]{3}\.[0-9]{3}$")] = codes.DECLINED
    delay_s: NonNegativeFloat | None = None
    http_status: Annotated[int, Field(ge=200, le=599)] | None = None

    @property
    def delay(self) -> float:
        """Seconds to wait, the kind's own where none were given."""
        return _DELAYS.get(self.kind, 0.0) if self.delay_s is None else self.delay_s


class Armed:
    """The faults that are armed, in the order in which they were."""

    def __init__(self) -> None:
        self._faults: list[tuple[Fault, list[Match]]] = []

    def arm(self, fault: Fault) -> None:
        """Add ``fault``; of several that fit, the one armed first strikes."""
        self._faults.append((fault, []))

    def clear(self) -> None:
        """Disarm all."""
        self._faults.clear()

    def take(self, seen: Match, root_id: str | None = None) -> Fault | None:
        """The fault that strikes the request ``seen``, counted as fired."""
        for fault, fired in self._faults:
            live = fault.times is None or len(fired) < fault.times
            if live and _fits(fault.match, seen, root_id):
                fired.append(seen)
                return fault
        return None

    def listed(self) -> list[dict[str, object]]:
        """Every fault with how often it has ``fired``."""
        return [
            fault.model_dump(mode="json") | {"fired": len(fired)} for fault, fired in self._faults
        ]


def _fits(match: Match, seen: Match, root_id: str | None) -> bool:
    return (
        match.query == seen.query
        and match.payment_type in {None, seen.payment_type}
        and match.payment_id in {None, seen.payment_id, root_id}
        and match.merchant_transaction_id in {None, seen.merchant_transaction_id}
    )
