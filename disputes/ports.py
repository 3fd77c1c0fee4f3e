"""What activities need of the world, as protocols: adapters are wired in ``worker.py`` alone."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from disputes.events import CaseEvent
from disputes.fields import Durable, Moment
from disputes.known import KnownPayment
from disputes.messages import Booking, RequestRebill
from disputes.notices import Notice
from disputes.operations import GatewayEntry, Operation, OperationRecord, Payment, Plan
from disputes.payment_steps import PaymentFile
from disputes.reconciliation import ListPayments, PaymentPage
from disputes.requests import ConditionMet, EntryTold, PreAuthorization
from disputes.vocabulary import OperationState


class CaseFile(Durable):
    """What the register knows of a case: its events, and the operations that never ended."""

    claimed: str | None = None
    events: tuple[CaseEvent, ...] = ()
    unfinished: tuple[Plan, ...] = ()


class Register(Protocol):
    """The record of what cases accepted; all moments are case time in UTC."""

    def claim(self, workflow_id: str, content: str) -> bool:
        """Take an id for canonical JSON ``content``; true when it was free.

        Raises ``Conflict`` naming the fields when other content holds it.
        """

    def load(self, case_id: str) -> CaseFile:
        """Everything known of a case; empty for an unknown one."""

    def record(self, case_id: str, events: Sequence[CaseEvent]) -> None:
        """Append events, post what their facts change, project the case: one transaction.

        Repeated and outdated calls change nothing.
        """


class OperationBook(Protocol):
    """The table of gateway operations, guarded per payment (architecture, steps 2-6)."""

    def intend(self, plan: Plan, events: Sequence[CaseEvent]) -> OperationRecord:
        """Record ``events``, lock the payment, check the guards, insert the plan as intended.

        Continues from the row that exists. Raises ``MoneyHeld`` while another operation on the
        payment is under way.
        """

    def mark_sent(self, key: str, *, attempts: int) -> OperationRecord:
        """Mark the row sent, with the database's time, before the first byte goes out.

        ``attempts``: of the record that the caller decided on; raises ``MoneyHeld`` when another
        process has sent, ended or voided it since. Send what the given record's plan says.
        """

    def mark_unsent(self, key: str, *, attempts: int) -> None:
        """Back to intended: it is certain that the attempt left no trace at the gateway.

        Changes nothing when another process has the row by now.
        """

    def note_absent(self, key: str) -> OperationRecord:
        """Count one credible denial of the gateway since the row was last sent."""

    def settle(
        self,
        key: str,
        state: OperationState,
        *,
        gateway_id: str | None = None,
        amount_minor: int | None = None,
        result_code: str | None = None,
        reason: str | None = None,
        at: datetime,
    ) -> Operation:
        """End (or doubt) an operation: row, postings and projection together; idempotent."""

    def resolve(self, key: str, *, happened: bool, reason: str, at: datetime) -> Operation:
        """A person's word on an operation in doubt: settled with its postings, or refused."""

    def adopt_payment(
        self,
        dispute_id: str,
        payment_id: str,
        entries: Sequence[GatewayEntry],
        at: datetime,
    ) -> Payment:
        """Take over what the gateway shows of a payment, each entry posted once.

        ``entries``: all linked entries, the presented one among them; empty: unknown payment.
        """

    def adopt_own(
        self, merchant_id: str, payment_id: str, entries: Sequence[GatewayEntry], at: datetime
    ) -> Payment:
        """The same for a payment's own workflow, without a dispute: of a PA or CD as well."""

    def adopt_entry(
        self, dispute_id: str | None, entry: GatewayEntry, at: datetime
    ) -> Operation | None:
        """Take over one chain entry that the gateway reported; ``None`` when it is not of it.

        Without a dispute: a further entry under the reference of an operation of ours.
        """


class ReconciliationBook(Protocol):
    """What our books have to compare with the gateway's."""

    def payments(self, wanted: ListPayments) -> PaymentPage:
        """The next payments of a window, in the order of their root."""

    def payment(self, root_id: str, entries: Sequence[GatewayEntry]) -> KnownPayment:
        """All that is known of a payment, and of the entries that the gateway shows of it."""

    def amiss(self, root_id: str) -> bool:
        """Whether a payment's postings are not what its operations and facts call for."""

    def correct(self, root_id: str, at: datetime) -> int:
        """Post on a payment what is amiss, as entries of their own; gives how many were."""

    def name(self, key: str, gateway_id: str) -> None:
        """Give an operation that a person settled its entry; repeated, it changes nothing."""

    def on_file(self, workflow_ids: Collection[str]) -> tuple[str, ...]:
        """Those of payments' own workflows that there are."""

    def unaware(self, workflow_ids: Collection[str]) -> tuple[str, ...]:
        """Those of payments' own workflows that do not know their operation as booked."""


class PaymentRecord(Durable):
    """What the register knows of a payment's own workflow; the JSON texts as they were kept.

    ``undoing``: what undoes twins of its operations, and is in doubt itself.
    """

    claimed: str | None = None
    content: str | None = None
    revision: int = 0
    operations: tuple[Operation, ...] = ()
    unfinished: tuple[Plan, ...] = ()
    undoing: tuple[Operation, ...] = ()


class PaymentRegister(Protocol):
    """The record of pre-authorizations, refunds, payouts and rebills."""

    def load(self, workflow_id: str) -> PaymentRecord:
        """Everything known of one; empty for an unknown one."""

    def record(self, file: PaymentFile, lapsed_id: str | None) -> None:
        """Keep a file; repeated and outdated calls change nothing.

        ``lapsed_id``: the authorization of which what is open goes off the books, for good.
        """

    def open_disputes(self, payment_id: str, raced_by: str | None = None) -> tuple[str, ...]:
        """Ids of the undecided disputes on an entry that can be told something.

        ``raced_by``: and of those decided that came since this operation was intended.
        """

    def held_by(self, merchant_id: str, payment_id: str) -> tuple[str, ...]:
        """Ids of the undecided cases that hold a merchant's money; a payout is never held."""

    def operation(self, key: str) -> Operation | None:
        """An operation with an outcome."""


class Notices(Protocol):
    """The way to merchant and shopper."""

    def tell(self, notice: Notice) -> None:
        """Pass a message on, once for its id."""


class CaseNews(Protocol):
    """The way to a workflow, whether it runs, has closed or is forgotten."""

    async def booking(self, dispute_id: str, booking: Booking) -> None:
        """Tell a case of an entry that the gateway shows."""

    async def payment_booking(self, workflow_id: str, entry: EntryTold) -> None:
        """Tell a payment's own workflow of an entry that the gateway shows."""


class PaymentNews(CaseNews, Protocol):
    """The ways from a payment's own workflow to others."""

    async def authorization(self, start: PreAuthorization, met: Sequence[ConditionMet]) -> None:
        """Start the workflow of an authorization, once, and tell it which conditions are met."""

    async def rebill(
        self, dispute_id: str, request: RequestRebill, update_id: str
    ) -> Mapping[str, object]:
        """Have a case charge its shopper again; gives the case's answer. Raises its ``Refusal``."""


class Word(StrEnum):
    """What the gateway's answer to a call proves (protocol, section 5)."""

    BOOKED = "booked"
    REFUSED = "refused"
    #: nothing happened, for certain: safe to send again without asking
    NOTHING = "nothing"
    UNKNOWN = "unknown"
    #: the gateway itself asks for a person (000.400.030)
    MANUAL = "manual"


class Said(Durable):
    """An answer to one call; ``amount_minor`` as booked, where the answer has it."""

    word: Word
    gateway_id: str | None = None
    amount_minor: int | None = None
    result_code: str | None = None
    #: the amount cannot be written on the gateway's wire
    unwritable: bool = False


class Lookup(Durable):
    """What a query proved: entries, oldest first, a credible denial by every entity, or nothing."""

    entries: tuple[GatewayEntry, ...] = ()
    absent: bool = False


class Question(Durable):
    """A question to the gateway that wants its turn; the gateway limits them (protocol, 5).

    ``since``: wire time, UTC, from which on somebody waits for the answer, now by default; the
    oldest come first, of one minute the largest amount (minor units, of whatever currency).
    """

    #: the gateway's entity
    account: str
    #: the merchantTransactionId or gateway id that is asked about
    transaction_id: str
    #: questions a minute that the account may ask in all; ``None``: no limit
    account_per_minute: int | None = None
    since: Moment | None = None
    amount_minor: int = 0


class QueryThrottle(Protocol):
    """Whose turn it is to ask the gateway, for all workers together."""

    def admit(self, question: Question) -> float:
        """Seconds until the question should come again; zero: it is its turn, and it counts.

        A question that waits for its account keeps its place for as long as it comes again.
        """


class GatewayPort(Protocol):
    """The payment gateway; one HTTP request a call, no retries inside.

    Questions wait for their turn, so whoever asks must heartbeat.
    """

    async def send(self, plan: Plan, deadline_s: float) -> Said:
        """Post the operation; the first byte leaves within ``deadline_s`` or never."""

    async def find(self, plan: Plan, since: datetime | None = None) -> Lookup:
        """Every entry under the plan's merchantTransactionId, at every configured entity.

        ``since``: when it was intended, wire time.
        """

    async def linked(self, merchant_id: str, gateway_id: str) -> Lookup:
        """An entry and all that is linked to it."""
