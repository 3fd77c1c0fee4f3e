"""Records a history of every shape on real parts: ``make record`` (docs/changing-workflows.md).

Writes into the folder of this version; the folders of released versions stay as they are.
"""

import asyncio
import json
import os
import re
import tempfile
from importlib.metadata import version
from pathlib import Path

from temporalio.client import WorkflowHistory

from starter.temporal_server import start_temporal
from tests.replay.payment_shapes import PAYMENT_SHAPES, ended
from tests.replay.shapes import SHAPES
from tests.support.engine import Engine, run_engine
from tests.support.sandbox import run_sandbox

HISTORIES = Path(__file__).parent / "histories"
_POLICY = Path(__file__).parent / "policy.toml"
#: The SDK's name for a process, and for its sticky queue: pid@host, and an id after it.
_PROCESS = re.compile(r"\d+@[^\s\"]+")
_BUILD_FIELDS = ("binaryChecksum", "buildId")


def scrubbed(history: object) -> object:
    """A history's JSON without the names of processes, machines, builds and folders."""
    if isinstance(history, dict):
        return {
            key: "build" if key in _BUILD_FIELDS else scrubbed(value)
            for key, value in history.items()
            if key != "stackTrace"
        }
    if isinstance(history, list):
        return [scrubbed(item) for item in history]
    return _PROCESS.sub("process", history) if isinstance(history, str) else history


def write(folder: Path, name: str, history: WorkflowHistory) -> None:
    """Keep a history as a file that reads well in a review."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(scrubbed(json.loads(history.to_json())), indent=1, sort_keys=True)
    (folder / f"{name}.json").write_text(f"{text}\n")


async def record(engine: Engine, folder: Path) -> None:
    """Let every shape live to its end and keep its history."""
    for shape in SHAPES:
        dispute = await shape(engine, shape.__name__)
        await dispute.result()
        write(folder, shape.__name__, await dispute.case.fetch_history())
    for of_payment in PAYMENT_SHAPES:
        own = await of_payment(engine)
        await ended(own)
        write(folder, of_payment.__name__, await own.case.fetch_history())


async def main() -> None:
    """Start the parts in a folder that is deleted again, and record."""
    with tempfile.TemporaryDirectory(prefix="disputes-record-") as name:
        folder = Path(name)
        server = await start_temporal(os.environ, log=folder / "temporal.log")
        try:
            database = f"sqlite:///{folder / 'store.sqlite3'}"
            async with (
                run_sandbox(folder, "--query-limit-per-minute", "0") as sandbox,
                run_engine(
                    server, sandbox, database, "record", DISPUTES_POLICY_FILE=str(_POLICY)
                ) as engine,
            ):
                await record(engine, HISTORIES / version("dispute-engine"))
        finally:
            await server.child.stop()


if __name__ == "__main__":
    asyncio.run(main())
