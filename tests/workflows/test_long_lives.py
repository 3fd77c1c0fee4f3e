"""Lives longer than a history may be: the case goes on in a new run, and nobody sees it."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from starter.temporal_server import find_temporal_cli, start_temporal
from tests.support.engine import Engine, run_engine
from tests.support.sandbox import Sandbox
from tests.workflows.hands import Dispute

#: A server that finds histories long after so many events; ten thousand would be usual.
_LONG = 60
_SHORT_LIVED = """#!/bin/sh
exec {cli} "$@" --dynamic-config-value limit.historyCount.suggestContinueAsNew={events}
"""


@pytest.fixture
async def short_histories(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Engine]:
    """An engine on such a server."""
    program = tmp_path / "temporal"
    cli = find_temporal_cli({"PATH": os.environ["PATH"]})
    program.write_text(_SHORT_LIVED.format(cli=cli, events=_LONG))
    program.chmod(0o700)
    env = {"TEMPORAL_CLI": str(program)}
    server = await start_temporal(env, log=tmp_path / "temporal.log", time_skipping=True)
    try:
        url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
        async with run_engine(server, sandbox, url, "short") as engine:
            yield engine
    finally:
        await server.child.stop()


async def test_a_long_life_goes_on_in_a_new_run(short_histories: Engine) -> None:
    """Every event is still there, nothing is lost between the runs, and the case ends as ever."""
    dispute = await Dispute.booked(short_histories)
    first = (await dispute.case.describe()).run_id
    notes = [f"note {number}" for number in range(60)]
    for number, text in enumerate(notes):
        note = {"author": "ana", "text": text, "note_id": f"N-{number}"}
        await dispute.update("add_note", note)
        if number % 20 == 0:
            await dispute.rule("merchant_won" if number % 40 == 0 else "cardholder_won")
    await dispute.until(status="won", booked_out="0.00")
    assert (await dispute.case.describe()).run_id != first
    told = [it["data"]["note"]["text"] for it in await dispute.timeline() if "note" in it["data"]]
    assert told == notes
    await dispute.money_is(acquirer=92_00)
    assert (await dispute.ends())["status"] == "won"
    assert await dispute.booked_types() == ["DB", "CB", "CR", "CR", "CR"]
