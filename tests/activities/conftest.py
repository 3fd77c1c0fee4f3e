"""A till, and a bench for one operation: each on a fresh store and the real sandbox."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from disputes.gateway.client import Gateway, Timeouts
from disputes.operations import GatewayEntry
from disputes.store.engine import Store, open_store
from disputes.store.migrations import migrate
from disputes.vocabulary import PaymentType
from tests.activities.bench import TIMEOUTS, Bench
from tests.activities.till import Till
from tests.store.scene import Scene, new_id
from tests.support.sandbox import Sandbox


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database to copy."""
    file = tmp_path_factory.mktemp("till") / "store.sqlite3"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture
def store(migrated: Path, tmp_path: Path) -> Iterator[Store]:
    """A store on a copy of it."""
    opened = open_store(f"sqlite:///{shutil.copy(migrated, tmp_path / 'store.sqlite3')}")
    yield opened
    opened.close()


@pytest_asyncio.fixture
async def till(sandbox: Sandbox, store: Store) -> AsyncIterator[Till]:
    """A merchant's payments on the sandbox, whose answers may take long on a busy machine."""
    async with Gateway(Timeouts(read_s=30)) as gateway:
        yield Till(sandbox, Scene(store), gateway)


@pytest_asyncio.fixture
async def bench(sandbox: Sandbox, store: Store) -> AsyncIterator[Bench]:
    """A dispute on a fresh DB of 92.00 EUR, and a client that waits half a second."""
    scene = Scene(store)
    payment_id = f"a{new_id()[1:]}"
    await sandbox.payment(payment_id, "92.00", "EUR")
    presented = GatewayEntry(
        gateway_id=payment_id,
        payment_type=PaymentType.DB,
        succeeded=True,
        amount_minor=9200,
        currency="EUR",
    )
    dispute = scene.dispute(f"D-{payment_id}", [presented], 9200)
    async with Gateway(TIMEOUTS) as gateway:
        yield Bench(sandbox, scene, gateway, dispute, payment_id)
