"""Real parts for the tests: a Temporal server, a sandbox gateway, a PostgreSQL server."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from disputes.errors import ConfigurationError
from starter.temporal_server import TemporalServer, find_temporal_cli, start_temporal
from tests.support.engine import Engine, run_engine
from tests.support.postgres import Postgres, postgres_programs, run_postgres
from tests.support.sandbox import Sandbox, run_sandbox


@pytest_asyncio.fixture(scope="session")
async def temporal_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[TemporalServer]:
    """A Temporal server in memory on which a workflow's clock may run ahead."""
    try:
        find_temporal_cli(os.environ)
    except ConfigurationError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("temporal")
    server = await start_temporal(os.environ, log=folder / "temporal.log", time_skipping=True)
    yield server
    await server.child.stop()


@pytest_asyncio.fixture(scope="session")
async def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """One sandbox for the whole run, without a limit on queries."""
    folder = tmp_path_factory.mktemp("sandbox")
    async with run_sandbox(folder, "--query-limit-per-minute", "0") as sandbox:
        yield sandbox


@pytest_asyncio.fixture
async def sandbox(sandbox_process: Sandbox) -> AsyncIterator[Sandbox]:
    """The sandbox, with no fault left armed by or for another test."""
    await sandbox_process.disarm()
    yield sandbox_process
    await sandbox_process.disarm()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (initdb was not found)")
    with run_postgres(programs) as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """A fresh, empty PostgreSQL database."""
    name = postgres.new_database()
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A fresh SQLite database."""
    return f"sqlite:///{tmp_path / 'store.sqlite3'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, empty database of each kind: the test runs on both."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest_asyncio.fixture(scope="session")
async def engine_process(
    temporal_server: TemporalServer,
    sandbox_process: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Engine]:
    """One engine on SQLite for the whole run, its worker in this process."""
    url = f"sqlite:///{tmp_path_factory.mktemp('engine') / 'store.sqlite3'}"
    async with run_engine(temporal_server, sandbox_process, url, "engine") as engine:
        yield engine


@pytest.fixture
def engine(engine_process: Engine, sandbox: Sandbox) -> Engine:
    """The engine, with no fault left armed at its sandbox."""
    assert engine_process.sandbox is sandbox
    return engine_process


@pytest_asyncio.fixture
async def alone(
    temporal_server: TemporalServer, sandbox: Sandbox, tmp_path: Path
) -> AsyncIterator[Engine]:
    """An engine whose books no other test writes."""
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    async with run_engine(temporal_server, sandbox, url, tmp_path.name) as engine:
        yield engine
