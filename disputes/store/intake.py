"""The feed's lines: which were seen, and which of them were delivered to their case."""

from typing import Literal

from disputes.errors import Conflict
from disputes.store.engine import Store, insert_once, wire_now
from disputes.store.tables import IntakeRow


class IntakeBook:
    """What the intake has seen; a line that was never delivered is pending and sent again."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(
        self,
        event_id: str,
        sha256: str,
        type: str,  # noqa: A002 - the envelope's own word
        dispute_id: str | None,
    ) -> Literal["new", "pending", "delivered"]:
        """Note a line before its message is sent; says whether it was seen before.

        Args:
            event_id: the envelope's id.
            sha256: hex digest of the envelope's canonical JSON.
            type: the envelope's type, such as ``dispute.opened``.
            dispute_id: the case that it is for, where there is one.

        Raises:
            Conflict: the id came before with other content; names what differs.
        """
        with self._store.write() as session:
            row = IntakeRow(
                event_id=event_id,
                sha256=sha256,
                type=type,
                dispute_id=dispute_id,
                seen_at=wire_now(session),
            )
            if insert_once(session, row):
                return "new"
            seen = session.get_one(IntakeRow, event_id)
        if seen.sha256 == sha256:
            return "delivered" if seen.state == "delivered" else "pending"
        pairs = {"type": (seen.type, type), "dispute_id": (seen.dispute_id, dispute_id)}
        raise Conflict("the event", [name for name, (a, b) in pairs.items() if a != b] or ["data"])

    def delivered(self, event_id: str) -> None:
        """Note that a line's message reached its case; safe to repeat."""
        with self._store.write() as session:
            row = session.get_one(IntakeRow, event_id)
            row.state = "delivered"
            session.add(row)
