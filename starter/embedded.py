"""The whole engine on one machine: Temporal, gateway, database and workers, started as one.

What a setting names is used as it is; what none names is started here and stopped with us.
"""

import asyncio
import fcntl
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from temporalio.client import Client

from disputes.errors import ConfigurationError
from disputes.settings import Settings
from disputes.store.migrations import migrate
from starter.local_api import start_api, write_private
from starter.processes import LOOPBACK, Child, claim_port
from starter.stack import Endpoints, Ports, Stack, log_file
from starter.temporal_server import TemporalServer, start_temporal
from workflows.connection import connect, temporal_config
from workflows.namespace import prepare_namespace
from workflows.schedule import prepare_schedule

ENDPOINTS_FILE = "endpoints.json"
_SANDBOX_SAYS = "sandbox listening on "


@asynccontextmanager
async def embedded_stack(
    folder: Path,
    *,
    env: Mapping[str, str],
    ports: Ports | None = None,
    workers: int = 1,
    ui: bool = False,
    time_skipping: bool = False,
    sandbox_args: Sequence[str] = (),
) -> AsyncIterator[Stack]:
    """Start the stack, give it, and stop what was started, workers first.

    Args:
        folder: for databases, logs and ``endpoints.json``; made if missing. Open cases of an
            earlier stack in it continue.
        env: variable names and values, such as ``os.environ``; named services are not started.
        ports: the ports to listen on; all free ones by default.
        workers: how many worker processes.
        ui: whether the Temporal server shows its own web pages.
        time_skipping: whether clients may let a workflow's clock run ahead.
        sandbox_args: further arguments of the sandbox gateway.

    Raises:
        ConfigurationError: a setting is wrong, a port is in use, or a stack runs in the folder.
        Unreachable: something did not start; with its last lines of output.
    """
    Settings.from_env(env)
    ports = ports or Ports()
    folder = _made(folder)
    async with AsyncExitStack() as exits:
        exits.enter_context(_only_one(folder))
        children: list[Child] = []
        exits.push_async_callback(_stop, children)
        merged = dict(env)
        merged.setdefault("DISPUTES_DATABASE_URL", f"sqlite:///{folder / 'disputes.sqlite3'}")
        if not _names_gateway(env):
            merged |= await _start_sandbox(folder, merged, ports.gateway, sandbox_args, children)
        await asyncio.to_thread(migrate, merged["DISPUTES_DATABASE_URL"])
        server = None
        if "TEMPORAL_ADDRESS" not in env:
            server = await start_temporal(
                merged,
                log=log_file(folder, "temporal"),
                port=ports.temporal,
                ui_port=ports.temporal_ui if ui else None,
                database=folder / "temporal.sqlite3",
                time_skipping=time_skipping,
            )
            children.append(server.child)
            merged = server.env
        client = await connect(merged)
        settings = Settings.from_env(merged, needs_gateway=True)
        if server:
            await prepare_namespace(client)
            await prepare_schedule(client, settings.task_queue)
        stack = Stack(
            folder=folder,
            env=merged,
            settings=settings,
            client=client,
            endpoints=_endpoints(merged, client, server),
            children=children,
        )
        for _ in range(workers):
            await stack.start_worker()
        if ports.api is not None:
            stack.endpoints = await start_api(stack, ports.api)
        exits.enter_context(_announced(folder, stack.endpoints))
        yield stack


def _made(folder: Path) -> Path:
    """The folder, closed to other users, by its full path: children may run elsewhere."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.resolve()


async def _stop(children: list[Child]) -> None:
    """Workers first and together, then the servers that they may still need to finish."""
    workers = [child for child in children if child.name.startswith("worker")]
    await asyncio.gather(*(child.stop() for child in workers))
    await asyncio.gather(*(child.stop() for child in children))


def _names_gateway(env: Mapping[str, str]) -> bool:
    return "DISPUTES_GATEWAY_URL" in env or "DISPUTES_ENTITIES_FILE" in env


async def _start_sandbox(
    folder: Path, env: Mapping[str, str], port: int, extra: Sequence[str], children: list[Child]
) -> dict[str, str]:
    """Start the stand-in gateway; gives the settings that lead to it."""
    if port:
        claim_port(port, "the sandbox gateway")
    command = [sys.executable, "-m", "sandbox", "--host", LOOPBACK, "--port", str(port)]
    command += ["--book", str(folder / "sandbox.sqlite3"), *extra]
    child = await Child.start("sandbox", command, env=env, log=log_file(folder, "sandbox"))
    children.append(child)

    async def announced() -> str | None:
        lines = (line for line in child.output().splitlines() if line.startswith(_SANDBOX_SAYS))
        return next(lines, None)

    url = (await child.until(announced)).removeprefix(_SANDBOX_SAYS).strip()
    return {
        "DISPUTES_GATEWAY_URL": url,
        "DISPUTES_GATEWAY_ENTITY_ID": "sandbox",
        "DISPUTES_GATEWAY_TOKEN": "sandbox",
    }


def _endpoints(env: Mapping[str, str], client: Client, server: TemporalServer | None) -> Endpoints:
    return Endpoints(
        temporal=temporal_config(env).get("target_host", ""),
        namespace=client.namespace,
        temporal_ui=server.ui if server else None,
        gateway=env.get("DISPUTES_GATEWAY_URL"),
        database=_without_password(env["DISPUTES_DATABASE_URL"]),
    )


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return url.replace(f":{parts.password}@", ":***@", 1)


@contextmanager
def _announced(folder: Path, endpoints: Endpoints) -> Iterator[None]:
    """``endpoints.json`` exists while the stack runs, and is never half written."""
    file = folder / ENDPOINTS_FILE
    draft = file.with_suffix(".draft")
    write_private(draft, endpoints.model_dump_json(indent=2) + "\n")
    draft.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Two servers on one database file would destroy it; the lock ends with the process."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(
                f"a stack runs in {folder} already: stop it first, or choose another folder"
            ) from error
        yield
