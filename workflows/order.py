"""The story that refunds, payouts and rebills share: asked for, approved, moved once, told.

A refused one ends its run with the typed refusal; its id can be asked for again with the same
content.
"""

from collections.abc import Sequence
from datetime import datetime

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from activities.payment_case import PaymentCaseActivities
    from disputes import orders, resolutions
    from disputes.decode import decode
    from disputes.errors import Conflict, InvalidMessage, NotFound, Refusal
    from disputes.messages import Decide, ResolveOperation
    from disputes.notices import Notice
    from disputes.operations import Operation
    from disputes.order_plans import free, supported
    from disputes.order_status import OperationSummary, summary_of
    from disputes.orders import Order, OrderKind
    from disputes.payment_steps import OpenedOrder, OpenOrder, PaymentFile
    from disputes.requests import (
        EntryTold,
        OrderRequest,
        PayoutRequest,
        RebillRequest,
        RefundRequest,
    )
    from disputes.twins import TWIN
    from disputes.vocabulary import OrderState
    from workflows import search_attributes as attributes
    from workflows.alarm import Alarm
    from workflows.ids import own_id_of
    from workflows.keeper import Keeper
    from workflows.messages import brings_nothing, not_taken, payload_json, read_one_of
    from workflows.order_till import OrderTill
    from workflows.refusals import as_application_error
    from workflows.store_step import store_step

_MODELS: dict[OrderKind, type[OrderRequest]] = {
    "refund": RefundRequest,
    "payout": PayoutRequest,
    "rebill": RebillRequest,
}
_COMMANDS: dict[str, type[Decide | ResolveOperation]] = {
    "approve": Decide,
    "decline": Decide,
    "resolve_operation": ResolveOperation,
}


class OrderRun:
    """One order from its request to its end; the workflows of the three kinds delegate to it."""

    def __init__(self, kind: OrderKind) -> None:
        self._kind: OrderKind = kind
        self._keeper = Keeper(self._file)
        self._alarm = Alarm()
        self._inbox: list[tuple[str, Sequence[RawValue]]] = []
        self._work: OrderTill | None = None
        self._refusal: Refusal | None = None
        self._news = False
        self._shopper_told = False

    async def run(self, start: RawValue) -> OperationSummary:
        """Carry the order to its end; raises the refusal that ended it before anything was sent."""
        self._work = work = await self._open(start)
        while True:
            self._news = False
            changed, sent = work.go_on(), self._sent(work.order)
            if changed or sent is not None:
                self._keeper.changed(*([sent] if sent else []))
            self._keeper.save()
            self._publish(work.order)
            if self._over(work) and workflow.all_handlers_finished():
                if work.refusal is not None:
                    raise as_application_error(work.refusal)
                return summary_of(work.order)
            await self._wait(work)

    def _sent(self, order: Order) -> Notice | None:
        """What the shopper is to be told, once, when the money is on its way."""
        if self._shopper_told or not order.ended:
            return None
        notice = orders.arrival_notice(order, workflow.now())
        # One that was refused may prove to be booked yet.
        self._shopper_told = notice is not None
        return notice

    async def _open(self, start: RawValue) -> OrderTill:
        """Ask the register first: a known order goes on where it was."""
        refusal: Refusal | None = None
        try:
            given = self._read_start(start)
        except Refusal as error:
            refusal = error
        else:
            request = OpenOrder(
                workflow_id=workflow.info().workflow_id, kind=self._kind, request=given
            )
            known = await store_step(PaymentCaseActivities.open_order, request)
            if known.differing:
                refusal = Conflict(f"the {self._kind}", known.differing)
            elif known.claimed is None or known.terms is None:
                refusal = NotFound(f"there is no {self._kind} with this id")
            else:
                return self._opened(known)
        self._refusal = refusal
        await workflow.wait_condition(workflow.all_handlers_finished)
        # Outside the except: no input may leak as the refusal's cause.
        raise as_application_error(refusal)

    def _read_start(self, start: RawValue) -> OrderRequest | None:
        if brings_nothing(start):
            return None
        given = decode(_MODELS[self._kind], payload_json([start]))
        if getattr(given, f"{self._kind}_id") != own_id_of(workflow.info().workflow_id):
            raise InvalidMessage({f"{self._kind}_id": "must be the id in the workflow id"})
        return given

    def _opened(self, known: OpenedOrder) -> OrderTill:
        now = workflow.now()
        self._keeper.start_from(known.revision)
        order = known.known
        if order is None and known.claimed is not None and known.terms is not None:
            order = orders.requested(self._kind, known.claimed, known.terms, now)
        if order is None:
            raise RuntimeError("an order was opened without its terms")
        if order.operation is None:
            # What was refused before anything was sent may be asked for again.
            order = order.model_copy(update={"refusal": None, "payment": None})
        # What the books have, but no run of it told anybody yet, is told by this one.
        told = self._shopper_told = order.state is OrderState.SETTLED
        if known.operations:
            order = orders.reported(order, known.operations[-1], now)
        if order != known.known:
            self._keeper.changed()
        work = OrderTill(order, known.unfinished, disputes_told=told)
        if order.operation is None:
            self._check(work, known, now)
        for name, args in self._inbox:
            self._receive(work, name, args)
        return work

    def _check(self, work: OrderTill, known: OpenedOrder, now: datetime) -> None:
        """What needs no look at the gateway is refused before its turn is waited for."""
        try:
            supported(work.order)
            if work.order.state is OrderState.REQUESTED and not known.unfinished:
                free(work.order, known.held_by)
        except Refusal as refusal:
            work.refuse(refusal, now)
            self._keeper.changed()

    def _file(self, revision: int) -> PaymentFile:
        order = self._carried().order
        approval = order.approval
        own = approval.expires_at if approval and approval.waits else None
        return PaymentFile(
            workflow_id=workflow.info().workflow_id,
            kind=self._kind,
            merchant_id=order.request.merchant_id,
            payment_id=order.request.payment_id,
            state=order.state.value,
            next_moment=own or resolutions.next_expiry(order),
            needs_attention=bool(order.flags),
            revision=revision,
            content=order.model_dump_json(),
            status=summary_of(order).model_dump_json(),
            at=workflow.now(),
        )

    def _publish(self, order: Order) -> None:
        """Search attributes, when they changed: one upsert for all."""
        updates = attributes.payment_updates(
            workflow.info().typed_search_attributes,
            state=order.state.value,
            merchant_id=order.request.merchant_id,
            network=order.request.network,
            amount=order.request.amount,
            attention=bool(order.flags),
        )
        if updates:
            workflow.upsert_search_attributes(updates)

    def _over(self, work: OrderTill) -> bool:
        ended = work.order.ended or work.refusal is not None
        waits = resolutions.next_expiry(work.order) is not None
        return ended and work.idle and self._keeper.idle and not (self._news or waits)

    async def _wait(self, work: OrderTill) -> None:
        """Until there is news or the next moment has come; one timer at a time."""
        approval = work.order.approval
        open_until = approval.expires_at if approval and approval.waits else None
        moments = [it for it in (open_until, work.wake_at) if it is not None]
        self._alarm.set(min(moments, default=None))
        await workflow.wait_condition(lambda: self._woken(work))
        if open_until is not None and self._alarm.rang and open_until <= workflow.now():
            work.order = orders.not_decided(work.order, workflow.now())
            self._keeper.changed()

    def _woken(self, work: OrderTill) -> bool:
        ended = self._over(work) and workflow.all_handlers_finished()
        return self._news or self._keeper.done or work.done or self._alarm.rang or ended

    def receive(self, name: str, args: Sequence[RawValue]) -> None:
        """A fact: never refused; what cannot be read is noted with the reason."""
        self._news = True
        if self._work is None:
            self._inbox.append((name, args))
        else:
            self._receive(self._work, name, args)

    def _receive(self, work: OrderTill, name: str, args: Sequence[RawValue]) -> None:
        try:
            booking = read_one_of({"booking": EntryTold}, name, args, f"a signal of a {self._kind}")
        except InvalidMessage as fault:
            noted = work.order.noted(workflow.now(), "sender", not_taken(name, args, fault))
            work.order = noted.flagged("message_not_taken")
            self._keeper.changed()
        else:
            work.bookings.append(booking)

    def read_command(self, name: str, args: Sequence[RawValue]) -> Decide | ResolveOperation:
        """The command that an update brings; raises the refusal."""
        return read_one_of(_COMMANDS, name, args, f"an update of a {self._kind}")

    async def command(self, name: str, args: Sequence[RawValue]) -> dict[str, object]:
        """A second person's decision, or a word on an operation in doubt."""
        refusal: Refusal | None = None
        try:
            return await self._carry_out(name, self.read_command(name, args))
        except Refusal as error:
            refusal = error
        raise as_application_error(refusal)

    async def _carry_out(self, name: str, command: Decide | ResolveOperation) -> dict[str, object]:
        await workflow.wait_condition(lambda: self._work is not None or self._refusal is not None)
        work, now = self._carried(), workflow.now()
        answer: dict[str, object] = {}
        if isinstance(command, Decide):
            self._decide(work, command, now, approved=name == "approve")
        else:
            answer = await self._resolve(work, command)
        self._keeper.changed()
        self._news = True
        return {"state": work.order.state.value} | answer

    def _decide(self, work: OrderTill, command: Decide, now: datetime, *, approved: bool) -> None:
        if any(it.request_id == command.request_id for it in work.order.approvals):
            work.order, word = resolutions.decided(work.order, command, now, approved=approved)
            work.resolutions += [word] if word else []
        else:
            work.order = orders.decided(work.order, command, now, approved=approved)

    async def _resolve(self, work: OrderTill, command: ResolveOperation) -> dict[str, object]:
        undoing: tuple[Operation, ...] = ()
        if TWIN in command.operation_key:
            ask = OpenOrder(workflow_id=workflow.info().workflow_id, kind=self._kind)
            undoing = (await store_step(PaymentCaseActivities.open_order, ask)).undoing
        # Runs of before settled every amount by one person's word, and are replayed so.
        four_eyes = workflow.patched("four-eyes-on-doubts")
        work.order, waits = resolutions.resolve(
            work.order, command, workflow.now(), undoing=undoing, four_eyes=four_eyes
        )
        if waits is not None:
            return {"request_id": waits.request_id}
        work.resolutions.append(command)
        return {}

    def _carried(self) -> OrderTill:
        if self._refusal is not None:
            raise self._refusal
        if self._work is None:
            raise RuntimeError("the order is not open yet")
        return self._work

    def status(self) -> OperationSummary:
        """All that may be asked of the order; raises ``NotFound`` before it is open."""
        if self._work is None:
            raise as_application_error(NotFound(f"the {self._kind} is not open yet"))
        return summary_of(self._work.order)
