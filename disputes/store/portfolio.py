"""All cases at a glance: how many, how much, and what a person must see to; reads only."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, SQLColumnExpression, case, cast, func, select
from sqlmodel import Session, col

from disputes.store.engine import Store, wire_now
from disputes.store.tables import CaseRow, OperationRow, PaymentFileRow
from disputes.vocabulary import ANSWERABLE, OperationState

#: Days within which deadlines are counted.
WITHIN_DAYS = (1, 3, 7)
_respond_by = col(CaseRow.respond_by)


@dataclass(frozen=True, slots=True)
class CaseGroup:
    """Cases of one currency, status and stage; amounts in minor units, summed.

    ``currency`` is empty where no notice has told one. Of the cases that can be answered:
    ``overdue`` are past their deadline, the others within so many days of it, each with the ones
    before.
    """

    currency: str
    status: str
    stage: str
    cases: int
    needs_attention: int
    overdue: int
    within_1_d: int
    within_3_d: int
    within_7_d: int
    amount_minor: int
    charged_back_minor: int
    at_risk_minor: int
    give_back_due_minor: int
    written_off_minor: int
    recovered_minor: int


@dataclass(frozen=True, slots=True)
class Doubts:
    """Operations in doubt in one currency; minor units."""

    currency: str
    operations: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Portfolio:
    """One state of the database; ``as_of`` is wire time."""

    as_of: datetime
    groups: tuple[CaseGroup, ...]
    doubts: tuple[Doubts, ...]
    approvals_waiting: int


class PortfolioReads:
    """Sums over all cases of some merchants."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def portfolio(
        self, *, merchants: tuple[str, ...] | None, merchant_id: str | None = None
    ) -> Portfolio:
        """How everything stands now.

        Args:
            merchants: only theirs; ``None``: everybody's.
            merchant_id: of these only this one's.
        """
        with self._store.read() as session:
            now = wire_now(session)
            found = _Reader(session, merchants, merchant_id)
            return Portfolio(now, found.groups(now), found.doubts(), found.approvals())


class _Reader:
    """Questions on one state of the database, narrowed to merchants."""

    def __init__(
        self, session: Session, merchants: tuple[str, ...] | None, merchant_id: str | None
    ) -> None:
        self._connection = session.connection()
        self._merchants, self._merchant_id = merchants, merchant_id

    def groups(self, now: datetime) -> tuple[CaseGroup, ...]:
        """Cases by currency, status and stage, from ``case_by_portfolio`` alone."""
        by = (col(CaseRow.currency), col(CaseRow.status), col(CaseRow.stage))
        summed = (
            col(CaseRow.amount_minor),
            col(CaseRow.charged_back_minor),
            col(CaseRow.at_risk_minor),
            col(CaseRow.give_back_due_minor),
            col(CaseRow.written_off_minor),
            col(CaseRow.recovered_minor),
        )
        asked = (
            select(*by, func.count(), _count(col(CaseRow.needs_attention)), *_due(now))
            .add_columns(*map(_sum, summed))
            .where(*self._of(col(CaseRow.merchant_id)))
            .group_by(*by)
            .order_by(*by)
        )
        return tuple(CaseGroup(*row) for row in self._connection.execute(asked))

    def doubts(self) -> tuple[Doubts, ...]:
        """Operations in doubt, of cases and of payments' own workflows."""
        currency = col(OperationRow.currency)
        asked = (
            select(currency, func.count(), _sum(col(OperationRow.amount_minor)))
            .where(
                col(OperationRow.state) == OperationState.IN_DOUBT.value,
                *self._of(col(OperationRow.merchant_id)),
            )
            .group_by(currency)
            .order_by(currency)
        )
        return tuple(Doubts(*row) for row in self._connection.execute(asked))

    def approvals(self) -> int:
        """Requests that wait for a second person, wherever they were made."""
        return sum(self._waiting(table) for table in (CaseRow, PaymentFileRow))

    def _waiting(self, table: type[CaseRow | PaymentFileRow]) -> int:
        waiting = col(table.waiting_approvals)
        asked = select(func.coalesce(_sum(waiting), 0)).where(
            waiting > 0, *self._of(col(table.merchant_id))
        )
        return self._connection.execute(asked).scalar_one()

    def _of(
        self, merchant: SQLColumnExpression[str] | SQLColumnExpression[str | None]
    ) -> list[ColumnElement[bool]]:
        narrowed = [] if self._merchants is None else [merchant.in_(self._merchants)]
        return narrowed + ([] if self._merchant_id is None else [merchant == self._merchant_id])


def _due(now: datetime) -> list[ColumnElement[int]]:
    """Of the cases that can be answered: past their deadline, and within each of some days."""
    open_ = col(CaseRow.status).in_([status.value for status in ANSWERABLE])
    within = (
        (_respond_by >= now) & (_respond_by < now + timedelta(days=days)) for days in WITHIN_DAYS
    )
    return [_count(open_ & moment) for moment in (_respond_by < now, *within)]


def _count(condition: SQLColumnExpression[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _sum(column: SQLColumnExpression[int]) -> ColumnElement[int]:
    # PostgreSQL sums to numbers of any size, and these fit.
    return cast(func.sum(column), BigInteger)
