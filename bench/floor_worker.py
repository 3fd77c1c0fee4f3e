"""The worker process of the floor: ``python -m bench.floor_worker``, settings as the engine's."""

import asyncio
import os
import signal

from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

import worker
from bench.floor import FLOOR_QUEUE, FloorWorkflow
from bench.floor_calls import FloorCalls
from disputes.gateway.client import Gateway, Timeouts
from disputes.gateway.payunity import PayUnity
from disputes.ports import Question
from disputes.settings import Settings
from workflows.connection import connect


class Unthrottled:
    """Turns to ask: the floor keeps nothing, so nothing limits it (``ports.QueryThrottle``)."""

    def admit(self, _question: Question) -> float:
        """At once."""
        return 0.0


async def run() -> None:
    """Work until SIGTERM."""
    settings = Settings.from_env(os.environ, needs_gateway=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Gateway(Timeouts.within(settings.gateway_timeout_s)) as gateway:
        calls = FloorCalls(PayUnity(gateway, worker.read_entities(settings), Unthrottled()))
        async with Worker(
            await connect(os.environ),
            task_queue=FLOOR_QUEUE,
            workflows=[FloorWorkflow],
            activities=[calls.ask, calls.post],
            workflow_runner=SandboxedWorkflowRunner(),
            sticky_queue_schedule_to_start_timeout=worker.STICKY_TIMEOUT,
        ):
            await stop.wait()


if __name__ == "__main__":
    asyncio.run(run())
