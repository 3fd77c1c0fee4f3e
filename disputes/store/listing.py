"""Lists of cases, page by page, each answered from an index however many cases there are.

A page goes on after the last case of the one before, by its place in the order: a case that changes
meanwhile may move, and no other is left out or shown twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Select, and_, literal, tuple_
from sqlalchemy import select as select_values
from sqlmodel import Session, col, select

from disputes.store.tables import CaseRow, UtcMoment

Sort = Literal["next_deadline", "updated_at", "amount"]
#: Cases that one kind of search finds at most; who searches for more narrows by filters.
MOST_FOUND = 1000
_case_id = col(CaseRow.case_id)
_due = col(CaseRow.next_deadline)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the last case, and its value of the column that the list is sorted by."""

    value: datetime | int | None
    case_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """Which cases to list; what is ``None`` does not narrow.

    Attributes:
        merchants: only theirs, whatever ``merchant_id`` asks for.
        due_before: whose next moment is earlier, UTC.
        q: what an id begins with, or a whole payment id, ARN or reason code; of each kind the
            first 1,000 are found.
        after: where the page before ended.
    """

    status: str | None = None
    stage: str | None = None
    merchant_id: str | None = None
    merchants: tuple[str, ...] | None = None
    network: str | None = None
    assignee: str | None = None
    due_before: datetime | None = None
    q: str | None = None
    sort: Sort = "next_deadline"
    limit: int = 100
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class CasePage:
    """Statuses as stored JSON, and where to go on if there are more."""

    statuses: tuple[str, ...]
    next: Place | None


_Value = datetime | int | None
_Row = tuple[str, _Value, str | None]


def case_page(session: Session, wanted: CaseFilter) -> CasePage:
    """The next cases that fit, in the order asked for: the next deadline first by default."""
    conditions = [col(CaseRow.status_json).is_not(None), *_conditions(wanted)]
    if wanted.q:
        # Two questions: in one, either database goes through all cases in the list's order.
        conditions.append(_case_id.in_(_found(session, wanted.q)))
    if wanted.sort == "next_deadline":
        rows = _by_deadline(session, conditions, wanted)
    else:
        rows = _newest_or_largest(session, conditions, wanted)
    shown = rows[: wanted.limit]
    more = len(rows) > wanted.limit
    last = Place(shown[-1][1], shown[-1][0]) if more else None
    return CasePage(tuple(row[2] or "" for row in shown), last)


def _by_deadline(
    session: Session, conditions: Sequence[ColumnElement[bool]], wanted: CaseFilter
) -> list[_Row]:
    """Two questions, for no index of SQLite has the cases without a deadline last."""
    asked, after = wanted.limit + 1, wanted.after
    rows: list[_Row] = []
    query: Select[str, _Value, str | None] = select_values(
        _case_id, _due, col(CaseRow.status_json)
    ).where(*conditions)
    if after is None or after.value is not None:
        dated = query.where(_due.is_not(None)).order_by(_due, _case_id).limit(asked)
        if after is not None:
            dated = dated.where(tuple_(_due, _case_id) > _place(after))
        rows = _rows(session, dated)
    if len(rows) < asked and wanted.due_before is None:
        undated = query.where(_due.is_(None)).order_by(_case_id).limit(asked - len(rows))
        if after is not None and after.value is None:
            undated = undated.where(_case_id > after.case_id)
        rows += _rows(session, undated)
    return rows


def _newest_or_largest(
    session: Session, conditions: Sequence[ColumnElement[bool]], wanted: CaseFilter
) -> list[_Row]:
    column = col(CaseRow.updated_at if wanted.sort == "updated_at" else CaseRow.amount_minor)
    query: Select[str, _Value, str | None] = (
        select_values(_case_id, column, col(CaseRow.status_json))
        .where(*conditions)
        .order_by(column.desc(), _case_id.desc())
        .limit(wanted.limit + 1)
    )
    if wanted.after is not None:
        query = query.where(tuple_(column, _case_id) < _place(wanted.after))
    return _rows(session, query)


def _rows(session: Session, query: Select[str, _Value, str | None]) -> list[_Row]:
    found = session.connection().execute(query)
    return [(case_id, value, status) for case_id, value, status in found]


def _place(after: Place) -> ColumnElement[tuple[object, ...]]:
    typed = UtcMoment() if isinstance(after.value, datetime) else None
    return tuple_(literal(after.value, typed), literal(after.case_id))


def _conditions(wanted: CaseFilter) -> list[ColumnElement[bool]]:
    columns = {
        col(CaseRow.status): wanted.status,
        col(CaseRow.stage): wanted.stage,
        col(CaseRow.merchant_id): wanted.merchant_id,
        col(CaseRow.network): wanted.network,
        col(CaseRow.assignee): wanted.assignee,
    }
    conditions = [column == value for column, value in columns.items() if value is not None]
    if wanted.merchants is not None:
        conditions.append(col(CaseRow.merchant_id).in_(wanted.merchants))
    if wanted.due_before is not None:
        conditions.append(_due < wanted.due_before)
    return conditions


def _found(session: Session, q: str) -> set[str]:
    """The cases that are found, each kind by an index of its own."""
    whole = (CaseRow.payment_id, CaseRow.arn, CaseRow.reason_code)
    kinds = [_begins(session, q), *(col(column) == q for column in whole)]
    found: set[str] = set()
    for kind in kinds:
        found.update(session.exec(select(CaseRow.case_id).where(kind).limit(MOST_FOUND)))
    return found


def _begins(session: Session, prefix: str) -> ColumnElement[bool]:
    """By bytes: ``LIKE`` knows no index on SQLite, a range none in PostgreSQL's collations."""
    after = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    if session.connection().dialect.name == "sqlite":
        return and_(_case_id >= prefix, _case_id < after)
    return and_(
        _case_id.op("~>=~", is_comparison=True)(prefix),
        _case_id.op("~<~", is_comparison=True)(after),
    )
