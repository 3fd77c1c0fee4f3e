"""Lines of feeds that could not be taken, for a person to look at."""

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import literal, tuple_
from sqlmodel import col, select

from disputes.fields import Durable, Moment
from disputes.store.engine import Store, insert_all_once, wire_now
from disputes.store.tables import RejectedLineRow, UtcMoment


class RejectedEntry(Durable):
    """A line that could not be taken: why, and its beginning without card numbers and CVVs.

    ``line_number``: in the feed that brought it first, ``feed``: the name of its file (over HTTP
    and through a pipe none); ``reasons``: by field; ``sha256``: of the whole line as it came;
    ``redacted``: something was taken out; ``cut``: it was longer.
    """

    sha256: str
    rejected_at: Moment
    feed: str | None = None
    line_number: int
    reasons: dict[str, str]
    line: str
    redacted: bool = False
    cut: bool = False


class RejectedBook:
    """The table of rejected lines; the same line is kept once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, entries: Sequence[dict[str, object]]) -> None:
        """Keep lines in one transaction; each names its ``sha256`` and what else is told of it."""
        with self._store.write() as session:
            now = wire_now(session)
            # In one order everywhere, so that two feeds never wait for each other.
            rows = [_row(entry, now) for entry in sorted(entries, key=_sha256)]
            insert_all_once(session, RejectedLineRow, rows)

    def page(self, after: tuple[datetime, str] | None, limit: int) -> tuple[RejectedEntry, ...]:
        """The newest first; ``after``: moment and SHA-256 of the last one of the page before."""
        place = col(RejectedLineRow.rejected_at), col(RejectedLineRow.sha256)
        query = select(RejectedLineRow)
        if after is not None:
            query = query.where(
                tuple_(*place) < tuple_(literal(after[0], UtcMoment()), literal(after[1]))
            )
        newest = query.order_by(*(column.desc() for column in place)).limit(limit)
        with self._store.read() as session:
            return tuple(_entry(row) for row in session.exec(newest).all())


def _sha256(entry: dict[str, object]) -> str:
    return str(entry["sha256"])


def _row(entry: dict[str, object], now: datetime) -> dict[str, object]:
    return {"sha256": _sha256(entry), "rejected_at": now, "entry_json": json.dumps(entry)}


def _entry(row: RejectedLineRow) -> RejectedEntry:
    told: dict[str, object] = json.loads(row.entry_json)
    return RejectedEntry.model_validate(told | {"rejected_at": row.rejected_at})
