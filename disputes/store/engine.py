"""The store of one process: a read, and a write that says so when it begins."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from threading import Lock

from sqlalchemy import Engine, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel

from disputes.errors import ConfigurationError, Unreachable
from disputes.store.database import make_engine
from disputes.store.migrations import check_engine


class Store:
    """A database that is ready for use; one for each process.

    A transaction that writes says so when it begins, and no transaction spans a network call
    (architecture, Store).
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # One state for all of a transaction's questions: SQLite does so by itself.
        snapshot = {"isolation_level": "REPEATABLE READ"}
        server = engine.dialect.name == "postgresql"
        self._reads = engine.execution_options(**snapshot) if server else engine
        self._writes = engine.execution_options(write=True)
        # SQLite lets one write at a time: the threads of a process take turns without polling.
        self._turn = Lock() if engine.dialect.name == "sqlite" else nullcontext()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session in one transaction that commits at the end, or rolls back on an error."""
        with self._turn, Session(self._writes, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one state of the database and changes nothing."""
        with Session(self._reads, expire_on_commit=False) as session:
            yield session

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def open_store(url: str) -> Store:
    """The database at ``url``, checked and ready.

    Raises:
        ConfigurationError: as ``check_version``.
        Unreachable: no database answers there.
    """
    engine = make_engine(url)
    try:
        check_engine(engine)
    except (ConfigurationError, Unreachable):
        engine.dispose()
        raise
    return Store(engine)


def wire_now(session: Session) -> datetime:
    """The database's clock, UTC: the one clock that every machine shares (wire time)."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        clock = text("SELECT strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')")
        return datetime.fromisoformat(str(connection.execute(clock).scalar_one()))
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


def insert_once(session: Session, row: SQLModel) -> bool:
    """Insert a row unless one holds its key already; waits for a rival to end. True: inserted."""
    statement = _insert(session, type(row)).values(**row.model_dump())
    counted = statement.execution_options(preserve_rowcount=True)
    return session.connection().execute(counted).rowcount == 1


def insert_each_once(session: Session, rows: Sequence[SQLModel]) -> list[bool]:
    """Insert rows of one table as ``insert_once`` does, in one go; of each if it was inserted.

    The table's key is one column. Of several rows with one key the first may be inserted.
    """
    if not rows:
        return []
    table = type(rows[0])
    (key,) = inspect(table).primary_key
    returned = session.connection().execute(
        _insert(session, table).returning(key), [row.model_dump() for row in rows]
    )
    fresh = set(returned.scalars())
    inserted = []
    for row in rows:
        value = getattr(row, key.name)
        inserted.append(value in fresh)
        fresh.discard(value)
    return inserted


def insert_all_once(
    session: Session, table: type[SQLModel], rows: Sequence[dict[str, object]]
) -> None:
    """Insert whole rows of one table as ``insert_once`` does, in one go."""
    if rows:
        session.connection().execute(_insert(session, table), rows)


def _insert(session: Session, table: type[SQLModel]) -> sqlite.Insert | postgresql.Insert:
    if session.connection().dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()
