"""The ``disputes`` command as a process of its own."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_RUN = "from starter.cli import main; main()"


@dataclass(frozen=True)
class Done:
    """What a command did: its exit code and what it wrote."""

    code: int
    out: str
    err: str


async def run_program(*command: str, env: Mapping[str, str], folder: Path | None = None) -> Done:
    """Run a program to its end without holding up this process's worker."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=env,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


async def disputes(*arguments: str, env: Mapping[str, str], folder: Path | None = None) -> Done:
    """Run ``disputes`` with its messages in one line each, however narrow the terminal."""
    wide = {**env, "COLUMNS": "200"}
    return await run_program(sys.executable, "-c", _RUN, *arguments, env=wide, folder=folder)
