"""``disputes up`` as a user runs it: until Ctrl-C, and told what is in its way."""

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

import httpx
from temporalio.client import ScheduleActionStartWorkflow

from tests.support.command import disputes
from tests.support.waiting import until
from workflows.connection import connect
from workflows.ids import RECONCILIATION_WORKFLOW, TASK_QUEUE
from workflows.schedule import SCHEDULE_ID

ANY_PORT = (
    *("--api-port", "0", "--temporal-port", "0"),
    *("--temporal-ui-port", "0", "--gateway-port", "0"),
)


def _env() -> dict[str, str]:
    """This process's environment, without any setting of whoever runs the tests."""
    ours = ("DISPUTES_", "TEMPORAL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {k: v for k, v in os.environ.items() if k == "TEMPORAL_CLI"}


async def _nightly(temporal: str) -> ScheduleActionStartWorkflow:
    """What the stack's own server starts every night."""
    client = await connect({"TEMPORAL_ADDRESS": temporal})
    described = await client.get_schedule_handle(SCHEDULE_ID).describe()
    action = described.schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    return action


async def _check_api(address: str, key: str) -> None:
    """Whoever may read the stack's file may use its API."""
    async with httpx.AsyncClient(base_url=address) as http:
        assert (await http.get("/v1/disputes")).status_code == 401
        answer = await http.get("/v1/disputes", headers={"Authorization": f"Bearer {key}"})
        assert answer.json() == {"items": [], "next_cursor": None}


async def test_the_stack_runs_until_it_is_interrupted(tmp_path: Path) -> None:
    """Its addresses are printed, commands in its folder find it, its books are compared nightly."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from starter.cli import main; main()",
        "up",
        *ANY_PORT,
        env=_env() | {"COLUMNS": "200"},
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
    )
    endpoints = tmp_path / ".disputes" / "endpoints.json"
    try:
        await until(lambda: endpoints.exists() or process.returncode is not None, within_s=60)
        named = json.loads(endpoints.read_text())
        assert (await disputes("list", "--json", env=_env(), folder=tmp_path)).out == "[]\n"
        missing = await disputes("show", "D-1", env=_env(), folder=tmp_path)
        assert (missing.code, "no case" in missing.err) == (1, True)
        await _check_api(named["api"], named["api_key"])
        for private in (endpoints, endpoints.with_name("webhook-key")):
            assert private.stat().st_mode & 0o077 == 0
        nightly = await _nightly(named["temporal"])
        assert (nightly.workflow, nightly.task_queue) == (RECONCILIATION_WORKFLOW, TASK_QUEUE)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        out, _ = await process.communicate()
    assert process.returncode == 0
    for address in (named["temporal"], named["temporal_ui"], named["gateway"], named["api"]):
        assert address in out.decode()
    assert not endpoints.exists()


async def test_a_busy_port_is_named_with_its_option(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        asked = [*ANY_PORT[:-1], port]
        done = await disputes("up", *asked, env=_env(), folder=tmp_path)
    assert done.code == 2
    assert f"port {port} " in done.err
    assert "--gateway-port" in done.err
