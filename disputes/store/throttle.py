"""Whose turn it is to ask the gateway, for all workers; adapter of ``ports.QueryThrottle``."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, func, or_, tuple_
from sqlalchemy import select as select_values
from sqlmodel import Session, col

from disputes.ports import Question
from disputes.store.engine import Store, insert_once, wire_now
from disputes.store.tables import QueryRow

#: The row of an account as a whole; no transaction has an empty id.
_ACCOUNT = ""
_MINUTE = timedelta(minutes=1)
#: How long a wish outlives the moment at which it was to be renewed: its worker may be gone.
_GRACE = timedelta(seconds=10)
#: Rows that say nothing any more are forgotten in passing, so many at a time.
_FORGOTTEN = 100


class SqlQueryThrottle:
    """Turns to ask, in a database and on its clock.

    ``interval_s``: seconds between two questions about one transaction.
    """

    def __init__(self, store: Store, interval_s: float) -> None:
        self._store = store
        self._interval = timedelta(seconds=interval_s)

    def admit(self, question: Question) -> float:
        """See ``ports.QueryThrottle.admit``; one short transaction."""
        with self._store.write() as session:
            # The account first: whoever holds two rows has taken them in this order.
            limit = question.account_per_minute
            account = _hold(session, question.account, _ACCOUNT) if limit else None
            own = _hold(session, question.account, question.transaction_id)
            now = wire_now(session)
            free_at = now if own.asked_at is None else own.asked_at + self._interval
            gap = _MINUTE / limit if limit else timedelta()
            if free_at <= now and account is not None:
                own.since = own.since if own.waiting else _minute(question.since or now)
                own.amount_minor = question.amount_minor
                turn_at = now if account.asked_at is None else account.asked_at + gap
                free_at = max(turn_at, now) + gap * _before(session, own, now)
                own.waiting = free_at > now
            if free_at > now:
                back_at = min(free_at, now + _MINUTE)
                own.until = max(own.until, back_at + _GRACE)
                session.add(own)
                return (back_at - now).total_seconds()
            for row, pause in ((own, self._interval), (account, gap)):
                if row is not None:
                    row.asked_at, row.until, row.waiting = now, now + pause, False
                    session.add(row)
            session.flush()
            _forget(session, now)
            return 0.0


def _hold(session: Session, account: str, transaction_id: str) -> QueryRow:
    """The row, made if need be, held to the end of the transaction."""
    while True:
        row = session.get(QueryRow, (account, transaction_id), with_for_update=True)
        if row is not None:
            return row
        now = wire_now(session)
        # Forgotten again before it is held, it is made again.
        insert_once(
            session,
            QueryRow(account=account, transaction_id=transaction_id, since=now, until=now),
        )


def _minute(moment: datetime) -> datetime:
    """Wishes of one minute are of equal age: then the amount decides."""
    return moment.replace(second=0, microsecond=0)


def _before(session: Session, own: QueryRow, now: datetime) -> int:
    """How many wait for the account's next turn with more right to it."""
    since, amount = col(QueryRow.since), col(QueryRow.amount_minor)
    earlier: ColumnElement[bool] = or_(
        since < own.since,
        and_(since == own.since, amount > own.amount_minor),
        and_(
            since == own.since,
            amount == own.amount_minor,
            col(QueryRow.transaction_id) < own.transaction_id,
        ),
    )
    waiting = (
        select_values(func.count())
        .select_from(QueryRow)
        .where(
            col(QueryRow.account) == own.account,
            col(QueryRow.waiting),
            col(QueryRow.until) >= now,
            col(QueryRow.transaction_id) != own.transaction_id,
            earlier,
        )
    )
    return session.connection().execute(waiting).scalar_one()


def _forget(session: Session, now: datetime) -> None:
    key = tuple_(col(QueryRow.account), col(QueryRow.transaction_id))
    old = (
        select_values(col(QueryRow.account), col(QueryRow.transaction_id))
        .where(col(QueryRow.until) < now)
        .limit(_FORGOTTEN)
        .with_for_update(skip_locked=True)
    )
    session.connection().execute(delete(QueryRow).where(key.in_(old)))
