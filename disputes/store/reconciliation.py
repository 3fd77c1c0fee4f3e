"""What the books have to compare with the gateway's; adapter of ``ports.ReconciliationBook``."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, not_, or_, union_all
from sqlalchemy import select as select_values
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from disputes.known import KnownDispute, KnownOperation, KnownPayment
from disputes.lifecycle import fold
from disputes.operations import GatewayEntry
from disputes.reconciliation import ListPayments, PaymentPage, PaymentRoot, ReconciliationWindow
from disputes.store.awareness import UNAWARE
from disputes.store.corrections import correct
from disputes.store.engine import Store, wire_now
from disputes.store.guards import open_entry
from disputes.store.projection import stored_events
from disputes.store.records import ADOPTED, by_gateway_id
from disputes.store.tables import CaseRow, OperationRow, PaymentFileRow, PaymentRow
from disputes.store.verification import amiss
from disputes.vocabulary import Finality, OperationState, PaymentType

#: What makes a payment of its own: it is the root of its own entries.
_ALONE = and_(
    col(OperationRow.payment_type).in_((PaymentType.PA, PaymentType.DB, PaymentType.CD)),
    col(OperationRow.referenced_id).is_(None),
)
_UNSETTLED = (OperationState.SENT, OperationState.IN_DOUBT)
#: In positive words, which an index answers.
_NOT_FINAL = (Finality.OPEN, Finality.PROVISIONAL)


class SqlReconciliationBook:
    """Operations and disputes by payment, in a database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def payments(self, wanted: ListPayments) -> PaymentPage:
        """The next payments of a window, in the order of their root."""
        roots = _roots(wanted.window)
        merchant = func.min(roots.c.merchant_id)
        query: Select[str, str] = (
            select_values(roots.c.root_id, merchant)
            .group_by(roots.c.root_id)
            .order_by(roots.c.root_id)
            .limit(wanted.size + 1)
        )
        if wanted.after is not None:
            query = query.where(roots.c.root_id > wanted.after)
        if wanted.window.payment_id is not None:
            asked = wanted.window.payment_id
            under = select(PaymentRow.root_id).where(PaymentRow.payment_id == asked)
            query = query.where(or_(roots.c.root_id == asked, roots.c.root_id.in_(under)))
        with self._store.read() as session:
            rows = session.connection().execute(query).all()
        found = [PaymentRoot(root_id=root, merchant_id=merchant) for root, merchant in rows]
        return PaymentPage(payments=tuple(found[: wanted.size]), more=len(found) > wanted.size)

    def payment(self, root_id: str, entries: Sequence[GatewayEntry]) -> KnownPayment:
        """All that is known of a payment, and of the entries that the gateway shows of it."""
        with self._store.read() as session:
            presented = _presented(session, root_id) | {entry.gateway_id for entry in entries}
            rows = session.exec(
                select(OperationRow)
                .where(_on(presented, entries))
                .order_by(col(OperationRow.intended_at), col(OperationRow.key))
            ).all()
            cases = session.exec(
                select(CaseRow)
                # A placeholder explains no entry: the comparison leaves its chargeback to a person.
                .where(col(CaseRow.payment_id).in_(presented), col(CaseRow.sequence) > 0)
                .order_by(CaseRow.case_id)
            ).all()
            return KnownPayment(
                root_id=root_id,
                operations=tuple(_operation(row) for row in rows),
                disputes=tuple(_dispute(session, row) for row in cases),
                wire_now=wire_now(session),
            )

    def name(self, key: str, gateway_id: str) -> None:
        """Give an operation that a person settled its entry; repeated, it changes nothing."""
        with self._store.write() as session:
            row = session.get(OperationRow, key, with_for_update=True)
            unnamed = row is not None and row.gateway_id is None
            if row and unnamed and by_gateway_id(session, gateway_id) is None:
                row.gateway_id = gateway_id
                session.add(row)
                open_entry(session, row)

    def on_file(self, workflow_ids: Collection[str]) -> tuple[str, ...]:
        """Those of payments' own workflows that there are."""
        return self._filed(col(PaymentFileRow.workflow_id).in_(workflow_ids))

    def unaware(self, workflow_ids: Collection[str]) -> tuple[str, ...]:
        """Those of payments' own workflows that do not know their operation as booked."""
        return self._filed(
            col(PaymentFileRow.workflow_id).in_(workflow_ids),
            col(PaymentFileRow.state).in_(UNAWARE),
        )

    def _filed(self, *those: ColumnElement[bool]) -> tuple[str, ...]:
        rows = select(PaymentFileRow.workflow_id).where(*those)
        with self._store.read() as session:
            return tuple(session.exec(rows.order_by(PaymentFileRow.workflow_id)))

    def amiss(self, root_id: str) -> bool:
        """Whether a payment's postings are not what its operations and facts call for."""
        with self._store.read() as session:
            return bool(amiss(session, root_id))

    def correct(self, root_id: str, at: datetime) -> int:
        """Post on a payment what is amiss, as entries of their own; gives how many were."""
        with self._store.write() as session:
            return correct(session, root_id, at)


def _roots(window: ReconciliationWindow) -> Subquery:
    """Root and merchant of every payment that a window asks for, with repetitions."""
    own, parent = aliased(PaymentRow), aliased(PaymentRow)
    # A rebill that was adopted stands under its own id, and references the payment.
    under = func.coalesce(col(own.root_id), col(parent.root_id), col(OperationRow.payment_id))
    operations: Select[str, str] = (
        select_values(
            case((_ALONE, col(OperationRow.gateway_id)), else_=under).label("root_id"),
            col(OperationRow.merchant_id).label("merchant_id"),
        )
        .join(own, col(own.payment_id) == col(OperationRow.payment_id), isouter=True)
        .join(parent, col(parent.payment_id) == col(OperationRow.referenced_id), isouter=True)
        # A payment that has no id yet cannot be asked for by one: its own workflow asks.
        .where(_within(window), or_(not_(_ALONE), col(OperationRow.gateway_id).is_not(None)))
    )
    open_cases: Select[str, str] = (
        select_values(
            func.coalesce(col(own.root_id), col(CaseRow.payment_id)).label("root_id"),
            col(CaseRow.merchant_id).label("merchant_id"),
        )
        .join(own, col(own.payment_id) == col(CaseRow.payment_id), isouter=True)
        .where(
            col(CaseRow.payment_id).is_not(None),
            # A placeholder may know no merchant: then nobody can ask the gateway.
            col(CaseRow.merchant_id).is_not(None),
            col(CaseRow.finality).in_(_NOT_FINAL),
        )
    )
    return union_all(operations, open_cases).subquery()


def _within(window: ReconciliationWindow) -> ColumnElement[bool]:
    moments = (OperationRow.intended_at, OperationRow.sent_at, OperationRow.settled_at)
    unsettled = and_(
        col(OperationRow.state).in_(_UNSETTLED), col(OperationRow.intended_at) < window.until
    )
    return or_(
        unsettled,
        *(and_(col(moment) >= window.since, col(moment) < window.until) for moment in moments),
    )


def _presented(session: Session, root_id: str) -> set[str]:
    known = select(PaymentRow.payment_id).where(PaymentRow.root_id == root_id)
    return {root_id, *session.exec(known)}


def _on(presented: set[str], entries: Sequence[GatewayEntry]) -> ColumnElement[bool]:
    """Operations on a payment by our books, and those that the shown entries are."""
    references = {entry.merchant_transaction_id for entry in entries}
    return or_(
        # A credit is guarded by the payment that it repays, and is no entry of it at the gateway.
        and_(col(OperationRow.payment_id).in_(presented), not_(_ALONE)),
        col(OperationRow.gateway_id).in_(presented | {entry.gateway_id for entry in entries}),
        col(OperationRow.merchant_transaction_id).in_(references - {None}),
    )


def _operation(row: OperationRow) -> KnownOperation:
    known: dict[str, object] = row.model_dump()
    return KnownOperation.model_validate(known | {"adopted": row.key.startswith(ADOPTED)})


def _dispute(session: Session, row: CaseRow) -> KnownDispute:
    """What the case itself knows: its events alone, without what the books learned since."""
    case = fold(row.case_id, stored_events(session, row.case_id))
    payment = case.payment
    return KnownDispute(
        dispute_id=row.case_id,
        payment_id=row.payment_id or "",
        final=row.finality == Finality.FINAL,
        told=tuple(op.key for op in case.operations if op.state is OperationState.SETTLED),
        doubted=tuple(op.key for op in case.doubtful),
        refunded_minor=payment.refunded_minor if payment and payment.known else None,
    )
