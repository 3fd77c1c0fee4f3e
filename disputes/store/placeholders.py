"""Cases that stand for a chargeback without a notice (docs/decisions/0010).

A placeholder is a row in the list of cases and nothing else: no events, no workflow, no money. It
ends in the transaction that gives its chargeback to a dispute; from then on its id means that one.
It also ends when the bank has taken its chargeback back in full, before any notice came.
"""

from sqlmodel import Session, select

from disputes.case import Case
from disputes.money import Money, to_decimal
from disputes.notification import PLACEHOLDER, NotifiedEntry, placeholder_id
from disputes.status import CaseStatus, status_of
from disputes.store.engine import Store, insert_once, wire_now
from disputes.store.records import by_gateway_id
from disputes.store.tables import CaseRow, OperationRow, PaymentRow
from disputes.vocabulary import OperationState, PaymentType, Status

_ATTENTION = ("notice_missing",)


class Placeholders:
    """Opens placeholders, and ends those that opened too late."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open(self, entry: NotifiedEntry) -> str | None:
        """List a chargeback as a case; repeatable.

        ``None`` when it belongs to a dispute, or is undone: then what was listed is listed no more.
        """
        case_id = placeholder_id(entry.gateway_id)
        with self._store.write() as session:
            if _owner(session, entry.gateway_id) is not None:
                return None
            if _undone(session, entry.gateway_id):
                _unlist(session, case_id)
                return None
            payment = session.get(PaymentRow, entry.referenced_id or "")
            status = _status(case_id, entry, payment.merchant_id if payment else None)
            row = CaseRow(
                case_id=case_id,
                merchant_id=status.merchant_id,
                payment_id=status.payment_id,
                amount_minor=entry.amount_minor or 0,
                currency=status.currency,
                needs_attention=True,
                updated_at=wire_now(session),
                status_json=status.model_dump_json(),
            )
            insert_once(session, row)
        return case_id

    def close(self, gateway_id: str) -> None:
        """End what was opened at the very moment at which a dispute took the entry over."""
        with self._store.write() as session:
            row = by_gateway_id(session, gateway_id)
            if row is not None:
                end_placeholder(session, row)


def meant(session: Session, case_id: str) -> str:
    """The case that an id means: of a placeholder that became an alias, the real one.

    A case that has opened under such an id is meant by it, whoever has the chargeback.
    """
    if not case_id.startswith(PLACEHOLDER):
        return case_id
    row = session.get(CaseRow, case_id)
    if row is not None and row.status != Status.AWAITING_NOTICE:
        return case_id
    return _owner(session, case_id.removeprefix(PLACEHOLDER)) or case_id


def shown(session: Session, case_id: str) -> CaseStatus | None:
    """What is shown of a placeholder; ``None`` for an id that is none, or is none any more."""
    row = session.get(CaseRow, case_id) if case_id.startswith(PLACEHOLDER) else None
    if row is None or row.sequence or not row.status_json:
        return None
    return CaseStatus.model_validate_json(row.status_json)


def holding(session: Session, entry_id: str) -> tuple[str, ...]:
    """Ids of the placeholders on an entry that hold its money: their chargeback is not undone."""
    listed = select(CaseRow.case_id).where(CaseRow.payment_id == entry_id, CaseRow.sequence == 0)
    return tuple(
        case_id
        for case_id in session.exec(listed.order_by(CaseRow.case_id))
        if not _undone(session, case_id.removeprefix(PLACEHOLDER))
    )


def end_placeholder(session: Session, row: OperationRow) -> None:
    """Take the placeholder of a chargeback that has a dispute off the list; in a write."""
    if row.payment_type != PaymentType.CB or row.gateway_id is None or row.dispute_id is None:
        return
    case_id = placeholder_id(row.gateway_id)
    if case_id != row.dispute_id:
        _unlist(session, case_id)


def _unlist(session: Session, case_id: str) -> None:
    """End a placeholder; one that is locked is being written as a case of its own by now."""
    listed = select(CaseRow).where(CaseRow.case_id == case_id, CaseRow.sequence == 0)
    placeholder = session.exec(listed.with_for_update(skip_locked=True)).one_or_none()
    if placeholder is not None:
        session.delete(placeholder)
        session.flush()


def _undone(session: Session, gateway_id: str) -> bool:
    """Whether the books show a chargeback, and that nothing of it is left."""
    row = by_gateway_id(session, gateway_id)
    return row is not None and _left_minor(session, row) <= 0


def _left_minor(session: Session, row: OperationRow) -> int:
    """What of a chain entry stands; of a reversal only what is not reversed in turn counts."""
    reversals = select(OperationRow).where(
        OperationRow.referenced_id == row.gateway_id,
        OperationRow.payment_type == PaymentType.CR,
        OperationRow.state == OperationState.SETTLED,
    )
    back = sum(_left_minor(session, it) for it in session.exec(reversals).all())
    return row.amount_minor - back


def _owner(session: Session, gateway_id: str) -> str | None:
    row = by_gateway_id(session, gateway_id)
    return row.dispute_id if row is not None else None


def _status(case_id: str, entry: NotifiedEntry, merchant_id: str | None) -> CaseStatus:
    money = _money(entry)
    shown = {
        "merchant_id": merchant_id,
        "payment_id": entry.referenced_id,
        "amount": money,
        "attention": _ATTENTION,
    }
    if money is not None:
        amount = to_decimal(money.minor, money.currency)
        shown |= {"currency": money.currency, "disputed": amount, "booked_out": amount}
    return status_of(Case(case_id=case_id)).model_copy(update=shown)


def _money(entry: NotifiedEntry) -> Money | None:
    if not entry.amount_minor or entry.currency is None:
        return None
    return Money.of(entry.amount_minor, entry.currency)
