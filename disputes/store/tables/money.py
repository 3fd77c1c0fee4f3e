"""Payments, what was done to them at the gateway, and the ledger."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel

from disputes.store.tables.moment import UtcMoment


class PaymentRow(SQLModel, table=True):
    """An entry (PA, CP, DB, RB, CD); its row is what operations on it are locked by."""

    __tablename__ = "payment"
    __table_args__ = (Index("payment_by_root", "root_id"),)

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
        # With the state, though the id alone tells: SQLite takes all settled operations for as few
        # as one payment's, and would go through them.
        Index("operation_by_payment", "payment_id", "state"),
        Index("operation_by_dispute", "dispute_id", "state", "intended_at"),
        Index("operation_by_merchant_transaction", "merchant_transaction_id"),
        Index("operation_by_reference", "referenced_id", "state", "intended_at"),
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
