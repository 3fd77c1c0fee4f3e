"""A payment as its own workflow sees it: no dispute asks, so all that happened on it counts."""

from datetime import datetime

from sqlmodel import Session, col, select

from disputes.operations import Operation, Payment
from disputes.store.positions import open_disputes, position_of
from disputes.store.records import to_operation
from disputes.store.tables import OperationRow, PaymentRow
from disputes.vocabulary import OperationState, PaymentType, Purpose

#: What each entry under an authorization did to it, where it was not ours.
_ON_AUTHORIZATION = {
    PaymentType.CP: Purpose.CAPTURE,
    PaymentType.RV: Purpose.REVERSE,
    PaymentType.PA: Purpose.INCREASE,
}


def own_payment(
    session: Session, row: PaymentRow, booked_at: datetime | None, at: datetime
) -> Payment:
    """What is on the books of a payment; ``booked_at`` as the gateway tells, ``at`` case time."""
    authorized = row.entry_type == PaymentType.PA
    return Payment(
        payment_id=row.payment_id,
        known=True,
        entry_type=PaymentType(row.entry_type or ""),
        amount_minor=row.amount_minor,
        currency=row.currency,
        refunded_minor=row.refunded_minor,
        other_disputes=open_disputes(session, row.payment_id),
        booked=_of_authorization(session, row.payment_id) if authorized else (),
        asked_at=at,
        booked_at=booked_at,
        position=None if authorized else position_of(session, row),
    )


def _of_authorization(session: Session, payment_id: str) -> tuple[Operation, ...]:
    rows = select(OperationRow).where(
        OperationRow.referenced_id == payment_id,
        OperationRow.state == OperationState.SETTLED.value,
        col(OperationRow.payment_type).in_(_ON_AUTHORIZATION),
    )
    found = session.exec(rows.order_by(col(OperationRow.intended_at), col(OperationRow.key)))
    return tuple(_operation(row) for row in found)


def _operation(row: OperationRow) -> Operation:
    if row.purpose is None:
        purpose = _ON_AUTHORIZATION[PaymentType(row.payment_type)]
        row = OperationRow(**row.model_dump() | {"purpose": purpose.value})
    return to_operation(row)
