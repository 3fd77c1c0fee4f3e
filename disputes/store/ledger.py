"""Reading the ledger: positions, statements, and what is unmirrored."""

from datetime import datetime

from sqlalchemy import ColumnElement, Select, Subquery, func, literal, or_, tuple_
from sqlalchemy import select as select_values
from sqlmodel import col, select

from disputes.fields import Durable, Moment
from disputes.ledger import Account
from disputes.store.engine import Store
from disputes.store.postings import signed_moves
from disputes.store.records import ADOPTED
from disputes.store.tables import LedgerRow, OperationRow, PaymentRow, UtcMoment
from disputes.store.verification import BookDifference, differences


class LedgerLine(Durable):
    """One posting of a statement; ``id`` is stable, the amount in minor units."""

    id: int
    moment: Moment
    merchant_id: str
    currency: str
    root_id: str
    entry_id: str
    dispute_id: str | None
    source: str
    debit: Account
    credit: Account
    amount_minor: int
    text: str


class Unmirrored(Durable):
    """What the bank moved for a dispute and the gateway does not show; signed minor units."""

    dispute_id: str | None
    payment_id: str
    currency: str
    amount_minor: int


class AccountBalance(Durable):
    """What stands on an account of one book; signed minor units, debit +."""

    merchant_id: str
    currency: str
    account: Account
    amount_minor: int


class LedgerBook:
    """The ledger as people and checks read it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def positions(self, account: Account) -> dict[tuple[str, str], int]:
        """Signed minor units of an account by (payment root, currency); zeros left out."""
        moves = signed_moves()
        root = func.coalesce(col(PaymentRow.root_id), moves.c.root_id)
        query: Select[str, str, int] = (
            select_values(root, moves.c.currency, func.sum(moves.c.minor))
            .select_from(moves)
            .join(PaymentRow, col(PaymentRow.payment_id) == moves.c.entry_id, isouter=True)
            .where(moves.c.account == account.value)
            .group_by(root, moves.c.currency)
        )
        with self._store.read() as session:
            rows = session.connection().execute(query).all()
        return {(root, currency): int(minor) for root, currency, minor in rows if minor}

    def balances(self) -> list[AccountBalance]:
        """Every account of every book, by merchant and currency, in the order of the ledger."""
        moves = signed_moves()
        book = (moves.c.merchant_id, moves.c.currency)
        query = select_values(*book, moves.c.account, func.sum(moves.c.minor))
        with self._store.read() as session:
            rows = session.connection().execute(query.group_by(*book, moves.c.account)).all()
        order = list(Account)
        found = [
            AccountBalance(
                merchant_id=merchant, currency=currency, account=account, amount_minor=int(minor)
            )
            for merchant, currency, account, minor in rows
        ]
        return sorted(found, key=lambda it: (it.merchant_id, it.currency, order.index(it.account)))

    def show(self, payment_id: str) -> list[LedgerLine]:
        """Every posting on a payment: its root and all that was presented under it."""
        with self._store.read() as session:
            payment = session.get(PaymentRow, payment_id)
            places = {payment_id, payment.root_id if payment else payment_id}
            rows = session.exec(
                select(LedgerRow)
                .where(
                    or_(
                        col(LedgerRow.root_id).in_(places),
                        col(LedgerRow.entry_id).in_(places),
                    )
                )
                .order_by(col(LedgerRow.id))
            )
            return [LedgerLine.model_validate(row.model_dump()) for row in rows]

    def entries(
        self,
        since: datetime,
        until: datetime,
        *,
        merchants: tuple[str, ...] | None = None,
        after: tuple[datetime, int] | None = None,
        limit: int = 1000,
    ) -> list[LedgerLine]:
        """A page of the postings of a window, in the order of their moments.

        Args:
            since: first moment, case time in UTC.
            until: first moment after the window.
            merchants: only their books; ``None``: all.
            after: moment and id of the last posting of the page before.
            limit: how many at most.
        """
        order = (col(LedgerRow.moment), col(LedgerRow.id))
        query = select(LedgerRow).where(order[0] >= since, order[0] < until)
        if merchants is not None:
            query = query.where(col(LedgerRow.merchant_id).in_(merchants))
        if after is not None:
            moment, number = after
            place = tuple_(literal(moment, UtcMoment()), literal(number))
            query = query.where(tuple_(*order) > place)
        with self._store.read() as session:
            rows = session.exec(query.order_by(*order).limit(limit)).all()
        return [LedgerLine.model_validate(row.model_dump()) for row in rows]

    def unmirrored(self) -> list[Unmirrored]:
        """What stands on ``unmirrored``, line by line for each dispute."""
        moves = signed_moves()
        # An entry may have been adopted before the dispute was known that it belongs to.
        dispute = func.coalesce(col(OperationRow.dispute_id), moves.c.dispute_id)
        minor = func.sum(moves.c.minor)
        query: Select[str | None, str, str, int] = (
            select_values(dispute, moves.c.entry_id, moves.c.currency, minor)
            .select_from(moves)
            .join(OperationRow, _behind(moves), isouter=True)
            .where(moves.c.account == Account.UNMIRRORED.value)
            .group_by(dispute, moves.c.entry_id, moves.c.currency)
            .having(minor != 0)
            .order_by(moves.c.entry_id, dispute)
        )
        with self._store.read() as session:
            rows = session.connection().execute(query).all()
        return [
            Unmirrored(dispute_id=of, payment_id=entry, currency=currency, amount_minor=int(amount))
            for of, entry, currency, amount in rows
        ]

    def differences(self) -> list[BookDifference]:
        """Everything in which the books do not add up, each with its command; empty if they do."""
        with self._store.read() as session:
            return differences(session)

    def verify(self) -> list[str]:
        """The same as sentences."""
        return [found.text for found in self.differences()]


def _behind(moves: Subquery) -> ColumnElement[bool]:
    """The operation that a posting is of; an entry without an id is no operation's."""
    entry = literal(ADOPTED).concat(col(OperationRow.gateway_id))
    return or_(col(OperationRow.key) == moves.c.source, entry == moves.c.source)
