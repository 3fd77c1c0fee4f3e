"""The table of gateway operations; adapter of ``ports.OperationBook`` (architecture, steps 2-6)."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from disputes.case import Case
from disputes.errors import Conflict, MoneyHeld, NotFound, NotSupported, Refusal
from disputes.events import CaseEvent
from disputes.operations import GatewayEntry, Operation, OperationRecord, Payment, Plan
from disputes.store import adoption
from disputes.store.engine import Store, wire_now
from disputes.store.guards import (
    holder,
    lock_payment,
    open_entry,
    refund_of_case,
    refusal,
    superseded,
)
from disputes.store.lapses import settle_lapse
from disputes.store.payment_guards import whole
from disputes.store.placeholders import end_placeholder
from disputes.store.positions import unexplained_chargeback
from disputes.store.postings import post_operation
from disputes.store.projection import append, load_case, lock_case, project
from disputes.store.records import (
    ADOPTED,
    REPORTED,
    by_gateway_id,
    operations_of,
    to_operation,
    to_record,
    to_row,
)
from disputes.store.tables import CaseRow, OperationRow
from disputes.vocabulary import OperationState


class SqlOperationBook:
    """Gateway operations in a database; every method is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def intend(self, plan: Plan, events: Sequence[CaseEvent]) -> OperationRecord:
        """Record ``events``, lock the payment, check the guards, insert the plan as intended.

        A row that may have been sent is given as it stands. A plan that a guard refuses is
        inserted as refused, with the reason for a person. ``superseded`` of the record tells
        that the case owes something else by now: nothing was inserted.

        Raises:
            MoneyHeld: another operation on the payment is under way.
            NotSupported: acquirer or brand do not have it.
                With either the events are recorded all the same, for facts are never held up.
        """
        with self._store.write() as session:
            outcome = _intend(session, plan, events)
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    def mark_sent(self, key: str, *, attempts: int) -> OperationRecord:
        """Mark the row sent, with the database's time, before the first byte goes out.

        Args:
            key: the operation's.
            attempts: how often it had been sent by the record that the caller decided on, so that
                of two processes with the same decision only one sends. Send what the record that
                is given back says.

        Raises:
            MoneyHeld: the row was voided, ended, or sent by another; intend it again.
        """
        with self._store.write() as session:
            row = session.get(OperationRow, key, with_for_update=True)
            sendable = (OperationState.INTENDED, OperationState.SENT)
            if row is not None and row.state in sendable and row.attempts == attempts:
                now = wire_now(session)
                row.state = OperationState.SENT.value
                row.attempts, row.sent_at = attempts + 1, now
                row.absent_count, row.absent_at = 0, None
                session.add(row)
                return to_record(row, now)
        raise MoneyHeld("the operation is no longer as it was when it was to be sent", key)

    def mark_unsent(self, key: str, *, attempts: int) -> None:
        """Back to intended: it is certain that the attempt left no trace at the gateway.

        Changes nothing when another process has the row by now.

        Args:
            key: the operation's.
            attempts: of the record that ``mark_sent`` gave.
        """
        with self._store.write() as session:
            row = session.get(OperationRow, key, with_for_update=True)
            if row and row.state == OperationState.SENT and row.attempts == attempts:
                row.state = OperationState.INTENDED.value
                row.intended_at, row.sent_at = wire_now(session), None
                session.add(row)

    def note_absent(self, key: str) -> OperationRecord:
        """Count one credible denial of the gateway since the row was last sent.

        ``superseded`` of the record: a refund that its case owes no longer, for a chargeback came.
        """
        with self._store.write() as session:
            row = _known(session.get(OperationRow, key, with_for_update=True))
            now = wire_now(session)
            row.absent_count, row.absent_at = row.absent_count + 1, now
            session.add(row)
            record = to_record(row, now)
            return record.model_copy(update={"superseded": _owed_no_more(session, record.plan)})

    def settle(
        self,
        key: str,
        state: OperationState,
        *,
        gateway_id: str | None = None,
        amount_minor: int | None = None,
        result_code: str | None = None,
        reason: str | None = None,
        at: datetime,
    ) -> Operation:
        """End (or doubt) an operation: row, postings and projection together; idempotent.

        What is settled stays so; what was refused or doubted yields to the gateway's proof.

        Args:
            key: the operation's.
            state: settled, refused or in_doubt.
            gateway_id: the entry, 32 hex.
            amount_minor: what the gateway booked, where it is not what was asked.
            result_code: the gateway's.
            reason: for a person.
            at: case time of the postings, UTC.

        Raises:
            NotFound: no such operation.
            Conflict: the entry is another of our operations'.
        """
        with self._store.write() as session:
            found = _known(session.get(OperationRow, key))
            case_row = lock_case(session, found.dispute_id) if found.dispute_id else None
            payment = lock_payment(session, found.payment_id, found.merchant_id)
            row = _known(
                session.get(OperationRow, key, with_for_update=True, populate_existing=True)
            )
            if not _yields(OperationState(row.state), state):
                return to_operation(row)
            row.settled_at = wire_now(session)
            row.state, row.result_code = state.value, result_code
            # PostgreSQL keeps no NUL, and what a person once said must not fail for ever.
            row.reason = reason and reason.replace("\0", "")
            if state is OperationState.SETTLED:
                row.amount_minor = row.amount_minor if amount_minor is None else amount_minor
                _take_entry(session, row, gateway_id or _told_of(session, row))
            session.flush()
            if row.state == OperationState.SETTLED:
                open_entry(session, row)
                end_placeholder(session, row)
                post_operation(session, row, payment.root_id, at)
                settle_lapse(session, payment.root_id, at)
            if case_row is not None:
                project(session, case_row, at)
            return to_operation(row)

    def resolve(self, key: str, *, happened: bool, reason: str, at: datetime) -> Operation:
        """A person's word on an operation in doubt; ``at`` is case time.

        Raises:
            NotFound: no such operation.
        """
        state = OperationState.SETTLED if happened else OperationState.REFUSED
        return self.settle(key, state, reason=reason, at=at)

    def adopt_payment(
        self,
        dispute_id: str,
        payment_id: str,
        entries: Sequence[GatewayEntry],
        at: datetime,
    ) -> Payment:
        """Take over what the gateway shows of a payment, each entry posted once.

        Args:
            dispute_id: the case that asks; it must be claimed or recorded with its notice.
            payment_id: the presented entry, 32 hex.
            entries: all linked entries, the presented one among them; empty: unknown payment.
            at: case time of the postings, UTC.
        """
        with self._store.write() as session:
            return adoption.adopt_payment(session, dispute_id, payment_id, entries, at)

    def adopt_own(
        self, merchant_id: str, payment_id: str, entries: Sequence[GatewayEntry], at: datetime
    ) -> Payment:
        """The same for a payment's own workflow, without a dispute: of a PA or CD as well."""
        with self._store.write() as session:
            return adoption.adopt_own(session, merchant_id, payment_id, entries, at)

    def adopt_entry(
        self, dispute_id: str | None, entry: GatewayEntry, at: datetime
    ) -> Operation | None:
        """Take over one chain entry that the gateway reported; ``None`` when it is not of it.

        Without a dispute: a further entry under the reference of an operation of ours.
        """
        with self._store.write() as session:
            if dispute_id is None:
                return adoption.adopt_twin(session, entry, at)
            return adoption.adopt_entry(session, dispute_id, entry, at)


def _intend(session: Session, plan: Plan, events: Sequence[CaseEvent]) -> OperationRecord | Refusal:
    """See ``SqlOperationBook.intend``; a refusal is given back, so that the events stay."""
    case_row, case = _recorded(session, plan, events)
    payment = lock_payment(session, plan.payment_id, plan.merchant_id)
    now = wire_now(session)
    # Its sender may be marking it sent at this moment: that must not be lost.
    known = session.get(OperationRow, plan.key, with_for_update=True, populate_existing=True)
    if known is not None and known.state != OperationState.INTENDED:
        return to_record(known, now)
    held = holder(session, plan, now)
    if held is not None:
        return MoneyHeld("another operation on this payment is under way", held.key)
    if case is None and case_row is not None:
        # Only now: who waits for the payment comes here again and again.
        case = load_case(session, case_row.case_id)
    if case is not None and superseded(case, plan):
        owed = to_row(plan, now, OperationState.INTENDED)
        return to_record(owed, now, _reported(session, case.case_id))
    try:
        reason = refusal(session, case, payment, plan, now)
    except NotSupported as lacking:
        return lacking
    plan = plan.model_copy(update={"whole": whole(session, payment, plan)})
    state = OperationState.REFUSED if reason else OperationState.INTENDED
    row = to_row(plan, now, state, reason)
    session.add(row)
    session.flush()
    if reason is not None and case_row is not None:
        project(session, case_row)
    return to_record(row, now)


def _recorded(
    session: Session, plan: Plan, events: Sequence[CaseEvent]
) -> tuple[CaseRow | None, Case | None]:
    """The row of the dispute of which a plan is a step, and what new ``events`` made of it."""
    if plan.dispute_id is None:
        return None, None
    row = lock_case(session, plan.dispute_id)
    return row, project(session, row) if append(session, row, events) else None


def _owed_no_more(session: Session, plan: Plan) -> bool:
    """Whether a refund of a case must not be sent again; every other operation can be undone."""
    if plan.dispute_id is None or not refund_of_case(plan):
        return False
    charged_back = unexplained_chargeback(session, plan.payment_id)
    return charged_back or superseded(load_case(session, plan.dispute_id), plan)


def _yields(now: OperationState, to: OperationState) -> bool:
    """Whether a row may go from one state to another; every way back from settled is closed."""
    if now is OperationState.SETTLED:
        return False
    return now is not OperationState.REFUSED or to is OperationState.SETTLED


def _take_entry(session: Session, row: OperationRow, gateway_id: str | None) -> None:
    """Make the entry the operation's own, even where it was adopted before it was known as ours."""
    other = by_gateway_id(session, gateway_id)
    if other is not None and other.key != row.key:
        if not other.key.startswith(ADOPTED):
            raise Conflict("the gateway's entry", ["gateway_id"])
        if other.dispute_id not in (None, row.dispute_id):
            row.state = OperationState.REFUSED.value
            row.reason = "the gateway's entry was taken over for another dispute on the payment"
            return
        session.delete(other)
        session.flush()
    row.gateway_id = gateway_id


def _told_of(session: Session, row: OperationRow) -> str | None:
    """The entry that was told of since, without saying whose it is: a notification names no key.

    None for what hangs under nothing: any shopper's of the same amount would do.
    """
    if row.referenced_id is None:
        return None
    alike = select(OperationRow.gateway_id).where(
        col(OperationRow.key).startswith(ADOPTED),
        OperationRow.payment_type == row.payment_type,
        OperationRow.amount_minor == row.amount_minor,
        OperationRow.referenced_id == row.referenced_id,
        col(OperationRow.merchant_transaction_id).is_(None),
        col(OperationRow.intended_at) >= row.intended_at,
    )
    return session.exec(alike.order_by(col(OperationRow.intended_at))).first()


def _reported(session: Session, dispute_id: str) -> tuple[Operation, ...]:
    rows = operations_of(session, dispute_id)
    return tuple(to_operation(row) for row in rows if row.state in REPORTED)


def _known(row: OperationRow | None) -> OperationRow:
    if row is None:
        raise NotFound("no such gateway operation")
    return row
