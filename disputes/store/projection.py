"""From the register's events to the case's row and its books; the one place where facts post."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import TypeAdapter
from sqlmodel import Session, bindparam, col, delete, select

from disputes import chain
from disputes.case import Case
from disputes.decode import canonical
from disputes.events import CaseEvent
from disputes.ledger import Levels, fact_postings, levels
from disputes.status import CaseStatus, CaseSummary, status_of
from disputes.store.engine import insert_once
from disputes.store.folds import Folds, read_event
from disputes.store.postings import FACT, Place, post
from disputes.store.records import REPORTED, operations_of, to_operation
from disputes.store.tables import CaseEventRow, CaseRow, PaymentRow

_LEVELS = TypeAdapter(Levels)
#: Made once: to build a statement takes longer than to answer it.
_CASE = select(CaseRow).where(CaseRow.case_id == bindparam("case_id")).with_for_update()
_BODIES = (
    select(CaseEventRow.body)
    .where(CaseEventRow.case_id == bindparam("case_id"))
    .order_by(col(CaseEventRow.sequence))
)
_FOLDS = Folds()
#: Amounts of a status that portfolios sum.
_SUMMED = ("charged_back", "at_risk", "give_back_due", "written_off", "recovered")


def lock_case(session: Session, case_id: str) -> CaseRow:
    """The case's row, made if need be, held to the end of the transaction.

    Taken before a payment's row, always, or two transactions could wait for each other.
    """
    wanted = {"case_id": case_id}
    row = session.exec(_CASE, params=wanted).one_or_none()
    if row is None:
        insert_once(session, CaseRow(case_id=case_id))
        row = session.exec(_CASE, params=wanted).one()
    return row


def stored_events(session: Session, case_id: str) -> tuple[CaseEvent, ...]:
    """A case's events in the order of acceptance."""
    return tuple(map(read_event, session.exec(_BODIES, params={"case_id": case_id})))


def told_case(session: Session, case_id: str) -> Case:
    """The case that its events fold to, as its workflow sees it."""
    return _FOLDS.fold(case_id, session.exec(_BODIES, params={"case_id": case_id}))


def load_case(session: Session, case_id: str) -> Case:
    """The case that its events fold to, with the newest word on each of its operations."""
    case = told_case(session, case_id)
    twins = {op.key: op.twins for op in case.operations}
    for row in operations_of(session, case_id):
        if row.state in REPORTED:
            case = chain.report(case, to_operation(row, twins.get(row.key, ())))
    return case


def append(session: Session, row: CaseRow, events: Sequence[CaseEvent]) -> bool:
    """Bring the register to the events that the case's workflow has; true when that changed it.

    The workflow's word stands. One whose worker died before the server had its task takes the
    same messages again, later and perhaps in another order: what it had recorded is replaced. An
    older word than the stored one comes from such a worker, and changes nothing.

    Raises:
        ValueError: one is left out: the caller is at fault, and going on would lose what somebody
            was told is kept.
    """
    changed = False
    for event in sorted(events, key=lambda event: event.sequence):
        if event.sequence <= row.sequence:
            stored = session.get_one(CaseEventRow, (row.case_id, event.sequence))
            if read_event(stored.body) == event:
                continue
            if event.recorded_at < stored.recorded_at:
                break
            _take_back(session, row, event.sequence)
        if event.sequence != row.sequence + 1:
            raise ValueError(f"event {event.sequence} of a case does not follow {row.sequence}")
        session.add(_event_row(row.case_id, event))
        row.sequence = event.sequence
        changed = True
    session.flush()
    return changed


def project(session: Session, row: CaseRow, moment: datetime | None = None) -> Case:
    """Bring row and books to what events and operations say now; gives the case.

    Args:
        session: in a write, with the case's row locked.
        row: the case's row.
        moment: case time of the postings; by default that at which the newest event was recorded:
            a fact may have happened in days whose ledger was read to its end.
    """
    case = load_case(session, row.case_id)
    if not case.events:
        return case
    newest = case.events[-1]
    now = moment or newest.recorded_at
    _post_facts(session, row, case, newest.event_id, now)
    _show(row, status_of(case), case)
    row.updated_at = now
    session.add(row)
    session.flush()
    return case


def summed(status: CaseSummary) -> dict[str, int]:
    """The columns that portfolios sum; an amount without its point is minor units."""
    return {f"{name}_minor": int(getattr(status, name).replace(".", "")) for name in _SUMMED}


def posted_levels(row: CaseRow) -> Levels:
    """The levels that stand on the books, by the case's row."""
    return _LEVELS.validate_json(row.levels_json) if row.levels_json else Levels()


def keep_levels(row: CaseRow, now: Levels) -> None:
    """Note on the case's row what stands on the books now."""
    row.levels_json = _LEVELS.dump_json(now).decode()


def _post_facts(
    session: Session, row: CaseRow, case: Case, event_id: str, moment: datetime
) -> None:
    before = posted_levels(row)
    after = levels(case)
    if case.notice and after != before:
        source = f"{FACT}{case.case_id}/{event_id}"
        entry = case.notice.payment_id
        payment = session.get(PaymentRow, entry)
        root = payment.root_id if payment else entry
        place = Place(case.notice.merchant_id, root, entry, case.case_id, moment)
        post(session, source, place, fact_postings(before, after))
        keep_levels(row, after)


def _show(row: CaseRow, status: CaseStatus, case: Case) -> None:
    row.merchant_id = status.merchant_id
    row.payment_id = status.payment_id
    row.network = status.network
    row.reason_code = status.reason_code
    row.gateway_reference = case.notice.gateway_reference if case.notice else None
    row.arn = case.notice.arn if case.notice else None
    row.stage = status.stage
    row.status = status.status
    row.finality = status.finality
    row.amount_minor = case.disputed_minor
    row.currency = case.currency
    row.sqlmodel_update(summed(status))
    row.respond_by = status.respond_by
    row.next_deadline = status.next_deadline
    row.assignee = status.assignee
    row.needs_attention = bool(status.attention)
    row.waiting_approvals = len(status.approvals)
    row.status_json = status.model_dump_json()


def _event_row(case_id: str, event: CaseEvent) -> CaseEventRow:
    return CaseEventRow(
        case_id=case_id,
        sequence=event.sequence,
        event_id=event.event_id,
        kind=event.body.kind,
        at=event.at,
        recorded_at=event.recorded_at,
        body=canonical(event.model_dump(mode="json")),
    )


def _take_back(session: Session, row: CaseRow, sequence: int) -> None:
    """Forget the events from this one on."""
    rows = delete(CaseEventRow).where(
        col(CaseEventRow.case_id) == row.case_id, col(CaseEventRow.sequence) >= sequence
    )
    session.exec(rows)
    row.sequence = sequence - 1
