"""Rows to the models of the core and back; and the postings that a row calls for."""

import json
from datetime import datetime

from sqlmodel import Session, bindparam, col, select

from disputes.decode import canonical_of
from disputes.ledger import ActsOn, Posting, entry_postings, operation_postings
from disputes.operations import PAYMENT_TYPE, Operation, OperationRecord, Plan, owner_of
from disputes.store.tables import OperationRow
from disputes.vocabulary import OperationState, PaymentType, Purpose

#: Outcomes that a case reckons with; before them an operation is only an intention.
REPORTED = (OperationState.SETTLED, OperationState.REFUSED, OperationState.IN_DOUBT)
CHAIN = (Purpose.BOOK, Purpose.REINSTATE, Purpose.UNDO)
ADOPTED = "gateway:"
#: Made once: to build a statement takes longer than to answer it.
_OF_DISPUTE = (
    select(OperationRow)
    .where(
        OperationRow.dispute_id == bindparam("dispute_id"), col(OperationRow.purpose).is_not(None)
    )
    .order_by(col(OperationRow.intended_at), col(OperationRow.key))
)
_BY_GATEWAY_ID = select(OperationRow).where(OperationRow.gateway_id == bindparam("gateway_id"))


def to_operation(row: OperationRow, twins: tuple[str, ...] = ()) -> Operation:
    """An operation that has a purpose, as the case sees it; ``twins`` as its events told."""
    return Operation(
        key=row.key,
        purpose=Purpose(row.purpose or ""),
        state=OperationState(row.state),
        payment_type=PaymentType(row.payment_type),
        amount_minor=row.amount_minor,
        currency=row.currency,
        referenced_id=row.referenced_id,
        gateway_id=row.gateway_id,
        result_code=row.result_code,
        reason=row.reason,
        twins=twins,
        asked_minor=_other_amount(row),
    )


def _other_amount(row: OperationRow) -> int | None:
    """What was asked, where the gateway booked another amount."""
    if row.plan_json is None or row.state != OperationState.SETTLED:
        return None
    asked: int = json.loads(row.plan_json)["amount_minor"]
    return asked if asked != row.amount_minor else None


def to_row(
    plan: Plan, now: datetime, state: OperationState, reason: str | None = None
) -> OperationRow:
    """The row of a plan; ``now`` is wire time."""
    return OperationRow(
        key=plan.key,
        payment_id=plan.payment_id,
        dispute_id=plan.dispute_id,
        merchant_id=plan.merchant_id,
        owner=_owner(plan.key),
        purpose=plan.purpose.value,
        payment_type=PAYMENT_TYPE[plan.purpose].value,
        state=state.value,
        amount_minor=plan.amount_minor,
        currency=plan.currency,
        referenced_id=plan.referenced_id,
        merchant_transaction_id=plan.merchant_transaction_id,
        reason=reason,
        intended_at=now,
        plan_json=canonical_of(plan),
    )


def _owner(key: str) -> str | None:
    """Of a dispute's step the dispute's id says it."""
    owner = owner_of(key)
    return None if owner is None or owner.startswith("dispute/") else owner


def to_record(
    row: OperationRow, now: datetime, superseded_by: tuple[Operation, ...] | None = None
) -> OperationRecord:
    """The record of one of our own operations; ``now`` is wire time.

    ``superseded_by`` is not ``None`` where the case owes something else by now.
    """
    return OperationRecord(
        plan=Plan.model_validate_json(row.plan_json or ""),
        operation=to_operation(row),
        attempts=row.attempts,
        intended_at=row.intended_at,
        sent_at=row.sent_at,
        absent_count=row.absent_count,
        absent_at=row.absent_at,
        wire_now=now,
        superseded=superseded_by is not None,
        superseded_by=superseded_by or (),
    )


def operations_of(session: Session, dispute_id: str) -> list[OperationRow]:
    """A dispute's operations, oldest first, whatever their state."""
    return list(session.exec(_OF_DISPUTE, params={"dispute_id": dispute_id}))


def by_gateway_id(session: Session, gateway_id: str | None) -> OperationRow | None:
    """The operation that is an entry of the gateway."""
    if gateway_id is None:
        return None
    return session.exec(_BY_GATEWAY_ID, params={"gateway_id": gateway_id}).one_or_none()


def postings_of(session: Session, row: OperationRow) -> tuple[Posting, ...]:
    """What a settled operation must have on the books; empty where it moves no money."""
    if row.amount_minor == 0:
        return ()
    parent = by_gateway_id(session, row.referenced_id)
    on = ActsOn(PaymentType(parent.payment_type), _purpose(parent)) if parent else None
    purpose = _purpose(row)
    if purpose is not None:
        return operation_postings(purpose, row.amount_minor, row.currency, on)
    return entry_postings(
        PaymentType(row.payment_type),
        row.amount_minor,
        row.currency,
        on,
        undone=chain_depth(session, row) % 2 == 0,
    )


def _purpose(row: OperationRow) -> Purpose | None:
    return Purpose(row.purpose) if row.purpose else None


def chain_depth(session: Session, row: OperationRow) -> int:
    """Place of a CB or CR in its chain: 0 for the CB (lifecycle, Axes).

    Ends in a circle too: what the gateway answers need not make sense.
    """
    seen: set[str] = set()
    above: OperationRow | None = row
    while above is not None and above.payment_type == PaymentType.CR and above.key not in seen:
        seen.add(above.key)
        above = by_gateway_id(session, above.referenced_id)
    return len(seen)
