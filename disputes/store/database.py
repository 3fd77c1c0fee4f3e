"""Reaching a database by URL: the driver, the pragmas and how its transactions begin."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from disputes.errors import ConfigurationError, Unreachable

SETTING = "DISPUTES_DATABASE_URL"
_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}
_WAIT_S = 30
_AGAIN_S = 0.02
#: SQLite asks for a lock again after 1, 2, 5, 10 ... and at last every 100 ms: one call of this
#: long ends after 1 + 2 + 5, and the next begins anew, so that a write is asked for every few ms.
_POLL_MS = 8
#: Threads that may hold a connection at once; more wait for one.
_CONNECTIONS = 20


def make_engine(url: str) -> Engine:
    """An engine for ``sqlite:///file`` or ``postgresql://...``; connects to nothing yet.

    Raises:
        ConfigurationError: another scheme, or SQLite without a file.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "postgresql":
        return create_engine(
            parsed,
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args={"connect_timeout": _WAIT_S},
        )
    engine = create_engine(
        parsed, pool_size=_CONNECTIONS, max_overflow=0, connect_args={"timeout": _WAIT_S}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def database_file(engine: Engine) -> Path | None:
    """The file of a SQLite database; ``None`` for a server."""
    name = engine.url.database
    return Path(name) if engine.dialect.name == "sqlite" and name else None


@contextmanager
def connected(engine: Engine, *, write: bool) -> Iterator[Connection]:
    """A connection in one transaction.

    Raises:
        Unreachable: the database cannot be reached or is none. The address may hold a password,
            so it is not told.
    """
    reason = ""
    try:
        connection = engine.execution_options(write=write).connect()
    except DBAPIError as error:
        reason = type(error.orig).__name__
    if reason:
        raise Unreachable(
            f"the database of {SETTING} cannot be reached ({reason}):"
            " is the server running, the address right, the folder there?"
        )
    with connection, connection.begin():
        yield connection


def _parse(url: str) -> URL:
    parsed = None
    with suppress(ArgumentError):
        parsed = make_url(url)
    if parsed is None or parsed.drivername not in _DRIVERS:
        raise ConfigurationError(f"{SETTING} must begin with sqlite:/// or postgresql://")
    if parsed.drivername == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ConfigurationError(f"{SETTING} must name a file: sqlite:///disputes.sqlite3")
    return parsed.set(drivername=_DRIVERS[parsed.drivername])


class _Cursor(Protocol):
    def execute(self, sql: str, /) -> object: ...
    def close(self) -> None: ...


class _SqliteConnection(Protocol):
    isolation_level: str | None

    def cursor(self) -> _Cursor: ...


def _prepare_sqlite(connection: _SqliteConnection, _record: object) -> None:
    # The driver's own transactions begin late and never as IMMEDIATE: ours are explicit.
    connection.isolation_level = None
    cursor = connection.cursor()
    _write_ahead(cursor)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _write_ahead(cursor: _Cursor) -> None:
    """Set the journal's mode; of several that open a new file SQLite lets only one, at once."""
    patience = time.monotonic() + _WAIT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > patience:
                raise
            time.sleep(_AGAIN_S)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get("write"):
        _begin_write(connection)
    else:
        connection.exec_driver_sql("BEGIN")


def _begin_write(connection: Connection) -> None:
    """Wait for SQLite's one write lock, asking often.

    Who asks more and more rarely starves beside a process that writes back to back, as a feed does.
    """
    patience = time.monotonic() + _WAIT_S
    _busy_timeout(connection, _POLL_MS)
    try:
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except OperationalError as error:
                if not _busy(error.orig) or time.monotonic() > patience:
                    raise
            else:
                return
    finally:
        _busy_timeout(connection, _WAIT_S * 1000)


def _busy_timeout(connection: Connection, milliseconds: int) -> None:
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={milliseconds}")
    cursor.close()


def _busy(error: BaseException | None) -> bool:
    """Whether another holds the lock; kinds of it differ above the lowest byte."""
    code = error.sqlite_errorcode if isinstance(error, sqlite3.OperationalError) else 0
    return code & 0xFF == sqlite3.SQLITE_BUSY
