"""The money side of a case: one gateway step at a time, beside everything else the case does."""

from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.gateway import GatewayActivities
    from disputes.chain import next_plan
    from disputes.errors import Refusal
    from disputes.messages import Booking, ResolveOperation
    from disputes.notice import DisputeNotice
    from disputes.operations import Plan
    from disputes.steps import AdoptBooking, AskPayment, MoneyMoved, MoveMoney
    from disputes.vocabulary import Purpose
    from workflows.docket import Docket
    from workflows.till import Till, gateway_step, resolve_step

_Request = TypeVar("_Request")
_Recorded = TypeVar("_Recorded", MoveMoney, AskPayment)
_Step = Callable[[GatewayActivities, _Request], Awaitable[MoneyMoved]]
_STEPS: dict[Purpose, _Step[MoveMoney]] = {
    Purpose.BOOK: GatewayActivities.book_chargeback,
    Purpose.REINSTATE: GatewayActivities.reinstate,
    Purpose.UNDO: GatewayActivities.undo_reinstatement,
    Purpose.REBILL: GatewayActivities.rebill,
    Purpose.GIVE_BACK: GatewayActivities.give_back,
    Purpose.REFUND: GatewayActivities.refund_dispute,
}


class Money:
    """Sends what the case owes, one activity at a time; deadlines and facts never wait for it."""

    def __init__(self, docket: Docket) -> None:
        self._docket = docket
        self._till = Till()
        #: operations of an earlier run that never ended
        self.unfinished: list[Plan] = []

    @property
    def hold_until(self) -> datetime | None:
        """Until when calls wait, case time."""
        return self._till.hold_until

    @property
    def busy(self) -> bool:
        """Whether a step is under way."""
        return self._till.busy

    @property
    def done(self) -> bool:
        """Whether a step has ended and its outcome waits to be noted."""
        return self._till.done

    @property
    def idle(self) -> bool:
        """Whether nothing is under way and nothing is owed."""
        return self._till.free and not self._due()

    def go_on(self) -> None:
        """Note what has ended and start what is due."""
        now = workflow.now()
        moved = self._till.take(now)
        if moved is not None:
            self._note(moved, now)
        if self._till.free and self._due():
            self._till.start(self._next(now))

    def _due(self) -> bool:
        docket = self._docket
        if docket.resolutions:
            return True
        known = docket.case.notice is not None
        return known and bool(
            docket.bookings
            or docket.payment_stale
            or self.unfinished
            or next_plan(docket.case) is not None
        )

    def _next(self, now: datetime) -> Coroutine[object, object, MoneyMoved]:
        """The step that is due; it takes what waits to be recorded along, to save a round."""
        docket = self._docket
        if docket.resolutions:
            return self._resolve(docket.resolutions.pop(0), now)
        notice = docket.case.notice
        if notice is None:
            raise RuntimeError("money is due on a case without a notice")
        if docket.bookings:
            return self._adopt(notice, docket.bookings[0], now)
        if docket.payment_stale:
            ask = AskPayment(
                dispute_id=notice.dispute_id,
                merchant_id=notice.merchant_id,
                payment_id=notice.payment_id,
                events=docket.hand_over(),
                at=now,
            )
            return self._recording(GatewayActivities.ask_payment, ask)
        plan = self.unfinished.pop(0) if self.unfinished else next_plan(docket.case)
        if plan is None:
            raise RuntimeError("money is due, but nothing is owed")
        move = MoveMoney(plan=plan, events=docket.hand_over(), at=now)
        return self._recording(_STEPS[plan.purpose], move)

    async def _recording(self, step: _Step[_Recorded], request: _Recorded) -> MoneyMoved:
        moved = await gateway_step(step, request)
        self._docket.confirm(request.events)
        return moved

    async def _adopt(self, notice: DisputeNotice, booking: Booking, now: datetime) -> MoneyMoved:
        request = AdoptBooking(
            dispute_id=notice.dispute_id, merchant_id=notice.merchant_id, booking=booking, at=now
        )
        moved = await gateway_step(GatewayActivities.adopt_booking, request)
        if moved.hold is None:
            operation = moved.operations[0] if moved.operations else None
            self._docket.booking(booking, operation, workflow.now())
        return moved

    async def _resolve(self, resolution: ResolveOperation, now: datetime) -> MoneyMoved:
        try:
            return await resolve_step(resolution, now)
        except Refusal as refusal:
            self._docket.unresolved(resolution, refusal, workflow.now())
            return MoneyMoved()

    def _note(self, moved: MoneyMoved, now: datetime) -> None:
        if moved.payment is not None:
            self._docket.payment(moved.payment, now)
        for operation in moved.operations:
            self._docket.operation(operation, now)
        if moved.hold is not None:
            self._docket.held(moved.hold.value, now)
