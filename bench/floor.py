"""The floor: a bare workflow with a case's messages, timers and gateway calls, and nothing else.

No store, no guards, no rules, no projection, no search attributes: what is left is the price of
Temporal and of the gateway, which no engine on the same parts can go below.
"""

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from bench.floor_calls import FloorCalls, FloorNotice
    from disputes.operations import Plan
    from disputes.vocabulary import Purpose

FLOOR_QUEUE = "floor"
#: As the engine waits: first rung of the ladder, an overdue ruling, the tail.
_DEADLINE, _RULING, _TAIL = timedelta(days=18), timedelta(days=60), timedelta(days=120)
_CALL_TIMEOUT = timedelta(seconds=30)

Json = dict[str, object]


@workflow.defn(name="FloorWorkflow")
class FloorWorkflow:
    """One dispute that is always won, for a client that never errs."""

    @workflow.init
    def __init__(self, notice: FloorNotice) -> None:
        self._notice = notice
        self._evidence: list[Json] = []
        self._submission: Json | None = None
        self._ruling: Json | None = None

    @workflow.run
    async def run(self, notice: FloorNotice) -> str:
        """Query, chargeback, submission, ruling, reversal, tail; gives the reversal's id."""
        await workflow.execute_activity_method(
            FloorCalls.ask, notice, start_to_close_timeout=_CALL_TIMEOUT
        )
        booked = await self._post(Purpose.BOOK, notice.payment_id)
        await _within(_DEADLINE, lambda: self._submission is not None)
        await _within(_RULING, lambda: self._ruling is not None)
        returned = await self._post(Purpose.REINSTATE, booked)
        await workflow.sleep(_TAIL)
        return returned

    async def _post(self, purpose: Purpose, referenced_id: str) -> str:
        notice = self._notice
        plan = Plan(
            key=f"floor:{notice.dispute_id}:{purpose}",
            purpose=purpose,
            dispute_id=notice.dispute_id,
            merchant_id=notice.merchant_id,
            payment_id=notice.payment_id,
            referenced_id=referenced_id,
            amount_minor=notice.amount.minor,
            currency=notice.amount.currency,
            network=notice.network,
            reason_code=notice.reason_code,
        )
        return await workflow.execute_activity_method(
            FloorCalls.post, plan, start_to_close_timeout=_CALL_TIMEOUT
        )

    @workflow.update
    def add_evidence(self, evidence: Json) -> int:
        """Keep it, unseen."""
        self._evidence.append(evidence)
        return len(self._evidence)

    @workflow.update
    def submit_representment(self, submission: Json) -> str:
        """Go on to the ruling."""
        self._submission = submission
        return "under_review"

    @workflow.signal
    def bank_ruling(self, ruling: Json) -> None:
        """Go on to the reversal."""
        self._ruling = ruling


async def _within(limit: timedelta, condition: Callable[[], bool]) -> None:
    """Wait with a timer beside, as a case does; the bench's client is always in time."""
    await workflow.wait_condition(condition, timeout=limit)
