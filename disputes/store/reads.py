"""Lists and single cases for people and programs; reads only."""

from datetime import datetime

from sqlalchemy import literal, tuple_
from sqlmodel import bindparam, col, or_, select

from disputes.case import Case
from disputes.events import CaseEvent
from disputes.fields import Durable, Moment
from disputes.notice import DisputeNotice
from disputes.status import CaseStatus, TimelineEntry, timeline_of
from disputes.store.engine import Store
from disputes.store.listing import CaseFilter, CasePage, case_page
from disputes.store.placeholders import meant
from disputes.store.projection import load_case, stored_events, told_case
from disputes.store.register import DISPUTE
from disputes.store.tables import CaseEventRow, CaseRow, Claim, OperationRow, PaymentRow, UtcMoment
from disputes.vocabulary import OperationState


class OperationLine(Durable):
    """One gateway operation with where its sending stands; minor units, wire time in UTC."""

    key: str
    payment_id: str
    dispute_id: str | None
    merchant_id: str
    purpose: str | None
    payment_type: str
    state: OperationState
    amount_minor: int
    currency: str
    referenced_id: str | None
    merchant_transaction_id: str | None
    gateway_id: str | None
    result_code: str | None
    reason: str | None
    attempts: int
    absent_count: int
    intended_at: Moment
    sent_at: Moment | None
    settled_at: Moment | None


class PaymentFile(Durable):
    """A payment with every operation on it, oldest first."""

    payment_id: str
    root_id: str
    merchant_id: str
    operations: tuple[OperationLine, ...]


_STATUS = select(CaseRow.status_json).where(CaseRow.case_id == bindparam("case_id"))


class Reads:
    """The read model."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def cases(self, wanted: CaseFilter) -> tuple[CaseStatus, ...]:
        """The cases that fit, in the order asked for, at most ``wanted.limit``."""
        found = self.page(wanted).statuses
        return tuple(CaseStatus.model_validate_json(status) for status in found)

    def page(self, wanted: CaseFilter) -> CasePage:
        """A page of the same as stored JSON, for doors that pass it on."""
        with self._store.read() as session:
            return case_page(session, wanted)

    def status(self, case_id: str) -> CaseStatus | None:
        """One case, by its id or a placeholder's that became its alias; ``None``: unknown."""
        with self._store.read() as session:
            row = session.get(CaseRow, meant(session, case_id))
        return CaseStatus.model_validate_json(row.status_json) if row and row.status_json else None

    def events(self, case_id: str) -> tuple[CaseEvent, ...]:
        """A case's events in the order of acceptance; empty for an unknown one."""
        with self._store.read() as session:
            return stored_events(session, meant(session, case_id))

    def timeline(self, case_id: str) -> tuple[TimelineEntry, ...]:
        """A case's history, the ignored entries with the reason; empty for an unknown one."""
        with self._store.read() as session:
            return timeline_of(load_case(session, meant(session, case_id)))

    def case(self, case_id: str) -> Case:
        """The case as its workflow sees it; without events for one that has none stored (yet)."""
        with self._store.read() as session:
            return told_case(session, meant(session, case_id))

    def status_json(self, case_id: str) -> str | None:
        """The stored status of a case, as it is; ``None`` where there is none (yet)."""
        with self._store.read() as session:
            return session.exec(_STATUS, params={"case_id": meant(session, case_id)}).one_or_none()

    def newest(self, case_id: str) -> str | None:
        """A case's newest event, as it is stored; ``None`` for none."""
        with self._store.read() as session:
            sequence = col(CaseEventRow.sequence)
            bodies = select(CaseEventRow.body).where(
                CaseEventRow.case_id == meant(session, case_id)
            )
            return session.exec(bodies.order_by(sequence.desc()).limit(1)).one_or_none()

    def merchant(self, case_id: str) -> str | None:
        """The merchant of a case, also of one that was claimed a moment ago and has not begun."""
        with self._store.read() as session:
            case_id = meant(session, case_id)
            row = session.get(CaseRow, case_id)
            claim = session.get(Claim, f"{DISPUTE}{case_id}")
        if row and row.merchant_id:
            return row.merchant_id
        return DisputeNotice.model_validate_json(claim.content).merchant_id if claim else None

    def known(self, case_id: str) -> bool:
        """Whether a case has this id, is listed under it, or a notice has taken it."""
        with self._store.read() as session:
            case_id = meant(session, case_id)
            listed = session.exec(_STATUS, params={"case_id": case_id}).one_or_none()
            return bool(listed) or session.get(Claim, f"{DISPUTE}{case_id}") is not None

    def waiting(
        self, *, merchants: tuple[str, ...] | None, after: str | None, limit: int
    ) -> tuple[CaseStatus, ...]:
        """Cases in which something waits for a second person, by their id.

        Args:
            merchants: only theirs; ``None``: everybody's.
            after: go on after this case.
            limit: how many at most.
        """
        case_id = col(CaseRow.case_id)
        query = select(CaseRow.status_json).where(col(CaseRow.waiting_approvals) > 0)
        if merchants is not None:
            query = query.where(col(CaseRow.merchant_id).in_(merchants))
        if after is not None:
            query = query.where(case_id > after)
        with self._store.read() as session:
            found = session.exec(query.order_by(case_id).limit(limit)).all()
        return tuple(CaseStatus.model_validate_json(status) for status in found if status)

    def operations_after(
        self,
        *,
        state: OperationState | None,
        merchants: tuple[str, ...] | None,
        after: tuple[datetime, str] | None,
        limit: int,
    ) -> tuple[OperationLine, ...]:
        """A page of gateway operations, oldest first; ``after``: moment and key of the last."""
        order = (col(OperationRow.intended_at), col(OperationRow.key))
        query = select(OperationRow)
        if state is not None:
            query = query.where(OperationRow.state == state.value)
        if merchants is not None:
            query = query.where(col(OperationRow.merchant_id).in_(merchants))
        if after is not None:
            moment, key = after
            place = tuple_(literal(moment, UtcMoment()), literal(key))
            query = query.where(tuple_(*order) > place)
        with self._store.read() as session:
            rows = session.exec(query.order_by(*order).limit(limit)).all()
        return tuple(OperationLine.model_validate(row.model_dump()) for row in rows)

    def payment(self, payment_id: str) -> PaymentFile | None:
        """What the books have of a payment, by its root or a presented entry; ``None``: nothing."""
        with self._store.read() as session:
            known = session.get(PaymentRow, payment_id)
            root = known.root_id if known else payment_id
            entries = session.exec(
                select(PaymentRow)
                .where(or_(col(PaymentRow.root_id) == root, PaymentRow.payment_id == root))
                .order_by(PaymentRow.payment_id)
            ).all()
            if not entries:
                return None
            places = {root, payment_id, *(entry.payment_id for entry in entries)}
            rows = session.exec(
                select(OperationRow)
                .where(col(OperationRow.payment_id).in_(places))
                .order_by(col(OperationRow.intended_at), col(OperationRow.key))
            ).all()
        return PaymentFile(
            payment_id=payment_id,
            root_id=root,
            merchant_id=entries[0].merchant_id,
            operations=tuple(OperationLine.model_validate(row.model_dump()) for row in rows),
        )

    def operations(
        self, *, dispute_id: str | None = None, state: OperationState | None = None
    ) -> tuple[OperationLine, ...]:
        """Gateway operations, oldest first, of one dispute or in one state."""
        query = select(OperationRow)
        if dispute_id is not None:
            query = query.where(OperationRow.dispute_id == dispute_id)
        if state is not None:
            query = query.where(OperationRow.state == state.value)
        with self._store.read() as session:
            rows = session.exec(query.order_by(col(OperationRow.intended_at))).all()
        return tuple(OperationLine.model_validate(row.model_dump()) for row in rows)
