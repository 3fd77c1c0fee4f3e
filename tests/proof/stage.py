"""What Temporal is to a case, on virtual time: runs of the real workflow, workers, and their death.

``Stage`` takes the place of the module ``temporalio.workflow`` in the modules of ``workflows``.
"""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue, TypedSearchAttributes
from temporalio.exceptions import ApplicationError

from activities.case import CaseActivities
from activities.gateway import GatewayActivities
from activities.reconciliation import ReconciliationActivities
from disputes.reconciliation import ReconciliationReport, ReconciliationWindow
from tests.proof.clock import VirtualLoop
from tests.proof.faults import PROCESS, Faults
from tests.proof.wire import SETTLE_WINDOW_S
from workflows.dispute import DisputeWorkflow
from workflows.ids import dispute_workflow_id
from workflows.messages import NOTHING
from workflows.reconciliation import ReconciliationWorkflow

_HEARTBEAT_S = 4.0
_SEND_WITHIN_S = SETTLE_WINDOW_S / 2
_MOST_ATTEMPTS = 400
#: Where a death has a name of its own.
_KILLED = {
    "request": "killed_mid_request",
    "booked": "killed_after_booking",
} | {
    kind.removeprefix("killed_"): kind
    for kind in PROCESS
    if kind.startswith(("killed_before_", "killed_after_"))
}


class Stuck(Exception):
    """Something went on for ever, or ended that may not."""


class ContinuedAsNew(BaseException):
    """A run ends so that its successor starts from the register."""


class Lost(Exception):
    """The server gives an attempt up: its worker is dead or silent."""


@dataclass
class Attempt:
    """One try of a step on a worker; ``lost`` once the server has given it up."""

    worker: "Worker"
    name: str
    task: asyncio.Task[object] | None = None
    lost: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Worker:
    """A worker process: its adapters, and the attempts that die with it."""

    name: str
    case: CaseActivities
    money: GatewayActivities
    reconciliation: ReconciliationActivities
    attempts: list[Attempt] = field(default_factory=list)

    def method(self, name: str) -> Callable[[Any], Any]:
        """The activity of that name."""
        homes = (self.money, self.case, self.reconciliation)
        found: Callable[[Any], Any] = next(
            getattr(home, name) for home in homes if hasattr(home, name)
        )
        return found

    def kill(self) -> None:
        """SIGKILL: everything that runs here is gone."""
        dying, self.attempts = self.attempts, []
        for attempt in dying:
            attempt.lost.set()
            if attempt.task is not None:
                attempt.task.cancel()


@dataclass
class Run:
    """One run of a case's workflow."""

    workflow_id: str
    workflow: DisputeWorkflow | None = None
    conditions: list[tuple[Callable[[], bool], asyncio.Future[None]]] = field(default_factory=list)
    handlers: int = 0
    renew: bool = False


@dataclass
class _Info:
    run: Run
    typed_search_attributes = TypedSearchAttributes.empty
    continued_run_id = None

    @property
    def workflow_id(self) -> str:
        return self.run.workflow_id

    def is_continue_as_new_suggested(self) -> bool:
        return self.run.renew


RUN: ContextVar[Run] = ContextVar("run")
ATTEMPT: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


def raw(message: BaseModel) -> RawValue:
    """A message as it travels."""
    data = message.model_dump_json(exclude_none=True, by_alias=True).encode()
    return RawValue(Payload(metadata={"encoding": b"json/plain"}, data=data))


class Stage:
    """The server of one simulated case."""

    def __init__(self, loop: VirtualLoop, faults: Faults) -> None:
        self._loop = loop
        self._faults = faults
        self.workers: list[Worker] = []
        self._runs: dict[str, Run] = {}
        self.crashes: list[BaseException] = []
        self.refusals = 0
        #: steps that the server has under way
        self.busy = 0
        loop.thread, loop.drained = self._thread, self._drained

    # -- what a workflow sees ----------------------------------------------------------------

    def now(self) -> datetime:
        """Case time."""
        return self._loop.now

    def info(self) -> _Info:
        """The run that asks."""
        return _Info(RUN.get())

    def patched(self, _id: str) -> bool:
        """Every run is of this version."""
        return True

    def all_handlers_finished(self) -> bool:
        """Whether no update is under way."""
        return RUN.get().handlers == 0

    def upsert_search_attributes(self, _updates: object) -> None:
        """Nobody searches here."""

    def continue_as_new(self) -> None:
        """End this run; the next one starts from the register."""
        raise ContinuedAsNew

    async def wait_condition(self, condition: Callable[[], bool]) -> None:
        """Until ``condition`` holds, looked at whenever a moment has been done with."""
        if condition():
            return
        met: asyncio.Future[None] = self._loop.create_future()
        waiting = RUN.get().conditions
        waiting.append((condition, met))
        try:
            await met
        finally:
            waiting[:] = [item for item in waiting if item[1] is not met]

    async def execute_activity_method(
        self, step: Callable[..., Any], request: BaseModel, **_options: object
    ) -> Any:  # noqa: ANN401 - as the SDK gives it
        """A step, tried until it works; on any worker."""
        apart = self._loop.apart(self._until_it_works(step.__name__, request))
        return await asyncio.shield(apart)

    execute_local_activity_method = execute_activity_method

    # -- what the world does -----------------------------------------------------------------

    def tell(self, case_id: str, name: str, message: BaseModel) -> None:
        """A fact, by signal with start; a notice starts its case unless the case runs already."""
        workflow_id = dispute_workflow_id(case_id)
        run = self._runs.get(workflow_id)
        if run is None and name == "dispute_opened":
            self._start(workflow_id, raw(message))
            return
        run = run or self._start(workflow_id, NOTHING)
        if run.workflow is not None:
            run.workflow.fact(name, [raw(message)])

    async def command(self, case_id: str, name: str, message: BaseModel) -> bool:
        """A command by update with start; whether it was carried out and not refused."""
        workflow_id = dispute_workflow_id(case_id)
        run = self._runs.get(workflow_id) or self._start(workflow_id, NOTHING)
        try:
            return await self._loop.create_task(self._handle(run, name, raw(message)))
        except asyncio.CancelledError:
            return False

    async def reconcile(self, window: ReconciliationWindow) -> ReconciliationReport:
        """One comparison with the gateway, by the real workflow."""
        RUN.set(Run("reconciliation"))
        return await ReconciliationWorkflow().run(raw(window))

    def renew(self, case_id: str) -> None:
        """Let the run end at its next quiet moment, and go on from the register."""
        run = self._runs.get(dispute_workflow_id(case_id))
        if run is not None:
            run.renew = True

    @property
    def idle(self) -> bool:
        """Whether no case owes a step, nor waits to try one again."""
        steps = (run.workflow._money for run in self._runs.values() if run.workflow)  # noqa: SLF001
        return all(money.idle for money in steps)

    async def _handle(self, run: Run, name: str, message: RawValue) -> bool:
        RUN.set(run)
        workflow = run.workflow
        if workflow is None:
            return False
        run.handlers += 1
        try:
            workflow._check_command(name, [message])  # noqa: SLF001 - as the SDK calls it
            await workflow.command(name, [message])  # type: ignore[call-arg]  # the SDK's own type
        except ApplicationError:
            self.refusals += 1
            return False
        else:
            return True
        finally:
            run.handlers -= 1

    def _start(self, workflow_id: str, start: RawValue) -> Run:
        run = self._runs[workflow_id] = Run(workflow_id)

        async def live() -> None:
            await self._live(run, start)

        self._loop.apart(live())
        token = RUN.set(run)
        run.workflow = DisputeWorkflow(start)
        RUN.reset(token)
        return run

    async def _live(self, run: Run, start: RawValue) -> None:
        RUN.set(run)
        again = False
        try:
            if run.workflow is not None:
                await run.workflow.run(start)
        except ContinuedAsNew:
            self._faults.struck("continued_as_new_from_the_register")
            again = True
        except ApplicationError:
            self._faults.note(f"{run.workflow_id} ended without a case")
        except Exception as crash:  # noqa: BLE001 - a crashed case is what the judge looks for
            self.crashes.append(crash)
        self._runs.pop(run.workflow_id, None)
        if again:
            self._start(run.workflow_id, NOTHING)

    def _drained(self) -> bool:
        met = False
        for run in list(self._runs.values()):
            for condition, waiting in list(run.conditions):
                if not waiting.done() and self._holds(run, condition):
                    waiting.set_result(None)
                    met = True
        return met

    def _holds(self, run: Run, condition: Callable[[], bool]) -> bool:
        token = RUN.set(run)
        try:
            return condition()
        finally:
            RUN.reset(token)

    # -- workers -----------------------------------------------------------------------------

    async def _until_it_works(self, name: str, request: BaseModel) -> object:
        self.busy += 1
        try:
            pause = 0.5
            for _ in range(_MOST_ATTEMPTS):
                try:
                    return await self._attempt(name, request)
                except Exception as failure:  # noqa: BLE001 - the server retries whatever it is
                    self._faults.note(f"{name} failed: {failure!r}"[:200])
                    last = failure
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 30.0)
            self.crashes.append(last)
            raise Stuck(f"{name} never ended") from last
        finally:
            self.busy -= 1

    async def _attempt(self, name: str, request: BaseModel) -> object:
        attempt = Attempt(self._faults.random.choice(self.workers), name)
        attempt.worker.attempts.append(attempt)

        async def carry() -> object:
            ATTEMPT.set(attempt)
            method = attempt.worker.method(name)
            if asyncio.iscoroutinefunction(method):
                return await method(request)
            return await self._loop.run_in_executor(None, method, request)

        attempt.task = self._loop.apart(carry())
        given_up = self._loop.create_task(attempt.lost.wait())
        await asyncio.wait((attempt.task, given_up), return_when=asyncio.FIRST_COMPLETED)
        lost = attempt.lost.is_set()
        given_up.cancel()
        if lost:
            # A killed worker says nothing; the server notices by the missing heartbeats.
            if attempt.task.done() or attempt.task.cancelling():
                await asyncio.sleep(_HEARTBEAT_S)
            attempt.task.add_done_callback(_look_away)
            raise Lost(name)
        if attempt in attempt.worker.attempts:
            attempt.worker.attempts.remove(attempt)
        return attempt.task.result()

    async def _thread(self, name: str, work: Callable[[], object]) -> object:
        """A transaction: threads take their time, and processes die around it."""
        await asyncio.sleep(self._faults.random.uniform(0.0005, 0.01))
        await self.point(f"before_{name}")
        result = work()
        self._faults.note(f"{self._loop.time():.6f} {name}")
        await self.point(f"after_{name}")
        await asyncio.sleep(self._faults.random.uniform(0.0005, 0.01))
        return result

    async def point(self, where: str) -> None:
        """A place in a step where its worker may be killed, or frozen and taken for dead."""
        attempt = ATTEMPT.get()
        if attempt is None or attempt.lost.is_set():
            return
        if self._faults.chance(0.01):
            self._faults.struck(_KILLED.get(where, "killed_elsewhere"))
            attempt.worker.kill()
            await asyncio.sleep(0)
        elif self._faults.chance(0.007):
            await self._freeze(attempt, where)

    async def _freeze(self, attempt: Attempt, where: str) -> None:
        seconds = self._faults.random.uniform(5, 200)
        late = where == "send" and seconds > _SEND_WITHIN_S
        kind = "frozen_past_the_send_deadline" if late else "zombie_beside_its_successor"
        self._faults.struck(kind)
        self._loop.call_later(_HEARTBEAT_S, attempt.lost.set)
        await asyncio.sleep(seconds)


def _look_away(task: asyncio.Task[object]) -> None:
    """Take a dead or forgotten attempt's end, so that nobody complains about it."""
    if not task.cancelled():
        task.exception()
