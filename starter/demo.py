"""Plays a feed through the whole engine on this machine and checks the money."""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
from rich.console import Console

from disputes.errors import Unreachable
from disputes.store import open_store
from disputes.store.intake import IntakeBook
from disputes.store.payment_reads import PaymentReads
from disputes.store.register import SqlRegister
from starter.cli_office import print_json
from starter.client import DisputeDesk
from starter.demo_clock import Clocks
from starter.demo_player import Played, Player
from starter.demo_report import DemoReport, Position, report_of
from starter.demo_script import EXAMPLES, Script, read_script
from starter.demo_show import Stage, show
from starter.demo_stories import STORIES
from starter.demo_story import Teller
from starter.embedded import embedded_stack
from starter.intake import Intake
from starter.payment_desk import PaymentDesk
from starter.stack import Stack

#: Reads are not limited: cases live too fast for two a minute.
_SANDBOX_ARGS = ("--query-limit-per-minute", "0")


async def run(feed: Path | None = None, *, as_json: bool = False, keep: bool = False) -> int:
    """Play a feed and print what came of it; 0 when everything adds up, else 1.

    Args:
        feed: JSON Lines; the examples' feed by default.
        as_json: print for programs; how far it is still goes to stderr.
        keep: keep the folder with databases and logs; it is always kept when something fails.

    Raises:
        ConfigurationError: the feed cannot be played.
        Unreachable: a part of the stack did not start, or went away.
    """
    script = read_script(feed or EXAMPLES / "feed.jsonl", datetime.now(UTC))
    folder = Path(tempfile.mkdtemp(prefix="disputes-demo-"))
    kept = True
    try:
        report = await _report(folder, script)
        if as_json:
            print_json(report)
        else:
            show(report)
        kept = keep or bool(report.problems)
        return int(bool(report.problems))
    except asyncio.CancelledError:  # somebody has seen enough
        kept = False
        raise
    finally:
        _leave(folder, keep=kept)


async def tell(scenario: str, *, keep: bool = False) -> int:
    """Tell one of the stories of ``demo_stories``; 0 when the books add up, else 1.

    Args:
        scenario: its name.
        keep: keep the folder with databases and logs; it is always kept when something fails.

    Raises:
        Unreachable: a part of the stack did not start, or went away.
    """
    folder = Path(tempfile.mkdtemp(prefix="disputes-demo-"))
    problems = ["interrupted"]
    try:
        async with _stack(folder) as stack:
            problems = await _story(stack, scenario)
        return int(bool(problems))
    except asyncio.CancelledError:  # somebody has seen enough
        problems = []
        raise
    finally:
        _leave(folder, keep=keep or bool(problems))


async def _story(stack: Stack, scenario: str) -> list[str]:
    store = open_store(stack.settings.database_url)
    register, queue = SqlRegister(store), stack.settings.task_queue
    try:
        async with _sandbox(stack) as http:
            teller = Teller(
                client=stack.client,
                desk=PaymentDesk(stack.client, register, PaymentReads(store), queue),
                cases=DisputeDesk(stack.client, register, queue),
                store=store,
                sandbox=http,
                clocks=Clocks(stack.client),
            )
            await STORIES[scenario](teller)
            return await teller.ends()
    finally:
        store.close()


@asynccontextmanager
async def _stack(folder: Path) -> AsyncIterator[Stack]:
    """A stack whose workflows' clocks may run ahead, told of while it starts."""
    starting = Console(stderr=True).status("starting Temporal, the sandbox gateway and a worker")
    starting.start()
    try:
        async with embedded_stack(
            folder, env=_env(os.environ), time_skipping=True, sandbox_args=_SANDBOX_ARGS
        ) as stack:
            starting.stop()
            yield stack
    finally:
        starting.stop()


def _leave(folder: Path, *, keep: bool) -> None:
    if keep:
        sys.stderr.write(f"databases are in {folder}, logs in {folder / 'logs'}\n")
    else:
        shutil.rmtree(folder, ignore_errors=True)


async def _report(folder: Path, script: Script) -> DemoReport:
    async with _stack(folder) as stack:
        await _book_payments(stack, script)
        return await play(stack, script)


def _env(env: Mapping[str, str]) -> dict[str, str]:
    """Nothing that could lead invented disputes to a real gateway, server or database."""
    kept = {
        name: value
        for name, value in env.items()
        if name == "TEMPORAL_CLI" or not name.startswith(("DISPUTES_", "TEMPORAL_"))
    }
    return kept | {
        "DISPUTES_POLICY_FILE": str(EXAMPLES / "policy.toml"),
        "DISPUTES_GATEWAY_QUERY_INTERVAL_S": "0.2",
    }


async def play(stack: Stack, script: Script) -> DemoReport:
    """Play a script on a running stack whose gateway has the payments.

    Raises:
        Unreachable: a part of the stack went away.
    """
    store = open_store(stack.settings.database_url)
    try:
        register, queue = SqlRegister(store), stack.settings.task_queue
        desk = DisputeDesk(stack.client, register, queue)
        payments = PaymentDesk(stack.client, register, PaymentReads(store), queue)
        intake = Intake(desk, IntakeBook(store), payments)
        began = time.monotonic()
        with Stage(script) as stage:
            player = Player(stack.client, desk, intake, stage)
            played = await _while_all_run(stack, player.play(script))
        seconds = time.monotonic() - began
        return report_of(script, played, store, await _position(stack), seconds)
    finally:
        store.close()


async def _while_all_run(stack: Stack, work: Coroutine[None, None, Played]) -> Played:
    """Without one of its processes the play would only wait."""
    doing = asyncio.create_task(work)
    ends = {asyncio.create_task(child.process.wait()): child for child in stack.children}
    try:
        done, _ = await asyncio.wait({doing, *ends}, return_when=asyncio.FIRST_COMPLETED)
        ended = [child.name for task, child in ends.items() if task in done]
        if ended:
            raise Unreachable(f"{ended[0]} ended by itself")
        return await doing
    finally:
        for task in (doing, *ends):
            task.cancel()
        await asyncio.gather(doing, *ends, return_exceptions=True)


def _sandbox(stack: Stack) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=stack.endpoints.gateway or "", trust_env=False)


async def _book_payments(stack: Stack, script: Script) -> None:
    """Book what will be disputed; what the sandbox refuses, the report shows as not final."""
    async with _sandbox(stack) as http:
        for payment in script.payments:
            await http.post("/_sandbox/payments", json=payment.model_dump())


async def _position(stack: Stack) -> Position:
    """The gateway's own book, by payment root and currency; zeros left out."""
    async with _sandbox(stack) as http:
        try:
            answer = (await http.get("/_sandbox/position")).raise_for_status().json()
        except httpx.HTTPError as error:
            raise Unreachable("the sandbox gateway does not show its book") from error
    return {
        (root, entry["currency"]): entry["minor"]
        for root, entry in answer["roots"].items()
        if entry["minor"]
    }
