"""What a start may bring: a notice or nothing; anything else ends the run and frees the id."""

import json
from collections.abc import Sequence

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowHandle
from temporalio.common import RawValue, WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from disputes.store.register import SqlRegister
from tests.support.engine import Engine, Json
from tests.workflows.hands import Dispute, refused
from workflows.ids import DISPUTE_WORKFLOW

CARD = "4200000000000000"


async def _start(
    engine: Engine, workflow_id: str, *payloads: object
) -> WorkflowHandle[object, Json]:
    return await engine.client.start_workflow(
        DISPUTE_WORKFLOW,
        args=payloads,
        id=workflow_id,
        task_queue=engine.settings.task_queue,
    )


def _raw(data: bytes, encoding: bytes) -> RawValue:
    return RawValue(Payload(metadata={"encoding": encoding}, data=data))


JUNK: dict[str, Sequence[object]] = {
    "text": ("D-1",),
    "list": ([],),
    "empty object": ({},),
    "bytes": (b"\x00\xff",),
    "garbage": (_raw(b"\xff\xfe", b"json/plain"),),
    "other encoding": (_raw(b"{}", b"binary/encrypted"),),
    "two": ({}, {}),
    "two nulls": (None, None),
    "many": tuple(range(50)),
}


@pytest.mark.parametrize("form", JUNK)
async def test_junk_fails_the_run_and_leaves_the_id_free(engine: Engine, form: str) -> None:
    dispute = Dispute(engine, await engine.notice())
    run = await _start(engine, dispute.case.id, *JUNK[form])
    kind, details = await refused(run.result())
    assert kind == "InvalidNotice"
    assert details["fields"]
    await engine.open(dispute.notice)
    await dispute.until(booked_out="92.00")


BAD_NOTICES: dict[str, tuple[Json, str]] = {
    "card number": ({"arn": CARD}, "arn"),
    "security code": ({"facts": {"description": "cvv 123"}}, "facts.description"),
    "currency": ({"amount": {"amount": "1.00", "currency": "ABC"}}, "amount"),
    "network": ({"network": "bank"}, "network"),
    "float": ({"amount": {"amount": 92.5, "currency": "EUR"}}, "amount.amount"),
    "decimals": ({"amount": {"amount": "92.5", "currency": "EUR"}}, "amount"),
    "negative": ({"amount": {"amount": "-92.00", "currency": "EUR"}}, "amount"),
    "zero": ({"amount": {"amount": "0.00", "currency": "EUR"}}, "amount"),
    "missing": ({"merchant_id": None}, "merchant_id"),
    "bad id": ({"merchant_id": "../M"}, "merchant_id"),
    "payment": ({"payment_id": "P-1"}, "payment_id"),
    "no zone": ({"received_at": "2026-11-20T10:00:00"}, "received_at"),
    "a future day": ({"received_at": "2199-01-01T00:00:00Z"}, "received_at"),
    "another case's": ({"dispute_id": "other"}, "dispute_id"),
}


@pytest.mark.parametrize("fault", BAD_NOTICES)
async def test_a_bad_notice_is_refused_by_field(engine: Engine, fault: str) -> None:
    changes, field = BAD_NOTICES[fault]
    notice = await engine.notice()
    dispute = Dispute(engine, notice)
    run = await _start(engine, dispute.case.id, notice | changes)
    kind, details = await refused(run.result())
    assert kind == "InvalidNotice"
    assert any(name.startswith(field) for name in details["fields"]), details
    assert CARD not in json.dumps(details)
    assert SqlRegister(engine.store).load(dispute.id).claimed is None


@pytest.mark.parametrize("nothing", [(), (None,)])
async def test_nothing_for_an_unknown_case_is_not_found(
    engine: Engine, nothing: Sequence[object]
) -> None:
    run = await _start(engine, f"dispute/{engine.new_id()}", *nothing)
    assert (await refused(run.result()))[0] == "NotFound"


@pytest.mark.parametrize("name", ["dispute/", "dispute/a b", "dispute/x\x00y", "case/1", "1"])
async def test_an_id_that_no_case_can_have_is_refused(engine: Engine, name: str) -> None:
    """Whoever starts under a wrong workflow id is told, and nothing hangs."""
    run = await _start(engine, name, await engine.notice())
    kind, details = await refused(run.result())
    assert (kind, list(details["fields"])) == ("InvalidNotice", ["dispute_id"])


async def test_a_command_for_a_case_that_nobody_knows_is_not_found(engine: Engine) -> None:
    dispute = Dispute(engine, await engine.notice())
    kind, _ = await refused(dispute.reopening_update("assign", {"assignee": "ana"}))
    assert kind == "NotFound"
    await engine.open(dispute.notice)
    await dispute.until(booked_out="92.00")


async def test_facts_that_come_with_a_bad_start_are_not_lost(engine: Engine) -> None:
    dispute = Dispute(engine, await engine.notice())
    ruling = {"ruling_id": "R-x", "outcome": "merchant_won"}
    await engine.client.start_workflow(
        DISPUTE_WORKFLOW,
        {"dispute_id": dispute.id},
        id=dispute.case.id,
        task_queue=engine.settings.task_queue,
        start_signal="bank_ruling",
        start_signal_args=[ruling | {"decided_at": (await dispute.now()).isoformat()}],
    )
    await dispute.until(status="awaiting_notice", attention=("message_not_taken",))
    await dispute.update("open", dispute.notice)
    await dispute.until(status="won")


async def test_the_same_start_while_the_case_runs_changes_nothing(engine: Engine) -> None:
    dispute = await Dispute.booked(engine)
    with pytest.raises(WorkflowAlreadyStartedError):
        await engine.open(dispute.notice)
    await engine.client.start_workflow(
        DISPUTE_WORKFLOW,
        dispute.notice,
        id=dispute.case.id,
        task_queue=engine.settings.task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    answer = await dispute.update("open", dispute.notice)
    assert answer == {"dispute_id": dispute.id, "status": "collecting"}
    await dispute.tell("dispute_opened", dispute.notice)
    await dispute.rule("merchant_won")
    assert (await dispute.until(status="won")).attention == ()
    assert [it["what"] for it in await dispute.timeline()].count("opened") == 1


async def test_other_content_while_the_case_runs_is_a_conflict(engine: Engine) -> None:
    """The update says which fields; the signal is kept with the reason."""
    dispute = await Dispute.booked(engine)
    changed = dispute.notice | {"reason_code": "13.3", "arn": "7412"}
    kind, details = await refused(dispute.update("open", changed))
    assert (kind, details["fields"]) == ("Conflict", ["arn", "reason_code"])
    await dispute.tell("dispute_opened", changed)
    status = await dispute.until(lambda status: "message_not_taken" in status.attention)
    assert status.reason_code == "13.1"


async def test_two_updates_that_open_one_case_at_once(engine: Engine) -> None:
    """One of two notices with the same id opens the case; the other is told what differs."""
    notice = await engine.notice()
    dispute, twin = Dispute(engine, notice), Dispute(engine, notice | {"reason_code": "13.3"})
    await dispute.tell("evidence_submitted", {})
    assert (await dispute.update("open", notice))["dispute_id"] == dispute.id
    kind, details = await refused(twin.update("open", twin.notice))
    assert (kind, details["fields"]) == ("Conflict", ["reason_code"])
