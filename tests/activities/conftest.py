"""A till on a fresh store and the real sandbox."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from disputes.gateway.client import Gateway, Timeouts
from disputes.store.engine import open_store
from disputes.store.migrations import migrate
from tests.activities.till import Till
from tests.store.scene import Scene
from tests.support.sandbox import Sandbox


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database to copy."""
    file = tmp_path_factory.mktemp("till") / "store.sqlite3"
    migrate(f"sqlite:///{file}")
    return file


@pytest_asyncio.fixture
async def till(sandbox: Sandbox, migrated: Path, tmp_path: Path) -> AsyncIterator[Till]:
    """A merchant's payments on the sandbox, whose answers may take long on a busy machine."""
    store = open_store(f"sqlite:///{shutil.copy(migrated, tmp_path / 'store.sqlite3')}")
    async with Gateway(Timeouts(read_s=30)) as gateway:
        yield Till(sandbox, Scene(store), gateway)
    store.close()
