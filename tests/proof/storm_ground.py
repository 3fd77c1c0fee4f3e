"""The ground of a storm: one whole stack of processes, each of which can be struck and mended."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psycopg
from temporalio.client import Client

from disputes.errors import ConfigurationError, Unreachable
from disputes.settings import Settings
from disputes.store import Store, open_store
from disputes.store.migrations import migrate
from starter.processes import LOOPBACK, Child
from starter.temporal_server import TemporalServer, start_temporal
from tests.proof.crash_lane import WINDOWS, environment, made_policy
from tests.proof.storm_parts import Disk, Proxy, small_disk
from tests.support.postgres import Postgres, postgres_programs, run_postgres
from tests.support.sandbox import Sandbox, run_sandbox
from workflows.connection import connect
from workflows.namespace import prepare_namespace

_WORKERS = 3
_WATCH_S = 0.3
T = TypeVar("T")


@dataclass
class Ground:
    """Everything that runs.

    Attributes:
        to_temporal: the way of the workers to the Temporal server.
        to_gateway: and to the gateway.
    """

    folder: Path
    disk: Disk | None
    temporal: TemporalServer
    postgres: Postgres
    sandbox: Sandbox
    store: Store
    client: Client
    env: dict[str, str]
    to_temporal: Proxy
    to_gateway: Proxy
    workers: list[Child] = field(default_factory=list)
    started: int = 0
    _hands: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8))
    _database: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def by_hand(self, act: Callable[[], T]) -> T:
        """Do something in a thread of our own: callers may hold every other one."""
        return await asyncio.get_running_loop().run_in_executor(self._hands, act)

    async def kill_database(self) -> None:
        """End the database server in this moment."""
        async with self._database:
            await self.by_hand(self.postgres.kill)

    @asynccontextmanager
    async def mended(self) -> AsyncIterator[None]:
        """Start again whatever does not run, as a supervisor does, for as long as the block."""

        async def watch() -> None:
            while True:
                # What cannot start now, for its disk is full or its database away, can later.
                with suppress(Unreachable, ConfigurationError, RuntimeError):
                    await self.mend()
                await asyncio.sleep(_WATCH_S)

        watching = asyncio.create_task(watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait([watching])

    async def mend(self) -> None:
        """Start again whatever does not run."""
        async with self._database:
            if not await self.by_hand(self.postgres.processes):
                await self.by_hand(self.postgres.start)
        if self.temporal.child.process.returncode is not None:
            port = int(self.temporal.address.rpartition(":")[2])
            where = self.disk.folder if self.disk else self.folder
            self.temporal = await _temporal(self.folder, where, self.temporal.env, port)
        self.workers = [it for it in self.workers if it.process.returncode is None]
        while len(self.workers) < _WORKERS:
            await self._start_worker()

    async def _start_worker(self) -> None:
        self.started += 1
        name = f"worker-{self.started}"
        command = [sys.executable, "-m", "worker"]
        log = self.folder / "logs" / f"{name}.log"
        self.workers.append(await Child.start(name, command, env=self.env, log=log))

    def stop_database(self, what: signal.Signals) -> None:
        """Freeze or thaw the database server."""
        for pid in self.postgres.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, what)

    def end_sessions(self) -> None:
        """Cut every connection to the database."""
        ours = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        )
        with suppress(psycopg.Error), psycopg.connect(self.postgres.url()) as connection:
            connection.execute(ours)


async def _temporal(folder: Path, data: Path, env: dict[str, str], port: int) -> TemporalServer:
    log = folder / "logs" / "temporal.log"
    return await start_temporal(env, log=log, port=port, database=data / "temporal.sqlite3")


@asynccontextmanager
async def run_ground(folder: Path) -> AsyncIterator[Ground]:
    """Start everything, give it, and stop it, whatever state it is in."""
    programs = postgres_programs()
    if programs is None:
        raise RuntimeError("PostgreSQL is not installed (initdb was not found)")
    policy = made_policy(folder / "settings")
    async with AsyncExitStack() as exits:
        disk = exits.enter_context(small_disk())
        data = disk.folder if disk else folder
        postgres = exits.enter_context(run_postgres(programs, disk.folder if disk else None))
        url = postgres.url(postgres.new_database())
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET max_wal_size = '128MB'")
        migrate(url)
        args = ("--query-limit-per-minute", "0", "--book", str(folder / "sandbox.sqlite3"))
        sandbox = await exits.enter_async_context(run_sandbox(folder, *args, env=environment()))
        temporal = await _temporal(folder, data, environment(), 0)
        client = await connect(temporal.env)
        await prepare_namespace(client)
        proxies = [Proxy(int(it.rpartition(":")[2])) for it in (temporal.address, sandbox.url)]
        for proxy in proxies:
            exits.callback((await proxy.start()).close)
        env = (
            temporal.env
            | sandbox.env
            | WINDOWS
            | {
                "TEMPORAL_ADDRESS": f"{LOOPBACK}:{proxies[0].port}",
                "DISPUTES_GATEWAY_URL": f"http://{LOOPBACK}:{proxies[1].port}",
                "DISPUTES_DATABASE_URL": url,
                "DISPUTES_POLICY_FILE": str(policy),
            }
        )
        Settings.from_env(env, needs_gateway=True)
        store = open_store(url)
        exits.callback(store.close)
        ground = Ground(
            folder, disk, temporal, postgres, sandbox, store, client, env, proxies[0], proxies[1]
        )
        try:
            await ground.mend()
            yield ground
        finally:
            everyone = [ground.temporal.child, *ground.workers]
            await asyncio.gather(*(child.stop(grace_s=5) for child in everyone))
