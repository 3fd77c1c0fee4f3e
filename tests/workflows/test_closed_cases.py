"""Closed cases: they reopen from the register, whatever Temporal still remembers."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from starter.temporal_server import start_temporal
from tests.support.engine import Engine, Json, run_engine
from tests.support.waiting import until
from tests.workflows.hands import Dispute, refused


async def _closed(engine: Engine, outcome: str = "cardholder_won") -> Dispute:
    """Ruled, final, its workflow ended."""
    dispute = await Dispute.booked(engine)
    await dispute.rule(outcome)
    assert (await dispute.ends())["finality"] == "final"
    return dispute


def _told(timeline: list[Json]) -> list[Json]:
    """Without the moments of acceptance.

    A run that is replayed for a query can read them some milliseconds later
    (docs/changing-workflows.md, Clocks).
    """
    return [{key: entry[key] for key in entry if key != "recorded_at"} for entry in timeline]


@pytest.fixture
async def forgetful(engine: Engine, tmp_path: Path) -> AsyncIterator[Engine]:
    """The engine after Temporal has forgotten every case: the same database, a new server."""
    env = {"PATH": os.environ["PATH"]}
    server = await start_temporal(env, log=tmp_path / "temporal.log", time_skipping=True)
    try:
        database = engine.settings.database_url
        async with run_engine(server, engine.sandbox, database, "forgetful") as later:
            yield later
    finally:
        await server.child.stop()


async def test_a_ruling_after_the_end_reopens_the_case(engine: Engine) -> None:
    """On the same workflow id, with its whole past, and the money follows."""
    dispute = await _closed(engine)
    before = _told(await dispute.timeline())
    await dispute.rule("merchant_won")
    won = await dispute.until(status="won", booked_out="0.00")
    assert won.finality == "provisional"
    assert _told(await dispute.timeline())[: len(before)] == before
    await dispute.money_is(acquirer=92_00)
    assert (await dispute.ends())["status"] == "won"
    assert await dispute.booked_types() == ["DB", "CB", "CR"]


async def test_a_ruling_that_a_closed_case_knows_changes_nothing(engine: Engine) -> None:
    dispute = await Dispute.booked(engine)
    ruling = await dispute.rule("merchant_won")
    first = await dispute.ends()
    await dispute.tell("bank_ruling", ruling)
    assert await dispute.result() == first
    assert await dispute.booked_types() == ["DB", "CB", "CR"]


async def test_a_rebill_after_the_end_reopens_the_case(engine: Engine) -> None:
    dispute = await _closed(engine)
    asked = {
        "requested_by": "ana",
        "reason": "the goods were kept",
        "consent": {"given_at": "2026-11-01T00:00:00Z", "evidence_id": "E-9"},
    }
    assert await dispute.reopening_update("request_rebill", asked) == {"status": "lost"}
    summary = await dispute.result()
    assert (summary["rebilled"], summary["finality"]) == ("92.00", "final")
    await dispute.money_is(acquirer=92_00, dispute_loss=92_00, recovered=92_00)


async def test_a_command_that_a_closed_case_refuses_leaves_it_closed(engine: Engine) -> None:
    dispute = await _closed(engine, "merchant_won")
    asked = {"submitted_by": "ana"}
    kind, details = await refused(dispute.reopening_update("submit_representment", asked))
    assert (kind, details["status"]) == ("IllegalTransition", "won")
    assert (await dispute.result())["finality"] == "final"


async def test_the_same_start_after_the_end_finds_the_case(engine: Engine) -> None:
    dispute = await _closed(engine)
    first = await dispute.result()
    run = await engine.open(dispute.notice)
    assert await run.result() == first


async def test_other_content_after_the_end_is_a_conflict(engine: Engine) -> None:
    dispute = await _closed(engine)
    run = await engine.open(dispute.notice | {"reason_code": "13.3", "merchant_id": "M-2"})
    kind, details = await refused(run.result())
    assert (kind, details["fields"]) == ("Conflict", ["merchant_id", "reason_code"])
    await dispute.rule("merchant_won")
    assert (await dispute.until(status="won")).merchant_id == "M-1"


async def test_a_forgotten_case_goes_on_from_the_register(
    engine: Engine, forgetful: Engine
) -> None:
    """By its notice it is the same case, by another's a conflict; a fact and a command reach it."""
    cases = [await _closed(engine) for _ in range(3)]
    noticed, told, asked = (Dispute(forgetful, case.notice) for case in cases)

    run = await forgetful.open(noticed.notice | {"arn": "7412"})
    kind, details = await refused(run.result())
    assert (kind, details["fields"]) == ("Conflict", ["arn"])
    run = await forgetful.open(noticed.notice)
    assert await run.result() == await cases[0].result()
    assert _told(await noticed.timeline()) == _told(await cases[0].timeline())

    await told.rule("merchant_won")
    await told.until(status="won", booked_out="0.00")
    await told.money_is(acquirer=92_00)

    note = {"author": "ana", "text": "the shopper called"}
    assert (await asked.reopening_update("add_note", note))["sequence"] > 1
    assert (await asked.result())["status"] == "lost"


async def test_a_case_that_was_ended_by_force_continues(engine: Engine) -> None:
    """Terminated while a call was on its way: the next run asks what became of it."""
    dispute = Dispute(engine, await engine.notice())
    match = {"payment_type": "CB", "payment_id": dispute.payment}
    await engine.sandbox.arm("hang", match=match, delay_s=1.0)
    await engine.open(dispute.notice)
    await until(dispute.is_sent)
    await dispute.case.terminate("by a test")
    await dispute.rule("merchant_won")
    await dispute.until(status="won")
    await until(lambda: len(dispute.operations()) > 1)
    await dispute.until(booked_out="0.00")
    assert await dispute.booked_types() == ["DB", "CB", "CR"]
    await dispute.money_is(acquirer=92_00)
