"""Correcting the books of a payment: by entries of their own, for rows never change."""

from collections import deque
from collections.abc import Iterator
from datetime import datetime

from sqlmodel import Session, col, select

from disputes.ledger import Account, Posting, levels
from disputes.store.lapses import LAPSE, settle_lapse
from disputes.store.postings import Place, post
from disputes.store.projection import keep_levels, load_case, lock_case
from disputes.store.tables import CaseRow, PaymentRow
from disputes.store.verification import Amiss, Balances, amiss, entries_of

_TEXT = "correction"


def correct(session: Session, root_id: str, at: datetime) -> int:
    """Post on one payment what its operations and facts call for; gives how many were amiss.

    Args:
        session: in a write.
        root_id: the payment's first entry.
        at: case time of the corrections, UTC.
    """
    entries = sorted(entries_of(session, root_id))
    on_them = select(CaseRow.case_id).where(col(CaseRow.payment_id).in_(entries))
    for case_id in session.exec(on_them.order_by(CaseRow.case_id)).all():
        lock_case(session, case_id)
    payments = select(PaymentRow).where(col(PaymentRow.payment_id).in_(entries))
    session.exec(payments.order_by(PaymentRow.payment_id).with_for_update()).all()
    found = amiss(session, root_id)
    for it in found:
        if not it.source.startswith(LAPSE):
            _post(session, it, at)
    # Only now: what an operation had posted wrongly may be all that a lapsed one seemed to hold.
    settle_lapse(session, root_id, at)
    return len(found)


def _post(session: Session, it: Amiss, at: datetime) -> None:
    place = Place(it.merchant_id, it.root_id, it.entry_id, it.dispute_id, at)
    post(session, it.source, place, list(_postings(it.missing)))
    if it.case_id is not None:
        row = session.get_one(CaseRow, it.case_id)
        keep_levels(row, levels(load_case(session, it.case_id)))
        session.add(row)


def _postings(missing: Balances) -> Iterator[Posting]:
    """Postings that move what is missing; in each currency the two sides are alike."""
    for currency in sorted({currency for currency, _ in missing}):
        moves = [(Account(it), minor) for (of, it), minor in missing.items() if of == currency]
        debits = deque((account, minor) for account, minor in moves if minor > 0)
        credits_ = deque((account, -minor) for account, minor in moves if minor < 0)
        while debits and credits_:
            (debit, lacking), (credit, left) = debits.popleft(), credits_.popleft()
            part = min(lacking, left)
            yield Posting(debit, credit, part, currency, _TEXT)
            if lacking > part:
                debits.appendleft((debit, lacking - part))
            if left > part:
                credits_.appendleft((credit, left - part))
