"""Pre-authorizations, refunds, payouts and rebills; adapter of ``ports.PaymentRegister``."""

from sqlmodel import Session, col, select

from disputes.operations import Operation, Plan
from disputes.payment_steps import PaymentFile
from disputes.ports import PaymentRecord
from disputes.store import positions
from disputes.store.engine import Store, insert_once
from disputes.store.lapses import lapse
from disputes.store.records import REPORTED, to_operation
from disputes.store.tables import Claim, OperationRow, PaymentFileRow, PaymentRow
from disputes.store.waiting import count_waiting
from disputes.twins import TWIN
from disputes.vocabulary import OperationState, PaymentType, Purpose

_UNFINISHED = (OperationState.INTENDED, OperationState.SENT)


class SqlPaymentRegister:
    """The register of payments' own workflows in a database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self, workflow_id: str) -> PaymentRecord:
        """Everything known of one; empty for an unknown one."""
        with self._store.read() as session:
            claim = session.get(Claim, workflow_id)
            row = session.get(PaymentFileRow, workflow_id)
            rows = _operations(session, workflow_id)
            # What undoes a twin is no operation of the workflow: its money is the twin's.
            operations = [op for op in rows if TWIN not in op.key]
            undos = [op for op in rows if TWIN in op.key]
            return PaymentRecord(
                claimed=claim.content if claim else None,
                content=row.content if row else None,
                revision=row.revision if row else 0,
                operations=tuple(to_operation(op) for op in operations if op.state in REPORTED),
                unfinished=tuple(
                    Plan.model_validate_json(op.plan_json)
                    for op in operations
                    if _goes_on(op) and op.plan_json
                ),
                undoing=tuple(
                    to_operation(op) for op in undos if op.state == OperationState.IN_DOUBT
                ),
            )

    def record(self, file: PaymentFile, lapsed_id: str | None) -> None:
        """Keep a file; repeated and outdated calls change nothing.

        Args:
            file: as the workflow has it now.
            lapsed_id: the authorization (32 hex) of which what is open goes off the books.
        """
        with self._store.write() as session:
            insert_once(session, _row(file))
            row = session.get_one(
                PaymentFileRow, file.workflow_id, with_for_update=True, populate_existing=True
            )
            if row.revision <= file.revision:
                row.sqlmodel_update(_row(file).model_dump())
                session.add(row)
            if lapsed_id is not None:
                lapse(session, lapsed_id, file.merchant_id, file.at)

    def open_disputes(self, payment_id: str, raced_by: str | None = None) -> tuple[str, ...]:
        """Ids of the undecided disputes on an entry that can be told: those with a notice or facts.

        A chargeback without a notice has no case: to tell it something would start one.

        Args:
            payment_id: the entry.
            raced_by: key of an operation: with those decided that came since it was intended.
        """
        with self._store.read() as session:
            if raced_by is None:
                return positions.open_cases(session, payment_id)
            since = session.get_one(OperationRow, raced_by).intended_at
            return positions.cases_since(session, payment_id, since)

    def held_by(self, merchant_id: str, payment_id: str) -> tuple[str, ...]:
        """Ids of the undecided cases that hold a merchant's money; a payout is never held.

        A chargeback without a notice is left to the guards: the gateway may show it undone.
        """
        with self._store.read() as session:
            payment = session.get(PaymentRow, payment_id)
            if payment is not None and payment.entry_type == PaymentType.CD:
                return ()
            return positions.open_cases(session, payment_id, merchant_id)

    def operation(self, key: str) -> Operation | None:
        """An operation with an outcome; ``None`` while it has none."""
        with self._store.read() as session:
            row = session.get(OperationRow, key)
            return to_operation(row) if row and row.state in REPORTED else None


def _operations(session: Session, workflow_id: str) -> list[OperationRow]:
    """A workflow's own operations, and what undoes their twins."""
    rows = select(OperationRow).where(OperationRow.owner == workflow_id)
    return list(session.exec(rows.order_by(col(OperationRow.intended_at), col(OperationRow.key))))


def _goes_on(row: OperationRow) -> bool:
    """Whether a new run carries an operation without an outcome to its end.

    What authorizes anew stands on a payment of its own, where no guard asks whether it is still
    owed: one that was never sent is forgotten, and its workflow plans it again if it owes it.
    """
    anew = row.purpose == Purpose.AUTHORIZE
    return row.state in _UNFINISHED and not (anew and row.state == OperationState.INTENDED)


def _row(file: PaymentFile) -> PaymentFileRow:
    return PaymentFileRow(
        workflow_id=file.workflow_id,
        kind=file.kind,
        merchant_id=file.merchant_id,
        payment_id=file.payment_id,
        state=file.state,
        next_moment=file.next_moment,
        needs_attention=file.needs_attention,
        waiting_approvals=count_waiting(file.status),
        revision=file.revision,
        content=file.content,
        status_json=file.status,
        updated_at=file.at,
    )
