"""The desk on a running engine: the same answer whether a case runs, is closed or forgotten."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from disputes.decode import canonical_of
from disputes.errors import Conflict, IllegalTransition, InvalidMessage, NotFound, Unreachable
from disputes.messages import AddNote, BankRuling, SubmitRepresentment
from disputes.notice import DisputeNotice
from disputes.store.register import SqlRegister
from starter.client import DisputeDesk
from starter.temporal_server import start_temporal
from tests.support.desk import Json, desk_of
from tests.support.engine import Engine, run_engine
from workflows import search_attributes
from workflows.ids import dispute_workflow_id


def _notice(data: Json) -> DisputeNotice:
    return DisputeNotice.model_validate(data)


def _won(case_id: str) -> BankRuling:
    ruling = {"ruling_id": f"{case_id}.r", "outcome": "merchant_won", "final": True}
    return BankRuling.model_validate(ruling | {"decided_at": datetime.now(UTC).isoformat()})


async def _closed(engine: Engine, notice: Json) -> WorkflowHandle[Any, Any]:
    """A case that was won for good and is over."""
    case_id = notice["dispute_id"]
    desk = desk_of(engine)
    await desk.open(_notice(notice))
    case = engine.handle(case_id)
    await engine.settled(case, 1)
    await desk.fact(case_id, "bank_ruling", _won(case_id))
    await case.result()
    return case


@pytest_asyncio.fixture(scope="module")
async def forgetful(
    engine_process: Engine, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Engine]:
    """The same database under a Temporal server that has never heard of any case."""
    folder = tmp_path_factory.mktemp("forgetful")
    server = await start_temporal(os.environ, log=folder / "temporal.log")
    queue, url = engine_process.settings.task_queue, engine_process.settings.database_url
    async with run_engine(server, engine_process.sandbox, url, queue) as engine:
        yield engine
    await server.child.stop()


async def _remembered(case: WorkflowHandle[Any, Any]) -> bool:
    try:
        await case.describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


async def test_opening_again_finds_the_case_and_other_content_is_a_conflict(
    engine: Engine, forgetful: Engine
) -> None:
    """While it runs, after it closed, and after Temporal has forgotten it."""
    data = await engine.notice()
    case_id = data["dispute_id"]
    other = _notice(data | {"reason_code": "13.3"})

    async def check(desk: DisputeDesk) -> None:
        assert (await desk.open(_notice(data))).known
        with pytest.raises(Conflict) as conflict:
            await desk.open(other)
        assert conflict.value.details == {"fields": ["reason_code"]}

    desk = desk_of(engine)
    assert not (await desk.open(_notice(data))).known
    await engine.settled(engine.handle(case_id), 1)
    await check(desk)
    case = await _closed(engine, data)
    await check(desk)
    assert (await case.describe()).close_time is not None
    await check(desk_of(forgetful))
    assert not await _remembered(forgetful.handle(case_id))


async def test_a_claim_whose_start_was_cut_short_is_made_good(engine: Engine) -> None:
    data = await engine.notice()
    workflow_id = dispute_workflow_id(data["dispute_id"])
    SqlRegister(engine.store).claim(workflow_id, canonical_of(_notice(data)))
    await desk_of(engine).open(_notice(data))
    await engine.settled(engine.handle(data["dispute_id"]), 1)


async def test_a_case_is_searchable_from_its_start(engine: Engine) -> None:
    data = await engine.notice()
    await desk_of(engine).open(_notice(data))
    described = await engine.handle(data["dispute_id"]).describe()
    found = described.typed_search_attributes
    assert found.get(search_attributes.MERCHANT_ID) == "M-1"
    assert found.get(search_attributes.CURRENCY) == "EUR"
    assert found.get(search_attributes.AMOUNT_MINOR) == 9200
    assert found.get(search_attributes.RESPOND_BY) == datetime.fromisoformat(data["respond_by"])


async def test_a_refusal_keeps_its_type_message_and_details(engine: Engine) -> None:
    data = await engine.notice()
    case_id = data["dispute_id"]
    desk = desk_of(engine)
    await desk.open(_notice(data))
    await desk.fact(case_id, "bank_ruling", _won(case_id))
    await engine.until(engine.handle(case_id), lambda it: it.status == "won")
    with pytest.raises(IllegalTransition) as refused:
        await desk.command(case_id, "submit_representment", SubmitRepresentment(submitted_by="ann"))
    assert refused.value.details["status"] == "won"
    assert "add_note" in str(refused.value.details["allowed"])
    assert "won" in refused.value.message


async def test_a_command_with_the_same_key_is_carried_out_once(engine: Engine) -> None:
    data = await engine.notice()
    case_id = data["dispute_id"]
    desk = desk_of(engine)
    await desk.open(_notice(data))
    note = AddNote(author="ann", text="called the shopper")
    answers = [await desk.command(case_id, "add_note", note, "K-1") for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    told = [entry.what for entry in await desk.timeline(case_id)]
    assert told.count("note_added") == 1


async def test_a_closed_case_takes_commands_again_and_a_forgotten_one_too(
    engine: Engine, forgetful: Engine
) -> None:
    data = await engine.notice()
    case_id = data["dispute_id"]
    await _closed(engine, data)
    before = await desk_of(engine).status(case_id)
    assert (before.status, before.finality) == ("won", "final")
    for door, text in ((engine, "first"), (forgetful, "second")):
        desk = desk_of(door)
        await desk.command(case_id, "add_note", AddNote(author="ann", text=text))
        await door.handle(case_id).result()
    entries = await desk_of(forgetful).timeline(case_id)
    notes = [entry.data["note"] for entry in entries if entry.what == "note_added"]
    assert [note["text"] for note in notes if isinstance(note, dict)] == ["first", "second"]
    after = await desk_of(forgetful).status(case_id)
    assert after.model_copy(update={"sequence": before.sequence}) == before


async def test_an_unknown_case_is_not_found_and_nothing_starts(engine: Engine) -> None:
    case_id = engine.new_id()
    desk = desk_of(engine)
    with pytest.raises(NotFound):
        await desk.command(case_id, "add_note", AddNote(author="ann", text="hello"))
    with pytest.raises(NotFound):
        await desk.status(case_id)
    with pytest.raises(NotFound):
        await desk.timeline(case_id)
    assert not await _remembered(engine.handle(case_id))


async def test_an_id_that_is_none_is_refused_before_anything_is_sent(engine: Engine) -> None:
    desk = desk_of(engine)
    for case_id in ("", "D 1", "../D-1", "x" * 65, "D-1\n"):
        with pytest.raises(InvalidMessage) as refused:
            await desk.fact(case_id, "bank_ruling", _won("D-1"))
        assert "dispute_id" in refused.value.fields


async def test_what_if_answers_for_open_and_closed_cases_and_changes_nothing(
    engine: Engine, forgetful: Engine
) -> None:
    data = await engine.notice()
    case_id = data["dispute_id"]
    desk = desk_of(engine)
    await desk.open(_notice(data))
    case = engine.handle(case_id)
    before = await engine.settled(case, 1)
    won = await desk.consequences(case_id, _won(case_id), datetime.now(UTC))
    assert won.status == "won"
    assert [(call.payment_type, call.amount.amount) for call in won.calls] == [("CR", "92.00")]
    silence = await desk.consequences(case_id, None, datetime.now(UTC))
    assert silence.status == "expired"
    assert await desk.status(case_id) == before
    await _closed(engine, data)
    final = await desk_of(forgetful).consequences(case_id, None, datetime.now(UTC))
    assert (final.status, final.calls) == ("won", ())


async def test_without_a_worker_a_command_ends_as_unreachable(engine: Engine) -> None:
    data = await engine.notice()
    desk = desk_of(engine, task_queue="nobody-polls", patience_s=0.5)
    await desk.open(_notice(data))
    with pytest.raises(Unreachable, match="worker"):
        await desk.command(data["dispute_id"], "add_note", AddNote(author="ann", text="hello"))
    with pytest.raises(Unreachable):
        await desk.status(data["dispute_id"])
    await engine.handle(data["dispute_id"]).terminate()
