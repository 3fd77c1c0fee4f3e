"""Inputs and results of the activities: one model in, one out."""

from enum import StrEnum

from disputes.events import CaseEvent
from disputes.fields import Durable, GatewayId, Identifier, Moment
from disputes.messages import Booking
from disputes.notice import DisputeNotice
from disputes.operations import Operation, Payment, Plan
from disputes.terms import CaseTerms


class OpenCase(Durable):
    """Ask the register for a case; with a notice, claim the id for its content."""

    case_id: Identifier
    notice: DisputeNotice | None = None


class OpenedCase(Durable):
    """What the register knows, and the terms of a notice that is new.

    ``differing``: fields in which the claimed notice is another one.
    """

    events: tuple[CaseEvent, ...] = ()
    unfinished: tuple[Plan, ...] = ()
    claimed: DisputeNotice | None = None
    terms: CaseTerms | None = None
    differing: tuple[str, ...] = ()
    #: how long facts may wait for their notice before a person is asked (policy)
    notice_wait_days: int = 14


class RecordEvents(Durable):
    """Events to keep in the register."""

    case_id: str
    events: tuple[CaseEvent, ...]


class AskPayment(Durable):
    """Ask the gateway what it knows of a payment; record ``events`` of the dispute first.

    Without a dispute a PA or CD is asked for as well: its own workflow wants to know it.
    ``told``: entries that hang under nothing or another payment, and may be operations of the
    workflow that asks.
    """

    dispute_id: str | None = None
    merchant_id: str
    payment_id: GatewayId
    events: tuple[CaseEvent, ...] = ()
    told: tuple[GatewayId, ...] = ()
    at: Moment


class MoveMoney(Durable):
    """One gateway operation; record ``events`` first. ``at`` is case time."""

    plan: Plan
    events: tuple[CaseEvent, ...] = ()
    at: Moment


class AdoptBooking(Durable):
    """Take over an entry that the gateway reported by itself."""

    dispute_id: str
    merchant_id: str
    booking: Booking
    at: Moment


class ResolveDoubt(Durable):
    """A person's word on an operation in doubt."""

    operation_key: str
    happened: bool
    proof: str
    at: Moment


class Hold(StrEnum):
    """Why nothing could be sent for now."""

    MONEY_HELD = "money_held"
    GATEWAY_UNREACHABLE = "gateway_unreachable"


class MoneyMoved(Durable):
    """What became of it: operations to note, a payment newly known, or why it has to wait."""

    operations: tuple[Operation, ...] = ()
    payment: Payment | None = None
    hold: Hold | None = None
