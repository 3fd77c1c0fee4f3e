"""Without Temporal, or without a worker: reads go on, and a command's outcome is not known."""

import os
from pathlib import Path

from starter.processes import claim_port
from starter.temporal_server import start_temporal
from tests.support.api import run_api
from tests.support.engine import Engine, run_engine
from tests.support.sandbox import Sandbox
from tests.workflows.payment_hands import PreAuth, fresh_id

NOTE = {"text": "called"}


async def test_reads_go_on_while_temporal_is_away(engine: Engine, tmp_path: Path) -> None:
    notice = await engine.notice()
    await engine.settled(await engine.open(notice), 1)
    path = f"/v1/disputes/{notice['dispute_id']}"
    nobody = f"127.0.0.1:{claim_port(0, 'nobody')}"
    async with run_api(engine.env | {"TEMPORAL_ADDRESS": nobody}, tmp_path) as api:
        root = await api.as_("root")
        assert (await root.get("/readyz")).json() == {"database": "ok", "temporal": "away"}
        reads = ("/v1/disputes", path, f"{path}/timeline", f"/v1/payments/{notice['payment_id']}")
        own = ("/v1/preauthorizations", "/v1/refunds", "/v1/payouts", "/v1/rebills", "/v1/notices")
        for read in (*reads, *own, "/v1/operations", "/v1/approvals", "/v1/ledger/entries"):
            assert (await root.get(read)).status_code == 200
        ruling = {"ruling_id": "R", "outcome": "merchant_won", "decided_at": notice["received_at"]}
        asked = [
            await root.post(f"{path}/notes", json=NOTE),
            await root.post(f"{path}/rulings", json=ruling),
            await root.post("/v1/disputes", json=notice | {"dispute_id": engine.new_id()}),
            await root.get(f"{path}?live=true"),
            await root.get("/v1/reconciliations/2026-01-01"),
            await root.post("/v1/preauthorizations", json=PreAuth.request(fresh_id())),
        ]
        for answer in asked:
            assert (answer.status_code, answer.json()["type"]) == (503, "Unreachable")
            assert int(answer.headers["retry-after"]) > 0


async def test_the_server_goes_and_comes_back_under_a_running_api(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    log, database = tmp_path / "temporal.log", tmp_path / "temporal.sqlite3"
    server = await start_temporal(os.environ, log=log, database=database)
    port = int(server.env["TEMPORAL_ADDRESS"].rpartition(":")[2])
    async with (
        run_engine(server, sandbox, url, "away") as engine,
        run_api(engine.env, tmp_path, patience_s=1) as api,
    ):
        notice = await engine.notice()
        await engine.settled(await engine.open(notice), 1)
        path, ann = f"/v1/disputes/{notice['dispute_id']}", await api.as_("ann")
        once = {"Idempotency-Key": "while it was away"}
        assert (await ann.post(f"{path}/notes", json=NOTE)).status_code == 200
        await server.child.stop()
        away = await ann.post(f"{path}/notes", json={"text": "away"}, headers=once)
        assert (away.status_code, away.json()["type"]) == (503, "Unreachable")
        assert (await ann.get(path)).status_code == 200
        server = await start_temporal(os.environ, log=log, port=port, database=database)
        answer = away
        while answer.status_code == 503:
            answer = await ann.post(f"{path}/notes", json={"text": "away"}, headers=once)
        assert answer.status_code == 200
        told = (await ann.get(f"{path}/timeline?live=true")).json()["items"]
        noted = [it["data"]["note"]["text"] for it in told if it["what"] == "note_added"]
        assert noted == ["called", "away"]
    await server.child.stop()


async def test_a_command_that_no_worker_answers_is_not_known(
    engine: Engine, tmp_path: Path
) -> None:
    notice = await engine.notice()
    idle = engine.env | {"DISPUTES_TASK_QUEUE": "nobody-works-here"}
    async with run_api(idle, tmp_path, patience_s=0.5) as api:
        door, root = await api.as_("door"), await api.as_("root")
        assert (await door.post("/v1/disputes", json=notice)).status_code == 201
        path = f"/v1/disputes/{notice['dispute_id']}"
        answer = await root.post(f"{path}/notes", json=NOTE)
        assert (answer.status_code, answer.json()["type"]) == (503, "Unreachable")
        assert "may still be carried out" in answer.json()["detail"]
        watched = PreAuth.request(fresh_id())
        for answer in (
            await root.post("/v1/preauthorizations", json=watched),
            await root.get(f"/v1/preauthorizations/{watched['payment_id']}"),
        ):
            assert (answer.status_code, answer.json()["type"]) == (503, "Unreachable")
