"""An authorization that lapsed holds nothing any more: the memo accounts say so, whatever follows.

What it still held is posted back as a level, so that a capture that turns up later corrects it.
"""

from datetime import datetime

from sqlalchemy import func
from sqlalchemy import select as select_values
from sqlmodel import Session, col, select

from disputes.ledger import Account, Posting
from disputes.store.guards import lock_payment
from disputes.store.postings import Place, post, signed_moves
from disputes.store.tables import PaymentRow

#: Begins the source of what a lapse posts: ``lapse:{payment_id}``.
LAPSE = "lapse:"


def lapse(session: Session, payment_id: str, merchant_id: str, at: datetime) -> None:
    """End an authorization for good; in a write. ``at`` is case time."""
    payment = lock_payment(session, payment_id, merchant_id)
    if payment.lapsed_at is None:
        payment.lapsed_at = at
        session.add(payment)
        session.flush()
    settle_lapse(session, payment.root_id, at)


def settle_lapse(session: Session, root_id: str, at: datetime) -> None:
    """Bring the memo accounts of a payment that has lapsed back to nothing."""
    root = session.get(PaymentRow, root_id)
    if root is None or root.lapsed_at is None or root.currency is None:
        return
    held = held_minor(session, root_id)
    if held == 0:
        return
    debit, credit = Account.MEMO_AUTH_CONTRA, Account.MEMO_AUTH
    if held < 0:
        debit, credit = credit, debit
    text = "authorization lapsed" if held > 0 else "authorization lapsed corrected"
    place = Place(root.merchant_id, root_id, root_id, None, at)
    post(
        session,
        f"{LAPSE}{root_id}",
        place,
        [Posting(debit, credit, abs(held), root.currency, text)],
    )


def held_minor(session: Session, root_id: str) -> int:
    """What the memo accounts show as authorized and open on a payment, in minor units."""
    moves = signed_moves()
    total = session.connection().execute(
        select_values(func.coalesce(func.sum(moves.c.minor), 0)).where(
            moves.c.root_id == root_id, moves.c.account == Account.MEMO_AUTH.value
        )
    )
    return int(total.scalar_one())


def lapsed_roots(session: Session, root_id: str | None = None) -> list[PaymentRow]:
    """Payments whose authorization has lapsed: one, or all."""
    rows = select(PaymentRow).where(col(PaymentRow.lapsed_at).is_not(None))
    if root_id is not None:
        rows = rows.where(PaymentRow.payment_id == root_id)
    return list(session.exec(rows.order_by(PaymentRow.payment_id)))
