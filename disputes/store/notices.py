"""Messages for merchants and shoppers, kept for whoever delivers them; adapter of ``Notices``."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, literal, text, tuple_
from sqlmodel import Session, col, select

from disputes.errors import NotFound
from disputes.notices import Notice
from disputes.store.engine import Store, insert_once, wire_now
from disputes.store.tables import NoticeRow, UtcMoment

#: Any number that no other program's advisory lock on the same database has.
_TELLING: Final = 7_340_022
#: The finest that both databases keep apart.
_NEXT: Final = timedelta(microseconds=1)


class SqlNotices:
    """An outbox in the database: a mailer of the merchant's own reads it in order.

    Whoever has read to one message never misses one: each is later than all before it, by one
    writer at a time.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def tell(self, notice: Notice) -> None:
        """Put a message into the outbox, once for its id."""
        with self._store.write() as session:
            insert_once(session, NoticeRow(**notice.model_dump(), told_at=_moment(session)))

    def told(
        self,
        *,
        audience: str | None = None,
        merchants: tuple[str, ...] | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[Notice]:
        """Messages in the order in which they were told.

        Args:
            audience: only those for merchants, or for shoppers.
            merchants: only those of theirs; ``None``: everybody's.
            after: the id of the last message that was read.
            limit: how many at most.

        Raises:
            NotFound: there is no message ``after`` which to go on.
        """
        order = (col(NoticeRow.told_at), col(NoticeRow.notice_id))
        rows = select(NoticeRow).order_by(*order)
        with self._store.read() as session:
            if audience is not None:
                rows = rows.where(NoticeRow.audience == audience)
            if merchants is not None:
                rows = rows.where(col(NoticeRow.merchant_id).in_(merchants))
            if after is not None:
                last = session.get(NoticeRow, after)
                if last is None or (merchants is not None and last.merchant_id not in merchants):
                    raise NotFound("there is no notice with the id to go on after")
                place = tuple_(literal(last.told_at, UtcMoment()), literal(last.notice_id))
                rows = rows.where(tuple_(*order) > place)
            found = session.exec(rows.limit(limit)).all()
        return [Notice.model_validate(row.model_dump()) for row in found]


def _moment(session: Session) -> datetime:
    """A moment for one more message, later than that of any other; held to the end of the write.

    Two that read the clock at once could end in the other order, two be of one moment, and the
    clock may step back.
    """
    # SQLite lets one write at a time in any case.
    if session.connection().dialect.name == "postgresql":
        session.connection().execute(text(f"SELECT pg_advisory_xact_lock({_TELLING})"))
    newest = session.exec(select(func.max(NoticeRow.told_at))).one()
    now = wire_now(session)
    return now if newest is None else max(now, newest + _NEXT)
