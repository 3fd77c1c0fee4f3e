"""Lists and single cases for people and programs; reads only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, UnaryExpression
from sqlmodel import col, or_, select

from disputes.events import CaseEvent
from disputes.fields import Durable, Moment
from disputes.status import CaseStatus, TimelineEntry, timeline_of
from disputes.store.engine import Store
from disputes.store.placeholders import meant
from disputes.store.projection import load_case, stored_events
from disputes.store.tables import CaseRow, OperationRow
from disputes.vocabulary import OperationState

_ORDER: dict[str, UnaryExpression[datetime | None] | UnaryExpression[int]] = {
    "next_deadline": col(CaseRow.next_deadline).asc().nulls_last(),
    "updated_at": col(CaseRow.updated_at).desc(),
    "amount": col(CaseRow.amount_minor).desc(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """Which cases to list; what is ``None`` does not narrow.

    ``due_before``: whose next moment is earlier, UTC; ``q``: part of an id or reason code.
    """

    status: str | None = None
    stage: str | None = None
    merchant_id: str | None = None
    network: str | None = None
    assignee: str | None = None
    due_before: datetime | None = None
    q: str | None = None
    sort: Literal["next_deadline", "updated_at", "amount"] = "next_deadline"
    limit: int = 100


class OperationLine(Durable):
    """One gateway operation with where its sending stands; minor units, wire time in UTC."""

    key: str
    payment_id: str
    dispute_id: str | None
    merchant_id: str
    purpose: str | None
    payment_type: str
    state: OperationState
    amount_minor: int
    currency: str
    referenced_id: str | None
    merchant_transaction_id: str | None
    gateway_id: str | None
    result_code: str | None
    reason: str | None
    attempts: int
    absent_count: int
    intended_at: Moment
    sent_at: Moment | None
    settled_at: Moment | None


class Reads:
    """The read model."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def cases(self, wanted: CaseFilter) -> tuple[CaseStatus, ...]:
        """The cases that fit, in the order asked for, at most ``wanted.limit``."""
        query = (
            select(CaseRow.status_json)
            .where(col(CaseRow.status_json).is_not(None), *_conditions(wanted))
            .order_by(_ORDER[wanted.sort], col(CaseRow.case_id))
            .limit(wanted.limit)
        )
        with self._store.read() as session:
            found = session.exec(query).all()
        return tuple(CaseStatus.model_validate_json(status) for status in found if status)

    def status(self, case_id: str) -> CaseStatus | None:
        """One case, by its id or a placeholder's that became its alias; ``None``: unknown."""
        with self._store.read() as session:
            row = session.get(CaseRow, meant(session, case_id))
        return CaseStatus.model_validate_json(row.status_json) if row and row.status_json else None

    def events(self, case_id: str) -> tuple[CaseEvent, ...]:
        """A case's events in the order of acceptance; empty for an unknown one."""
        with self._store.read() as session:
            return stored_events(session, meant(session, case_id))

    def timeline(self, case_id: str) -> tuple[TimelineEntry, ...]:
        """A case's history, the ignored entries with the reason; empty for an unknown one."""
        with self._store.read() as session:
            return timeline_of(load_case(session, meant(session, case_id)))

    def operations(
        self, *, dispute_id: str | None = None, state: OperationState | None = None
    ) -> tuple[OperationLine, ...]:
        """Gateway operations, oldest first, of one dispute or in one state."""
        query = select(OperationRow)
        if dispute_id is not None:
            query = query.where(OperationRow.dispute_id == dispute_id)
        if state is not None:
            query = query.where(OperationRow.state == state.value)
        with self._store.read() as session:
            rows = session.exec(query.order_by(col(OperationRow.intended_at))).all()
        return tuple(OperationLine.model_validate(row.model_dump()) for row in rows)


def _conditions(wanted: CaseFilter) -> list[ColumnElement[bool]]:
    columns = {
        col(CaseRow.status): wanted.status,
        col(CaseRow.stage): wanted.stage,
        col(CaseRow.merchant_id): wanted.merchant_id,
        col(CaseRow.network): wanted.network,
        col(CaseRow.assignee): wanted.assignee,
    }
    conditions = [column == value for column, value in columns.items() if value is not None]
    if wanted.due_before is not None:
        conditions.append(col(CaseRow.next_deadline) < wanted.due_before)
    if wanted.q:
        searched = (CaseRow.case_id, CaseRow.payment_id, CaseRow.merchant_id, CaseRow.reason_code)
        conditions.append(
            or_(*(col(column).icontains(wanted.q, autoescape=True) for column in searched))
        )
    return conditions
