"""What came in by a door, each once: lines, notifications, requests, reports."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel

from disputes.store.tables.moment import UtcMoment


class IntakeRow(SQLModel, table=True):
    """One line of the feed; ``state`` is pending until its message was delivered."""

    __tablename__ = "intake"

    event_id: str = Field(primary_key=True)
    sha256: str
    type: str
    dispute_id: str | None = None
    state: str = "pending"
    seen_at: datetime = Field(sa_type=UtcMoment)


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
