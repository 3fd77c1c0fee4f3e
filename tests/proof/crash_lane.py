"""The ground of crash experiments: servers that can be cut, and workers that can be struck."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from temporalio.client import Client
from temporalio.testing import TimeSkipper

from disputes.settings import Settings
from disputes.store import open_store
from disputes.store.migrations import migrate
from starter.processes import Child
from starter.temporal_server import TemporalServer, start_temporal
from tests.support.engine import POLICY, Engine
from tests.support.postgres import Postgres, postgres_programs, run_postgres
from tests.support.sandbox import Sandbox
from workflows.connection import connect
from workflows.namespace import prepare_namespace

#: A request that was sent and not booked goes out again after this long, in seconds.
SETTLE_WINDOW_S = 6.0
#: Short windows, so that an experiment takes seconds.
WINDOWS = {
    "DISPUTES_GATEWAY_TIMEOUT_S": "3",
    "DISPUTES_GATEWAY_QUERY_INTERVAL_S": "0.2",
    "DISPUTES_GATEWAY_SETTLE_WINDOW_S": f"{SETTLE_WINDOW_S:g}",
}
_numbers = count(1)


def environment() -> dict[str, str]:
    """This process's environment without any setting of the caller's."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DISPUTES_", "TEMPORAL_")) or name == "TEMPORAL_CLI"
    }


def strike(child: Child, what: signal.Signals) -> None:
    """Send a signal to a child and to all that it started."""
    os.killpg(child.pid, what)


@dataclass
class Lane:
    """A Temporal server and a PostgreSQL server of its own, beside the sandbox of all lanes."""

    folder: Path
    temporal: TemporalServer
    postgres: Postgres
    sandbox: Sandbox
    client: Client
    template: str
    policy: Path

    @property
    def env(self) -> dict[str, str]:
        """Settings of every worker, but for queue and database."""
        return {
            **self.temporal.env,
            **self.sandbox.env,
            **WINDOWS,
            "DISPUTES_POLICY_FILE": str(self.policy),
        }

    async def kill_temporal(self) -> None:
        """End the Temporal server in this moment."""
        strike(self.temporal.child, signal.SIGKILL)
        await self.temporal.child.process.wait()

    async def start_temporal(self) -> None:
        """Start it again on the same port and the same database file."""
        port = int(self.temporal.address.rpartition(":")[2])
        self.temporal = await _start_temporal(self.folder, self.temporal.env, port)

    @asynccontextmanager
    async def site(self) -> AsyncIterator["Site"]:
        """A fresh database and task queue; its workers end with the block."""
        database = await asyncio.to_thread(self.postgres.new_database, self.template)
        queue = f"crash-{next(_numbers)}"
        url = self.postgres.url(database)
        env = self.env | {"DISPUTES_TASK_QUEUE": queue, "DISPUTES_DATABASE_URL": url}
        settings = Settings.from_env(env, needs_gateway=True)
        store = await asyncio.to_thread(open_store, url)
        skipper = TimeSkipper(self.client)
        engine = Engine(self.client, skipper, self.sandbox, store, settings, env, queue)
        site = Site(self, engine, self.folder / queue)
        site.folder.mkdir()
        try:
            yield site
        finally:
            await asyncio.gather(*(worker.stop(grace_s=0) for worker in site.workers))
            store.close()
            await asyncio.to_thread(self.postgres.drop_database, database)


@dataclass
class Site:
    """An engine for one experiment; its folder takes the logs and the hold's two files."""

    lane: Lane
    engine: Engine
    folder: Path
    workers: list[Child] = field(default_factory=list)

    async def start_worker(
        self, module: str = "worker", more: Mapping[str, str] | None = None
    ) -> Child:
        """Start a worker process and wait until it says that it works."""
        env = {**self.engine.env, **(more or {})}
        name = f"worker-{len(self.workers) + 1}"
        command = [sys.executable, "-m", module]
        child = await Child.start(name, command, env=env, log=self.folder / f"{name}.log")
        self.workers.append(child)

        async def works() -> bool | None:
            return True if "working on task queue" in child.output() else None

        await child.until(works, within_s=120)
        return child


@asynccontextmanager
async def run_lane(folder: Path, sandbox: Sandbox) -> AsyncIterator[Lane]:
    """Start the servers of a lane, give it, and stop them.

    Raises:
        RuntimeError: PostgreSQL is not installed.
    """
    programs = postgres_programs()
    if programs is None:
        raise RuntimeError("PostgreSQL is not installed (initdb was not found)")
    policy = made_policy(folder)
    async with AsyncExitStack() as exits:
        postgres = exits.enter_context(run_postgres(programs))
        template = await asyncio.to_thread(postgres.new_database)
        # Not in a thread: Alembic keeps what it works on in globals.
        migrate(postgres.url(template))
        temporal = await _start_temporal(folder, environment(), 0)
        lane = Lane(
            folder,
            temporal,
            postgres,
            sandbox,
            await connect(temporal.env),
            template,
            policy,
        )
        await prepare_namespace(lane.client)
        try:
            yield lane
        finally:
            await lane.temporal.child.stop()


def made_policy(folder: Path) -> Path:
    """Make the folder and a policy by which a lost dispute is rebilled at once; gives its file."""
    folder.mkdir()
    policy = folder / "policy.toml"
    text = Path(POLICY).read_text("utf-8")
    policy.write_text(text.replace("rebill_cool_off_hours = 24", "rebill_cool_off_hours = 0"))
    return policy


async def _start_temporal(folder: Path, env: Mapping[str, str], port: int) -> TemporalServer:
    log, database = folder / "temporal.log", folder / "temporal.sqlite3"
    return await start_temporal(env, log=log, port=port, database=database)
