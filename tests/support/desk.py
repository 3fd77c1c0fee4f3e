"""The doors of a running engine, as tests open them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from disputes.store.intake import IntakeBook
from disputes.store.payment_reads import PaymentReads
from disputes.store.register import SqlRegister
from starter.client import DisputeDesk
from starter.intake import Intake
from starter.payment_desk import PaymentDesk
from tests.support.engine import Engine

Json = dict[str, Any]


def desk_of(
    engine: Engine, *, task_queue: str | None = None, patience_s: float = 20
) -> DisputeDesk:
    """A desk on the engine's register; on another task queue nobody answers."""
    queue = task_queue or engine.settings.task_queue
    patience = timedelta(seconds=patience_s)
    return DisputeDesk(engine.client, SqlRegister(engine.store), queue, patience=patience)


def payment_desk(engine: Engine) -> PaymentDesk:
    """A desk for payments' own workflows."""
    register, files = SqlRegister(engine.store), PaymentReads(engine.store)
    return PaymentDesk(engine.client, register, files, engine.settings.task_queue)


def intake_of(engine: Engine) -> Intake:
    """The engine's intake."""
    return Intake(desk_of(engine), IntakeBook(engine.store), payment_desk_of(engine))


def payment_desk_of(engine: Engine) -> PaymentDesk:
    """A desk of payments' own workflows on the engine's register."""
    queue = engine.settings.task_queue
    return PaymentDesk(engine.client, SqlRegister(engine.store), PaymentReads(engine.store), queue)


def line(kind: str, event_id: str, data: Json, dispute_id: str | None = None) -> str:
    """One line of a feed."""
    envelope: Json = {"event_id": event_id, "type": kind, "data": data}
    return json.dumps(envelope | ({"dispute_id": dispute_id} if dispute_id else {}))


def opened(notice: Json, event_id: str | None = None) -> str:
    """The line that brings a notice."""
    return line("dispute.opened", event_id or f"{notice['dispute_id']}.opened", notice)


def evidence(dispute_id: str, evidence_id: str, kind: str = "delivery_confirmation") -> str:
    """A line that brings a piece of evidence."""
    data = {
        "evidence_id": evidence_id,
        "evidence_type": kind,
        "submitted_by": "ann",
        "text": "as agreed",
    }
    return line("dispute.evidence", evidence_id, data, dispute_id)


def ruling(dispute_id: str, outcome: str, ruling_id: str | None = None) -> str:
    """A line that brings a ruling made just now."""
    given = ruling_id or f"{dispute_id}.ruling"
    moment = datetime.now(UTC).isoformat()
    data = {"ruling_id": given, "outcome": outcome, "decided_at": moment}
    return line("dispute.ruling", given, data, dispute_id)
