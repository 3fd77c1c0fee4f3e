"""What has become of a payment's entry, summed from the operations on it, in minor units.

What may be booked yet counts as booked: these sums decide how much more may move.
"""

from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, exists, literal
from sqlmodel import Session, col, func, or_, select

from disputes.ledger import Levels
from disputes.operations import Position
from disputes.store import placeholders
from disputes.store.records import chain_depth
from disputes.store.register import DISPUTE
from disputes.store.tables import CaseRow, Claim, OperationRow, PaymentRow
from disputes.vocabulary import CHAIN_TYPES, Finality, OperationState, PaymentType, Purpose

_LEVELS = TypeAdapter(Levels)
_GESTURES = (Purpose.CREDIT, Purpose.GOODWILL)
_REFUSED = OperationState.REFUSED.value


def moved(session: Session, entry_id: str, *types: PaymentType) -> int:
    """Sum of the operations of some types that reference an entry."""
    return _sum(
        session,
        OperationRow.referenced_id == entry_id,
        col(OperationRow.payment_type).in_(types),
    )


def open_minor(session: Session, authorization: PaymentRow) -> int:
    """What of an authorization, with its increases, is neither captured nor reversed."""
    entry = authorization.payment_id
    authorized = authorization.amount_minor + moved(session, entry, PaymentType.PA)
    return authorized - moved(session, entry, PaymentType.CP, PaymentType.RV)


def credited_minor(session: Session, entry_id: str, *purposes: Purpose) -> int:
    """What credits (CD) tied to a payment paid out, less what of them came back."""
    credits_ = select(OperationRow).where(
        OperationRow.payment_id == entry_id,
        col(OperationRow.purpose).in_(purposes or _GESTURES),
        OperationRow.state != _REFUSED,
    )
    return sum(
        row.amount_minor - (moved(session, row.gateway_id, PaymentType.RF) if row.gateway_id else 0)
        for row in session.exec(credits_)
    )


def left_minor(session: Session, payment: PaymentRow) -> int:
    """What may still be paid back: neither refunded, credited, reversed nor charged back."""
    entry = payment.payment_id
    returned = moved(session, entry, PaymentType.RF, PaymentType.RV)
    returned += credited_minor(session, entry)
    return payment.amount_minor - returned - _taken_minor(session, payment)


def over_refunded_minor(session: Session, payment: PaymentRow) -> int:
    """By how much more was paid back than was captured."""
    entry = payment.payment_id
    paid_back = moved(session, entry, PaymentType.RF) + credited_minor(session, entry)
    return max(paid_back - payment.amount_minor, 0)


def rebilled_minor(session: Session, entry_id: str, purpose: Purpose) -> int:
    """Rebilled on an entry for one purpose."""
    return _sum(
        session, OperationRow.referenced_id == entry_id, OperationRow.purpose == purpose.value
    )


def charged_back(session: Session, entry_id: str) -> bool:
    """Whether the gateway ever booked a chargeback on an entry, or may have."""
    return moved(session, entry_id, PaymentType.CB) > 0


def unexplained_chargeback(session: Session, entry_id: str) -> bool:
    """Whether the gateway has booked a chargeback on an entry that no dispute owns yet.

    An alert's or inquiry's own may be among them: the bank has not said so.
    """
    nobodys = select(OperationRow).where(
        OperationRow.referenced_id == entry_id,
        OperationRow.payment_type == PaymentType.CB,
        OperationRow.state == OperationState.SETTLED,
        col(OperationRow.dispute_id).is_(None),
    )
    return any(
        moved(session, row.gateway_id or "", PaymentType.CR) < row.amount_minor
        for row in session.exec(nobodys)
    )


def disputes_open(session: Session, entry_id: str, but: str | None) -> bool:
    """Whether a case other than ``but`` on an entry is undecided: it holds the money."""
    return any(case_id != but for case_id in open_cases(session, entry_id))


def open_disputes(session: Session, entry_id: str) -> tuple[str, ...]:
    """Ids of the undecided disputes on an entry; chargebacks without a notice hold money too."""
    return (*open_cases(session, entry_id), *placeholders.holding(session, entry_id))


def open_cases(session: Session, entry_id: str, merchant_id: str | None = None) -> tuple[str, ...]:
    """Those of them that are cases, which can be told something; of one merchant, if given."""
    cases = select(CaseRow.case_id).where(
        CaseRow.payment_id == entry_id,
        CaseRow.finality == Finality.OPEN.value,
        CaseRow.sequence > 0,
    )
    if merchant_id is not None:
        cases = cases.where(CaseRow.merchant_id == merchant_id)
    return tuple(session.exec(cases.order_by(CaseRow.case_id)))


def cases_since(session: Session, entry_id: str, since: datetime) -> tuple[str, ...]:
    """Cases on an entry that are undecided, or that were claimed ``since`` (wire time).

    What is final as it comes (a direct debit's return) or is settled at once has been decided
    before the money that went back meanwhile is booked.
    """
    workflow_id = literal(DISPUTE) + col(CaseRow.case_id)
    came = exists().where(col(Claim.workflow_id) == workflow_id, col(Claim.claimed_at) >= since)
    cases = select(CaseRow.case_id).where(
        CaseRow.payment_id == entry_id,
        CaseRow.sequence > 0,
        or_(CaseRow.finality == Finality.OPEN.value, came),
    )
    return tuple(session.exec(cases.order_by(CaseRow.case_id)))


def position_of(session: Session, payment: PaymentRow) -> Position:
    """What has become of an entry, for who wants to pay it back or charge it again."""
    entry = payment.payment_id
    if payment.entry_type == PaymentType.CD:
        taken_back = moved(session, entry, PaymentType.RF)
        return Position(left_minor=payment.amount_minor - taken_back)
    listed = placeholders.holding(session, entry)
    return Position(
        left_minor=left_minor(session, payment),
        over_refunded_minor=over_refunded_minor(session, payment),
        difference_rebilled_minor=rebilled_minor(session, entry, Purpose.REBILL_DIFFERENCE),
        excess_rebilled_minor=rebilled_minor(session, entry, Purpose.REBILL_EXCESS_REFUND),
        open_disputes=(*open_cases(session, entry), *listed),
        without_notice=listed,
        charged_back=charged_back(session, entry),
    )


def _taken_minor(session: Session, payment: PaymentRow) -> int:
    """What the bank holds of an entry: by the disputes' facts or by the gateway, the larger."""
    held = select(CaseRow.levels_json).where(CaseRow.payment_id == payment.payment_id)
    levels = [_LEVELS.validate_json(text) for text in session.exec(held) if text]
    told = sum(
        level.out_minor + level.network_refund_minor
        for level in levels
        if level.currency == payment.currency
    )
    chain = select(OperationRow).where(
        OperationRow.payment_id == payment.payment_id,
        col(OperationRow.payment_type).in_(CHAIN_TYPES),
        OperationRow.state != _REFUSED,
    )
    booked = sum(
        row.amount_minor * (-1 if chain_depth(session, row) % 2 else 1)
        for row in session.exec(chain)
    )
    return max(told, booked)


def _sum(session: Session, *conditions: ColumnElement[bool] | bool) -> int:
    total = select(func.coalesce(func.sum(OperationRow.amount_minor), 0)).where(
        *conditions, OperationRow.state != _REFUSED
    )
    return int(session.exec(total).one())
