"""The gateway's notifications as they came: kept before they are acknowledged, then delivered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import literal, tuple_
from sqlmodel import Session, col, or_, select
from sqlmodel.sql.expression import SelectOfScalar

from disputes.decode import canonical
from disputes.fields import Durable, Moment
from disputes.notification import (
    TOLD,
    Arrival,
    Bearings,
    KnownAs,
    Notification,
    NotifiedEntry,
    Suspect,
)
from disputes.store.awareness import unheard
from disputes.store.engine import Store, insert_once, wire_now
from disputes.store.records import by_gateway_id, operations_of
from disputes.store.tables import CaseRow, NotificationRow, OperationRow, PaymentFileRow, UtcMoment
from disputes.vocabulary import Finality, OperationState, PaymentType, Stage

#: What the workflow ids of pre-authorizations begin with.
_PREAUTHORIZATION: Final = "preauthorization"


class InboxState(StrEnum):
    """What became of a notification."""

    RECEIVED = "received"
    DELIVERED = "delivered"
    PARKED = "parked"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Due:
    """A notification that is somebody's to deliver; ``attempt`` shuts out who comes too late.

    ``received_at`` and ``now`` are wire time, UTC.
    """

    sha256: str
    attempt: int
    received_at: datetime
    now: datetime
    entry: NotifiedEntry
    bearings: Bearings


class InboxLine(Durable):
    """One notification for a list; moments are wire time in UTC."""

    sha256: str
    received_at: Moment
    type: str
    state: InboxState
    reason: str | None
    case_id: str | None
    attempts: int
    due_at: Moment | None
    notification: Notification


class Inbox:
    """The table of notifications; several processes may deliver from it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep_all(self, arrived: Sequence[Arrival]) -> list[bool]:
        """Keep notifications for good, in one transaction.

        Says of each whether it is new: not when it, or one of the same meaning, is there.
        """
        # In one order everywhere, so that two doors never wait for each other.
        order = sorted(
            range(len(arrived)), key=lambda place: arrived[place].meaning or arrived[place].sha256
        )
        with self._store.write() as session:
            now = wire_now(session)
            fresh = {place: insert_once(session, _row(arrived[place], now)) for place in order}
        return [fresh[place] for place in range(len(arrived))]

    def claim_due(self, limit: int, lease: timedelta) -> list[Due]:
        """Take at most ``limit`` that are due, oldest first; others get them after ``lease``."""
        with self._store.read() as session:
            if session.exec(_due(wire_now(session)).limit(1)).first() is None:
                return []
        with self._store.write() as session:
            now = wire_now(session)
            rows = session.exec(_due(now).limit(limit).with_for_update(skip_locked=True)).all()
            for row in rows:
                row.due_at, row.attempts = now + lease, row.attempts + 1
                session.add(row)
            session.flush()
            return [_claimed(session, row, now) for row in rows]

    def finish(
        self, due: Due, state: InboxState, *, reason: str | None = None, case_id: str | None = None
    ) -> None:
        """Note what became of one: delivered or ignored, for good."""
        self._note(due, state, None, reason, case_id)

    def again(
        self, due: Due, pause: timedelta, *, reason: str | None = None, case_id: str | None = None
    ) -> None:
        """Park one until ``pause`` has passed."""
        self._note(due, InboxState.PARKED, pause, reason, case_id)

    def _note(
        self,
        due: Due,
        state: InboxState,
        pause: timedelta | None,
        reason: str | None,
        case_id: str | None,
    ) -> None:
        with self._store.write() as session:
            row = session.get_one(NotificationRow, due.sha256, with_for_update=True)
            if row.attempts != due.attempt or row.due_at is None:
                return
            row.state, row.reason, row.case_id = state.value, reason, case_id
            row.due_at = None if pause is None else wire_now(session) + pause
            session.add(row)

    def waiting(self, after: tuple[datetime, str] | None, limit: int) -> tuple[InboxLine, ...]:
        """Notifications of which nobody was told yet, or that nobody has taken, the oldest first.

        ``after``: moment of receipt and SHA-256 of the last one of the page before.
        """
        place = tuple_(col(NotificationRow.received_at), col(NotificationRow.sha256))
        query = select(NotificationRow).where(col(NotificationRow.due_at).is_not(None))
        if after is not None:
            query = query.where(place > tuple_(literal(after[0], UtcMoment()), literal(after[1])))
        oldest = query.order_by(
            col(NotificationRow.received_at), col(NotificationRow.sha256)
        ).limit(limit)
        with self._store.read() as session:
            return tuple(_line(row) for row in session.exec(oldest).all())

    def lines(self, state: InboxState | None = None, limit: int = 100) -> tuple[InboxLine, ...]:
        """Notifications for a person, the newest first."""
        query = select(NotificationRow)
        if state is not None:
            query = query.where(NotificationRow.state == state.value)
        newest = query.order_by(col(NotificationRow.received_at).desc()).limit(limit)
        with self._store.read() as session:
            return tuple(_line(row) for row in session.exec(newest).all())


def _row(arrival: Arrival, now: datetime) -> NotificationRow:
    notification, ignored = arrival.notification, arrival.notification.ignored
    return NotificationRow(
        sha256=arrival.sha256,
        meaning=arrival.meaning,
        received_at=now,
        type=notification.type,
        body=canonical(notification.kept()),
        state=(InboxState.IGNORED if ignored else InboxState.RECEIVED).value,
        reason=ignored,
        due_at=None if ignored else now,
    )


def _due(now: datetime) -> SelectOfScalar[NotificationRow]:
    return (
        select(NotificationRow)
        .where(col(NotificationRow.due_at) <= now)
        .order_by(col(NotificationRow.due_at), col(NotificationRow.sha256))
    )


def _claimed(session: Session, row: NotificationRow, now: datetime) -> Due:
    entry = Notification.model_validate_json(row.body).entry
    if entry is None:
        raise RuntimeError("a notification without an entry is never due")
    told = row.case_id if row.reason == TOLD else None
    known = _bearings(session, entry, told)
    return Due(row.sha256, row.attempts, row.received_at, now, entry, known)


def _line(row: NotificationRow) -> InboxLine:
    known = row.model_dump() | {"notification": Notification.model_validate_json(row.body)}
    return InboxLine.model_validate(known)


def _bearings(session: Session, entry: NotifiedEntry, told: str | None) -> Bearings:
    """What the books know around an entry."""
    parent = by_gateway_id(session, entry.referenced_id)
    return Bearings(
        operation=_known_as(session, entry),
        parent_known=parent is not None,
        parent_dispute=parent.dispute_id if parent else None,
        watched=_watched(session, entry.referenced_id),
        told=told,
        suspects=tuple(_suspect(session, row) for row in _cases(session, entry)),
    )


def _known_as(session: Session, entry: NotifiedEntry) -> KnownAs | None:
    row = by_gateway_id(session, entry.gateway_id)
    if row is None and entry.merchant_transaction_id is not None:
        ours = select(OperationRow).where(
            OperationRow.merchant_transaction_id == entry.merchant_transaction_id,
            OperationRow.payment_type == entry.payment_type.value,
            col(OperationRow.purpose).is_not(None),
        )
        row = session.exec(ours.order_by(col(OperationRow.intended_at))).first()
    if row is None:
        return None
    return KnownAs(
        key=row.key,
        state=OperationState(row.state),
        gateway_id=row.gateway_id,
        dispute_id=row.dispute_id,
        unheard=unheard(session, row),
    )


def _watched(session: Session, referenced_id: str | None) -> str | None:
    """The workflow of a pre-authorization that is on file."""
    workflow_id = f"{_PREAUTHORIZATION}/{referenced_id}"
    return workflow_id if session.get(PaymentFileRow, workflow_id) is not None else None


def _cases(session: Session, entry: NotifiedEntry) -> Sequence[CaseRow]:
    """Cases with a notice that may be about the entry."""
    ways = [CaseRow.gateway_reference == entry.gateway_id]
    if entry.referenced_id is not None:
        ways.append(CaseRow.payment_id == entry.referenced_id)
    if entry.arn is not None:
        ways.append(CaseRow.arn == entry.arn)
    cases = select(CaseRow).where(or_(*ways), col(CaseRow.sequence) > 0)
    return session.exec(cases.order_by(CaseRow.case_id)).all()


def _suspect(session: Session, row: CaseRow) -> Suspect:
    booked = any(
        op.payment_type == PaymentType.CB and op.state == OperationState.SETTLED
        for op in operations_of(session, row.case_id)
    )
    return Suspect(
        dispute_id=row.case_id,
        payment_id=row.payment_id,
        gateway_reference=row.gateway_reference,
        arn=row.arn,
        amount_minor=row.amount_minor,
        currency=row.currency,
        stage=Stage(row.stage),
        final=row.finality == Finality.FINAL,
        booked=booked,
    )
