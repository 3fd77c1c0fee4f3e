"""Setting a database up, and the clear answer where one cannot be used."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, SQLModel

from disputes.errors import ConfigurationError, Unreachable
from disputes.store import open_store, tables
from disputes.store.engine import Store
from disputes.store.migrations import check_version, migrate
from disputes.vocabulary import PaymentType
from starter.processes import claim_port
from tests.store.scene import Scene, entry


def test_setting_up_makes_the_tables_that_the_program_uses(database_url: str) -> None:
    migrate(database_url)
    migrate(database_url)
    check_version(database_url)
    store = open_store(database_url)
    with store.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        ours = {table.__tablename__ for table in _tables()}
        differences = [
            found
            for found in compare_metadata(context, SQLModel.metadata)
            if not (found[0] == "add_table" and found[1].name not in ours)
        ]
    store.close()
    assert differences == []


def _tables() -> list[type[SQLModel]]:
    found = [item for item in vars(tables).values() if isinstance(item, type)]
    return [item for item in found if issubclass(item, SQLModel) and item is not SQLModel]


def test_setting_up_makes_the_folder_of_a_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'folder' / 'store.sqlite3'}"
    migrate(url)
    open_store(url).close()


def test_a_database_that_was_not_set_up_is_refused_with_what_to_do(database_url: str) -> None:
    with pytest.raises(ConfigurationError, match="run `disputes setup`"):
        open_store(database_url)


def test_looking_for_a_file_does_not_make_it(tmp_path: Path) -> None:
    file = tmp_path / "none.sqlite3"
    with pytest.raises(ConfigurationError, match="run `disputes setup`"):
        check_version(f"sqlite:///{file}")
    assert not file.exists()


@contextmanager
def _writing(store: Store) -> Iterator[Session]:
    with store.write() as session:
        yield session
    store.close()


def test_a_database_of_a_newer_version_is_refused(store: Store, store_url: str) -> None:
    with _writing(store) as session:
        session.connection().execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for use in (open_store, check_version, migrate):
        with pytest.raises(ConfigurationError, match="newer version"):
            use(store_url)


@pytest.mark.parametrize(
    "url", ["mysql://localhost/disputes", "disputes.sqlite3", "sqlite://", "sqlite:///:memory:"]
)
def test_an_address_that_is_none_of_ours_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="DISPUTES_DATABASE_URL must"):
        open_store(url)


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    url = f"postgresql://ann:secret@127.0.0.1:{claim_port(0, 'nothing')}/disputes"
    with pytest.raises(Unreachable, match="cannot be reached") as refused:
        open_store(url)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear bank, " * 200)
    with pytest.raises(Unreachable, match="cannot be reached"):
        open_store(f"sqlite:///{file}")


def test_a_posting_can_be_neither_changed_nor_deleted(scene: Scene) -> None:
    scene.dispute("D-1", [entry(PaymentType.DB, 9200)], 9200)
    for statement in ("UPDATE ledger SET amount_minor = 1", "DELETE FROM ledger"):
        with (
            pytest.raises(DBAPIError, match="append only"),
            scene.store.write() as session,
        ):
            session.connection().execute(text(statement))
    assert scene.ledger.verify() == []


@pytest.mark.parametrize(
    ("amount", "credit", "line"), [(0, "sales", 7), (1, "acquirer", 7), (1, "sales", 0)]
)
def test_the_database_refuses_what_does_not_balance_or_posts_twice(
    scene: Scene, amount: int, credit: str, line: int
) -> None:
    debit = entry(PaymentType.DB, 9200)
    scene.dispute("D-1", [debit], 9200)
    insert = text(
        "INSERT INTO ledger (merchant_id, currency, root_id, entry_id, source, line, moment,"
        " debit, credit, amount_minor, text) VALUES ('M-1', 'EUR', :entry, :entry, :source,"
        " :line, '2026-11-02', 'acquirer', :credit, :amount, '')"
    )
    values = {
        "entry": debit.gateway_id,
        "source": f"gateway:{debit.gateway_id}",
        "line": line,
        "credit": credit,
        "amount": amount,
    }
    with pytest.raises(DBAPIError), scene.store.write() as session:
        session.connection().execute(insert, values)


def test_sqlite_survives_a_power_cut(sqlite_template: Path) -> None:
    """Every commit reaches the disk, and a reader never waits for a writer."""
    store = open_store(f"sqlite:///{sqlite_template}")
    with store.read() as session:
        pragmas = {
            name: session.connection().execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    store.close()
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "busy_timeout": 30_000,
        "foreign_keys": 1,
    }
