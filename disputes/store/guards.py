"""What stops a call of ours (lifecycle, Target minus booked); never what the bank has done.

All run in a write with the case's and the payment's row locked.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlmodel import Session, bindparam, col, select

from disputes import chain
from disputes.case import Case
from disputes.errors import NotSupported
from disputes.operations import Plan, owner_of
from disputes.store import payment_guards
from disputes.store.engine import insert_once
from disputes.store.positions import moved, unexplained_chargeback
from disputes.store.postings import makes_entry, root_of
from disputes.store.records import CHAIN, by_gateway_id
from disputes.store.tables import OperationRow, PaymentRow
from disputes.vocabulary import OperationState, PaymentType, Purpose

#: How long an intention keeps others off a payment before it counts as given up
#: (architecture, step 5).
LEASE = timedelta(minutes=5)
_OF_A_DISPUTE = (*CHAIN, Purpose.REBILL, Purpose.GIVE_BACK, Purpose.GIVE_BACK_CREDIT)
_UNDER_WAY = (OperationState.INTENDED, OperationState.SENT, OperationState.IN_DOUBT)
#: Made once: to build a statement takes longer than to answer it.
_PAYMENT = (
    select(PaymentRow)
    .where(PaymentRow.payment_id == bindparam("payment_id"))
    .with_for_update()
    .execution_options(populate_existing=True)
)
_HOLDERS = (
    select(OperationRow)
    .where(
        OperationRow.payment_id == bindparam("payment_id"), col(OperationRow.state).in_(_UNDER_WAY)
    )
    # Voiding a row that its owner marks sent at this moment would let it be sent twice.
    .with_for_update()
    .execution_options(populate_existing=True)
)


def lock_payment(session: Session, payment_id: str, merchant_id: str) -> PaymentRow:
    """The payment's row, made if need be, held to the end of the transaction."""
    wanted = {"payment_id": payment_id}
    row = session.exec(_PAYMENT, params=wanted).one_or_none()
    if row is None:
        made = PaymentRow(payment_id=payment_id, root_id=payment_id, merchant_id=merchant_id)
        insert_once(session, made)
        row = session.exec(_PAYMENT, params=wanted).one()
    return row


def open_entry(session: Session, row: OperationRow, root_id: str | None = None) -> None:
    """Give what an operation has made (PA, DB, CD, CP or RB) a row of its own to be guarded by.

    What made a payment of its own stood under its reference until it had an id; what was posted
    there keeps that place, which belongs to the payment from now on. ``root_id``: of the payment
    on which the operation acts, where it is not the row's own.
    """
    if row.gateway_id is None or not makes_entry(row):
        return
    payment = lock_payment(session, row.payment_id, row.merchant_id)
    entry = lock_payment(session, row.gateway_id, row.merchant_id)
    entry.root_id, entry.entry_type = root_of(row, root_id or payment.root_id), row.payment_type
    entry.amount_minor, entry.currency = row.amount_minor, row.currency
    entry.history_known = True
    session.add(entry)
    if row.payment_id == row.merchant_transaction_id:
        row.payment_id, payment.root_id = row.gateway_id, row.gateway_id
        session.add(payment)
    session.flush()


def holder(session: Session, plan: Plan, now: datetime) -> OperationRow | None:
    """The operation under way that keeps ``plan`` off its payment; ``now`` is wire time.

    What was intended but never sent is void after its lease; the plan's own row at once, so that
    its guards are checked against what is true now.
    """
    for row in session.exec(_HOLDERS, params={"payment_id": plan.payment_id}).all():
        unsent = row.state == OperationState.INTENDED
        if not unsent or (row.key != plan.key and row.intended_at > now - LEASE):
            return row
        session.delete(row)
    session.flush()
    return None


def superseded(case: Case, plan: Plan) -> bool:
    """Whether the case owes something else by now than a chain entry or refund that it planned."""
    if plan.purpose in CHAIN:
        return chain.next_plan(case) != plan
    if not refund_of_case(plan):
        return False
    # A chargeback may have come since: never both.
    owed = chain.next_plan(case)
    return owed is None or owed.key != plan.key


def refund_of_case(plan: Plan) -> bool:
    """Whether a dispute's case planned the refund; one asked for outside only names its dispute."""
    return plan.purpose is Purpose.REFUND and owner_of(plan.key) == f"dispute/{plan.dispute_id}"


def refusal(
    session: Session, case: Case | None, payment: PaymentRow, plan: Plan, now: datetime
) -> str | None:
    """Why a plan must not be sent, for a person; ``None`` when it may.

    ``now`` is wire time. Raises ``NotSupported`` for what acquirer or brand do not have.
    """
    if refund_of_case(plan):
        return _refund(session, payment, plan, now)
    if plan.purpose not in _OF_A_DISPUTE:
        return payment_guards.refusal(session, payment, plan, now)
    if case is None:
        return "it is a step of a dispute: name the dispute"
    match plan.purpose:
        case Purpose.BOOK:
            return _book(session, payment, plan)
        case Purpose.REBILL:
            return _rebill(case, payment, plan)
        case Purpose.GIVE_BACK:
            return _give_back(session, plan)
        case Purpose.GIVE_BACK_CREDIT:
            return _give_back_credit(case, plan)
        case _:
            return None


def _book(session: Session, payment: PaymentRow, plan: Plan) -> str | None:
    strange = payment_guards.anothers(payment, plan)
    if strange is not None:
        return strange
    booked = select(OperationRow).where(
        OperationRow.payment_id == plan.payment_id,
        OperationRow.payment_type == PaymentType.CB,
        OperationRow.state == OperationState.SETTLED,
    )
    if session.exec(booked).first() is None:
        return None
    return "one chargeback per entry: the gateway has booked another dispute's on this payment"


def _rebill(case: Case, payment: PaymentRow, plan: Plan) -> str | None:
    # A step of the case has no capabilities of its own: the case has looked at its terms.
    if plan.capabilities is not None and not plan.capabilities.rebill_after_dispute:
        by_registration = "make a new DB by the shopper's registration"
        raise NotSupported("a rebill after a dispute", plan.acquirer, by_registration)
    if not payment.history_known:
        return "payment_history_unknown: the gateway has not told what became of this payment"
    if payment.entry_type != PaymentType.DB:
        return "only a DB can be rebilled: make a new DB by registration instead"
    strange = payment_guards.anothers(payment, plan)
    if strange is not None:
        return strange
    if plan.amount_minor > case.out_minor - case.rebilled_minor:
        return "more than is out: rebilled and reinstated may not exceed what is disputed"
    return None


def _refund(session: Session, payment: PaymentRow, plan: Plan, now: datetime) -> str | None:
    """As every refund; a case has no caller to refuse, so its operation ends with the reason."""
    if unexplained_chargeback(session, payment.payment_id):
        return "the gateway has booked a chargeback: wait for the bank's word on it, then ask again"
    try:
        return payment_guards.refusal(session, payment, plan, now)
    except NotSupported as lacking:
        return lacking.message


def _give_back(session: Session, plan: Plan) -> str | None:
    rebill = by_gateway_id(session, plan.referenced_id)
    if rebill is None or rebill.payment_type != PaymentType.RB:
        return "no such rebill is booked"
    # From outside it is refunded under its own row.
    session.exec(
        select(PaymentRow).where(PaymentRow.payment_id == rebill.gateway_id).with_for_update()
    ).one_or_none()
    given = moved(session, rebill.gateway_id or "", PaymentType.RF)
    if plan.amount_minor > rebill.amount_minor - given:
        return "more than is left of the rebill: part of it was given back already"
    return None


def _give_back_credit(case: Case, plan: Plan) -> str | None:
    if plan.registration_id is None:
        return "no_route: no registration of the shopper's is known; pay it by hand"
    if plan.capabilities is not None and not plan.capabilities.credit:
        raise NotSupported("a credit", plan.acquirer, "transfer the money by hand")
    if plan.amount_minor > case.give_back_minor - case.given_back_minor:
        return "more than is owed back of the rebill"
    return None


def refunded_minor(session: Session, entry_id: str) -> int:
    """Sum in minor units of the refunds booked on an entry."""
    refunds: Iterable[int] = session.exec(
        select(OperationRow.amount_minor).where(
            OperationRow.referenced_id == entry_id,
            OperationRow.payment_type == PaymentType.RF,
            OperationRow.state == OperationState.SETTLED,
        )
    )
    return sum(refunds)
