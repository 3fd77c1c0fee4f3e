"""What stops a payment's own operations: captures, reversals, refunds, credits and rebills.

All run in a write with the payment's row locked; each text says what to do instead.
"""

from datetime import datetime

from sqlmodel import Session

from disputes.errors import NotSupported
from disputes.money import to_decimal
from disputes.operations import STANDALONE, Plan
from disputes.order_plans import no_notice
from disputes.store import placeholders, positions
from disputes.store.tables import PaymentRow
from disputes.terms import Capabilities
from disputes.vocabulary import PaymentType, Purpose

_PAID = (PaymentType.CP, PaymentType.DB, PaymentType.RB)
#: What each may act on (protocol, section 2), and what to do on anything else.
_ON: dict[Purpose, tuple[tuple[PaymentType, ...], str]] = {
    Purpose.CAPTURE: ((PaymentType.PA,), "only an authorization (PA) can be captured"),
    Purpose.INCREASE: ((PaymentType.PA,), "only an authorization (PA) can be increased"),
    Purpose.REVERSE: (
        (PaymentType.PA, PaymentType.DB),
        "only an authorization (PA) or a debit (DB) can be reversed: refund it instead",
    ),
    Purpose.REFUND: (
        (*_PAID, PaymentType.CD),
        "nothing was captured by this entry: reverse the authorization, or refund its capture",
    ),
    Purpose.CREDIT: (_PAID, "a credit repays a capture or debit; a payout is refunded by RF"),
    Purpose.GOODWILL: (_PAID, "a gesture is tied to a capture or debit, or to no payment"),
    Purpose.REBILL_DIFFERENCE: (
        (PaymentType.DB,),
        "only a DB can be rebilled: make a new DB by registration instead",
    ),
    Purpose.REBILL_EXCESS_REFUND: (
        (PaymentType.DB,),
        "only a DB can be rebilled: make a new DB by registration instead",
    ),
}


def refusal(session: Session, payment: PaymentRow, plan: Plan, now: datetime) -> str | None:
    """Why a payment's own operation must not be sent, for a person; ``None`` when it may.

    ``now`` is wire time. Raises ``NotSupported`` for what acquirer or brand do not have.
    """
    _supported(plan)
    if plan.purpose in STANDALONE and plan.registration_id is None:
        return "no_route: no registration of the shopper's is known; ask the shopper to pay anew"
    if plan.amount_minor <= 0:
        return "the amount must be above zero"
    if plan.payment_id == plan.merchant_transaction_id:
        return None  # it makes a payment of its own
    return _unfit(payment, plan) or _by_amount(session, payment, plan, now)


def _supported(plan: Plan) -> None:
    """Raise ``NotSupported`` for what needs no look at the payment."""
    can = _can(plan)
    instead = {
        PaymentType.CD: (can.credit, "refund the payment (RF), or transfer the money by hand"),
        PaymentType.RB: (can.rebill, "make a new DB by the shopper's registration"),
    }
    allowed, what = instead.get(plan.payment_type, (True, ""))
    if plan.purpose is Purpose.INCREASE:
        allowed, what = can.increase, "authorize the difference anew (PA)"
    if not allowed:
        raise NotSupported(plan.purpose.value, plan.acquirer, what)


def anothers(payment: PaymentRow, plan: Plan) -> str | None:
    """Why nothing is begun on a payment that is known as another merchant's than the plan's."""
    if payment.history_known and payment.merchant_id != plan.merchant_id:
        return "the payment is another merchant's: check the payment id and the merchant"
    return None


def _unfit(payment: PaymentRow, plan: Plan) -> str | None:
    if plan.referenced_id not in (None, plan.payment_id):
        return "it acts on another entry than the one it is guarded by: report this, with the key"
    if not payment.history_known:
        return (
            "payment_history_unknown: the gateway has not told what became of this payment;"
            " check its id, and ask again"
        )
    strange = anothers(payment, plan)
    if strange is not None:
        return strange
    if payment.currency != plan.currency:
        return "the payment is in another currency: ask in the currency of the payment"
    kinds, what = _ON[plan.purpose]
    return None if payment.entry_type in kinds else what


def _by_amount(session: Session, payment: PaymentRow, plan: Plan, now: datetime) -> str | None:
    match plan.purpose:
        case Purpose.CAPTURE:
            return _capture(session, payment, plan, now)
        case Purpose.INCREASE:
            return _increase(session, payment, plan, now)
        case Purpose.REVERSE if payment.entry_type == PaymentType.PA:
            return _reverse_open(session, payment, plan)
        case Purpose.REVERSE:
            return _reverse_debit(session, payment, plan)
        case Purpose.REFUND if payment.entry_type == PaymentType.CD:
            return _refund_of_credit(session, payment, plan)
        case Purpose.REFUND | Purpose.CREDIT | Purpose.GOODWILL:
            return _pay_back(session, payment, plan)
        case _:
            return _rebill(session, payment, plan)


def _capture(session: Session, payment: PaymentRow, plan: Plan, now: datetime) -> str | None:
    if _lapsed(payment, plan, now):
        return "the authorization has lapsed: authorize anew by registration before you capture"
    open_minor = positions.open_minor(session, payment)
    if open_minor <= 0:
        return "nothing is open: it was captured in full or reversed; ask for a new payment"
    if plan.amount_minor > open_minor:
        return f"only {_money(open_minor, plan)} is open: capture that, or increase it first"
    captured = positions.moved(session, payment.payment_id, PaymentType.CP)
    if captured and not _can(plan).multiple_capture:
        raise NotSupported("a second capture", plan.acquirer, "make a new payment for the rest")
    return None


def _increase(session: Session, payment: PaymentRow, plan: Plan, now: datetime) -> str | None:
    if _lapsed(payment, plan, now) or positions.open_minor(session, payment) <= 0:
        return "the authorization is no longer open: authorize anew by registration"
    return None


def _reverse_open(session: Session, payment: PaymentRow, plan: Plan) -> str | None:
    if payment.lapsed_at is not None:
        return "the authorization has lapsed: the shopper's money is free by itself"
    open_minor = positions.open_minor(session, payment)
    if open_minor <= 0:
        return "nothing is open: it was reversed already, or captured in full; refund the capture"
    if plan.amount_minor > open_minor:
        return f"only {_money(open_minor, plan)} is open: reverse that"
    if plan.amount_minor < open_minor and not _can(plan).partial_reversal:
        entire = f"reverse the entire open amount, {_money(open_minor, plan)}"
        raise NotSupported("a partial reversal", plan.acquirer, entire)
    return None


def _reverse_debit(session: Session, payment: PaymentRow, plan: Plan) -> str | None:
    used = positions.moved(
        session, payment.payment_id, PaymentType.RF, PaymentType.RV, PaymentType.RB, PaymentType.CB
    )
    if used or positions.credited_minor(session, payment.payment_id):
        return "something has happened on it already: refund what is left instead"
    if plan.amount_minor != payment.amount_minor:
        return "a debit is reversed as a whole: refund a part of it instead"
    return _disputed(session, payment, plan)


def _refund_of_credit(session: Session, payment: PaymentRow, plan: Plan) -> str | None:
    left = payment.amount_minor - positions.moved(session, payment.payment_id, PaymentType.RF)
    if plan.amount_minor > left:
        return f"only {_money(left, plan)} is left of the payout: take that back"
    return None


def _pay_back(session: Session, payment: PaymentRow, plan: Plan) -> str | None:
    """Refund or tied credit: never more than is left, and never against a dispute."""
    entry = payment.payment_id
    held = _disputed(session, payment, plan)
    if held is not None:
        return held
    if plan.purpose is Purpose.REFUND:
        if positions.credited_minor(session, entry, Purpose.CREDIT):
            return "a credit (CD) repaid this payment already: pay the rest by credit too"
        if positions.charged_back(session, entry) and not _can(plan).refund_after_chargeback:
            by_credit = "pay it by credit (CD) to a registration, or by hand"
            raise NotSupported("a refund after a chargeback", plan.acquirer, by_credit)
    left = positions.left_minor(session, payment)
    if plan.amount_minor > left:
        return f"only {_money(max(left, 0), plan)} is left of the payment: pay back no more"
    return None


def _rebill(session: Session, payment: PaymentRow, plan: Plan) -> str | None:
    if positions.moved(session, payment.payment_id, PaymentType.RV):
        return "the debit was reversed: make a new DB by registration instead"
    if plan.purpose is Purpose.REBILL_EXCESS_REFUND:
        limit = positions.over_refunded_minor(session, payment)
    else:
        limit = plan.limit_minor or 0
    left = limit - positions.rebilled_minor(session, payment.payment_id, plan.purpose)
    if plan.amount_minor > left:
        return (
            f"only {_money(max(left, 0), plan)} may be rebilled for this reason:"
            " agree on a new payment with the shopper"
        )
    return _disputed(session, payment, plan)


def _disputed(session: Session, payment: PaymentRow, plan: Plan) -> str | None:
    if positions.disputes_open(session, payment.payment_id, but=plan.dispute_id):
        return "a dispute on this payment is open: settle it there (resolve_by_refund), or wait"
    # A refund cannot be its own: it is no case, and nobody knows yet whose chargeback it is.
    listed = placeholders.holding(session, payment.payment_id)
    return no_notice(listed[0]) if listed else None


def whole(session: Session, payment: PaymentRow, plan: Plan) -> bool:
    """Whether a plan takes all that the gateway has left of what it refers to.

    Decided where the row is locked, for upon it hangs whether the plan may ever be sent again.
    """
    match plan.purpose:
        case Purpose.REFUND:
            moved = positions.moved(session, payment.payment_id, PaymentType.RF)
            return plan.amount_minor == payment.amount_minor - moved
        case Purpose.REVERSE if payment.entry_type == PaymentType.PA:
            return plan.amount_minor == positions.open_minor(session, payment)
        case _:
            return plan.whole


def _lapsed(payment: PaymentRow, plan: Plan, now: datetime) -> bool:
    past = plan.expires_at is not None and plan.expires_at <= now
    return past or payment.lapsed_at is not None


def _can(plan: Plan) -> Capabilities:
    return plan.capabilities or Capabilities()


def _money(minor: int, plan: Plan) -> str:
    return f"{to_decimal(minor, plan.currency)} {plan.currency}"
