"""The real store over SQLite in memory: on virtual time, emptied for each case, cut by faults."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path

from sqlalchemy import create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool
from sqlmodel import Session

from disputes.ledger import IN_HAND, INCOME_AND_EXPENSE, Account
from disputes.store.database import _begin_sqlite, _prepare_sqlite
from disputes.store.engine import Store
from disputes.store.migrations import migrate

_EXPLAINED = ", ".join(f"'{name}'" for name in (*IN_HAND, Account.DISPUTED, *INCOME_AND_EXPENSE))
_IDENTITY = (
    f"SELECT (SELECT COALESCE(SUM(amount_minor), 0) FROM ledger WHERE debit IN ({_EXPLAINED}))"  # noqa: S608 - our own names
    f" - (SELECT COALESCE(SUM(amount_minor), 0) FROM ledger WHERE credit IN ({_EXPLAINED}))"
)


def cut() -> OperationalError:
    """The error of a database that went away."""
    return OperationalError("the database went away", None, sqlite3.OperationalError("cut"))


class MemoryStore(Store):
    """One for the process; ``begin`` empties it for a case.

    ``fault`` is asked at the points ``begin``, ``commit`` and ``committed`` of every write and at
    ``read``, and raises where the database goes away there. After every write the ledger's
    identity must hold: in hand + at risk is income less expense.
    """

    def __init__(self) -> None:
        self._raw = sqlite3.connect(":memory:", check_same_thread=False)
        engine = create_engine(
            "sqlite+pysqlite://", creator=lambda: self._raw, poolclass=StaticPool
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        super().__init__(engine)
        self.fault: Callable[[str], None] = _none
        self.broken_identities: list[int] = []
        #: transactions that changed, or may have changed, something
        self.writes = 0
        self._judged_line = 0

    def begin(self, clock: Callable[[], datetime], fault: Callable[[str], None]) -> None:
        """Empty the database, put it on ``clock`` and let ``fault`` cut it."""
        _template().backup(self._raw)
        # wire_now asks the database itself, so the database's own clock is the one to replace.
        self._raw.create_function("strftime", 2, lambda _form, _now: clock().isoformat())
        self.fault, self.broken_identities = fault, []
        self.writes = self._judged_line = 0

    @contextmanager
    def write(self) -> Iterator[Session]:
        """As the store's, with a fault at each of its edges."""
        self.fault("begin")
        self.writes += 1
        with super().write() as session:
            yield session
            session.flush()
            newest = self._judge_identity()
            self.fault("commit")
        self._judged_line = newest
        self.fault("committed")

    def _judge_identity(self) -> int:
        """Judge the ledger if it has new lines (it has no others: it is append only)."""
        newest = int(self._raw.execute("SELECT COALESCE(MAX(id), 0) FROM ledger").fetchone()[0])
        if newest != self._judged_line:
            difference = int(self._raw.execute(_IDENTITY).fetchone()[0])
            if difference:
                self.broken_identities.append(difference)
        return newest

    @contextmanager
    def read(self) -> Iterator[Session]:
        """As the store's, unless the database is away."""
        self.fault("read")
        with super().read() as session:
            yield session


@cache
def _template() -> sqlite3.Connection:
    """A migrated, empty database."""
    template = sqlite3.connect(":memory:", check_same_thread=False)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.sqlite3"
        migrate(f"sqlite:///{file}")
        made = sqlite3.connect(file)
        made.backup(template)
        made.close()
    return template


def _none(_point: str) -> None:
    return None
