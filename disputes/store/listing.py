"""Lists of cases, page by page, each answered from an index however many cases there are.

A page goes on after the last case of the one before, by its place in the order: a case that changes
meanwhile may move, and no other is left out or shown twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Select,
    TextClause,
    UnaryExpression,
    and_,
    bindparam,
    text,
    tuple_,
    union_all,
)
from sqlalchemy import select as select_values
from sqlalchemy.orm import Mapped
from sqlalchemy.sql.operators import custom_op
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
            first 1,000 that fit are found.
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
#: The parts of the lists: no index of SQLite has the cases without a deadline last. A few that were
#: found by their ids need no index for their order: they are one part.
_Part = Literal["found", "dated", "undated", "updated_at", "amount"]
_COLUMNS = {
    "found": _due,
    "dated": _due,
    "undated": _due,
    "updated_at": col(CaseRow.updated_at),
    "amount": col(CaseRow.amount_minor),
}
_CONDITIONS = {
    "status": col(CaseRow.status) == bindparam("status"),
    "stage": col(CaseRow.stage) == bindparam("stage"),
    "merchant_id": col(CaseRow.merchant_id) == bindparam("merchant_id"),
    "merchants": col(CaseRow.merchant_id).in_(bindparam("merchants", expanding=True)),
    "network": col(CaseRow.network) == bindparam("network"),
    "assignee": col(CaseRow.assignee) == bindparam("assignee"),
    "due_before": _due < bindparam("due_before", type_=UtcMoment()),
    "found": _case_id.in_(bindparam("found", expanding=True)),
}


def case_page(session: Session, wanted: CaseFilter) -> CasePage:
    """The next cases that fit, in the order asked for: the next deadline first by default."""
    given = {name: getattr(wanted, name, None) for name in _CONDITIONS}
    narrowed: dict[str, object] = {name: it for name, it in given.items() if it is not None}
    if wanted.q:
        # Two questions: in one, either database goes through all cases in the list's order.
        narrowed = {"found": _found(session, wanted.q, narrowed)}
    rows: list[_Row] = []
    for part in _parts(wanted):
        if len(rows) <= wanted.limit:
            rows += _rows(session, part, narrowed, wanted, wanted.limit + 1 - len(rows))
    shown = rows[: wanted.limit]
    more = len(rows) > wanted.limit
    last = Place(shown[-1][1], shown[-1][0]) if more else None
    return CasePage(tuple(row[2] or "" for row in shown), last)


def _parts(wanted: CaseFilter) -> tuple[_Part, ...]:
    if wanted.sort != "next_deadline":
        return (wanted.sort,)
    if wanted.due_before is not None:
        return ("dated",)
    if wanted.after is not None and wanted.after.value is None:
        return ("undated",)
    if wanted.q and wanted.after is None:
        return ("found",)
    return ("dated", "undated")


def _rows(
    session: Session,
    part: _Part,
    narrowed: Mapping[str, object],
    wanted: CaseFilter,
    most: int,
) -> list[_Row]:
    after = wanted.after
    # Of the undated, a page that begins among the dated shows all.
    onward = after is not None and (part != "undated" or after.value is None)
    values = {**narrowed, "most": most}
    if after is not None and onward:
        values |= {"after": after.value, "after_id": after.case_id}
    question = _question(part, tuple(narrowed), onward=onward)
    found = session.connection().execute(question, values)
    return [(case_id, value, status) for case_id, value, status in found]


@cache
def _question(part: _Part, narrowed: tuple[str, ...], *, onward: bool) -> Select[*_Row]:
    """The question for a part of a list, put together once: that takes longer than its answer."""
    column = _COLUMNS[part]
    rising = part in {"found", "dated", "undated"}
    order = (column, _case_id) if rising else (column.desc(), _case_id.desc())
    conditions = [col(CaseRow.status_json).is_not(None), *(_CONDITIONS[it] for it in narrowed)]
    if part == "found":
        order = (_due.is_(None), *order)
    elif rising:
        conditions.append(_due.is_(None) if part == "undated" else _due.is_not(None))
    if onward and part == "undated":
        conditions.append(_case_id > bindparam("after_id"))
    elif onward:
        here = tuple_(column, _case_id)
        value = bindparam("after", type_=BigInteger() if part == "amount" else UtcMoment())
        there = tuple_(value, bindparam("after_id"))
        conditions.append(here > there if rising else here < there)
    return (
        select_values(_case_id, column, col(CaseRow.status_json))
        .where(*conditions)
        .order_by(*order)
        .limit(bindparam("most"))
    )


def _found(session: Session, q: str, narrowed: Mapping[str, object]) -> set[str]:
    """The cases that are found and fit the filters, each kind by an index of its own."""
    asked = {**narrowed, "q": q, "after": q[:-1] + chr(ord(q[-1]) + 1)}
    question = _finding(session.connection().dialect.name, tuple(narrowed))
    return set(session.connection().execute(question, asked).scalars())


@cache
def _finding(dialect: str, narrowed: tuple[str, ...]) -> CompoundSelect[str]:
    """The question of ``_found``, put together once: that takes longer than its answer.

    In each kind's order by id, so that what is found stays the same from page to page.
    """
    begins, by_bytes = _BEGINS[dialect]
    whole = [col(column) == bindparam("q") for column in _WHOLE]
    fits = [_kept(dialect, name) for name in narrowed]
    kinds = [(begins, by_bytes), *((kind, _case_id) for kind in whole)]
    parts = [
        select(CaseRow.case_id).where(kind, *fits).order_by(order).limit(MOST_FOUND).subquery()
        for kind, order in kinds
    ]
    return union_all(*(select_values(part.c.case_id) for part in parts))


def _kept(dialect: str, name: str) -> ColumnElement[bool]:
    """A filter of what is found.

    SQLite, without figures of the table, would take the index of a status for as good as an id's,
    and go through all that have it: its ``+`` keeps an index out. A merchant's cases are few.
    """
    if dialect != "sqlite" or name in {"merchant_id", "merchants"}:
        return _CONDITIONS[name]
    return UnaryExpression(_CONDITIONS[name].self_group(), operator=custom_op("+"))


_WHOLE = (CaseRow.payment_id, CaseRow.arn, CaseRow.reason_code)
#: What an id begins with, and the order of its index. By bytes: LIKE knows no index on SQLite, a
#: range none in PostgreSQL's collations.
_BEGINS: dict[str, tuple[ColumnElement[bool], Mapped[str] | TextClause]] = {
    "sqlite": (and_(_case_id >= bindparam("q"), _case_id < bindparam("after")), _case_id),
    "postgresql": (
        and_(
            _case_id.op("~>=~", is_comparison=True)(bindparam("q")),
            _case_id.op("~<~", is_comparison=True)(bindparam("after")),
        ),
        text("dispute_case.case_id USING ~<~"),
    ),
}
