"""A closed case that Temporal has forgotten: a feed finds it as it was, and can tell it more."""

import asyncio
import json
from pathlib import Path

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode

from disputes.events import CaseEvent
from disputes.store.reads import Reads
from tests.support.command import disputes
from tests.support.desk import opened, ruling
from tests.support.engine import Engine, Json
from tests.workflows.hands import Dispute


async def _remembered(dispute: Dispute) -> str | None:
    """The run that Temporal knows of a case."""
    try:
        return (await dispute.case.describe()).run_id
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None


async def _forget(dispute: Dispute) -> None:
    """Delete the case's run, as a namespace's retention does, and wait until it is gone."""
    client, run_id = dispute.engine.client, await _remembered(dispute)
    assert run_id is not None
    execution = WorkflowExecution(workflow_id=dispute.case.id, run_id=run_id)
    await client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
    )
    async with asyncio.timeout(60):
        while await _remembered(dispute):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


def _feed(file: Path, *lines: str) -> Path:
    file.write_text("\n".join(lines))
    return file


async def _taken(engine: Engine, feed: Path) -> tuple[int, int, int, int]:
    """What ``disputes intake`` makes of a feed: exit code, accepted, duplicates, rejected."""
    done = await disputes("intake", str(feed), "--json", env=engine.env)
    report: Json = json.loads(done.out)
    return done.code, report["accepted"], report["duplicates"], report["rejected"]


def _events(dispute: Dispute) -> tuple[CaseEvent, ...]:
    """What the register has of the case."""
    return tuple(Reads(dispute.engine.store).events(dispute.id))


async def _lost(engine: Engine, feed: Path) -> Dispute:
    """Opened and ruled by a feed, closed, and forgotten by Temporal."""
    dispute = Dispute(engine, await engine.notice())
    _feed(feed, opened(dispute.notice), ruling(dispute.id, "cardholder_won"))
    assert await _taken(engine, feed) == (0, 2, 0, 0)
    await dispute.until(status="lost", booked_out="92.00")
    await dispute.ends()
    await _forget(dispute)
    return dispute


async def test_a_feed_does_not_begin_it_anew(engine: Engine, tmp_path: Path) -> None:
    """Nor does its notice under another event id; other content under its ids is a conflict."""
    feed, other = tmp_path / "feed.jsonl", tmp_path / "other.jsonl"
    dispute = await _lost(engine, feed)
    book, events = await dispute.book(), _events(dispute)
    assert await _taken(engine, feed) == (0, 0, 2, 0)
    assert await _remembered(dispute) is None

    again, changed = f"{dispute.id}.again", dispute.notice | {"reason_code": "13.3"}
    _feed(other, opened(dispute.notice, again), opened(changed), opened(changed, f"{again}.2"))
    assert await _taken(engine, other) == (3, 0, 1, 2)
    rejected = other.with_name("other.jsonl.rejected.jsonl").read_text().splitlines()
    assert [json.loads(entry)["reasons"] for entry in rejected] == [
        {"event_id": "is known already with other content"},
        {"data.reason_code": "differs from what is known under this dispute_id"},
    ]
    assert await _remembered(dispute) is None
    assert (await dispute.book(), _events(dispute)) == (book, events)


async def test_a_ruling_reaches_it_with_its_whole_past(engine: Engine, tmp_path: Path) -> None:
    dispute = await _lost(engine, tmp_path / "feed.jsonl")
    past = _events(dispute)
    won = ruling(dispute.id, "merchant_won", f"{dispute.id}.won")
    assert await _taken(engine, _feed(tmp_path / "ruling.jsonl", won)) == (0, 1, 0, 0)
    await dispute.until(status="won", booked_out="0.00")
    assert _events(dispute)[: len(past)] == past
    await dispute.money_is(acquirer=92_00)
    assert await dispute.booked_types() == ["DB", "CB", "CR"]
