"""Many cases, written straight into the table, each with the status of a real one."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from disputes.decode import sha256
from disputes.specimens import cases
from disputes.status import CaseStatus, status_of
from disputes.store.engine import Store
from disputes.store.projection import summed
from disputes.store.tables import CaseRow
from starter.api.paging import cursor_of

_MERCHANTS = 1000
_DAYS = 90
_TOGETHER = 2000
_START = datetime(2026, 11, 1, tzinfo=UTC)


def fill(store: Store, count: int) -> None:
    """So many cases of a thousand merchants, half of them with a deadline within three months."""
    chance = random.Random(1)  # noqa: S311 - the same cases each time
    kinds = [status_of(case) for case in cases()]
    for first in range(0, count, _TOGETHER):
        numbers = range(first, min(first + _TOGETHER, count))
        rows = [_row(number, kinds[number % len(kinds)], chance).model_dump() for number in numbers]
        with store.write() as session:
            session.connection().execute(CaseRow.__table__.insert(), rows)  # type: ignore[attr-defined]
    with store.write() as session:
        session.connection().execute(text("ANALYZE"))


def _row(number: int, kind: CaseStatus, chance: random.Random) -> CaseRow:
    moment = _START + timedelta(seconds=chance.randrange(_DAYS * 86_400))
    due = None if number % 2 else moment
    shown = kind.model_copy(
        update={
            "dispute_id": f"D-{number}",
            "merchant_id": f"M-{chance.randrange(_MERCHANTS)}",
            "payment_id": sha256(f"payment {number}")[:32],
            "next_deadline": due,
        }
    )
    row = CaseRow(
        case_id=shown.dispute_id,
        merchant_id=shown.merchant_id,
        payment_id=shown.payment_id,
        network=shown.network,
        reason_code=shown.reason_code,
        arn=f"{number:023d}",
        stage=shown.stage,
        status=shown.status,
        finality=shown.finality,
        amount_minor=chance.randrange(100, 500_000),
        currency="EUR",
        respond_by=due,
        next_deadline=due,
        needs_attention=bool(shown.attention),
        waiting_approvals=len(shown.approvals),
        sequence=shown.sequence,
        updated_at=_START,
        status_json=shown.model_dump_json(),
    )
    row.sqlmodel_update(summed(shown))
    return row


def paths(read: str, count: int, limit: int) -> Iterator[str]:
    """What is asked for, without an end: one kind of read of ``count`` cases."""
    chance = random.Random(read)  # noqa: S311 - the same questions each time
    while True:
        ended = cursor_of("next_deadline", None, f"D-{chance.randrange(count)}")
        number, merchant = chance.randrange(count), chance.randrange(_MERCHANTS)
        due = _START + timedelta(days=chance.randrange(_DAYS))
        yield {
            "list by deadline": f"/v1/disputes?limit={limit}",
            "list, no deadline": f"/v1/disputes?cursor={ended}&limit={limit}",
            "list of a merchant": f"/v1/disputes?merchant_id=M-{merchant}&limit={limit}",
            "list by status": f"/v1/disputes?status=collecting&due_before={due:%Y-%m-%dT%H:%M:%SZ}"
            f"&limit={limit}",
            "search by id": f"/v1/disputes?q=D-{number}&limit={limit}",
            "search by ARN": f"/v1/disputes?q={number:023d}&limit={limit}",
            "detail": f"/v1/disputes/D-{number}",
            "portfolio": "/v1/portfolio",
            "portfolio of a merchant": f"/v1/portfolio?merchant_id=M-{merchant}",
            "healthz": "/healthz",
        }[read]
