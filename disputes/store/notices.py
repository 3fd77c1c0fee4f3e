"""Messages for merchants and shoppers, kept for whoever delivers them; adapter of ``Notices``."""

from sqlmodel import col, select

from disputes.notices import Notice
from disputes.store.engine import Store, insert_once, wire_now
from disputes.store.tables import NoticeRow


class SqlNotices:
    """An outbox in the database: a mailer of the merchant's own reads it in order."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def tell(self, notice: Notice) -> None:
        """Put a message into the outbox, once for its id."""
        with self._store.write() as session:
            insert_once(session, NoticeRow(**notice.model_dump(), told_at=wire_now(session)))

    def told(
        self, *, audience: str | None = None, after: str | None = None, limit: int = 100
    ) -> list[Notice]:
        """Messages in the order in which they were told.

        Args:
            audience: only those for merchants, or for shoppers.
            after: the id of the last message that was read.
            limit: how many at most.
        """
        rows = select(NoticeRow).order_by(col(NoticeRow.told_at), col(NoticeRow.notice_id))
        with self._store.read() as session:
            if audience is not None:
                rows = rows.where(NoticeRow.audience == audience)
            last = session.get(NoticeRow, after) if after else None
            if last is not None:
                later = col(NoticeRow.told_at) > last.told_at
                same = (col(NoticeRow.told_at) == last.told_at) & (
                    col(NoticeRow.notice_id) > last.notice_id
                )
                rows = rows.where(later | same)
            found = session.exec(rows.limit(limit)).all()
        return [Notice.model_validate(row.model_dump()) for row in found]
