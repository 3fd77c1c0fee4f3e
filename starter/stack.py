"""A running stack: its addresses, its environment, its workers, and how it ends."""

import asyncio
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from disputes.settings import Settings
from starter.processes import Child


@dataclass(frozen=True)
class Ports:
    """TCP ports on the loopback address; 0 takes a free one, and without one there is no API."""

    temporal: int = 0
    temporal_ui: int = 0
    gateway: int = 0
    api: int | None = None


class Endpoints(BaseModel):
    """What ``endpoints.json`` names (contract, Command line); null where nothing was started."""

    model_config = ConfigDict(frozen=True)

    temporal: str
    namespace: str
    temporal_ui: str | None = None
    api: str | None = None
    gateway: str | None = None
    database: str
    api_key: str | None = None


@dataclass
class Stack:
    """A running stack.

    Attributes:
        folder: where its databases, logs and ``endpoints.json`` are.
        env: the whole environment for a process that should use it.
        settings: the same, read and checked.
        client: a Temporal client for it.
        endpoints: its addresses.
        children: the processes that it started, in the order of their start.
        workers: those of them that are workers.
    """

    folder: Path
    env: dict[str, str]
    settings: Settings
    client: Client
    endpoints: Endpoints
    children: list[Child] = field(default_factory=list)
    workers: list[Child] = field(default_factory=list)

    async def start_worker(self) -> Child:
        """Start one more worker and wait until it polls for both kinds of tasks.

        Raises:
            Unreachable: it ended or did not poll within 30 s.
        """
        name = f"worker-{len(self.workers) + 1}"
        command = [sys.executable, "-m", "worker"]
        child = await Child.start(name, command, env=self.env, log=log_file(self.folder, name))
        self.workers.append(child)
        self.children.append(child)
        await child.until(lambda: self._polled_by(child))
        return child

    async def serve(self, announce: Callable[[Endpoints], None]) -> Child | None:
        """Announce the addresses and hold the stack until it should end.

        Args:
            announce: called once, when a signal already ends it cleanly.

        Returns:
            None after Ctrl-C or SIGTERM, or the child that ended by itself.
        """
        loop = asyncio.get_running_loop()
        asked = asyncio.Event()
        signals = (signal.SIGINT, signal.SIGTERM)
        for one in signals:
            loop.add_signal_handler(one, asked.set)
        announce(self.endpoints)
        waits = {asyncio.create_task(child.process.wait()): child for child in self.children}
        stop = asyncio.create_task(asked.wait())
        try:
            done, _ = await asyncio.wait({stop, *waits}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stop, *waits):
                task.cancel()
            for one in signals:
                loop.remove_signal_handler(one)
        return None if stop in done else waits[done.pop()]

    async def _polled_by(self, worker: Child) -> bool | None:
        for kind in (
            TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
            TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        ):
            described = await self.client.workflow_service.describe_task_queue(
                DescribeTaskQueueRequest(
                    namespace=self.client.namespace,
                    task_queue=TaskQueue(name=self.settings.task_queue),
                    task_queue_type=kind,
                )
            )
            # The SDK's default identity is pid@host.
            if not any(p.identity.startswith(f"{worker.pid}@") for p in described.pollers):
                return None
        return True


def log_file(folder: Path, name: str) -> Path:
    """Where a process of the stack in ``folder`` writes its output."""
    return folder / "logs" / f"{name}.log"
