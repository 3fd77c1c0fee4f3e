"""A refund, payout or rebill as its workflow knows it: who approved it, and what came of it.

Every moment is case time in UTC, every amount minor units of the request's currency.
"""

from datetime import datetime, timedelta
from typing import Literal

from disputes import second_person
from disputes.authorization import Note
from disputes.errors import NotFound, Refusal
from disputes.fields import Durable, Identifier, Moment
from disputes.messages import Decide
from disputes.notices import Notice
from disputes.operations import Operation, Payment
from disputes.payment_terms import OrderTerms
from disputes.requests import OrderRequest, PayoutRequest, RebillRequest, RefundRequest
from disputes.second_person import PaymentApproval
from disputes.vocabulary import OperationState, OrderState, PaymentType

OrderKind = Literal["refund", "payout", "rebill"]
_STATES = {
    OperationState.SETTLED: OrderState.SETTLED,
    OperationState.REFUSED: OrderState.REFUSED,
    OperationState.IN_DOUBT: OrderState.IN_DOUBT,
}


class Order(Durable):
    """All that is known of an order; its workflow keeps it, and the books a copy."""

    kind: OrderKind
    request: OrderRequest
    terms: OrderTerms
    approval: PaymentApproval | None = None
    #: words on its operation in doubt that wait, or waited, for a second person
    approvals: tuple[PaymentApproval, ...] = ()
    payment: Payment | None = None
    operation: Operation | None = None
    #: of a rebill after a dispute: the request of its case that waits for a second person
    case_request_id: str | None = None
    #: why it was refused before anything was sent
    refusal: str | None = None
    #: when the shopper should have the money
    expected_by: Moment | None = None
    #: disputes that came while the money was on its way back
    raced: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def order_id(self) -> str:
        """Its own id."""
        return order_id_of(self.request)

    @property
    def doubtful(self) -> tuple[Operation, ...]:
        """Its operation, while nobody knows whether it was booked."""
        operation = self.operation
        in_doubt = operation is not None and operation.state is OperationState.IN_DOUBT
        return (operation,) if operation is not None and in_doubt else ()

    @property
    def next_request_id(self) -> str:
        """Id of the next request for a second person; the order's own is the first."""
        return f"{self.kind}.{self.order_id}-A{len(self.approvals) + 2}"

    @property
    def state(self) -> OrderState:
        """Where it stands."""
        if self.operation is not None:
            return _STATES.get(self.operation.state, OrderState.UNDER_WAY)
        if self.refusal is not None:
            return OrderState.REFUSED
        if self.case_request_id is not None:
            return OrderState.WAITING_FOR_APPROVAL
        outcome = self.approval.outcome if self.approval else None
        if outcome == "open":
            return OrderState.WAITING_FOR_APPROVAL
        if outcome in ("declined", "expired"):
            return OrderState.DECLINED
        return OrderState.UNDER_WAY if self.payment is not None else OrderState.REQUESTED

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it by itself."""
        return self.state in (OrderState.SETTLED, OrderState.REFUSED, OrderState.DECLINED)

    def noted(self, at: datetime, actor: str, what: str) -> "Order":
        """The same with one more line of history."""
        return self.model_copy(update={"notes": (*self.notes, Note(at=at, actor=actor, what=what))})

    def flagged(self, *codes: str) -> "Order":
        """The same with attention codes that it had not."""
        fresh = tuple(code for code in codes if code not in self.flags)
        return self.model_copy(update={"flags": (*self.flags, *fresh)})

    def unflagged(self, *codes: str) -> "Order":
        """The same without attention codes."""
        return self.model_copy(
            update={"flags": tuple(code for code in self.flags if code not in codes)}
        )


def order_id_of(request: OrderRequest) -> str:
    """The own id of a refund, payout or rebill."""
    match request:
        case RefundRequest():
            return request.refund_id
        case PayoutRequest():
            return request.payout_id
        case RebillRequest():
            return request.rebill_id


def requested(kind: OrderKind, request: OrderRequest, terms: OrderTerms, now: datetime) -> Order:
    """An order that has just been asked for; above the limit it waits for a second person."""
    amount = request.amount
    order = Order(kind=kind, request=request, terms=terms)
    asked = f"{kind} of {amount.amount} {amount.currency}: {request.reason.value}"
    order = order.noted(now, request.requested_by, asked)
    limit = terms.four_eyes_above_minor
    # The dispute's own case asks for the second person, so that nobody is asked twice.
    if limit is None or amount.minor <= limit or of_a_case(request):
        return order
    approval = second_person.request(
        f"{kind}.{order.order_id}-A1", request.requested_by, now, terms.approval_hours
    )
    order = order.model_copy(update={"approval": approval}).flagged("approval_waiting")
    return order.noted(now, "policy", "waits for a second person")


def of_a_case(request: OrderRequest) -> bool:
    """Whether it is a rebill that a dispute's case carries out."""
    return isinstance(request, RebillRequest) and request.dispute_id is not None


def decided(order: Order, decision: Decide, now: datetime, *, approved: bool) -> Order:
    """The second person's word; raises ``NotFound``, ``IllegalTransition``, ``SecondPersonNeeded``.

    The same person's same word again changes nothing.
    """
    approval = order.approval
    if approval is None or approval.request_id != decision.request_id:
        raise NotFound("there is no request with this id")
    state = order.state.value
    fresh = second_person.decide(approval, decision, now, approved=approved, state=state)
    if fresh == approval:
        return order
    told = f"{fresh.outcome}: {decision.reason}" if decision.reason else fresh.outcome
    after = order.model_copy(update={"approval": fresh})
    return after.unflagged("approval_waiting").noted(now, decision.decided_by, told)


def not_decided(order: Order, now: datetime) -> Order:
    """Nobody came in time."""
    if order.approval is None or not order.approval.waits:
        return order
    expired = second_person.expire(order.approval)
    after = order.model_copy(update={"approval": expired}).unflagged("approval_waiting")
    return after.noted(now, "clock", "nobody approved it in time")


def refused(order: Order, refusal: Refusal, now: datetime) -> Order:
    """It was refused before anything was sent."""
    after = order.model_copy(update={"refusal": refusal.message})
    return after.noted(now, "engine", f"refused: {refusal.message}")


def reported(order: Order, operation: Operation, now: datetime) -> Order:
    """The newest word on its operation."""
    if operation == order.operation:
        return order
    after = order.model_copy(update={"operation": operation, "case_request_id": None})
    reason = f": {operation.reason}" if operation.reason else ""
    told = f"{operation.payment_type.value} {operation.state.value.replace('_', ' ')}{reason}"
    after = after.noted(now, "gateway", told)
    after = after.unflagged("operation_in_doubt", "money_held", "gateway_unreachable")
    if operation.state is OperationState.IN_DOUBT:
        return after.flagged("operation_in_doubt")
    if operation.twins:
        after = after.flagged("twin_entries")
    if operation.asked_minor is not None:
        after = after.flagged("other_amount")
    if operation.state is OperationState.SETTLED and _goes_to_shopper(after):
        arrives = now + timedelta(days=after.terms.refund_arrival_days)
        after = after.model_copy(update={"expected_by": arrives})
    return after


def arrival_notice(order: Order, now: datetime) -> Notice | None:
    """What the shopper is told once money is on its way (back-office guide, Refund)."""
    if order.expected_by is None or order.operation is None:
        return None
    amount = order.request.amount
    text = (
        f"{amount.amount} {amount.currency} were sent to you on {now:%Y-%m-%d} and should arrive"
        f" by {order.expected_by:%Y-%m-%d}"
    )
    return Notice(
        notice_id=f"{order.kind}/{order.order_id}:sent",
        audience="shopper",
        kind=f"{order.kind}_sent",
        merchant_id=order.request.merchant_id,
        payment_id=order.request.payment_id,
        at=now,
        text=text,
    )


def raced(order: Order, disputes: tuple[Identifier, ...], now: datetime) -> Order:
    """A dispute came while the money was on its way: its case has been told of it."""
    if not disputes:
        return order
    named = ", ".join(disputes)
    after = order.model_copy(update={"raced": disputes}).flagged("raced_chargeback")
    return after.noted(now, "engine", f"a dispute came meanwhile: {named}; its case was told")


def _goes_to_shopper(order: Order) -> bool:
    """A payout that is taken back, and a rebill, bring money to the merchant."""
    taken_back = order.payment is not None and order.payment.entry_type is PaymentType.CD
    return order.kind != "rebill" and not (order.kind == "refund" and taken_back)
