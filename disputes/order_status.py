"""What a refund, payout or rebill shows of itself, while it runs and as its result (contract)."""

from disputes.authorization import Note
from disputes.fields import Durable, Moment
from disputes.money import Money
from disputes.orders import Order
from disputes.requests import PayoutRequest
from disputes.second_person import PaymentApproval
from disputes.status import OperationStatus, operation_status
from disputes.terms import Pin


class OperationSummary(Durable):
    """A refund, payout or rebill; ``explanation`` says for a person why it was refused.

    ``approvals``: of people's words on its operation in doubt.
    ``request_id``: of the dispute's own request, where its case waits for a second person.
    ``expected_by``: when the shopper should have the money.
    """

    id: str
    kind: str
    state: str
    merchant_id: str
    payment_id: str | None = None
    dispute_id: str | None = None
    amount: Money
    reason: str
    requested_by: str
    operation: OperationStatus | None = None
    approval: PaymentApproval | None = None
    approvals: tuple[PaymentApproval, ...] = ()
    request_id: str | None = None
    explanation: str | None = None
    expected_by: Moment | None = None
    raced: tuple[str, ...] = ()
    attention: tuple[str, ...] = ()
    timeline: tuple[Note, ...] = ()
    policy: Pin


def summary_of(order: Order) -> OperationSummary:
    """All that may be asked of an order; the same when it has ended."""
    request, operation = order.request, order.operation
    dispute_id = None if isinstance(request, PayoutRequest) else request.dispute_id
    return OperationSummary(
        id=order.order_id,
        kind=order.kind,
        state=order.state.value,
        merchant_id=request.merchant_id,
        payment_id=request.payment_id,
        dispute_id=dispute_id,
        amount=request.amount,
        reason=request.reason.value,
        requested_by=request.requested_by,
        operation=operation_status(operation) if operation else None,
        approval=order.approval,
        approvals=order.approvals,
        request_id=order.case_request_id,
        explanation=order.refusal or (operation.reason if operation else None),
        expected_by=order.expected_by,
        raced=order.raced,
        attention=order.flags,
        timeline=order.notes,
        policy=order.terms.policy,
    )
