"""The record of what cases accepted (architecture, Truth); adapter of ``ports.Register``."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlmodel import Session, col, select

from disputes.decode import differing, sha256
from disputes.errors import Conflict
from disputes.events import CaseEvent
from disputes.operations import Plan
from disputes.ports import CaseFile
from disputes.status import CaseStatus
from disputes.store import placeholders
from disputes.store.engine import Store, insert_each_once, wire_now
from disputes.store.projection import append, lock_case, project, stored_events
from disputes.store.tables import Claim, OperationRow
from disputes.vocabulary import OperationState

#: Prefix of a dispute's workflow id (contract, Temporal).
DISPUTE = "dispute/"
_UNFINISHED = (OperationState.INTENDED, OperationState.SENT)


class SqlRegister:
    """The register in a database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def claim(self, workflow_id: str, content: str) -> bool:
        """Take an id for canonical JSON ``content``; true when it was free.

        Raises:
            Conflict: other content holds it, and the top-level fields that differ are named; or it
                is a dispute's, and means another dispute.
        """
        (fresh,) = self.claim_all([(workflow_id, content)])
        if isinstance(fresh, Conflict):
            raise fresh
        return fresh

    def claim_all(self, claims: Sequence[tuple[str, str]]) -> list[bool | Conflict]:
        """Take several ids, in one transaction; of each what ``claim`` says or raises."""
        # In one order everywhere, so that two callers never wait for each other.
        order = sorted(range(len(claims)), key=lambda place: claims[place][0])
        with self._store.write() as session:
            now = wire_now(session)
            taken: dict[int, bool | Conflict] = {
                place: alias
                for place in order
                if (alias := _alias(session, claims[place][0])) is not None
            }
            order = [place for place in order if place not in taken]
            rows = [_claim(*claims[place], now) for place in order]
            fresh = insert_each_once(session, rows)
            taken |= {
                place: new or _held(session, row)
                for place, row, new in zip(order, rows, fresh, strict=True)
            }
        return [taken[place] for place in range(len(claims))]

    def load(self, case_id: str) -> CaseFile:
        """Everything known of a case; empty for an unknown one."""
        with self._store.read() as session:
            claim = session.get(Claim, f"{DISPUTE}{case_id}")
            return CaseFile(
                claimed=claim.content if claim else None,
                events=stored_events(session, case_id),
                unfinished=_unfinished(session, case_id),
            )

    def meant(self, case_id: str) -> str:
        """The case that an id means: of a placeholder that became an alias, the real one."""
        with self._store.read() as session:
            return placeholders.meant(session, case_id)

    def placeholder(self, case_id: str) -> CaseStatus | None:
        """What is shown of a chargeback without a notice; ``None`` for every other id."""
        with self._store.read() as session:
            return placeholders.shown(session, case_id)

    def record(self, case_id: str, events: Sequence[CaseEvent]) -> None:
        """Append events, post what their facts change, project the case: one transaction.

        Repeated and outdated calls change nothing.

        Raises:
            ValueError: other than the stored events, or a gap: a fault of the caller.
        """
        if not events:
            return
        with self._store.write() as session:
            row = lock_case(session, case_id)
            if append(session, row, events):
                project(session, row)


def _claim(workflow_id: str, content: str, now: datetime) -> Claim:
    return Claim(workflow_id=workflow_id, sha256=sha256(content), content=content, claimed_at=now)


def _alias(session: Session, workflow_id: str) -> Conflict | None:
    """What to say of the id of a placeholder whose chargeback has its dispute: never two cases.

    Also of one that was claimed while it was free: the case that opens claims it once more.
    """
    if not workflow_id.startswith(DISPUTE):
        return None
    case_id = workflow_id.removeprefix(DISPUTE)
    dispute_id = placeholders.meant(session, case_id)
    if dispute_id == case_id:
        return None
    return Conflict("the dispute", ["dispute_id"], known_as=dispute_id)


def _held(session: Session, row: Claim) -> Literal[False] | Conflict:
    """What to say of an id that was taken before: by the same content, or by other."""
    holder = session.get_one(Claim, row.workflow_id)
    if holder.sha256 == row.sha256:
        return False
    fields = differing(_object(holder.content), _object(row.content))
    return Conflict(row.workflow_id.partition("/")[0], fields or ["input"])


def _unfinished(session: Session, case_id: str) -> tuple[Plan, ...]:
    plans = (
        select(OperationRow.plan_json)
        .where(
            OperationRow.dispute_id == case_id,
            # A refund that only names the dispute is its own workflow's to end.
            col(OperationRow.owner).is_(None),
            col(OperationRow.state).in_(_UNFINISHED),
        )
        .order_by(col(OperationRow.intended_at))
    )
    return tuple(Plan.model_validate_json(plan) for plan in session.exec(plans) if plan)


def _object(content: str) -> dict[str, object]:
    parsed: object = json.loads(content)
    return {str(name): value for name, value in parsed.items()} if isinstance(parsed, dict) else {}
