"""The one-command stack, with its real servers."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest

from disputes.errors import ConfigurationError, Unreachable
from starter.embedded import embedded_stack
from starter.processes import Child
from starter.stack import Ports
from starter.temporal_server import find_temporal_cli
from tests.support.sandbox import Sandbox
from tests.support.waiting import until
from workflows.connection import connect
from workflows.namespace import missing_search_attributes, prepare_namespace


def _env() -> dict[str, str]:
    """This process's environment, without any setting of whoever runs the tests."""
    ours = ("DISPUTES_", "TEMPORAL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {k: v for k, v in os.environ.items() if k == "TEMPORAL_CLI"}


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_the_stack_names_what_it_started_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with embedded_stack(tmp_path, env=_env(), workers=0, ui=True) as stack:
        named = json.loads((tmp_path / "endpoints.json").read_text())
        assert named == stack.endpoints.model_dump()
        assert set(named) == {
            *("temporal", "namespace", "temporal_ui", "api", "gateway", "database", "api_key")
        }
        async with httpx.AsyncClient() as http:
            assert (await http.get(named["temporal_ui"])).status_code == httpx.codes.OK
            assert (await http.get(f"{named['gateway']}/_sandbox/book")).json() == []
        client = await connect(stack.env)
        assert await missing_search_attributes(client) == []
        pids = [child.pid for child in stack.children]
    assert [pid for pid in pids if _alive(pid)] == []
    assert not (tmp_path / "endpoints.json").exists()


async def test_closed_cases_are_remembered_for_thirty_days(tmp_path: Path) -> None:
    async with embedded_stack(tmp_path, env=_env(), workers=0) as stack:
        described = await stack.client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace="default")
        )
        assert described.config.workflow_execution_retention_ttl.ToTimedelta().days == 30


async def test_started_again_it_goes_on_with_what_it_had(tmp_path: Path) -> None:
    """Workflows and the gateway's book outlive the processes."""
    async with embedded_stack(tmp_path, env=_env(), workers=0) as stack:
        await stack.client.start_workflow("Waiting", id="dispute/D-1", task_queue="nobody")
        async with httpx.AsyncClient(base_url=stack.endpoints.gateway or "") as http:
            payment = {"id": "a" * 32, "payment_type": "DB", "amount": "5.00", "currency": "EUR"}
            (await http.post("/_sandbox/payments", json=payment)).raise_for_status()
    async with embedded_stack(tmp_path, env=_env(), workers=0) as stack:
        described = await stack.client.get_workflow_handle("dispute/D-1").describe()
        assert described.close_time is None
        async with httpx.AsyncClient(base_url=stack.endpoints.gateway or "") as http:
            assert len((await http.get("/_sandbox/book")).json()) == 1


async def test_what_a_setting_names_is_used_and_not_started(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    database = f"sqlite:///{tmp_path / 'elsewhere.sqlite3'}"
    env = _env() | sandbox.env | {"DISPUTES_DATABASE_URL": database}
    async with embedded_stack(tmp_path / "one", env=env, workers=0) as first:
        assert [child.name for child in first.children] == ["temporal"]
        assert first.endpoints.gateway == sandbox.url
        assert first.endpoints.database == database
        env |= {"TEMPORAL_ADDRESS": first.endpoints.temporal}
        async with embedded_stack(tmp_path / "two", env=env, workers=0) as second:
            assert second.children == []
            assert second.endpoints.temporal == first.endpoints.temporal


@pytest.fixture
def busy_port() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize("what", ["temporal", "temporal_ui", "gateway"])
async def test_a_busy_port_is_named(tmp_path: Path, busy_port: int, what: str) -> None:
    ports = Ports(**{what: busy_port})
    with pytest.raises(ConfigurationError, match=f"port {busy_port} .* is in use"):
        async with embedded_stack(tmp_path, env=_env(), ports=ports, workers=0, ui=True):
            pass


async def test_two_stacks_cannot_share_a_folder(tmp_path: Path) -> None:
    async with embedded_stack(tmp_path, env=_env(), workers=0):
        with pytest.raises(ConfigurationError, match="already"):
            async with embedded_stack(tmp_path, env=_env(), workers=0):
                pass


async def test_a_wrong_setting_stops_the_start_before_anything_runs(tmp_path: Path) -> None:
    folder = tmp_path / "stack"
    with pytest.raises(ConfigurationError, match="DISPUTES_DATABASE_URL"):
        async with embedded_stack(folder, env={**_env(), "DISPUTES_DATABASE_URL": "mysql://x"}):
            pass
    assert not folder.exists()


async def test_what_ends_at_its_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such book')"]
    child = await Child.start("sandbox", command, env=_env(), log=tmp_path / "log")

    async def never() -> None:
        return None

    with pytest.raises(Unreachable, match="sandbox ended at its start:\nno such book"):
        await child.until(never)


async def test_a_missing_server_is_told_with_its_address() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        env = {"TEMPORAL_ADDRESS": address, "TEMPORAL_CONFIG_FILE": os.devnull}
        with pytest.raises(Unreachable, match=address):
            await connect(env)


async def test_a_server_that_accepts_and_says_nothing_is_told_too() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        env = {"TEMPORAL_ADDRESS": address, "TEMPORAL_CONFIG_FILE": os.devnull}
        with pytest.raises(Unreachable, match=address):
            await connect(env)


def test_a_cli_that_is_not_there_is_told_by_its_setting() -> None:
    with pytest.raises(ConfigurationError, match="TEMPORAL_CLI"):
        find_temporal_cli({"TEMPORAL_CLI": "/nowhere/temporal"})


_HOST = """
import asyncio, os, pathlib, sys
from starter.embedded import embedded_stack

async def main():
    folder = pathlib.Path(sys.argv[1])
    async with embedded_stack(folder, env=os.environ, workers=0) as stack:
        pids = [child.pid for child in stack.children]
        ended = await stack.serve(lambda endpoints: print(*pids, flush=True))
        print("stopped" if ended is None else ended.name + " ended", flush=True)

asyncio.run(main())
"""


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that holds a stack until it is asked to end; prints its children's ids."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _HOST, str(tmp_path)),
        env=_env(),
        stdout=asyncio.subprocess.PIPE,
    )
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


@pytest.mark.parametrize("ask", [signal.SIGINT, signal.SIGTERM])
async def test_it_stops_cleanly_when_asked(
    host: asyncio.subprocess.Process, ask: signal.Signals
) -> None:
    pids = [int(pid) for pid in (await _line(host)).split()]
    host.send_signal(ask)
    assert await _line(host) == "stopped"
    await host.wait()
    assert [pid for pid in pids if _alive(pid)] == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent's life")
async def test_a_killed_stack_leaves_no_process_behind(host: asyncio.subprocess.Process) -> None:
    pids = [int(pid) for pid in (await _line(host)).split()]
    assert all(_alive(pid) for pid in pids)
    host.kill()
    await until(lambda: not any(_alive(pid) for pid in pids))


async def test_a_part_that_ends_by_itself_ends_the_stack_by_name(
    host: asyncio.subprocess.Process,
) -> None:
    pids = [int(pid) for pid in (await _line(host)).split()]
    os.kill(pids[0], signal.SIGKILL)
    assert await _line(host) == "sandbox ended"


async def test_preparing_a_namespace_twice_changes_nothing(tmp_path: Path) -> None:
    async with embedded_stack(tmp_path, env=_env(), workers=0) as stack:
        await prepare_namespace(stack.client)
        assert await missing_search_attributes(stack.client) == []
