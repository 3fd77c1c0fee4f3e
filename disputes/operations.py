"""One gateway operation as the case sees it: what to call, and what became of it."""

from disputes.decode import sha256
from disputes.fields import Durable, Moment
from disputes.vocabulary import OperationState, PaymentType, Purpose

#: What each purpose sends to the gateway (protocol, section 2).
PAYMENT_TYPE = {
    Purpose.BOOK: PaymentType.CB,
    Purpose.REINSTATE: PaymentType.CR,
    Purpose.UNDO: PaymentType.CR,
    Purpose.REBILL: PaymentType.RB,
    Purpose.GIVE_BACK: PaymentType.RF,
}


class Plan(Durable):
    """A gateway operation that the case owes; amounts in minor units."""

    key: str
    purpose: Purpose
    dispute_id: str
    merchant_id: str
    #: the presented entry on which it acts (CP, DB or RB)
    payment_id: str
    #: the entry that the call references: the payment, a CB, a CR or an RB
    referenced_id: str
    amount_minor: int
    currency: str
    network: str
    reason_code: str
    #: whether it covers all that remains of the referenced entry: then a twin would be refused
    whole: bool = True

    @property
    def payment_type(self) -> PaymentType:
        """The type on the wire."""
        return PAYMENT_TYPE[self.purpose]

    @property
    def merchant_transaction_id(self) -> str:
        """The same on every attempt and machine, for ever (architecture, step 1)."""
        return merchant_transaction_id(self.key)


class Operation(Durable):
    """What became of a plan, or an entry that the gateway booked by itself."""

    key: str
    purpose: Purpose
    state: OperationState
    payment_type: PaymentType
    amount_minor: int
    currency: str
    referenced_id: str | None = None
    gateway_id: str | None = None
    result_code: str | None = None
    #: for a person: why it was refused or is in doubt, and what to do
    reason: str | None = None
    #: other live entries that the gateway shows under the same key: a person must decide
    twins: tuple[str, ...] = ()


class Payment(Durable):
    """A presented entry as the gateway knows it; amounts in minor units."""

    payment_id: str
    known: bool
    entry_type: PaymentType | None = None
    amount_minor: int = 0
    currency: str | None = None
    refunded_minor: int = 0
    #: ids of other disputes on the same entry
    other_disputes: tuple[str, ...] = ()
    #: chargeback chain entries that the gateway booked for this dispute before we asked
    booked: tuple[Operation, ...] = ()
    asked_at: Moment | None = None


def merchant_transaction_id(key: str) -> str:
    """32 hex digits derived from a business key; within every connector's known limits."""
    return sha256(key)[:32]


class GatewayEntry(Durable):
    """A transaction as the gateway shows it, of whatever type; amount in minor units."""

    gateway_id: str
    payment_type: PaymentType
    succeeded: bool
    pending: bool = False
    amount_minor: int | None = None
    currency: str | None = None
    referenced_id: str | None = None
    merchant_transaction_id: str | None = None
    result_code: str | None = None


class OperationRecord(Durable):
    """An operation's row: what was intended, and where the sending stands; wire time in UTC."""

    plan: Plan
    operation: Operation
    attempts: int = 0
    intended_at: Moment
    sent_at: Moment | None = None
    #: how often the gateway denied knowing it since ``sent_at``, and when last
    absent_count: int = 0
    absent_at: Moment | None = None
    #: the database's clock when the row was read
    wire_now: Moment
    #: the case owes something else by now, and nothing was inserted
    superseded: bool = False
    #: then the operations of the dispute that have an outcome
    superseded_by: tuple[Operation, ...] = ()
