"""One gateway step at a time, and how long to wait after one that could not be done."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.gateway import GatewayActivities
    from disputes.errors import Refusal
    from disputes.messages import ResolveOperation
    from disputes.steps import MoneyMoved, ResolveDoubt
    from workflows import options
    from workflows.refusals import is_refusal, refusal_of

A = TypeVar("A")
Request = TypeVar("Request")
Result = TypeVar("Result")


class Till:
    """Runs gateway steps one after the other, beside whatever else the workflow does."""

    def __init__(self) -> None:
        self._task: asyncio.Task[MoneyMoved] | None = None
        self._holds = 0
        #: until when the next step waits, case time
        self.hold_until: datetime | None = None

    @property
    def busy(self) -> bool:
        """Whether a step is under way."""
        return self._task is not None

    @property
    def done(self) -> bool:
        """Whether a step has ended and its outcome waits to be taken."""
        return self._task is not None and self._task.done()

    @property
    def free(self) -> bool:
        """Whether the next step may start."""
        return self._task is None and self.hold_until is None

    def start(self, step: Coroutine[object, object, MoneyMoved]) -> None:
        """Begin a step; only while ``free``."""
        self._task = asyncio.create_task(step)

    def hurry(self) -> None:
        """Wait no longer: a moment has come that the next step should not miss."""
        self.hold_until = None

    def take(self, now: datetime, longest: timedelta = options.HOLD_MAX) -> MoneyMoved | None:
        """The outcome of a step that has ended; a hold that is over ends too.

        ``longest``: how long the next step may wait.
        """
        moved: MoneyMoved | None = None
        if self._task is not None and self._task.done():
            task, self._task = self._task, None
            moved = _outcome(task)
            self._holds = self._holds + 1 if moved.hold is not None else 0
            if moved.hold is not None:
                self.hold_until = now + min(options.hold(self._holds), longest)
        elif self.hold_until is not None and self.hold_until <= now:
            self.hold_until = None
        return moved


def _outcome(task: asyncio.Task[MoneyMoved]) -> MoneyMoved:
    try:
        return task.result()
    except (FailureError, Refusal) as error:
        # A failed activity would close the case; an alarm must stick it instead.
        raise RuntimeError(f"a gateway step failed for good: {error}") from error


async def gateway_step(step: Callable[[A, Request], Awaitable[Result]], request: Request) -> Result:
    """One activity that may wait for the gateway; raises the ``Refusal`` that it was ended by."""
    refusal: Refusal | None = None
    try:
        return await workflow.execute_activity_method(
            step,
            request,
            start_to_close_timeout=options.GATEWAY_TIMEOUT,
            heartbeat_timeout=options.GATEWAY_HEARTBEAT,
            retry_policy=options.GATEWAY_RETRY,
        )
    except ActivityError as error:
        if not isinstance(error.cause, ApplicationError) or not is_refusal(error.cause):
            raise
        refusal = refusal_of(error.cause)
    raise refusal


async def resolve_step(resolution: ResolveOperation, now: datetime) -> MoneyMoved:
    """A person's word on an operation in doubt; raises the ``Refusal`` of the books."""
    doubt = ResolveDoubt(
        operation_key=resolution.operation_key,
        happened=resolution.resolution == "happened",
        proof=resolution.proof,
        at=now,
    )
    return await gateway_step(GatewayActivities.resolve_doubt, doubt)
