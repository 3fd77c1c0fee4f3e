"""The whole engine for tests: real Temporal, real sandbox, real store, a worker in this process."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.testing import TimeSkipper

import worker
from disputes.decode import sha256
from disputes.settings import Settings
from disputes.status import CaseStatus
from disputes.store import Store
from disputes.store.migrations import migrate
from starter.temporal_server import TemporalServer
from tests.support.sandbox import Sandbox
from workflows.connection import connect
from workflows.ids import DISPUTE_WORKFLOW, dispute_workflow_id
from workflows.namespace import prepare_namespace

POLICY = "examples/policy.toml"
_numbers = itertools.count(1)
Json = dict[str, Any]


@dataclass
class Engine:
    """A running engine and the short-hands that tests speak to it in.

    Clocks of cases run with the wall clock until ``fast_forward`` moves them.
    """

    client: Client
    skipper: TimeSkipper
    sandbox: Sandbox
    store: Store
    settings: Settings
    env: dict[str, str]
    name: str = field(default="T")

    def new_id(self) -> str:
        """A dispute id that no other test has."""
        return f"{self.name}-{next(_numbers)}"

    async def notice(self, **changes: object) -> Json:
        """A valid notice on a fresh DB of 92.00 EUR (or of the amount given) at the sandbox."""
        amount = changes.get("amount", {"amount": "92.00", "currency": "EUR"})
        now = datetime.now(UTC)
        base: Json = {
            "dispute_id": self.new_id(),
            "merchant_id": "M-1",
            "stage": "chargeback",
            "network": "visa",
            "reason_code": "13.1",
            "amount": amount,
            "received_at": now.isoformat(),
            "processed_at": now.date().isoformat(),
            "respond_by": (now + timedelta(days=25)).isoformat(),
        }
        if "payment_id" not in changes and isinstance(amount, dict):
            payment_id = sha256(f"{self.name} payment {next(_numbers)}")[:32]
            await self.sandbox.payment(payment_id, amount["amount"], amount["currency"])
            base["payment_id"] = payment_id
        return {key: value for key, value in (base | changes).items() if value is not None}

    async def open(self, notice: Json) -> WorkflowHandle[Any, Any]:
        """Start a case by its notice, as any Temporal client would."""
        return await self.client.start_workflow(
            DISPUTE_WORKFLOW,
            notice,
            id=dispute_workflow_id(notice["dispute_id"]),
            task_queue=self.settings.task_queue,
        )

    def handle(self, dispute_id: str) -> WorkflowHandle[Any, Any]:
        """The newest run of a case."""
        return self.client.get_workflow_handle(dispute_workflow_id(dispute_id))

    async def status(self, case: WorkflowHandle[Any, Any]) -> CaseStatus:
        """The case's own word on itself."""
        return CaseStatus.model_validate(await case.query("status"))

    async def until(
        self, case: WorkflowHandle[Any, Any], condition: Callable[[CaseStatus], bool]
    ) -> CaseStatus:
        """Wait until the case's status meets a condition."""
        async with asyncio.timeout(60):
            while not condition(status := await self.status(case)):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        return status

    async def settled(self, case: WorkflowHandle[Any, Any], operations: int) -> CaseStatus:
        """Wait until so many operations of the case have ended."""
        return await self.until(
            case,
            lambda status: (
                sum(op.state in ("settled", "refused") for op in status.operations) >= operations
            ),
        )

    async def fast_forward(self, case: WorkflowHandle[Any, Any], **duration: float) -> bool:
        """Move the case's clock (``days=3``); true unless the case ended on the way."""
        return await self.skipper.fast_forward(case, timedelta(**duration))


@asynccontextmanager
async def run_engine(
    server: TemporalServer, sandbox: Sandbox, database_url: str, task_queue: str, **env: str
) -> AsyncIterator[Engine]:
    """An engine with a worker in this process, on its own task queue and database."""
    settings_env = {
        **server.env,
        **sandbox.env,
        "DISPUTES_TASK_QUEUE": task_queue,
        "DISPUTES_DATABASE_URL": database_url,
        "DISPUTES_POLICY_FILE": POLICY,
        "DISPUTES_GATEWAY_TIMEOUT_S": "4",
        "DISPUTES_GATEWAY_QUERY_INTERVAL_S": "0.2",
        "DISPUTES_GATEWAY_SETTLE_WINDOW_S": "8",
        **env,
    }
    migrate(database_url)
    async with AsyncExitStack() as exits:
        settings = Settings.from_env(settings_env, needs_gateway=True)
        adapters = await worker.make_adapters(settings, exits)
        client = await connect(settings_env)
        await prepare_namespace(client)
        await exits.enter_async_context(worker.build_worker(client, settings, adapters))
        yield Engine(
            client=client,
            skipper=TimeSkipper(client),
            sandbox=sandbox,
            store=adapters.store,
            settings=settings,
            env=settings_env,
            name=task_queue,
        )
