"""A fresh, migrated database of each kind for every test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from disputes.store.database import make_engine
from disputes.store.engine import Store, open_store
from disputes.store.migrations import migrate
from tests.store.scene import Scene
from tests.support.postgres import Postgres


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database to copy."""
    file = tmp_path_factory.mktemp("template") / "store.sqlite3"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    """Name of a migrated PostgreSQL database to copy."""
    name = postgres.new_database()
    migrate(postgres.url(name))
    return name


@pytest.fixture
def empty_sqlite(sqlite_template: Path, tmp_path: Path) -> Engine:
    """An empty SQLite database, for its plans."""
    return make_engine(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'plans.sqlite3')}")


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated, empty database of each kind."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        yield f"sqlite:///{shutil.copy(template, tmp_path / 'store.sqlite3')}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = server.new_database(request.getfixturevalue("postgres_template"))
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """The store on it."""
    opened = open_store(store_url)
    yield opened
    opened.close()


@pytest.fixture
def scene(store: Store) -> Scene:
    """Its adapters."""
    return Scene(store)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared_scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """One store of each kind for a whole table of cases; each makes payments of its own."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        folder = tmp_path_factory.mktemp("shared")
        url = f"sqlite:///{shutil.copy(template, folder / 'store.sqlite3')}"
        yield from _open(url)
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = server.new_database(request.getfixturevalue("postgres_template"))
    yield from _open(server.url(name))
    server.drop_database(name)


def _open(url: str) -> Iterator[Scene]:
    opened = open_store(url)
    yield Scene(opened)
    opened.close()
