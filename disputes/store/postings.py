"""Writing the ledger: every posting once, under its source."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Select, Subquery, union_all
from sqlalchemy import select as select_values
from sqlmodel import Session, col, func, select

from disputes.ledger import Account, Posting
from disputes.store.entries import OF_THEIR_OWN
from disputes.store.records import ADOPTED, by_gateway_id, postings_of
from disputes.store.tables import LedgerRow, OperationRow
from disputes.vocabulary import PaymentType, Purpose

_ALONE = (PaymentType.PA, PaymentType.DB, PaymentType.CD)
#: Begins the source of what a fact posts: ``fact:{case_id}/{event_id}``.
FACT = "fact:"


@dataclass(frozen=True, slots=True)
class Place:
    """Where postings stand: whose book, which payment, which dispute; ``moment`` is case time."""

    merchant_id: str
    root_id: str
    entry_id: str
    dispute_id: str | None
    moment: datetime


def post(session: Session, source: str, place: Place, postings: Sequence[Posting]) -> None:
    """Append postings after those that ``source`` has already."""
    last = session.exec(
        select(func.max(col(LedgerRow.line))).where(LedgerRow.source == source)
    ).one()
    first = 0 if last is None else last + 1
    for line, posting in enumerate(postings, first):
        session.add(
            LedgerRow(
                merchant_id=place.merchant_id,
                currency=posting.currency,
                root_id=place.root_id,
                entry_id=place.entry_id,
                dispute_id=place.dispute_id,
                source=source,
                line=line,
                moment=place.moment,
                debit=posting.debit.value,
                credit=posting.credit.value,
                amount_minor=posting.amount_minor,
                text=posting.text,
            )
        )
    session.flush()


def post_operation(session: Session, row: OperationRow, root_id: str, moment: datetime) -> None:
    """Post a settled operation, once for its entry.

    An entry that was adopted before it was known to be ours stays as it was posted then, and is
    corrected where it stands on other accounts.
    """
    if posted(session, row.key):
        return
    wanted = postings_of(session, row)
    root = root_of(row, root_id)
    place = Place(row.merchant_id, root, entry_of(session, row), row.dispute_id, moment)
    adopted = posted(session, f"{ADOPTED}{row.gateway_id}") if row.gateway_id else []
    if _moves(adopted) == _moves(wanted):
        return
    if adopted:
        post(session, adopted[0].source, place, [_reversed(line) for line in adopted])
    post(session, row.key, place, wanted)


def posted(session: Session, source: str) -> list[LedgerRow]:
    """What a source has on the books, in its order."""
    rows = select(LedgerRow).where(LedgerRow.source == source)
    return list(session.exec(rows.order_by(col(LedgerRow.line))))


def signed_moves() -> Subquery:
    """Every posting as two moves: the row's columns, ``account`` and ``minor``, debit +."""
    sides: list[Select[str, str, str, str, str | None, str, str, int]] = [
        select_values(
            col(LedgerRow.merchant_id),
            col(LedgerRow.currency),
            col(LedgerRow.root_id),
            col(LedgerRow.entry_id),
            col(LedgerRow.dispute_id),
            col(LedgerRow.source),
            account.label("account"),
            (col(LedgerRow.amount_minor) * sign).label("minor"),
        )
        for account, sign in ((col(LedgerRow.debit), 1), (col(LedgerRow.credit), -1))
    ]
    return union_all(*sides).subquery()


def makes_entry(row: OperationRow) -> bool:
    """Whether an operation makes an entry of its own (PA, DB, CD, CP, RB); an increase does not."""
    return row.payment_type in OF_THEIR_OWN and row.purpose != Purpose.INCREASE


def root_of(row: OperationRow, root_id: str) -> str:
    """Id of the payment's first entry: a credit or new payment is its own, under no other."""
    alone = row.payment_type in _ALONE and row.referenced_id is None
    return row.gateway_id if alone and row.gateway_id else root_id


def entry_of(session: Session, row: OperationRow) -> str:
    """The entry whose position an operation moves: its own, or the one that it refunds."""
    if makes_entry(row) and row.gateway_id:
        return row.gateway_id
    if row.payment_type == PaymentType.RF:
        parent = by_gateway_id(session, row.referenced_id)
        return parent.gateway_id if parent and parent.gateway_id else row.payment_id
    return row.payment_id


def _moves(lines: Sequence[LedgerRow] | Sequence[Posting]) -> list[tuple[str, str, int]]:
    return [(str(line.debit), str(line.credit), line.amount_minor) for line in lines]


def _reversed(line: LedgerRow) -> Posting:
    posting = Posting(
        Account(line.credit), Account(line.debit), line.amount_minor, line.currency, line.text
    )
    return replace(posting, text=f"{line.text} corrected")
