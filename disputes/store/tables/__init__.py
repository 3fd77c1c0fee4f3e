"""The tables, as SQLModel classes; ``migrations`` creates them, a test holds the two together."""

from disputes.store.tables.doors import (
    ApiRequestRow,
    IntakeRow,
    MerchantMonthRow,
    NotificationRow,
    RejectedLineRow,
    ReportRow,
)
from disputes.store.tables.moment import UtcMoment
from disputes.store.tables.money import LedgerRow, OperationRow, PaymentRow, QueryRow
from disputes.store.tables.work import CaseEventRow, CaseRow, Claim, NoticeRow, PaymentFileRow

__all__ = [
    "ApiRequestRow",
    "CaseEventRow",
    "CaseRow",
    "Claim",
    "IntakeRow",
    "LedgerRow",
    "MerchantMonthRow",
    "NoticeRow",
    "NotificationRow",
    "OperationRow",
    "PaymentFileRow",
    "PaymentRow",
    "QueryRow",
    "RejectedLineRow",
    "ReportRow",
    "UtcMoment",
]
