"""One gateway operation as a workflow sees it: what to call, and what became of it."""

from typing import Final, Literal, get_args

from pydantic import Field

from disputes.decode import sha256
from disputes.fields import Durable, GatewayId, Moment
from disputes.terms import Capabilities
from disputes.vocabulary import OperationState, PaymentType, Purpose

#: What each purpose sends to the gateway (protocol, section 2).
PAYMENT_TYPE = {
    Purpose.BOOK: PaymentType.CB,
    Purpose.REINSTATE: PaymentType.CR,
    Purpose.UNDO: PaymentType.CR,
    Purpose.REBILL: PaymentType.RB,
    Purpose.GIVE_BACK: PaymentType.RF,
    Purpose.GIVE_BACK_CREDIT: PaymentType.CD,
    Purpose.AUTHORIZE: PaymentType.PA,
    Purpose.INCREASE: PaymentType.PA,
    Purpose.DEBIT: PaymentType.DB,
    Purpose.CAPTURE: PaymentType.CP,
    Purpose.REVERSE: PaymentType.RV,
    Purpose.REFUND: PaymentType.RF,
    Purpose.CREDIT: PaymentType.CD,
    Purpose.GOODWILL: PaymentType.CD,
    Purpose.REBILL_DIFFERENCE: PaymentType.RB,
    Purpose.REBILL_EXCESS_REFUND: PaymentType.RB,
}
#: Those that reference no entry, and charge or pay a registration of the shopper's.
STANDALONE = frozenset(
    {
        Purpose.AUTHORIZE,
        Purpose.DEBIT,
        Purpose.CREDIT,
        Purpose.GOODWILL,
        Purpose.GIVE_BACK_CREDIT,
    }
)
#: A second one of less than all would be booked too, and nothing undoes it (architecture, step 4).
_TWICE_ONLY_IN_PART = (PaymentType.RF, PaymentType.CR, PaymentType.RV)

Owner = Literal["dispute", "preauthorization", "refund", "payout", "rebill"]
#: Owners that are a payment's own workflow; its id begins alike.
OWN_WORKFLOWS: Final = tuple(kind for kind in get_args(Owner) if kind != "dispute")


class Plan(Durable):
    """A gateway operation that is owed; amounts in minor units.

    A chargeback's chain is planned by ``disputes.chain``; what a payment's own workflow owes is
    planned by that workflow, with the ``capabilities`` that it was pinned to.
    """

    key: str
    purpose: Purpose
    #: the dispute of which it is a step, or whose own refund it is
    dispute_id: str | None = None
    merchant_id: str
    #: the entry on which it acts (PA, CP, DB, RB or CD), by whose row it is guarded; of what makes
    #: a payment of its own see ``payment_of_its_own``
    payment_id: str
    #: the entry that the call references; none for PA, DB and CD
    referenced_id: str | None = None
    #: the shopper's token at the gateway, 32 hex: confidential, so it shows in no text
    registration_id: GatewayId | None = Field(default=None, repr=False)
    amount_minor: int
    currency: str
    network: str = ""
    reason_code: str = ""
    #: of a CB: the gateway's word (000.100.2xx) for the network's reason code
    chargeback_reason: str | None = None
    #: whether it covers all that remains of the referenced entry: then a twin would be refused
    whole: bool = True
    #: when the authorization lapses, UTC: no capture or increase is begun after it
    expires_at: Moment | None = None
    #: all that may be moved for this purpose on the entry, where a policy sets a share
    limit_minor: int | None = None
    #: of acquirer and brand; none on a step of a dispute but its refund: its case has looked at
    #: its own
    capabilities: Capabilities | None = None
    acquirer: str = "default"

    @property
    def payment_type(self) -> PaymentType:
        """The type on the wire."""
        return PAYMENT_TYPE[self.purpose]

    @property
    def merchant_transaction_id(self) -> str:
        """The same on every attempt and machine, for ever (architecture, step 1)."""
        return merchant_transaction_id(self.key)

    @property
    def resendable(self) -> bool:
        """Whether it may go out again although the first may be booked yet.

        Only where the gateway would refuse a twin (CB, RV, and RF or CR of all that is left), or
        where a twin can be undone (PA, DB, CP, RB, CD). A twin of an increase can be neither.
        """
        if self.purpose is Purpose.INCREASE:
            return False
        return self.whole or self.payment_type not in _TWICE_ONLY_IN_PART


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
    #: what was asked, in minor units, where the gateway booked another amount
    asked_minor: int | None = None


class Position(Durable):
    """What has become of an entry by the books; minor units, what may be booked yet included."""

    #: what may still be paid back
    left_minor: int = 0
    #: by how much more was paid back than was taken
    over_refunded_minor: int = 0
    #: rebilled already, by the reason for it
    difference_rebilled_minor: int = 0
    excess_rebilled_minor: int = 0
    #: undecided disputes on it: they hold the money
    open_disputes: tuple[str, ...] = ()
    #: those of them that are chargebacks without a notice: no case to settle anything in
    without_notice: tuple[str, ...] = ()
    charged_back: bool = False


class Payment(Durable):
    """An entry as the gateway knows it; amounts in minor units."""

    payment_id: str
    known: bool
    entry_type: PaymentType | None = None
    amount_minor: int = 0
    currency: str | None = None
    refunded_minor: int = 0
    #: ids of other disputes on the same entry
    other_disputes: tuple[str, ...] = ()
    #: chain entries that the gateway booked for this dispute before we asked, and operations of
    #: its own that it doubts and the gateway shows
    #: of a PA: all captures, reversals and increases of it
    booked: tuple[Operation, ...] = ()
    asked_at: Moment | None = None
    #: when the gateway booked the entry, where its answer tells
    booked_at: Moment | None = None
    #: where no dispute asked, but the payment's own workflow
    position: Position | None = None


def business_key(owner: Owner, owner_id: str, purpose: Purpose, place: int = 1) -> str:
    """Key of an operation: whose it is, what for, and which of these it is (from 1)."""
    return f"{owner}:{owner_id}:{purpose.value.replace('_', '-')}:{place}"


def owner_of(key: str) -> str | None:
    """Workflow id of the owner that a business key names; ``None`` for an entry of the gateway's.

    It begins as the key does: ``refund:R-1:refund:1`` is of ``refund/R-1``.
    """
    kind, _, rest = key.partition(":")
    return f"{kind}/{rest.partition(':')[0]}" if kind in get_args(Owner) else None


def payment_of_its_own(key: str) -> str:
    """``payment_id`` of what makes a new payment (PA, DB, a CD without one), until it has its id.

    It is the operation's merchantTransactionId: 32 hex as every payment's id, and nobody else's.
    """
    return merchant_transaction_id(key)


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
    booked_at: Moment | None = None


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
    #: the case owes something else by now: nothing was inserted, or what was sent goes out no more
    superseded: bool = False
    #: then the operations of the dispute that have an outcome
    superseded_by: tuple[Operation, ...] = ()
