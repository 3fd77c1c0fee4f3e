"""Two analysts, a feed, a webhook, timers and two workers on one payment at the same instant.

The judge is the gateway's own book: its money moves once, on both databases.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime
from pathlib import Path

import pytest_asyncio
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import TimeSkipper

from disputes.errors import Refusal
from disputes.store import open_store
from disputes.vocabulary import OperationState
from starter.embedded import embedded_stack
from starter.temporal_server import TemporalServer
from tests.support.desk import intake_of, line, opened
from tests.support.engine import POLICY, Engine
from tests.support.sandbox import Sandbox
from tests.workflows.hands import CONSENT, Dispute

#: Longer than the time to answer, and than the cool-off before a rebill.
_PAST_THE_DEADLINE = 30
_OPEN = (OperationState.INTENDED, OperationState.SENT, OperationState.IN_DOUBT)


@pytest_asyncio.fixture
async def engine(
    temporal_server: TemporalServer, sandbox: Sandbox, tmp_path: Path, database_url: str
) -> AsyncIterator[Engine]:
    """Two worker processes on one task queue and one database, of each kind."""
    queue = tmp_path.name
    env = {
        **temporal_server.env,
        **sandbox.env,
        "DISPUTES_TASK_QUEUE": queue,
        "DISPUTES_DATABASE_URL": database_url,
        "DISPUTES_POLICY_FILE": POLICY,
        "DISPUTES_GATEWAY_QUERY_INTERVAL_S": "0.2",
    }
    async with embedded_stack(tmp_path / "stack", env=env, workers=2) as stack:
        store = open_store(database_url)
        try:
            skipper = TimeSkipper(stack.client)
            yield Engine(stack.client, skipper, sandbox, store, stack.settings, stack.env, queue)
        finally:
            store.close()


async def _feeds(engine: Engine, *lines: str) -> None:
    """Two senders of one feed, every line at once."""
    now = datetime.now(UTC)
    taken = [intake_of(engine).take_line(text, now) for text in lines for _ in range(2)]
    results = await asyncio.gather(*taken)
    assert {it.outcome.value for it in results} <= {"accepted", "duplicate"}, results


async def _accepted(*commands: Awaitable[object]) -> int:
    """How many of several commands, given at once, are not refused."""
    answers = await asyncio.gather(*commands, return_exceptions=True)
    refused = [it for it in answers if isinstance(it, WorkflowUpdateFailedError | Refusal)]
    wrong = [it for it in answers if isinstance(it, BaseException) and it not in refused]
    assert wrong == []
    return len(answers) - len(refused)


def _ruling(dispute: Dispute, outcome: str, decided_at: datetime) -> str:
    data = {"ruling_id": f"{dispute.id}.{outcome}", "outcome": outcome}
    return line(
        "dispute.ruling",
        f"{dispute.id}.{outcome}",
        data | {"decided_at": decided_at.isoformat()},
        dispute.id,
    )


async def _webhooks(*disputes: Dispute) -> None:
    """Every chargeback and reversal of the payment is told to every case."""
    book = await disputes[0].book()
    told = [it for it in book if it["payment_type"] in ("CB", "CR")]
    await asyncio.gather(
        *(
            it.booking(str(entry["payment_type"]), str(entry["id"]), str(entry["referenced_id"]))
            for entry in told
            for it in disputes
        )
    )


async def _rebill(dispute: Dispute, analyst: str) -> object:
    asked = {"requested_by": analyst, "reason": "the goods were kept", "consent": CONSENT}
    return await dispute.update("request_rebill", asked)


async def test_all_hands_on_one_payment_move_its_money_once(engine: Engine) -> None:
    whole = await engine.notice()
    first, second = [
        Dispute(
            engine,
            await engine.notice(
                payment_id=whole["payment_id"], amount={"amount": amount, "currency": "EUR"}
            ),
        )
        for amount in ("50.00", "42.00")
    ]
    both = (first, second)

    await _feeds(engine, *(opened(it.notice) for it in both))
    await asyncio.gather(*(engine.settled(it.case, 1) for it in both))
    assert await first.booked_types() == ["DB", "CB"]

    now = datetime.now(UTC)
    await asyncio.gather(
        _feeds(engine, *(_ruling(it, "cardholder_won", now) for it in both)),
        _webhooks(*both),
        _accepted(first.represent(), first.update("accept_liability", {"accepted_by": "bob"})),
        *(it.days_pass(_PAST_THE_DEADLINE) for it in both),
    )
    await asyncio.gather(*(it.until(status="lost") for it in both))

    rebilled = await asyncio.gather(
        *(_accepted(_rebill(it, "ann"), _rebill(it, "bob")) for it in both), _webhooks(*both)
    )
    assert rebilled[:2] == [1, 1]
    await first.until(rebilled="50.00")
    await second.until(rebilled="42.00")

    late = await first.now()
    await asyncio.gather(
        _feeds(engine, *(_ruling(it, "merchant_won", late) for it in both)),
        _webhooks(*both),
        *(it.days_pass(1) for it in both),
        *(_accepted(_rebill(it, "ann"), _rebill(it, "bob")) for it in both),
    )
    await asyncio.gather(*(it.until(status="won", give_back_due="0.00") for it in both))
    await asyncio.gather(*(it.until(booked_out="0.00") for it in both))
    await first.money_is(acquirer=92_00)
    booked = Counter(await first.booked_types())
    assert booked == {"DB": 1, "CB": 1, "RB": 2, "CR": 1, "RF": 2}
    for operation in (op for it in both for op in it.operations()):
        seen = await engine.sandbox.requests(operation.merchant_transaction_id)
        assert operation.state not in _OPEN
        assert [it["method"] for it in seen].count("POST") == operation.attempts <= 1
