"""The outbox: whoever goes on after the last message read never misses one."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

from sqlalchemy import event, text

from disputes.notices import Notice
from disputes.store.database import make_engine
from disputes.store.engine import Store, open_store
from disputes.store.migrations import migrate
from disputes.store.notices import SqlNotices
from disputes.store.tables import NoticeRow
from tests.store.scene import START

#: A clock that stepped back since, or stood still.
_AHEAD = datetime(2100, 1, 1, tzinfo=UTC)


def _notice(name: str) -> Notice:
    return Notice(
        notice_id=name, audience="shopper", kind="k", merchant_id="M-1", at=START, text="news"
    )


def _names(notices: SqlNotices, after: str | None = None) -> list[str]:
    return [it.notice_id for it in notices.told(after=after)]


def test_each_message_is_later_than_those_before_whatever_the_clock_says(store: Store) -> None:
    notices = SqlNotices(store)
    with store.write() as session:
        session.add(NoticeRow(**_notice("c").model_dump(), told_at=_AHEAD))
    for name, before in (("b", "c"), ("a", "b")):
        notices.tell(_notice(name))
        assert _names(notices, before) == [name]
    assert _names(notices) == ["c", "b", "a"]


def test_a_message_that_another_overtakes_is_not_passed_over(postgres_url: str) -> None:
    """It has read the clock, and another is told and read before it ends."""
    migrate(postgres_url)
    engine, other = make_engine(postgres_url), open_store(postgres_url)
    notices, read, told = SqlNotices(other), list[str](), list[Future[None]]()

    def overtake(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("INSERT INTO notice"):
            return
        told.append(threads.submit(notices.tell, _notice("overtaking")))
        while not told[0].done() and not _waits(other):
            pass
        read.extend(_names(notices))

    with ThreadPoolExecutor(1) as threads:
        event.listen(engine, "before_cursor_execute", overtake)
        SqlNotices(Store(engine)).tell(_notice("slow"))
        told[0].result()
    read += _names(notices, read[-1] if read else None)
    assert sorted(read) == ["overtaking", "slow"]
    engine.dispose()
    other.close()


def _waits(store: Store) -> bool:
    with store.read() as session:
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(session.connection().execute(waiting).scalar_one())
