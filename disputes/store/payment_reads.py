"""Pre-authorizations, refunds, payouts and rebills for lists and statuses; reads only."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select, literal, tuple_
from sqlalchemy import select as select_values
from sqlmodel import Session, col

from disputes.store.engine import Store
from disputes.store.tables import Claim, PaymentFileRow, UtcMoment
from disputes.store.waiting import WaitingFile, waiting_files

_due = col(PaymentFileRow.next_moment)
_updated = col(PaymentFileRow.updated_at)
_workflow_id = col(PaymentFileRow.workflow_id)


@dataclass(frozen=True, slots=True)
class PaymentPlace:
    """Where a page ended: the last row's values of what lists are sorted by; case time, UTC."""

    next_moment: datetime | None
    updated_at: datetime
    workflow_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFilter:
    """Which to list; what is ``None`` does not narrow.

    Attributes:
        merchants: only theirs, whatever ``merchant_id`` asks for.
        due_before: whose next moment is earlier; case time, UTC.
        after: where the page before ended.
    """

    kind: str
    state: str | None = None
    merchant_id: str | None = None
    merchants: tuple[str, ...] | None = None
    due_before: datetime | None = None
    limit: int = 100
    after: PaymentPlace | None = None


@dataclass(frozen=True, slots=True)
class PaymentPage:
    """Statuses as stored JSON, and where to go on if there are more."""

    statuses: tuple[str, ...]
    next: PaymentPlace | None


_Row = tuple[datetime | None, datetime, str, str]


class _Owned(BaseModel):
    """What every request says."""

    merchant_id: str


class PaymentReads:
    """What payments' own workflows last recorded, as the JSON of their status."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def status(self, workflow_id: str) -> str | None:
        """One status; ``None`` for an unknown one."""
        with self._store.read() as session:
            row = session.get(PaymentFileRow, workflow_id)
            return row.status_json if row else None

    def merchant(self, workflow_id: str) -> str | None:
        """Whose it is, also of one that was asked for a moment ago; ``None``: unknown."""
        with self._store.read() as session:
            row = session.get(PaymentFileRow, workflow_id)
            claim = None if row else session.get(Claim, workflow_id)
        if row is not None:
            return row.merchant_id
        return _Owned.model_validate_json(claim.content).merchant_id if claim else None

    def statuses(self, wanted: PaymentFilter) -> list[str]:
        """The statuses that fit, the next moment first."""
        return list(self.page(wanted).statuses)

    def page(self, wanted: PaymentFilter) -> PaymentPage:
        """The next that fit: the next moment first; those without one after, the newest first."""
        with self._store.read() as session:
            rows = _rows(session, wanted)
        shown = rows[: wanted.limit]
        place = PaymentPlace(*shown[-1][:3]) if len(rows) > wanted.limit else None
        return PaymentPage(tuple(row[3] for row in shown), place)

    def waiting(
        self, *, merchants: tuple[str, ...] | None, after: str, limit: int
    ) -> tuple[WaitingFile, ...]:
        """Those in which something waits for a second person, by their workflow id.

        Args:
            merchants: only theirs; ``None``: everybody's.
            after: go on after this workflow id.
            limit: how many at most.
        """
        with self._store.read() as session:
            return waiting_files(session, merchants, after, limit)


def _rows(session: Session, wanted: PaymentFilter) -> list[_Row]:
    """Two questions, for no index of SQLite has those without a moment last; one row more."""
    asked, after = wanted.limit + 1, wanted.after
    query: Select[datetime | None, datetime, str, str] = select_values(
        _due, _updated, _workflow_id, col(PaymentFileRow.status_json)
    ).where(*_conditions(wanted))
    rows: list[_Row] = []
    if after is None or after.next_moment is not None:
        place = (_due, _updated, _workflow_id)
        dated = query.where(_due.is_not(None)).order_by(*place).limit(asked)
        if after is not None:
            dated = dated.where(tuple_(*place) > _place(after, after.next_moment))
        rows = _found(session, dated)
    if len(rows) < asked and wanted.due_before is None:
        # PostgreSQL takes the index for its order only where all of its columns are named.
        order = (_due.desc(), _updated.desc(), _workflow_id.desc())
        undated = query.where(_due.is_(None)).order_by(*order)
        if after is not None and after.next_moment is None:
            undated = undated.where(tuple_(_updated, _workflow_id) < _place(after))
        rows += _found(session, undated.limit(asked - len(rows)))
    return rows


def _found(session: Session, query: Select[datetime | None, datetime, str, str]) -> list[_Row]:
    return [(due, at, own, status) for due, at, own, status in session.connection().execute(query)]


def _place(after: PaymentPlace, *first: datetime | None) -> ColumnElement[tuple[object, ...]]:
    moments = (*first, after.updated_at)
    return tuple_(*(literal(it, UtcMoment()) for it in moments), literal(after.workflow_id))


def _conditions(wanted: PaymentFilter) -> list[ColumnElement[bool]]:
    columns = {
        col(PaymentFileRow.kind): wanted.kind,
        col(PaymentFileRow.state): wanted.state,
        col(PaymentFileRow.merchant_id): wanted.merchant_id,
    }
    conditions = [column == value for column, value in columns.items() if value is not None]
    if wanted.merchants is not None:
        conditions.append(col(PaymentFileRow.merchant_id).in_(wanted.merchants))
    if wanted.due_before is not None:
        conditions.append(_due < wanted.due_before)
    return conditions
