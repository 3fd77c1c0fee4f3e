"""Which way a refund, payout or rebill goes, or why it cannot: decided before anything is sent.

The database's guards decide again, with the payment's row locked (architecture, step 2).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from disputes.errors import InvalidMessage, MoneyHeld, NotFound, NotSupported
from disputes.money import to_decimal
from disputes.operations import (
    STANDALONE,
    Payment,
    Plan,
    Position,
    business_key,
    payment_of_its_own,
)
from disputes.orders import Order, of_a_case
from disputes.requests import PayoutRequest, RebillRequest, RefundRequest
from disputes.vocabulary import PaymentType, PayoutReason, Purpose, RebillReason

_BY_HAND = "transfer the money by hand"
_NEW_DEBIT = "make a new DB by the shopper's registration"


def plan_of(order: Order, now: datetime) -> Plan:
    """The one operation of an order, at ``now`` (UTC).

    Raises ``NotFound``, ``MoneyHeld``, ``InvalidMessage`` for the amount, or ``NotSupported``,
    which says what to do instead.
    """
    match order.request:
        case RefundRequest():
            return _refund(order, order.request, now)
        case PayoutRequest():
            return _payout(order, order.request)
        case RebillRequest():
            return _rebill(order, order.request)


def supported(order: Order) -> None:
    """Raise ``NotSupported`` for what the acquirer never does, before anybody is asked."""
    can, acquirer = order.terms.capabilities, order.terms.acquirer
    match order.request:
        case PayoutRequest() if not can.credit:
            raise NotSupported("a credit", acquirer, f"refund the payment (RF), or {_BY_HAND}")
        case RebillRequest(dispute_id=None) if not can.rebill:
            raise NotSupported("a rebill", acquirer, _NEW_DEBIT)
        case _:
            return


def no_notice(case_id: str) -> str:
    """Why a chargeback without a notice, listed as ``case_id``, holds money; for a person."""
    return (
        f"{case_id} is a chargeback without a notice, and holds the money of this payment:"
        " feed its notice, or wait until the bank has taken it back in full"
    )


def free(order: Order, held_by: Sequence[str]) -> None:
    """Raise ``MoneyHeld`` while a dispute holds the payment's money, unless it is the refund's own.

    Says nothing of a rebill after a dispute, which its case judges, nor of a refund for a dispute
    that is not among these: what becomes of that shows when the gateway was asked.

    Args:
        order: what is asked for.
        held_by: ids of the undecided disputes on its payment.
    """
    request = order.request
    own = request.dispute_id if isinstance(request, RefundRequest) else None
    if of_a_case(request) or own not in (None, *held_by):
        return
    if any(it != own for it in held_by):
        raise MoneyHeld(
            f"a dispute on this payment is open and holds the money: settle the {order.kind}"
            " there, or wait for its end"
        )


def _free(order: Order, position: Position) -> None:
    """The same by the books; a chargeback without a notice is nobody's own."""
    free(order, _cases(position))
    if position.without_notice:
        raise MoneyHeld(no_notice(position.without_notice[0]))


def _cases(position: Position) -> list[str]:
    return [it for it in position.open_disputes if it not in position.without_notice]


def _refund(order: Order, request: RefundRequest, now: datetime) -> Plan:
    payment = _known(order)
    position = _position(payment)
    if request.dispute_id not in (None, *_cases(position)):
        # Its id would stand with the refund, in the books of a case that has no part in it.
        wrong = {"dispute_id": "is no undecided dispute on this payment: leave it out"}
        raise InvalidMessage(wrong, what=f"the {order.kind}")
    if payment.entry_type is PaymentType.CD:
        # What a payout gave is taken back by RF, never by a second payout.
        _within(order, position.left_minor, "is left of the payout")
        return _plan(order, Purpose.REFUND)
    if payment.entry_type is PaymentType.PA:
        instead = "reverse the authorization, or refund its capture (CP)"
        raise NotSupported("a refund of an authorization", order.terms.acquirer, instead)
    _free(order, position)
    if position.charged_back and not order.terms.capabilities.refund_after_chargeback:
        by_credit = "pay it out to a registration (CD), or by hand"
        raise NotSupported("a refund after a chargeback", order.terms.acquirer, by_credit)
    _within(order, position.left_minor, "is left of the payment")
    window = timedelta(days=order.terms.refund_window_days)
    if payment.booked_at is None or now <= payment.booked_at + window:
        return _plan(order, Purpose.REFUND)
    if request.registration_id is None:
        raise NotSupported(
            f"no_route: a refund after {window.days} days without a registration",
            order.terms.acquirer,
            f"ask the shopper for a registration, or {_BY_HAND}",
        )
    if not order.terms.capabilities.credit:
        raise NotSupported("a credit", order.terms.acquirer, _BY_HAND)
    return _plan(order, Purpose.CREDIT)


def _payout(order: Order, request: PayoutRequest) -> Plan:
    gesture = request.reason is PayoutReason.CUSTOMER_SERVICE_GESTURE
    purpose = Purpose.GOODWILL if gesture else Purpose.CREDIT
    if request.payment_id is not None:
        payment = _known(order)
        if payment.entry_type is PaymentType.CD:
            instead = "name the payment that it repays"
            raise NotSupported("a payout on a payout", order.terms.acquirer, instead)
        _free(order, _position(payment))
        _within(order, _position(payment).left_minor, "is left of the payment")
    return _plan(order, purpose)


def _rebill(order: Order, request: RebillRequest) -> Plan:
    payment = _known(order)
    if payment.entry_type is not PaymentType.DB:
        raise NotSupported("a rebill of anything but a DB", order.terms.acquirer, _NEW_DEBIT)
    position = _position(payment)
    _free(order, position)
    if request.reason is RebillReason.EXCESS_REFUND:
        left = position.over_refunded_minor - position.excess_rebilled_minor
        _within(order, left, "was refunded too much and not charged again")
        return _plan(order, Purpose.REBILL_EXCESS_REFUND)
    share = payment.amount_minor * order.terms.rebill_difference_percent // 100
    left = share - position.difference_rebilled_minor
    _within(order, left, "may be charged on top by the policy")
    return _plan(order, Purpose.REBILL_DIFFERENCE, limit_minor=share)


def _known(order: Order) -> Payment:
    payment = order.payment
    if payment is None or not payment.known:
        raise NotFound("payment_history_unknown: the gateway does not know the payment")
    if payment.currency != order.request.amount.currency:
        wrong = {"amount.currency": "must be the payment's currency"}
        raise InvalidMessage(wrong, what=f"the {order.kind}")
    return payment


def _within(order: Order, left_minor: int, what: str) -> None:
    amount = order.request.amount
    if amount.minor > left_minor:
        left = f"{to_decimal(max(left_minor, 0), amount.currency)} {amount.currency}"
        raise InvalidMessage({"amount": f"only {left} {what}"}, what=f"the {order.kind}")


def _position(payment: Payment) -> Position:
    return payment.position or Position()


def _plan(order: Order, purpose: Purpose, limit_minor: int | None = None) -> Plan:
    request = order.request
    key = business_key(order.kind, order.order_id, purpose)
    alone = purpose in STANDALONE
    registration_id = None if isinstance(request, RebillRequest) else request.registration_id
    return Plan(
        key=key,
        purpose=purpose,
        dispute_id=request.dispute_id if isinstance(request, RefundRequest) else None,
        merchant_id=request.merchant_id,
        payment_id=request.payment_id or payment_of_its_own(key),
        referenced_id=None if alone else request.payment_id,
        registration_id=registration_id if alone else None,
        amount_minor=request.amount.minor,
        currency=request.amount.currency,
        network=request.network.value if request.network else "",
        limit_minor=limit_minor,
        capabilities=order.terms.capabilities,
        acquirer=order.terms.acquirer,
    )
