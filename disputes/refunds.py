"""When an alert or inquiry is settled by a refund of the case's own (lifecycle rows 1 and 2)."""

from datetime import datetime

from disputes import messages
from disputes.case import Case
from disputes.chain import booked_minor, fits_wire
from disputes.errors import InvalidMessage, MoneyHeld, NotSupported
from disputes.events import RefundRequested
from disputes.possible import in_time
from disputes.rebills import amount_within
from disputes.vocabulary import OperationState, PaymentType, Stage


def not_refunded_by_network(case: Case) -> None:
    """Raises ``NotSupported`` where the network has refunded already (RDR): never twice."""
    if case.network_refund_minor and not case.money_moved:
        instead = "nothing: the network has paid the shopper back already (rdr)"
        raise NotSupported("resolve_by_refund", case.opened_terms.acquirer, instead)


def refund_requested(
    case: Case, command: messages.ResolveByRefund, now: datetime
) -> RefundRequested:
    """The refund that the command asks for at ``now`` (UTC).

    Without an amount it is all of the disputed amount that the payment still holds. The books
    decide again when it is sent, with the payment's row locked.

    Raises ``DeadlinePassed`` for an alert, ``MoneyHeld`` or ``InvalidMessage``.
    """
    if case.stage is Stage.ALERT:
        in_time(case, now)
    _nothing_under_way(case)
    left = _left_minor(case)
    amount = amount_within(case, command.amount, left)
    if not fits_wire(amount, case.currency):
        raise InvalidMessage({"amount": "has more decimals than the gateway's two"})
    return RefundRequested(
        request=command,
        place=len(case.refunds) + 1,
        amount_minor=amount,
        closes=case.stage is Stage.ALERT or amount == left,
    )


def _nothing_under_way(case: Case) -> None:
    """Another call, or a chargeback that the gateway has booked, holds the money."""
    for refund in case.refunds:
        if case.operation(refund.key) is None:
            raise MoneyHeld("a refund of this case is under way", refund.key)
    for operation in case.doubtful:
        raise MoneyHeld("nobody knows whether an operation was booked", operation.key)
    if booked_minor(case) > 0:
        booked = (op for op in case.operations if op.payment_type is PaymentType.CB)
        settled = (op.key for op in booked if op.state is OperationState.SETTLED)
        raise MoneyHeld("the gateway has booked the chargeback already", next(settled, None))


def _left_minor(case: Case) -> int:
    """What of the disputed amount is not paid back yet, and the payment still holds."""
    payment = case.payment
    if payment is None or not payment.known:
        unknown = "the payment's history at the gateway is not known: payment_history_unknown"
        raise MoneyHeld(unknown)
    if payment.currency != case.currency:
        raise MoneyHeld("the payment is in another currency: currency_unknown")
    held = payment.amount_minor - payment.refunded_minor
    left = min(case.disputed_minor - case.refunded_minor, held)
    if left <= 0:
        raise MoneyHeld("nothing is left to refund: it was paid back before")
    return left
