"""Cases and payments' own work: who holds an id, what happened, what lists and shoppers read."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel

from disputes.store.tables.moment import UtcMoment
from disputes.vocabulary import Finality, Stage, Status


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
        # A search takes the first by their ids: without that order here it would go through all.
        Index("case_by_reason", "reason_code", "case_id"),
        Index("case_by_reason_of_merchant", "reason_code", "merchant_id", "case_id"),
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
        # With the finality, or SQLite goes through all that are open.
        Index("case_by_payment", "payment_id", "finality"),
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
    #: wire time, or a moment after the newest: no two are the same
    told_at: datetime = Field(sa_type=UtcMoment)
