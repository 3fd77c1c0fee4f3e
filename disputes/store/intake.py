"""The feed's lines: which were seen, and which of them were delivered to their case."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import bindparam, update
from sqlmodel import Session, col, select

from disputes.errors import Conflict
from disputes.store.engine import Store, insert_each_once, insert_once, wire_now
from disputes.store.rejected import RejectedBook
from disputes.store.reports import ReportBook
from disputes.store.tables import IntakeRow, MerchantMonthRow

#: What was known of a line when it came.
Seen = Literal["new", "pending", "delivered"]
_DELIVERED = (
    update(IntakeRow)
    .where(col(IntakeRow.event_id) == bindparam("delivered_id"))
    .values(state="delivered")
)


@dataclass(frozen=True, slots=True)
class LineKey:
    """What a line is known by.

    Attributes:
        event_id: the envelope's id.
        sha256: hex digest of the envelope's canonical JSON.
        type: the envelope's type, such as ``dispute.opened``.
        dispute_id: the case that it is for, where there is one.
    """

    event_id: str
    sha256: str
    type: str
    dispute_id: str | None


class IntakeBook:
    """What the intake has seen; a line that was never delivered is pending and sent again.

    A line is known for ever: its id is never taken again, whatever Temporal still knows.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.reports = ReportBook(store)
        self.rejected = RejectedBook(store)

    def delivered_of(self, event_ids: Collection[str]) -> dict[str, str]:
        """The SHA-256 of each of these lines that was delivered before; reads only."""
        if not event_ids:
            return {}
        asked = select(IntakeRow.event_id, IntakeRow.sha256).where(
            col(IntakeRow.event_id).in_(event_ids), IntakeRow.state == "delivered"
        )
        with self._store.read() as session:
            return dict(session.exec(asked).all())

    def begin(
        self,
        event_id: str,
        sha256: str,
        type: str,  # noqa: A002 - the envelope's own word
        dispute_id: str | None,
    ) -> Seen:
        """Note one line before its message is sent; see ``begin_all``.

        Raises:
            Conflict: the id came before with other content; names what differs.
        """
        (seen,) = self.begin_all([LineKey(event_id, sha256, type, dispute_id)])
        if isinstance(seen, Conflict):
            raise seen
        return seen

    def begin_all(self, lines: Sequence[LineKey]) -> list[Seen | Conflict]:
        """Note lines before their messages are sent; says of each whether it was seen before.

        One transaction for all of them. A ``Conflict`` stands for an id that came before with
        other content, and names what differs.
        """
        # In one order everywhere, so that two intakes never wait for each other.
        order = sorted(range(len(lines)), key=lambda place: lines[place].event_id)
        with self._store.write() as session:
            now = wire_now(session)
            rows = [_row(lines[place], now) for place in order]
            fresh = insert_each_once(session, rows)
            seen: dict[int, Seen | Conflict] = {
                place: "new" if new else self._seen(session, lines[place])
                for place, new in zip(order, fresh, strict=True)
            }
        return [seen[place] for place in range(len(lines))]

    def _seen(self, session: Session, line: LineKey) -> Seen | Conflict:
        seen = session.get_one(IntakeRow, line.event_id)
        if seen.sha256 == line.sha256:
            return "delivered" if seen.state == "delivered" else "pending"
        pairs = {"type": (seen.type, line.type), "dispute_id": (seen.dispute_id, line.dispute_id)}
        differing = [name for name, (before, now) in pairs.items() if before != now]
        return Conflict("the event", differing or ["data"])

    def delivered(self, *event_ids: str) -> None:
        """Note that lines' messages reached their cases, in one transaction; safe to repeat."""
        with self._store.write() as session:
            _mark(session, event_ids)

    def tell_months(self, months: Sequence[MerchantMonthRow]) -> list[bool]:
        """Keep merchants' months and note their lines as delivered, in one transaction.

        The line that is told last holds; says of each whether it replaced other figures.
        """
        # In one order everywhere, as above; lines of one month stay in theirs.
        order = sorted(range(len(months)), key=lambda place: _key(months[place]))
        with self._store.write() as session:
            _mark(session, [month.event_id for month in months])
            replaced = {place: _replace(session, months[place]) for place in order}
        return [replaced[place] for place in range(len(months))]


def _row(line: LineKey, now: datetime) -> IntakeRow:
    return IntakeRow(
        event_id=line.event_id,
        sha256=line.sha256,
        type=line.type,
        dispute_id=line.dispute_id,
        seen_at=now,
    )


def _mark(session: Session, event_ids: Sequence[str]) -> None:
    # In one order everywhere, as above.
    ids = [{"delivered_id": event_id} for event_id in sorted(event_ids)]
    session.connection().execute(_DELIVERED, ids)


def _replace(session: Session, month: MerchantMonthRow) -> bool:
    if insert_once(session, month):
        return False
    before = session.get_one(MerchantMonthRow, _key(month), with_for_update=True)
    replaced = _figures(before) != _figures(month)
    session.merge(month)
    return replaced


def _key(month: MerchantMonthRow) -> tuple[str, str, str]:
    return month.merchant_id, month.network, month.month


def _figures(month: MerchantMonthRow) -> tuple[int, int, str, int]:
    return month.settled_count, month.settled_minor, month.currency, month.fraud_reports
