"""Child processes of the one-command stack: started, awaited, stopped, none left behind."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

from disputes.errors import ConfigurationError, Unreachable

LOOPBACK = "127.0.0.1"
_POLL_S = 0.02
_LOG_LINES_SHOWN = 12

T = TypeVar("T")


class Child:
    """One process of the stack; its output goes to a log file of its own."""

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, log: Path, since: int
    ) -> None:
        self.name = name
        self.process = process
        self._log = log
        self._since = since

    @classmethod
    async def start(
        cls, name: str, command: Sequence[str], *, env: Mapping[str, str], log: Path
    ) -> Self:
        """Start ``command`` in a process group of its own, so that Ctrl-C reaches only us.

        Args:
            name: what messages call it.
            command: program and arguments.
            env: its whole environment.
            log: file that its output is appended to.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        leashed = [sys.executable, "-m", "starter.leash", str(os.getpid()), *command]
        with log.open("ab") as output:
            since = output.tell()
            process = await asyncio.create_subprocess_exec(
                *leashed,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**env, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
        return cls(name, process, log, since)

    @property
    def pid(self) -> int:
        """The process id; the leash becomes the command, so it is the command's own."""
        return self.process.pid

    def output(self) -> str:
        """What it has written since it started."""
        with self._log.open("rb") as log:
            log.seek(self._since)
            return log.read().decode(errors="replace")

    async def until(self, ready: Callable[[], Awaitable[T | None]], *, within_s: float = 30.0) -> T:
        """Wait until ``ready`` gives something.

        Raises:
            Unreachable: it ended before, or was not ready in time; with its last lines.
        """
        try:
            async with asyncio.timeout(within_s):
                while (answer := await ready()) is None:
                    if self.process.returncode is not None:
                        raise Unreachable(f"{self.name} ended at its start:\n{self._tail()}")
                    await asyncio.sleep(_POLL_S)
                return answer
        except TimeoutError as error:
            raise Unreachable(
                f"{self.name} was not ready within {within_s:g} s:\n{self._tail()}"
            ) from error

    async def stop(self, *, grace_s: float = 15.0) -> None:
        """Ask it to end, wait, and kill what is left of its group; its exit code says nothing."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                await self.process.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self.process.wait()

    def _signal(self, what: signal.Signals) -> None:
        if self.process.returncode is None:
            try:
                os.killpg(self.pid, what)
            except ProcessLookupError:  # ended in this moment
                return

    def _tail(self) -> str:
        return "\n".join(self.output().splitlines()[-_LOG_LINES_SHOWN:]) or "(no output)"


def claim_port(asked: int, what: str) -> int:
    """``asked`` if it is free, or a free port where it is 0.

    Args:
        asked: TCP port on the loopback address.
        what: whose port it is, for the message.

    Raises:
        ConfigurationError: the port is in use.
    """
    with socket.socket() as probe:
        # As servers do it: a port that only waits for old connections to fade is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, asked))
        except OSError as error:
            raise ConfigurationError(
                f"port {asked} for {what} is in use: stop what listens there, or choose another"
            ) from error
        return int(probe.getsockname()[1])
