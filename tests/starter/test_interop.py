"""Any Temporal client can work a case: here the ``temporal`` program alone, with plain JSON."""

import asyncio
import json
import os
from datetime import UTC, datetime
from typing import Any

import pytest

from starter.temporal_server import find_temporal_cli
from tests.support.command import Done, run_program
from tests.support.engine import Engine, Json


class Temporal:
    """The program, pointed at the engine's server."""

    def __init__(self, engine: Engine) -> None:
        self._program = str(find_temporal_cli(os.environ))
        self._queue = engine.settings.task_queue
        kept = ("PATH", "HOME", "LANG")
        self._env = {name: os.environ[name] for name in kept if name in os.environ}
        self._address = engine.env["TEMPORAL_ADDRESS"]

    async def run(self, *arguments: str, case_id: str, payload: Json | None = None) -> Done:
        """One of its workflow commands on a case, with a payload as JSON."""
        given = ["--input", json.dumps(payload)] if payload is not None else []
        where = ["--address", self._address, "--workflow-id", f"dispute/{case_id}"]
        command = [self._program, "workflow", *arguments, *where, *given, "--output", "json"]
        return await run_program(*command, env=self._env)

    async def start(self, notice: Json) -> Done:
        """Start a case by its notice."""
        kind = ["--type", "DisputeWorkflow", "--task-queue", self._queue]
        return await self.run("start", *kind, case_id=notice["dispute_id"], payload=notice)

    async def signal(self, case_id: str, name: str, payload: Json) -> Done:
        """Tell a case a fact."""
        return await self.run("signal", "--name", name, case_id=case_id, payload=payload)

    async def signal_with_start(self, case_id: str, name: str, payload: Json) -> Done:
        """Tell a fact to a case that may not be there yet, with no input."""
        fact = ["--signal-name", name, "--signal-input", json.dumps(payload)]
        kind = ["--type", "DisputeWorkflow", "--task-queue", self._queue]
        return await self.run("signal-with-start", *fact, *kind, case_id=case_id)

    async def update(self, case_id: str, name: str, payload: Json) -> Done:
        """Give a command."""
        return await self.run("update", "execute", "--name", name, case_id=case_id, payload=payload)

    async def query(self, case_id: str, name: str, payload: Json | None = None) -> Any:  # noqa: ANN401 - JSON
        """Ask a case."""
        done = await self.run("query", "--type", name, case_id=case_id, payload=payload)
        assert done.code == 0, done.err
        return json.loads(done.out)["queryResult"][0]


@pytest.fixture
def temporal(engine: Engine) -> Temporal:
    return Temporal(engine)


def _ruling(ruling_id: str, outcome: str, **more: object) -> Json:
    moment = datetime.now(UTC).isoformat()
    return {"ruling_id": ruling_id, "outcome": outcome, "decided_at": moment, **more}


async def test_a_case_is_started_told_commanded_and_asked(
    engine: Engine, temporal: Temporal
) -> None:
    notice = await engine.notice()
    case_id = notice["dispute_id"]
    assert (await temporal.start(notice)).code == 0
    await engine.settled(engine.handle(case_id), 1)
    evidence = {
        "evidence_id": "EV-1",
        "evidence_type": "delivery_confirmation",
        "submitted_by": "ann",
        "text": "signed at the door",
    }
    added = await temporal.update(case_id, "add_evidence", evidence)
    assert added.code == 0, added.err
    assert json.loads(added.out)["result"]["satisfied"] is True
    sent = await temporal.update(case_id, "submit_representment", {"submitted_by": "ann"})
    assert json.loads(sent.out)["result"] == {"status": "under_review"}

    what_if = await temporal.query(case_id, "consequences", _ruling("R-1", "cardholder_won"))
    assert what_if["status"] == "lost"
    told = await temporal.signal(case_id, "bank_ruling", _ruling("R-1", "merchant_won", final=True))
    assert told.code == 0, told.err
    result = await engine.handle(case_id).result()
    assert (result["status"], result["finality"], result["reinstated"]) == (
        *("won", "final"),
        "92.00",
    )
    status = await temporal.query(case_id, "status")
    assert {"checklist", "operations", "approvals", "attention", "rulebook"} <= set(status)
    timeline = await temporal.query(case_id, "timeline")
    assert [entry["sequence"] for entry in timeline] == list(range(1, len(timeline) + 1))


async def test_a_refusal_carries_its_type_and_details(engine: Engine, temporal: Temporal) -> None:
    notice = await engine.notice()
    case_id = notice["dispute_id"]
    await temporal.start(notice)
    await engine.settled(engine.handle(case_id), 1)
    early = await temporal.update(case_id, "submit_representment", {"submitted_by": "ann"})
    assert early.code != 0
    assert "IncompleteEvidence" in early.err + early.out
    wrong = await temporal.update(case_id, "add_evidence", {"evidence_id": "no id"})
    assert wrong.code != 0
    assert "InvalidMessage" in wrong.err + wrong.out


async def test_a_fact_may_come_first_and_the_notice_by_the_update_open(
    engine: Engine, temporal: Temporal
) -> None:
    notice = await engine.notice()
    case_id = notice["dispute_id"]
    first = await temporal.signal_with_start(case_id, "bank_ruling", _ruling("R", "merchant_won"))
    assert first.code == 0, first.err
    assert (await temporal.query(case_id, "status"))["status"] == "awaiting_notice"
    opened = await temporal.update(case_id, "open", notice)
    assert opened.code == 0, opened.err
    assert json.loads(opened.out)["result"]["dispute_id"] == case_id
    await engine.until(engine.handle(case_id), lambda it: it.status == "won")
    other = await temporal.update(case_id, "open", notice | {"reason_code": "13.3"})
    assert other.code != 0
    assert "Conflict" in other.err + other.out


async def test_cases_are_found_by_their_search_attributes(
    engine: Engine, temporal: Temporal
) -> None:
    """The typed attributes of the contract, in Temporal's own list."""
    merchant = engine.new_id()
    notice = await engine.notice(merchant_id=merchant)
    await temporal.start(notice)
    await engine.settled(engine.handle(notice["dispute_id"]), 1)
    wanted = f'MerchantId = "{merchant}" AND CaseStatus = "collecting" AND AmountMinor = 9200'
    found: list[str] = []
    async with asyncio.timeout(60):
        while not found:  # the list follows the case with a delay
            found = [item.id async for item in engine.client.list_workflows(wanted)]
    assert found == [f"dispute/{notice['dispute_id']}"]
