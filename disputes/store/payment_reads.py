"""Pre-authorizations, refunds, payouts and rebills for lists and statuses; reads only."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select

from disputes.store.engine import Store
from disputes.store.tables import PaymentFileRow


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFilter:
    """Which to list; what is ``None`` does not narrow. ``due_before``: case time, UTC."""

    kind: str
    state: str | None = None
    merchant_id: str | None = None
    payment_id: str | None = None
    attention: bool | None = None
    due_before: datetime | None = None
    limit: int = 100


class PaymentReads:
    """What payments' own workflows last recorded, as the JSON of their status."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def status(self, workflow_id: str) -> str | None:
        """One status; ``None`` for an unknown one."""
        with self._store.read() as session:
            row = session.get(PaymentFileRow, workflow_id)
            return row.status_json if row else None

    def statuses(self, wanted: PaymentFilter) -> list[str]:
        """The statuses that fit, the next moment first."""
        columns = {
            col(PaymentFileRow.kind): wanted.kind,
            col(PaymentFileRow.state): wanted.state,
            col(PaymentFileRow.merchant_id): wanted.merchant_id,
            col(PaymentFileRow.payment_id): wanted.payment_id,
            col(PaymentFileRow.needs_attention): wanted.attention,
        }
        query = select(PaymentFileRow.status_json).where(
            *(column == value for column, value in columns.items() if value is not None)
        )
        if wanted.due_before is not None:
            query = query.where(col(PaymentFileRow.next_moment) < wanted.due_before)
        order = (
            col(PaymentFileRow.next_moment).asc().nulls_last(),
            col(PaymentFileRow.updated_at).desc(),
            col(PaymentFileRow.workflow_id),
        )
        with self._store.read() as session:
            return list(session.exec(query.order_by(*order).limit(wanted.limit)))
