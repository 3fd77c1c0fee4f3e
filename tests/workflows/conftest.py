"""Engines of their own kind: one with short windows, and one whose workers are processes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.testing import TimeSkipper

from disputes.store import open_store
from starter.embedded import embedded_stack
from starter.stack import Stack
from starter.temporal_server import TemporalServer
from tests.support.engine import POLICY, Engine, run_engine
from tests.support.sandbox import Sandbox


@pytest_asyncio.fixture(scope="session")
async def quick_process(
    temporal_server: TemporalServer,
    sandbox_process: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Engine]:
    url = f"sqlite:///{tmp_path_factory.mktemp('quick') / 'store.sqlite3'}"
    windows = {
        "DISPUTES_GATEWAY_TIMEOUT_S": "1",
        "DISPUTES_GATEWAY_QUERY_INTERVAL_S": "0.1",
        "DISPUTES_GATEWAY_SETTLE_WINDOW_S": "2",
    }
    async with run_engine(temporal_server, sandbox_process, url, "quick", **windows) as engine:
        yield engine


@pytest.fixture
def quick(quick_process: Engine, sandbox: Sandbox) -> Engine:
    """An engine that need not wait long before it sends again: a window of two seconds."""
    assert quick_process.sandbox is sandbox
    return quick_process


@dataclass
class Workers:
    """An engine without a worker in this process, and the stack that starts worker processes."""

    engine: Engine
    stack: Stack


@pytest_asyncio.fixture
async def workers(
    temporal_server: TemporalServer, sandbox: Sandbox, tmp_path: Path
) -> AsyncIterator[Workers]:
    """Worker processes on the run's Temporal server and sandbox, with their own database."""
    queue = tmp_path.name
    env = {
        **temporal_server.env,
        **sandbox.env,
        "DISPUTES_TASK_QUEUE": queue,
        "DISPUTES_POLICY_FILE": POLICY,
        "DISPUTES_GATEWAY_TIMEOUT_S": "4",
        "DISPUTES_GATEWAY_QUERY_INTERVAL_S": "0.2",
        "DISPUTES_GATEWAY_SETTLE_WINDOW_S": "8",
    }
    async with embedded_stack(tmp_path / "stack", env=env, workers=0) as stack:
        store = open_store(stack.settings.database_url)
        try:
            skipper = TimeSkipper(stack.client)
            yield Workers(
                Engine(stack.client, skipper, sandbox, store, stack.settings, stack.env, queue),
                stack,
            )
        finally:
            store.close()
