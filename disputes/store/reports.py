"""What providers' reports said last of their disputes, and the lines that follow from a change."""

from collections.abc import Sequence
from dataclasses import dataclass

from disputes.decode import canonical
from disputes.store.engine import Store, insert_once, wire_now
from disputes.store.tables import ReportRow


@dataclass(frozen=True, slots=True)
class LastRow:
    """What a report said last of a dispute.

    Attributes:
        state_json: the row as the mapping reads it and what its reader notes, canonical JSON.
        changes: how often a row brought something new.
        pending_json: a JSON list of lines that may not be delivered yet; ``None`` for none.
    """

    state_json: str
    changes: int
    pending_json: str | None


class ReportBook:
    """The last row of each dispute, keyed by mapping and the provider's dispute id."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def last(self, mapping: str, dispute_id: str) -> LastRow | None:
        """The last row of a dispute, if any."""
        with self._store.read() as session:
            row = session.get(ReportRow, (mapping, dispute_id))
            return LastRow(row.state_json, row.changes, row.pending_json) if row else None

    def change(
        self, mapping: str, dispute_id: str, state_json: str, lines: Sequence[str], changes: int
    ) -> bool:
        """Keep a row that brought something new, with the lines to deliver for it.

        Args:
            mapping: the mapping's name.
            dispute_id: the provider's id.
            state_json: the row, canonical JSON.
            lines: feed lines (JSON) that follow from it.
            changes: how many changes the caller knew of.

        Returns:
            False, with nothing kept, if another intake kept a change meanwhile.
        """
        with self._store.write() as session:
            row = session.get(ReportRow, (mapping, dispute_id), with_for_update=True)
            if (row.changes if row else 0) != changes:
                return False
            changed = ReportRow(
                mapping=mapping,
                dispute_id=dispute_id,
                state_json=state_json,
                changes=changes + 1,
                pending_json=canonical(list(lines)),
                seen_at=wire_now(session),
            )
            if row is None:
                return insert_once(session, changed)
            session.merge(changed)
        return True

    def settle(self, mapping: str, dispute_id: str, changes: int) -> None:
        """Note that the lines of a change are delivered, unless another change came since."""
        with self._store.write() as session:
            row = session.get_one(ReportRow, (mapping, dispute_id), with_for_update=True)
            if row.changes == changes:
                row.pending_json = None
                session.add(row)
