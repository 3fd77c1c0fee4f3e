"""The money side of a refund, payout or rebill: look, decide, move once, and tell who must know."""

from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import TypeAlias

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.gateway import GatewayActivities
    from activities.payment_case import PaymentCaseActivities
    from activities.payments import PaymentActivities
    from disputes import orders, resolutions
    from disputes.errors import NotFound, Refusal
    from disputes.messages import ResolveOperation
    from disputes.operations import STANDALONE, Operation, Plan
    from disputes.order_plans import plan_of
    from disputes.orders import Order
    from disputes.payment_steps import (
        CaseRebill,
        CaseRebillOutcome,
        OpenOrder,
        TellDisputes,
    )
    from disputes.requests import EntryTold, PayoutRequest, RebillRequest
    from disputes.steps import AskPayment, Hold, MoneyMoved, MoveMoney
    from disputes.twins import TWIN
    from disputes.vocabulary import OperationState, PaymentType
    from workflows.store_step import store_step
    from workflows.till import Till, gateway_step, resolve_step

_Step: TypeAlias = Callable[[PaymentActivities, MoveMoney], Awaitable[MoneyMoved]]
_STEPS: dict[PaymentType, _Step] = {
    PaymentType.RF: PaymentActivities.refund,
    PaymentType.CD: PaymentActivities.credit,
    PaymentType.RB: PaymentActivities.rebill_payment,
}
#: How often a case is asked what became of its rebill: from the first to the longest pause.
_FIRST_LOOK = timedelta(seconds=1)
_LONGEST_LOOK = timedelta(hours=1)


class OrderTill:
    """One step at a time; every step ends with a new word on the order."""

    def __init__(
        self, order: Order, unfinished: tuple[Plan, ...], *, disputes_told: bool = False
    ) -> None:
        self.order = self._seen = order
        #: why it ends before anything was sent
        self.refusal: Refusal | None = None
        self.resolutions: list[ResolveOperation] = []
        #: entries that the gateway told of
        self.bookings: list[EntryTold] = []
        self._till = Till()
        self._unfinished = list(unfinished)
        self._case_asked = order.case_request_id is not None
        self._looks = 0
        self._look_at: datetime | None = None
        self._disputes_told = disputes_told

    @property
    def wake_at(self) -> datetime | None:
        """When the next step is due, case time."""
        expiry = resolutions.next_expiry(self.order)
        moments = [it for it in (self._till.hold_until, self._look_at, expiry) if it is not None]
        return min(moments, default=None)

    @property
    def done(self) -> bool:
        """Whether a step has ended and its outcome waits to be noted."""
        return self._till.done

    @property
    def idle(self) -> bool:
        """Whether nothing is under way or due."""
        waits = self.resolutions or self._unfinished or self._disputes_due()
        return self._till.free and not waits and self._look_at is None

    def go_on(self) -> bool:
        """Note what has ended and start what is due; true when something is new."""
        now = workflow.now()
        moved = self._till.take(now)
        if moved is not None:
            self._note(moved, now)
        self.order = resolutions.expired(self.order, now)
        if self._look_at is not None and self._look_at <= now:
            self._look_at = None
        if self._till.free and self._look_at is None:
            step = self._next(now)
            if step is not None:
                self._till.start(step)
        # Steps that are under way change it too.
        before, self._seen = self._seen, self.order
        return self.order != before

    def _next(self, now: datetime) -> Coroutine[object, object, MoneyMoved] | None:
        order = self.order
        if self.resolutions:
            return self._resolve(self.resolutions.pop(0), now)
        if self._unfinished:
            return self._move(self._unfinished.pop(0), now)
        if self._disputes_due():
            return self._tell_disputes(now)
        if self._unproven():
            return self._look_again(self.bookings.pop(0), now) if self.bookings else None
        if order.ended or self.refusal is not None or self._waits_for_a_person():
            return None
        if orders.of_a_case(order.request):
            return self._case_rebill()
        if order.request.payment_id is not None and order.payment is None:
            return self._ask_gateway(order.request.payment_id, now)
        try:
            return self._move(plan_of(order, now), now)
        except Refusal as refusal:
            self.refuse(refusal, now)
            return None

    def _unproven(self) -> bool:
        """Whether the gateway's late word may change it: in doubt, or over and told of."""
        operation = self.order.operation
        if operation is None or orders.of_a_case(self.order.request):
            return False
        if operation.state is OperationState.IN_DOUBT:
            return True
        # Runs of before let lie what was told of one that is over, and are replayed so.
        if not self.bookings:
            return False
        if operation.state is OperationState.REFUSED:
            return workflow.patched("look-again-at-what-was-refused")
        # What undoes its twin may be in doubt.
        settled = operation.state is OperationState.SETTLED
        return settled and workflow.patched("look-again-at-what-is-settled")

    def _waits_for_a_person(self) -> bool:
        approval = self.order.approval
        return approval is not None and approval.waits

    def refuse(self, refusal: Refusal, now: datetime) -> None:
        """End it before anything is sent."""
        self.refusal = refusal
        self.order = orders.refused(self.order, refusal, now)

    async def _ask_gateway(
        self, payment_id: str, now: datetime, told: tuple[str, ...] = ()
    ) -> MoneyMoved:
        merchant_id = self.order.request.merchant_id
        ask = AskPayment(merchant_id=merchant_id, payment_id=payment_id, told=told, at=now)
        return await gateway_step(GatewayActivities.ask_payment, ask)

    async def _move(self, plan: Plan, now: datetime) -> MoneyMoved:
        try:
            moved = await gateway_step(_STEPS[plan.payment_type], MoveMoney(plan=plan, at=now))
        except Refusal as refusal:
            self.refuse(refusal, now)
            return MoneyMoved()
        if moved.hold is not None:
            # What was decided stands: the same plan, whatever day it is by then.
            self._unfinished.insert(0, plan)
        return moved

    async def _resolve(self, resolution: ResolveOperation, now: datetime) -> MoneyMoved:
        try:
            moved = await resolve_step(resolution, now)
        except Refusal as refusal:
            # It stays in doubt, and may be resolved again.
            told = f"the word on it could not be taken: {refusal.message}"
            noted = self.order.noted(workflow.now(), "engine", told)
            self.order = noted.flagged("message_not_taken")
            return MoneyMoved()
        # What undoes a twin is the twin's, and changes nothing of what was asked for.
        return MoneyMoved() if TWIN in resolution.operation_key else moved

    async def _look_again(self, booking: EntryTold, now: datetime) -> MoneyMoved:
        """The gateway told of an entry: have it shown, and read what the books make of it."""
        operation, payment_id = self.order.operation, self.order.request.payment_id
        # A credit hangs under nothing: whoever asks about its payment is never shown it.
        alone = operation is not None and operation.purpose in STANDALONE
        about = booking.gateway_id if alone else payment_id
        told: tuple[str, ...] = ()
        settled = operation is not None and operation.state is OperationState.SETTLED
        if operation is not None and settled:
            # What undoes its twin hangs under that.
            about, told = payment_id or operation.gateway_id, (booking.gateway_id,)
        asked = await self._ask_gateway(about or booking.gateway_id, now, told)
        if asked.hold is not None:
            self.bookings.insert(0, booking)
            return MoneyMoved(hold=asked.hold)
        if self.order.ended:
            # A refused one that stays so needs nobody because the gateway was away meanwhile.
            self.order = self.order.unflagged(Hold.GATEWAY_UNREACHABLE.value)
        if settled:
            return MoneyMoved()
        request = OpenOrder(workflow_id=workflow.info().workflow_id, kind=self.order.kind)
        known = await store_step(PaymentCaseActivities.open_order, request)
        return MoneyMoved(operations=known.operations)

    def _disputes_due(self) -> bool:
        operation = self.order.operation
        settled = operation is not None and operation.state is OperationState.SETTLED
        return settled and self.order.kind == "refund" and not self._disputes_told

    async def _tell_disputes(self, now: datetime) -> MoneyMoved:
        """A chargeback may have come between the guard and the refund: its case must know."""
        self._disputes_told = True
        request, operation = self.order.request, self.order.operation
        if operation is None or request.payment_id is None:
            raise RuntimeError("disputes are to be told of nothing")
        own = request.dispute_id if not isinstance(request, PayoutRequest) else None
        tell = TellDisputes(payment_id=request.payment_id, own=own, operation=operation, at=now)
        told = await gateway_step(PaymentCaseActivities.tell_disputes, tell)
        self.order = orders.raced(self.order, told.dispute_ids, workflow.now())
        return MoneyMoved()

    async def _case_rebill(self) -> MoneyMoved:
        """The case carries it out by its own rules: ask once, then look what became of it."""
        request = self.order.request
        if not isinstance(request, RebillRequest):
            raise TypeError("only a rebill is carried out by a case")
        rebill = CaseRebill(request=request, case_request_id=self.order.case_request_id)
        if self._case_asked:
            outcome = await store_step(PaymentCaseActivities.case_rebill, rebill)
        else:
            try:
                outcome = await gateway_step(PaymentCaseActivities.request_case_rebill, rebill)
            except Refusal as refusal:
                self.refuse(refusal, workflow.now())
                return MoneyMoved()
            self._case_asked = True
        return self._of_case(outcome, workflow.now())

    def _of_case(self, outcome: CaseRebillOutcome, now: datetime) -> MoneyMoved:
        operation = outcome.operation
        if operation is None and outcome.declined:
            self.refuse(NotFound("the second person of the dispute's case did not approve"), now)
            return MoneyMoved()
        if operation is None:
            self.order = self.order.model_copy(update={"case_request_id": outcome.case_request_id})
        if operation is None or operation.state is OperationState.IN_DOUBT:
            # What the case does not know yet, it will learn by itself.
            pause = min(_FIRST_LOOK * (1 << min(self._looks, 12)), _LONGEST_LOOK)
            self._looks, self._look_at = self._looks + 1, now + pause
        return MoneyMoved(operations=(operation,) if operation else ())

    def _note(self, moved: MoneyMoved, now: datetime) -> None:
        if moved.payment is not None:
            self.order = self.order.model_copy(update={"payment": moved.payment})
        if moved.operations:
            self.order = orders.reported(self.order, _own(self.order, moved.operations), now)
        if moved.hold is not None:
            self.order = self.order.flagged(moved.hold.value)


def _own(order: Order, operations: tuple[Operation, ...]) -> Operation:
    """The order's own operation among those that were reported; its twins have other keys."""
    known = order.operation
    named = (op for op in operations if known is not None and op.key == known.key)
    return next(named, operations[0])
