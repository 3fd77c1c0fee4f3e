"""Taking over what the gateway shows: every entry becomes an operation and posts once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, and_, col, or_, select

from disputes.errors import NotFound
from disputes.events import CaseEvent, Opened
from disputes.notice import DisputeNotice
from disputes.operations import GatewayEntry, Operation, Payment
from disputes.store.engine import insert_once, wire_now
from disputes.store.entries import OF_THEIR_OWN, PRESENTED, Entries
from disputes.store.guards import lock_payment, open_entry, refunded_minor
from disputes.store.lapses import settle_lapse
from disputes.store.own_payment import own_payment
from disputes.store.placeholders import end_placeholder
from disputes.store.postings import post_operation
from disputes.store.projection import project, told_case
from disputes.store.records import (
    ADOPTED,
    CHAIN,
    by_gateway_id,
    chain_depth,
    operations_of,
    to_operation,
)
from disputes.store.tables import CaseEventRow, CaseRow, Claim, OperationRow, PaymentRow
from disputes.vocabulary import CHAIN_TYPES, Finality, OperationState, PaymentType, Purpose

_MAY_BE_BOOKED = or_(
    col(OperationRow.state).in_(
        (OperationState.SENT, OperationState.IN_DOUBT, OperationState.SETTLED)
    ),
    # Of a payment's own workflow: what a person took for not booked may show up yet.
    and_(col(OperationRow.state) == OperationState.REFUSED, col(OperationRow.owner).is_not(None)),
)


@dataclass(frozen=True, slots=True)
class _Taking:
    """What stays the same while a payment's entries are taken over."""

    session: Session
    #: of the dispute that asks; ``None`` where the payment's own workflow does
    notice: DisputeNotice | None
    payment: PaymentRow
    entries: Entries
    at: datetime


def adopt_payment(
    session: Session,
    dispute_id: str,
    payment_id: str,
    entries: Sequence[GatewayEntry],
    at: datetime,
) -> Payment:
    """See ``ports.OperationBook.adopt_payment``; in a write."""
    shown = Entries(entries)
    presented = shown.get(payment_id)
    if presented is None or presented.payment_type not in PRESENTED:
        return Payment(payment_id=payment_id, known=False, asked_at=at)
    case_row = _case_row(session, dispute_id)
    notice = _notice(session, dispute_id)
    row = lock_payment(session, payment_id, notice.merchant_id)
    _take_all(_Taking(session, notice, row, shown, at), presented)
    if case_row is not None:
        project(session, case_row, at)
    return _payment(session, dispute_id, row, at)


def adopt_own(
    session: Session,
    merchant_id: str,
    payment_id: str,
    entries: Sequence[GatewayEntry],
    at: datetime,
) -> Payment:
    """Take over a payment that no dispute asks for: a capture, debit, rebill, PA or CD."""
    shown = Entries(entries)
    asked = shown.get(payment_id)
    if asked is None or asked.payment_type not in OF_THEIR_OWN:
        return Payment(payment_id=payment_id, known=False, asked_at=at)
    row = lock_payment(session, payment_id, merchant_id)
    _take_all(_Taking(session, None, row, shown, at), asked)
    return own_payment(session, row, asked.booked_at, at)


def adopt_twin(session: Session, entry: GatewayEntry, at: datetime) -> Operation | None:
    """Put a further entry under the reference of an operation of ours on the books."""
    own = session.exec(
        select(OperationRow).where(
            OperationRow.merchant_transaction_id == entry.merchant_transaction_id,
            col(OperationRow.purpose).is_not(None),
        )
    ).first()
    if own is None or not entry.succeeded:
        return None
    payment = lock_payment(session, own.payment_id, own.merchant_id)
    _take(_Taking(session, None, payment, Entries([entry]), at), entry, 0)
    row = by_gateway_id(session, entry.gateway_id)
    if row is not None:
        open_entry(session, row, payment.root_id)
    return to_operation(row) if row and row.purpose else None


def _take_all(taking: _Taking, asked: GatewayEntry) -> None:
    """Make the payment's history known: what it is, and all entries under its root."""
    row, session = taking.payment, taking.session
    row.root_id = taking.entries.root_of(asked)
    row.entry_type = asked.payment_type.value
    row.amount_minor, row.currency = asked.amount_minor or 0, asked.currency
    row.history_known = True
    for number, entry in enumerate(taking.entries.parents_first()):
        _take(taking, entry, number)
    row.refunded_minor = refunded_minor(session, row.payment_id)
    session.add(row)
    session.flush()


def adopt_entry(
    session: Session, dispute_id: str, entry: GatewayEntry, at: datetime
) -> Operation | None:
    """See ``ports.OperationBook.adopt_entry``; in a write."""
    case_row = _case_row(session, dispute_id)
    if case_row is None or case_row.payment_id is None or not entry.succeeded:
        return None
    notice = _notice(session, dispute_id)
    payment = lock_payment(session, notice.payment_id, notice.merchant_id)
    if not _belongs(session, entry, notice.payment_id):
        return None
    # A refund is read with all entries of its payment instead.
    if entry.payment_type in CHAIN_TYPES:
        taking = _Taking(session, notice, payment, Entries([entry]), at)
        _take(taking, entry, 0)
        session.flush()
    project(session, case_row, at)
    row = by_gateway_id(session, entry.gateway_id)
    return to_operation(row) if row and row.dispute_id == dispute_id else None


def _take(taking: _Taking, entry: GatewayEntry, number: int) -> None:
    session = taking.session
    row = by_gateway_id(session, entry.gateway_id) or _own(session, entry)
    if row is None:
        amount = taking.entries.amount_of(entry)
        if amount is None or (entry.payment_type is PaymentType.CR and not entry.referenced_id):
            return
        # Another payment of the same root may be taken over at this moment, with the same entry.
        insert_once(session, _row(taking, entry, amount, number))
        row = by_gateway_id(session, entry.gateway_id)
        if row is None:
            raise RuntimeError("an entry that was taken over is gone")
    elif row.gateway_id is None and row.state != OperationState.SENT:
        _prove(session, row, entry)
    if row.dispute_id is None and row.purpose is None:
        row.dispute_id, row.purpose = _owner(taking, row)
    session.add(row)
    session.flush()
    end_placeholder(session, row)
    if row.state == OperationState.SETTLED:
        post_operation(session, row, taking.payment.root_id, taking.at)
        settle_lapse(session, taking.payment.root_id, taking.at)


def _prove(session: Session, row: OperationRow, entry: GatewayEntry) -> None:
    """The gateway shows what nobody could say of an operation of ours (lifecycle, row 24)."""
    row.gateway_id = entry.gateway_id
    if row.state != OperationState.SETTLED:
        row.state, row.reason = OperationState.SETTLED.value, None
        row.result_code, row.settled_at = entry.result_code, wire_now(session)
    session.flush()
    open_entry(session, row)


def _own(session: Session, entry: GatewayEntry) -> OperationRow | None:
    """Our operation that may have made the entry; while it is sent, its owner settles it.

    An entry that was told of without its key is the one of which nobody could say whether it was
    booked, or that a person has settled already: taken for another's, its money would move twice.
    One that hangs under nothing either (a PA, DB or CD) says nothing of whose it is: it may be any
    shopper's of the same amount. What was refused claims only what names it.
    """
    if entry.merchant_transaction_id is None and entry.referenced_id is None:
        return None
    own = select(OperationRow).where(
        OperationRow.payment_type == entry.payment_type.value,
        col(OperationRow.gateway_id).is_(None),
        _MAY_BE_BOOKED,
    )
    # A reversal of a whole authorization names no amount.
    if entry.amount_minor is not None:
        own = own.where(OperationRow.amount_minor == entry.amount_minor)
    if entry.merchant_transaction_id is None:
        own = own.where(
            OperationRow.referenced_id == entry.referenced_id,
            col(OperationRow.state).in_((OperationState.IN_DOUBT, OperationState.SETTLED)),
        )
    else:
        own = own.where(OperationRow.merchant_transaction_id == entry.merchant_transaction_id)
    return session.exec(own).first()


def _row(taking: _Taking, entry: GatewayEntry, amount: int, number: int) -> OperationRow:
    now = wire_now(taking.session)
    return OperationRow(
        key=f"{ADOPTED}{entry.gateway_id}",
        payment_id=taking.entries.presented_of(entry) or taking.payment.payment_id,
        merchant_id=taking.payment.merchant_id,
        payment_type=entry.payment_type.value,
        state=OperationState.SETTLED.value,
        amount_minor=amount,
        currency=entry.currency or taking.payment.currency or "",
        referenced_id=entry.referenced_id,
        merchant_transaction_id=entry.merchant_transaction_id,
        gateway_id=entry.gateway_id,
        result_code=entry.result_code,
        # Entries taken over together keep the order of their chain.
        intended_at=now + timedelta(microseconds=number),
        settled_at=now,
    )


def _owner(taking: _Taking, row: OperationRow) -> tuple[str | None, str | None]:
    """The dispute and purpose of a chain entry; neither where it is none, or nobody's yet."""
    session, notice = taking.session, taking.notice
    if row.payment_type == PaymentType.CR:
        parent = by_gateway_id(session, row.referenced_id)
        if parent is None or parent.dispute_id is None or parent.purpose not in CHAIN:
            return None, None
        undone = chain_depth(session, row) % 2 == 0
        return parent.dispute_id, (Purpose.UNDO if undone else Purpose.REINSTATE).value
    if notice is None or row.payment_type != PaymentType.CB:
        return None, None
    if row.referenced_id != notice.payment_id:
        return None, None
    if notice.gateway_reference is None:
        ours = _alike(session, notice, row) and not _is_past(taking, row)
    else:
        ours = row.gateway_id == notice.gateway_reference
    taken = any(op.purpose == Purpose.BOOK for op in _settled(session, notice.dispute_id))
    return (notice.dispute_id, Purpose.BOOK.value) if ours and not taken else (None, None)


def _alike(session: Session, notice: DisputeNotice, row: OperationRow) -> bool:
    """Whether a chargeback may be the dispute's although its notice does not name it.

    Never an alert's or inquiry's: it may be another dispute's, and what is taken is never given
    back. One that escalates asks the gateway again.
    """
    amount = notice.settled_amount or notice.amount
    stage, minor = notice.stage, amount.minor
    case = told_case(session, notice.dispute_id)
    if case.notice is not None:
        stage, minor = case.stage, case.disputed_minor
    return stage.takes_money and (row.amount_minor, row.currency) == (minor, amount.currency)


def _is_past(taking: _Taking, row: OperationRow) -> bool:
    """Whether a chargeback was undone, and one like it stands that has no dispute yet."""
    entry = taking.entries.get(row.gateway_id)
    if entry is None or taking.entries.left_minor(entry) > 0:
        return False
    others = (
        by_gateway_id(taking.session, other.gateway_id)
        for other in taking.entries.beside(row.gateway_id)
    )
    return any(other is None or other.dispute_id is None for other in others)


def _settled(session: Session, dispute_id: str) -> list[OperationRow]:
    rows = operations_of(session, dispute_id)
    return [row for row in rows if row.state == OperationState.SETTLED]


def _belongs(session: Session, entry: GatewayEntry, payment_id: str) -> bool:
    """Whether one reported entry hangs under a payment, by what is on the books."""
    if entry.referenced_id == payment_id:
        return True
    parent = by_gateway_id(session, entry.referenced_id)
    return parent is not None and parent.payment_id == payment_id


def _payment(session: Session, dispute_id: str, row: PaymentRow, at: datetime) -> Payment:
    others = select(CaseRow.case_id).where(
        CaseRow.payment_id == row.payment_id,
        CaseRow.case_id != dispute_id,
        # A placeholder stands for a chargeback that may be this very dispute's.
        CaseRow.sequence > 0,
        CaseRow.finality != Finality.FINAL.value,
    )
    doubted = {op.key for op in told_case(session, dispute_id).doubtful}
    booked = [
        to_operation(op)
        for op in _settled(session, dispute_id)
        if (op.key.startswith(ADOPTED) and op.purpose in CHAIN) or op.key in doubted
    ]
    return Payment(
        payment_id=row.payment_id,
        known=True,
        entry_type=PaymentType(row.entry_type or ""),
        amount_minor=row.amount_minor,
        currency=row.currency,
        refunded_minor=row.refunded_minor,
        other_disputes=tuple(session.exec(others.order_by(CaseRow.case_id))),
        booked=tuple(booked),
        asked_at=at,
    )


def _case_row(session: Session, dispute_id: str) -> CaseRow | None:
    return session.get(CaseRow, dispute_id, with_for_update=True)


def _notice(session: Session, dispute_id: str) -> DisputeNotice:
    """The dispute's notice: as recorded, else as claimed."""
    bodies = select(CaseEventRow.body).where(
        CaseEventRow.case_id == dispute_id, CaseEventRow.kind == "opened"
    )
    recorded = session.exec(bodies.order_by(col(CaseEventRow.sequence))).first()
    if recorded:
        body = CaseEvent.model_validate_json(recorded).body
        if isinstance(body, Opened):
            return body.notice
    claim = session.get(Claim, f"dispute/{dispute_id}")
    if claim is None:
        raise NotFound("the register does not know this dispute")
    return DisputeNotice.model_validate_json(claim.content)
