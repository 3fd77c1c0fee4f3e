"""A case's life over HTTP, from the notice to its closing, and what the books show of it."""

import csv
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.api import Api, run_api
from tests.support.engine import Engine

Json = dict[str, Any]
#: Above the example policy's limit.
LARGE = {"amount": "9200.00", "currency": "EUR"}


@pytest_asyncio.fixture(scope="module")
async def api(
    engine_process: Engine, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Api]:
    """An API on the engine."""
    async with run_api(engine_process.env, tmp_path_factory.mktemp("api")) as api:
        yield api


async def _opened(api: Api, engine: Engine, **changes: object) -> tuple[str, Json]:
    """A case opened over HTTP whose chargeback is booked; its path and its notice."""
    notice = await engine.notice(**changes)
    answer = await (await api.as_("door")).post("/v1/disputes", json=notice)
    assert answer.status_code == 201
    await engine.settled(engine.handle(notice["dispute_id"]), 1)
    return f"/v1/disputes/{notice['dispute_id']}", notice


async def _add(client: httpx.AsyncClient, path: str, kind: str) -> httpx.Response:
    content = {"evidence_id": f"EV-{kind}", "evidence_type": kind, "text": "as agreed"}
    return await client.post(f"{path}/evidence", json=content)


async def test_a_case_is_opened_once_and_shown_at_once(api: Api, engine: Engine) -> None:
    notice = await engine.notice()
    door, viewer = await api.as_("door"), await api.as_("eve")
    first = await door.post("/v1/disputes", json=notice)
    assert (first.status_code, first.json()) == (
        201,
        {"dispute_id": notice["dispute_id"], "known": False},
    )
    # Even before the worker has written anything.
    shown = await viewer.get(f"/v1/disputes/{notice['dispute_id']}")
    assert shown.json()["merchant_id"] == "M-1"
    again = await door.post("/v1/disputes", json=notice)
    assert (again.status_code, again.json()["known"]) == (200, True)
    other = await door.post("/v1/disputes", json=notice | {"reason_code": "13.3"})
    assert (other.status_code, other.json()["type"]) == (409, "Conflict")
    assert other.json()["fields"] == ["reason_code"]
    late = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    wrong = await door.post("/v1/disputes", json=notice | {"received_at": late})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "InvalidNotice")
    assert list(wrong.json()["fields"]) == ["received_at"]


async def test_stored_and_live_say_the_same(api: Api, engine: Engine) -> None:
    path, _ = await _opened(api, engine)
    viewer = await api.as_("eve")
    live, stored = [
        (await viewer.get(path + how)).json() | {"sequence": 0} for how in ("?live=true", "")
    ]
    assert stored == live
    # What the gateway answered is recorded with the case's next step.
    recorded, told = [
        (await viewer.get(f"{path}/timeline{how}")).json()["items"] for how in ("", "?live=true")
    ]
    assert recorded[0]["what"] == "opened"
    assert recorded == told[: len(recorded)]


async def test_a_dispute_is_answered_and_won(api: Api, engine: Engine) -> None:
    path, notice = await _opened(api, engine)
    ann, bank = await api.as_("ann"), await api.as_("bank")
    missing = await ann.post(f"{path}/representment", json={})
    assert (missing.status_code, missing.json()["type"]) == (409, "IncompleteEvidence")
    for kind in missing.json()["missing"]:
        checklist = await _add(ann, path, kind)
    assert checklist.json()["satisfied"]
    form = {"evidence_type": "invoice", "description": "the invoice"}
    file = {"file": ("invoice.txt", "Invoice 7 über 92,00 €".encode(), "text/plain")}
    assert (await ann.post(f"{path}/evidence", data=form, files=file)).status_code == 200
    sent = await ann.post(f"{path}/representment", json={"narrative": "delivered"})
    assert sent.json() == {"status": "under_review"}
    assigned = await ann.post(f"{path}/assignment", json={"assignee": "bob"})
    assert assigned.json()["sequence"] > 0
    ruling = {"ruling_id": "R-1", "outcome": "merchant_won", "final": True}
    foreseen = await ann.post(
        f"{path}/consequences", json={"ruling": ruling | {"decided_at": notice["received_at"]}}
    )
    told = ruling | {"decided_at": datetime.now(UTC).isoformat()}
    assert (await bank.post(f"{path}/rulings", json=told)).status_code == 202
    await engine.handle(notice["dispute_id"]).result()
    shown = (await ann.get(path)).json()
    assert (shown["status"], shown["finality"], shown["assignee"]) == ("won", "final", "bob")
    assert foreseen.json()["status"] == "won"
    entries = (await ann.get(f"{path}/timeline")).json()["items"]
    assert {entry["actor"] for entry in entries if entry["what"] == "submitted"} == {"ann"}
    late = await ann.post(f"{path}/representment", json={})
    assert (late.status_code, late.json()["type"]) == (409, "IllegalTransition")
    assert late.json()["case_status"] == "won"
    assert "add_note" in late.json()["allowed"]


async def test_evidence_is_withdrawn_and_files_that_are_no_text_are_refused(
    api: Api, engine: Engine
) -> None:
    path, _ = await _opened(api, engine)
    ann = await api.as_("ann")
    await _add(ann, path, "invoice")
    done = await ann.request("DELETE", f"{path}/evidence/EV-invoice", json={"reason": "wrong one"})
    assert done.status_code == 200
    again = await ann.request("DELETE", f"{path}/evidence/EV-invoice", json={"reason": "again"})
    assert (again.status_code, again.json()["type"]) == (404, "NotFound")
    for content in (b"\x89PNG\r\n\xff", b"a\0b", b"a" * 20_001):
        file = {"file": ("scan.png", content, "image/png")}
        refused = await ann.post(f"{path}/evidence", data={"evidence_type": "invoice"}, files=file)
        assert (refused.status_code, list(refused.json()["fields"])) == (422, ["file"])
    blob = {"evidence_type": "invoice", "blob": "sha256:" + "a" * 64}
    assert list((await ann.post(f"{path}/evidence", json=blob)).json()["fields"]) == ["blob"]
    bad = {"content-type": "multipart/form-data; boundary=x"}
    broken = await ann.post(f"{path}/evidence", content=b"no form", headers=bad)
    assert broken.status_code in (400, 422)


async def test_four_eyes_are_two_keys(api: Api, engine: Engine) -> None:
    """Whatever names are given: the key signs."""
    path, notice = await _opened(api, engine, amount=LARGE)
    bob, ann, root = await api.as_("bob"), await api.as_("ann"), await api.as_("root")
    asked = (await bob.post(f"{path}/acceptance", json={"accepted_by": "ann"})).json()
    request = asked["request_id"]
    waiting = (await ann.get("/v1/approvals")).json()["items"]
    (mine,) = (item for item in waiting if item["request_id"] == request)
    assert (mine["dispute_id"], mine["requested_by"]) == (notice["dispute_id"], "bob")
    assert (mine["amount"], mine["currency"]) == ("9200.00", "EUR")
    decision = {"decision": "approve"}
    for forged in ({}, {"decided_by": "carol"}):
        alone = await bob.post(f"{path}/approvals/{request}", json=decision | forged)
        assert (alone.status_code, alone.json()["type"]) == (403, "SecondPersonNeeded")
    named = decision | {"decided_by": "bob", "reason": "by telephone"}
    done = await root.post(f"{path}/approvals/{request}", json=named)
    assert done.json() == {"status": "accepted"}
    gone = await ann.post(f"{path}/acceptance", json={})
    assert (gone.status_code, gone.json()["type"]) == (409, "IllegalTransition")


async def test_an_inquiry_is_refunded_once(api: Api, engine: Engine) -> None:
    """By an analyst, signed by the key; the same request again is answered as the first."""
    notice = await engine.notice(stage="inquiry")
    assert (await (await api.as_("door")).post("/v1/disputes", json=notice)).status_code == 201
    path, case = f"/v1/disputes/{notice['dispute_id']}", engine.handle(notice["dispute_id"])
    ann, eve = await api.as_("ann"), await api.as_("eve")
    assert (await eve.post(f"{path}/refund", json={})).status_code == 403
    too_much = {"amount": {"amount": "92.01", "currency": "EUR"}}
    while (wrong := await ann.post(f"{path}/refund", json=too_much)).status_code == 409:
        assert "payment_history_unknown" in wrong.json()["detail"]
    assert (wrong.status_code, list(wrong.json()["fields"])) == (422, ["amount"])
    once = {"idempotency-key": "refund-once"}
    for replayed in (None, "true"):
        asked = await ann.post(f"{path}/refund", json={}, headers=once)
        assert (asked.status_code, asked.json()) == (200, {"status": "collecting"})
        assert asked.headers.get("idempotency-replayed") == replayed
    closed = await engine.until(case, lambda status: status.status == "deflected")
    assert [operation.amount for operation in closed.operations] == ["92.00"]
    entries = (await ann.get(f"{path}/timeline?live=true")).json()["items"]
    assert {it["actor"] for it in entries if it["what"] == "refund_requested"} == {"ann"}
    again = await ann.post(f"{path}/refund", json={})
    assert (again.status_code, again.json()["type"]) == (409, "IllegalTransition")


async def test_the_books_show_the_payment_and_every_posting(api: Api, engine: Engine) -> None:
    _, notice = await _opened(api, engine)
    viewer = await api.as_("eve")
    payment = (await viewer.get(f"/v1/payments/{notice['payment_id']}")).json()
    assert [it["payment_type"] for it in payment["entries"]] == ["DB", "CB"]
    (position,) = payment["positions"]
    assert (position["currency"], position["at_risk"]) == ("EUR", "92.00")
    window = {"from": "2020-01-01T00:00:00Z", "to": "2199-01-01T00:00:00Z"}
    lines = (await viewer.get("/v1/ledger/entries", params=window)).text.splitlines()
    entries = [json.loads(line) for line in lines]
    ids = {entry["id"] for entry in entries}
    assert len(ids) == len(entries)
    assert {entry["id"] for entry in payment["ledger"]} <= ids
    assert [entry["moment"] for entry in entries] == sorted(entry["moment"] for entry in entries)
    table = await viewer.get("/v1/ledger/entries", headers={"accept": "text/csv"})
    rows = list(csv.DictReader(table.text.splitlines()))
    assert [row["id"] for row in rows] == [str(entry["id"]) for entry in entries]
    cut = entries[len(entries) // 2]["moment"]
    before = (await viewer.get(f"/v1/ledger/entries?to={cut}&format=jsonl")).text.splitlines()
    after = (await viewer.get(f"/v1/ledger/entries?from={cut}")).text.splitlines()
    assert before + after == lines
    operations = (await viewer.get("/v1/operations?state=settled&limit=500")).json()["items"]
    keys = {item["key"] for item in operations if item["dispute_id"] == notice["dispute_id"]}
    assert f"dispute:{notice['dispute_id']}:book:1" in keys
    assert (await viewer.get(f"/v1/payments/{'0' * 32}")).status_code == 404
    assert (await viewer.get("/v1/reconciliations/2001-01-01")).status_code == 404


async def test_a_feed_is_taken_and_what_cannot_be_is_told_by_its_line(
    api: Api, engine: Engine
) -> None:
    door = await api.as_("door")
    notices = [await engine.notice() for _ in range(3)]
    envelopes = [
        {"event_id": f"{it['dispute_id']}.o", "type": "dispute.opened", "data": it}
        for it in notices
    ]
    lines = [json.dumps(it) for it in envelopes]
    lines.insert(1, "{broken")
    lines.insert(3, '"' + "a" * 9_000_000 + '"')
    feed = "\n".join([*lines, "", lines[0]]).encode()

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(feed), 65_000):
            yield feed[start : start + 65_000]

    answer = await door.post("/v1/disputes/feed", content=in_pieces())
    told = answer.json()
    counted = (told["accepted"], told["duplicates"], told["rejected"])
    assert (answer.status_code, counted) == (200, (3, 1, 2))
    assert [line["line_number"] for line in told["rejected_lines"]] == [2, 4]
    assert "longer than" in told["rejected_lines"][1]["reasons"]["line"]
    for notice in notices:
        await engine.settled(engine.handle(notice["dispute_id"]), 1)
    again = (await door.post("/v1/disputes/feed", content=feed)).json()
    assert (again["accepted"], again["duplicates"]) == (0, 4)
