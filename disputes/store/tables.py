"""The tables, as SQLModel classes; ``migrations`` creates them, a test holds the two together."""

from datetime import UTC, datetime

from sqlalchemy import BigInteger, CheckConstraint, Dialect, Index, Integer, UniqueConstraint
from sqlalchemy.types import DateTime, TypeDecorator
from sqlmodel import Field, SQLModel

from disputes.vocabulary import Finality, Stage, Status


class UtcMoment(TypeDecorator[datetime]):
    """A moment that is UTC on every database; SQLite itself keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Take an aware moment; a naive one is refused, for its zone would be a guess."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - the base class passes it
    ) -> datetime | None:
        """Give the moment in UTC, whatever zone the connection is set to."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Claim(SQLModel, table=True):
    """Who holds a workflow id: the canonical JSON with which it was first asked for."""

    __tablename__ = "claim"

    workflow_id: str = Field(primary_key=True)
    sha256: str
    content: str
    claimed_at: datetime = Field(sa_type=UtcMoment)


class CaseEventRow(SQLModel, table=True):
    """One event of the register; ``body`` is the canonical JSON of the whole ``CaseEvent``."""

    __tablename__ = "case_event"
    __table_args__ = (UniqueConstraint("case_id", "event_id", name="one_event_per_id"),)

    case_id: str = Field(primary_key=True)
    sequence: int = Field(primary_key=True, sa_type=Integer)
    event_id: str
    kind: str
    at: datetime = Field(sa_type=UtcMoment)
    recorded_at: datetime = Field(sa_type=UtcMoment)
    body: str


class CaseRow(SQLModel, table=True):
    """A case as its events fold: what lists and statuses read; amounts in minor units."""

    __tablename__ = "dispute_case"
    __table_args__ = (
        # Lists go on after the last case shown: each filter's index has their order too.
        Index("case_by_deadline", "next_deadline", "case_id"),
        Index("case_by_status", "status", "next_deadline", "case_id"),
        Index("case_by_merchant", "merchant_id", "next_deadline", "case_id"),
        Index("case_by_stage", "stage", "next_deadline", "case_id"),
        Index("case_by_network", "network", "next_deadline", "case_id"),
        Index("case_by_assignee", "assignee", "next_deadline", "case_id"),
        Index("case_by_reason", "reason_code", "next_deadline", "case_id"),
        Index("case_by_update", "updated_at", "case_id"),
        Index("case_by_amount", "amount_minor", "case_id"),
        Index("case_by_approvals", "waiting_approvals", "case_id"),
        # All that a portfolio sums: the rows themselves are as wide as their statuses.
        Index(
            "case_by_portfolio",
            *("currency", "status", "stage", "merchant_id", "needs_attention", "respond_by"),
            *("amount_minor", "charged_back_minor", "at_risk_minor", "give_back_due_minor"),
            *("written_off_minor", "recovered_minor"),
        ),
        Index("case_by_payment", "payment_id"),
        Index("case_by_finality", "finality"),
        Index("case_by_gateway_reference", "gateway_reference"),
        Index("case_by_arn", "arn"),
        # A prefix is found by bytes, whatever the database's collation is.
        Index("case_by_prefix", "case_id", postgresql_ops={"case_id": "text_pattern_ops"}),
    )

    case_id: str = Field(primary_key=True)
    merchant_id: str | None = None
    payment_id: str | None = None
    network: str | None = None
    reason_code: str | None = None
    #: of the notice: the CB that the gateway had booked, and the acquirer's reference number
    gateway_reference: str | None = None
    arn: str | None = None
    stage: str = Stage.CHARGEBACK.value
    status: str = Status.AWAITING_NOTICE.value
    finality: str = Finality.OPEN.value
    amount_minor: int = Field(default=0, sa_type=BigInteger)
    currency: str = ""
    #: as the status shows them
    charged_back_minor: int = Field(default=0, sa_type=BigInteger)
    at_risk_minor: int = Field(default=0, sa_type=BigInteger)
    give_back_due_minor: int = Field(default=0, sa_type=BigInteger)
    written_off_minor: int = Field(default=0, sa_type=BigInteger)
    recovered_minor: int = Field(default=0, sa_type=BigInteger)
    respond_by: datetime | None = Field(default=None, sa_type=UtcMoment)
    next_deadline: datetime | None = Field(default=None, sa_type=UtcMoment)
    assignee: str | None = None
    needs_attention: bool = False
    #: requests that wait for a second person
    waiting_approvals: int = 0
    #: of the newest event; 0: none yet, the row only holds the id or is a placeholder
    sequence: int = 0
    #: case time
    updated_at: datetime | None = Field(default=None, sa_type=UtcMoment)
    #: a ``CaseStatus``
    status_json: str | None = None
    #: the ``Levels`` that are on the books
    levels_json: str | None = None


class PaymentRow(SQLModel, table=True):
    """An entry (PA, CP, DB, RB, CD); its row is what operations on it are locked by."""

    __tablename__ = "payment"

    payment_id: str = Field(primary_key=True)
    root_id: str
    merchant_id: str
    entry_type: str | None = None
    amount_minor: int = Field(default=0, sa_type=BigInteger)
    currency: str | None = None
    refunded_minor: int = Field(default=0, sa_type=BigInteger)
    history_known: bool = False
    #: of an authorization: since when nothing of it can be captured any more, case time
    lapsed_at: datetime | None = Field(default=None, sa_type=UtcMoment)


class OperationRow(SQLModel, table=True):
    """One entry at the gateway: a call of ours, or one adopted; moments are wire time.

    ``purpose`` and ``plan_json`` are null where the gateway booked it without us; then ``key`` is
    ``gateway:{gateway_id}``.
    """

    __tablename__ = "operation"
    __table_args__ = (
        Index("operation_by_payment", "payment_id", "state"),
        Index("operation_by_dispute", "dispute_id"),
        Index("operation_by_merchant_transaction", "merchant_transaction_id"),
        Index("operation_by_reference", "referenced_id"),
        Index("operation_by_state", "state", "intended_at"),
        Index("operation_by_intention", "intended_at"),
        Index("operation_by_sending", "sent_at"),
        Index("operation_by_settlement", "settled_at"),
        Index("operation_by_owner", "owner"),
        UniqueConstraint("gateway_id", name="one_operation_per_entry"),
    )

    key: str = Field(primary_key=True)
    payment_id: str
    dispute_id: str | None = None
    merchant_id: str
    #: workflow id of the payment's own workflow whose operation it is, such as ``refund/R-1``
    owner: str | None = None
    purpose: str | None = None
    payment_type: str
    state: str
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str
    referenced_id: str | None = None
    merchant_transaction_id: str | None = None
    gateway_id: str | None = None
    result_code: str | None = None
    reason: str | None = None
    attempts: int = 0
    absent_count: int = 0
    absent_at: datetime | None = Field(default=None, sa_type=UtcMoment)
    intended_at: datetime = Field(sa_type=UtcMoment)
    sent_at: datetime | None = Field(default=None, sa_type=UtcMoment)
    settled_at: datetime | None = Field(default=None, sa_type=UtcMoment)
    plan_json: str | None = None


class LedgerRow(SQLModel, table=True):
    """One posting: ``amount_minor`` from the credited to the debited account, for ever.

    ``source``: an operation's key, or ``fact:{case_id}/{event_id}``; ``line``: its place among the
    postings of that source. Triggers refuse update and delete.
    """

    __tablename__ = "ledger"
    __table_args__ = (
        UniqueConstraint("source", "line", name="nothing_posts_twice"),
        CheckConstraint("amount_minor > 0", name="amount_above_zero"),
        CheckConstraint("debit <> credit", name="two_accounts"),
        Index("ledger_by_root", "root_id"),
        Index("ledger_by_entry", "entry_id"),
        Index("ledger_by_dispute", "dispute_id"),
        Index("ledger_by_moment", "moment", "id"),
    )

    id: int | None = Field(
        default=None,
        primary_key=True,
        sa_type=BigInteger().with_variant(Integer, "sqlite"),
    )
    merchant_id: str
    currency: str
    root_id: str
    entry_id: str
    dispute_id: str | None = None
    source: str
    line: int
    #: case time
    moment: datetime = Field(sa_type=UtcMoment)
    debit: str
    credit: str
    amount_minor: int = Field(sa_type=BigInteger)
    text: str


class IntakeRow(SQLModel, table=True):
    """One line of the feed; ``state`` is pending until its message was delivered."""

    __tablename__ = "intake"

    event_id: str = Field(primary_key=True)
    sha256: str
    type: str
    dispute_id: str | None = None
    state: str = "pending"
    seen_at: datetime = Field(sa_type=UtcMoment)


class PaymentFileRow(SQLModel, table=True):
    """A pre-authorization, refund, payout or rebill as its workflow last recorded it.

    ``content`` is what the workflow goes on from, ``status_json`` what lists and statuses read;
    ``revision`` counts the workflow's own changes, so that a late writer changes nothing.
    """

    __tablename__ = "payment_file"
    __table_args__ = (
        # Each filter's index has the order of lists too, as a case's.
        Index("payment_file_by_kind", "kind", "next_moment", "updated_at", "workflow_id"),
        Index("payment_file_by_state", "kind", "state", "next_moment", "updated_at", "workflow_id"),
        Index(
            "payment_file_by_merchant",
            *("merchant_id", "kind", "next_moment", "updated_at", "workflow_id"),
        ),
        Index("payment_file_by_payment", "payment_id"),
        Index("payment_file_by_approvals", "waiting_approvals", "workflow_id"),
    )

    workflow_id: str = Field(primary_key=True)
    kind: str
    merchant_id: str
    payment_id: str | None = None
    state: str
    #: case time
    next_moment: datetime | None = Field(default=None, sa_type=UtcMoment)
    needs_attention: bool = False
    #: requests of its own that wait for a second person
    waiting_approvals: int = 0
    revision: int = 0
    content: str
    status_json: str
    #: case time
    updated_at: datetime = Field(sa_type=UtcMoment)


class NoticeRow(SQLModel, table=True):
    """One message for a merchant or shopper, for whoever delivers it to read."""

    __tablename__ = "notice"
    __table_args__ = (Index("notice_by_telling", "told_at", "notice_id"),)

    notice_id: str = Field(primary_key=True)
    audience: str
    kind: str
    merchant_id: str
    payment_id: str | None = None
    #: case time
    at: datetime = Field(sa_type=UtcMoment)
    text: str
    #: wire time
    told_at: datetime = Field(sa_type=UtcMoment)


class NotificationRow(SQLModel, table=True):
    """One authentic notification of the gateway; moments are wire time.

    ``sha256``: of the plaintext, ``meaning``: of what makes two the same; ``body`` is the JSON of
    a ``Notification``, without the shopper's data. ``state``: received (not looked at yet),
    delivered, parked (nobody could be told yet) or ignored; ``due_at``: when to look at it next.
    """

    __tablename__ = "notification"
    __table_args__ = (
        UniqueConstraint("meaning", name="one_notification_per_meaning"),
        Index("notification_by_due", "due_at"),
        Index("notification_by_state", "state", "received_at"),
    )

    sha256: str = Field(primary_key=True)
    meaning: str | None = None
    received_at: datetime = Field(sa_type=UtcMoment)
    type: str
    body: str
    state: str
    reason: str | None = None
    case_id: str | None = None
    attempts: int = 0
    due_at: datetime | None = Field(default=None, sa_type=UtcMoment)


class RejectedLineRow(SQLModel, table=True):
    """A line of a feed that could not be taken, once however often it came.

    ``sha256``: of the line as it came; ``entry_json``: what is told of it, redacted, in ASCII, for
    PostgreSQL keeps no NUL; ``rejected_at``: wire time, of the first time.
    """

    __tablename__ = "rejected_line"
    __table_args__ = (Index("rejected_line_by_moment", "rejected_at", "sha256"),)

    sha256: str = Field(primary_key=True)
    rejected_at: datetime = Field(sa_type=UtcMoment)
    entry_json: str


class ApiRequestRow(SQLModel, table=True):
    """A request that came with an ``Idempotency-Key``, and its answer once it was carried out.

    ``key_name``: of the API key; ``sha256``: of path and content; ``at``: wire time at which it
    came, or was refused: then it has an empty ``body`` and no ``status``.
    """

    __tablename__ = "api_request"
    __table_args__ = (Index("api_request_by_moment", "at"),)

    key_name: str = Field(primary_key=True)
    idempotency_key: str = Field(primary_key=True)
    route: str = Field(primary_key=True)
    sha256: str
    at: datetime = Field(sa_type=UtcMoment)
    status: int | None = None
    body: str | None = None


class QueryRow(SQLModel, table=True):
    """When the gateway was last asked about a transaction, or who waits to ask; wire time.

    ``transaction_id`` is our merchantTransactionId or a gateway id, empty for the account as a
    whole. ``since`` and ``amount_minor`` say how much right a waiting question has. After
    ``until`` the row says nothing any more.
    """

    __tablename__ = "gateway_query"
    __table_args__ = (Index("gateway_query_by_until", "until"),)

    account: str = Field(primary_key=True)
    transaction_id: str = Field(primary_key=True)
    asked_at: datetime | None = Field(default=None, sa_type=UtcMoment)
    waiting: bool = False
    since: datetime = Field(sa_type=UtcMoment)
    amount_minor: int = Field(default=0, sa_type=BigInteger)
    until: datetime = Field(sa_type=UtcMoment)


class MerchantMonthRow(SQLModel, table=True):
    """What a merchant settled in one month on one network; the newest line that told it holds.

    ``month`` is ``YYYY-MM``. Without it a chargeback ratio is unknown (contract, Intake feed).
    """

    __tablename__ = "merchant_month"

    merchant_id: str = Field(primary_key=True)
    network: str = Field(primary_key=True)
    month: str = Field(primary_key=True)
    settled_count: int = Field(sa_type=BigInteger)
    settled_minor: int = Field(sa_type=BigInteger)
    currency: str
    fraud_reports: int = Field(sa_type=BigInteger)
    #: the line that told it
    event_id: str
    told_at: datetime = Field(sa_type=UtcMoment)


class ReportRow(SQLModel, table=True):
    """What a provider's report said last of one dispute: the next row is compared with it.

    ``pending_json``: lines that follow from the newest change and may not be delivered yet.
    """

    __tablename__ = "report_row"

    mapping: str = Field(primary_key=True)
    dispute_id: str = Field(primary_key=True)
    state_json: str
    #: how often a row brought something new
    changes: int = Field(default=0, sa_type=Integer)
    pending_json: str | None = None
    seen_at: datetime = Field(sa_type=UtcMoment)
