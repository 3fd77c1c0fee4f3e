"""The books from the command line: the statement, the balances, and the gateway's side."""

import json

from sqlalchemy import text

from tests.support.command import Done, disputes
from tests.support.engine import Engine
from workflows.schedule import SCHEDULE_ID


async def _run(engine: Engine, *arguments: str) -> Done:
    return await disputes(*arguments, env=engine.env)


async def _booked(engine: Engine) -> tuple[str, str]:
    """A case with its chargeback booked: gives payment and chargeback."""
    notice = await engine.notice()
    await engine.open(notice)
    await engine.settled(engine.handle(notice["dispute_id"]), 1)
    payment_id = str(notice["payment_id"])
    return payment_id, str((await engine.sandbox.book(payment_id))[-1]["id"])


async def test_a_statement_opens_with_nothing_and_ends_with_the_positions(alone: Engine) -> None:
    payment_id, _ = await _booked(alone)
    shown = await _run(alone, "ledger", "show", payment_id)
    assert shown.code == 0
    lines = [line.split() for line in shown.out.splitlines() if line.strip()]
    assert lines[0] == f"Statement of payment {payment_id} in EUR".split()
    assert lines[3] == ["opening", "0.00", "0.00"]
    last = lines.index(["Accounts"]) - 1
    assert lines[last] == ["closing", "-15.00", "92.00"]
    told = " ".join(shown.out.split())
    assert told.index(" sale ") < told.index(" chargeback booked ")
    totals = {line[0]: line[1:] for line in lines[last:] if len(line) == 4}
    assert totals["acquirer"] == ["92.00", "92.00", "0.00"]
    assert totals["disputed"] == ["92.00", "0.00", "92.00"]
    listed = json.loads((await _run(alone, "ledger", "show", payment_id, "--json")).out)
    assert (listed[-1]["in_hand"], listed[-1]["at_risk"]) == ("-15.00", "92.00")


async def test_books_are_verified_against_the_gateway(alone: Engine) -> None:
    """Every difference is told with the command that resolves it, and that command does."""
    await _booked(alone)
    payment_id, chargeback = await _booked(alone)
    even = await _run(alone, "ledger", "verify", "--gateway")
    assert even.code == 0, even.err
    assert "compared 2 payments (4 entries of the gateway), adopted 0, flagged 0" in even.out
    assert "balanced" in even.out
    assert [line.split()[:3] for line in even.out.splitlines() if " disputed " in line] == [
        ["M-1", "EUR", "disputed"]
    ]

    await alone.sandbox.own_booking("CR", chargeback)
    found = await _run(alone, "ledger", "verify", "--gateway")
    assert found.code == 1
    assert "differ in 1 places" in found.err
    command = f"disputes reconcile --payment {payment_id}"
    assert f"    {command}" in found.out.splitlines()
    assert "theirs 92.00 EUR" in found.out

    done = await _run(alone, *command.split()[1:])
    assert done.code == 0, done.err
    assert "adopted 1, flagged 0" in done.out
    after = json.loads((await _run(alone, "ledger", "verify", "--gateway", "--json")).out)
    assert after["balanced"]
    assert (after["gateway"]["compared"], after["gateway"]["flagged"]) == (2, 0)
    acquirer = {"merchant_id": "M-1", "currency": "EUR", "account": "acquirer", "amount": "92.00"}
    assert acquirer in after["balances"]


_BY_HAND = text(
    "INSERT INTO ledger (merchant_id, currency, root_id, entry_id, source, line, moment, debit,"
    " credit, amount_minor, text) SELECT merchant_id, currency, root_id, entry_id, 'by hand', 0,"
    " moment, debit, credit, amount_minor, 'again' FROM ledger WHERE debit = 'acquirer'"
)


async def test_what_is_amiss_in_the_books_is_told_with_the_command_that_corrects_it(
    alone: Engine,
) -> None:
    """A posting that nothing explains; its correction is an entry too."""
    payment_id, _ = await _booked(alone)
    with alone.store.write() as session:
        session.connection().execute(_BY_HAND)
    found = await _run(alone, "ledger", "verify")
    assert (found.code, "do not add up in 1 places" in found.err) == (1, True)
    command = f"disputes reconcile --payment {payment_id}"
    assert f"    {command}" in found.out.splitlines()
    done = await _run(alone, *command.split()[1:])
    assert (done.code, "corrected 1, flagged 0" in done.out) == (0, True)
    assert (await _run(alone, "ledger", "verify")).code == 0
    shown = await _run(alone, "ledger", "show", payment_id)
    assert "correction" in shown.out


async def test_a_limited_verification_tells_how_to_go_on(alone: Engine) -> None:
    for _ in range(2):
        await _booked(alone)
    first = await _run(alone, "ledger", "verify", "--gateway", "--limit", "1")
    assert first.code == 0, first.err
    [command] = [line for line in first.out.splitlines() if line.startswith("more payments")]
    rest = await _run(alone, *command.split("disputes ")[1].split(), "--json")
    report = json.loads(rest.out)["gateway"]
    assert (report["compared"], report["next_after"]) == (1, None)


async def test_a_day_is_reconciled_and_can_be_again(alone: Engine) -> None:
    _, chargeback = await _booked(alone)
    await alone.sandbox.own_booking("CR", chargeback)
    day = ("reconcile", "--date", "2026-01-01", "--json")
    report = json.loads((await _run(alone, *day)).out)
    assert report["window"]["from"] == "2026-01-01T00:00:00Z"
    assert report["window"]["to"] == "2026-01-02T00:00:00Z"
    assert (report["compared"], report["adopted"], report["differences"]) == (1, 1, [])
    again = json.loads((await _run(alone, *day)).out)
    assert (again["compared"], again["adopted"]) == (1, 0)


async def test_differences_that_stay_end_with_one(alone: Engine) -> None:
    payment_id, _ = await _booked(alone)
    match = {"query": True, "payment_id": payment_id}
    await alone.sandbox.arm("empty_body", match=match, times=None)
    window = ("reconcile", "--from", "2026-01-01", "--to", "2026-01-02T12:00:00")
    done = await _run(alone, *window)
    assert done.code == 1
    assert "not_compared" in done.out
    assert "differ in 1 places" in done.err


async def test_what_cannot_be_compared_is_refused(alone: Engine) -> None:
    asked = {
        ("reconcile", "--date", "2026-01-01", "--payment", "a" * 32): 2,
        ("reconcile", "--from", "2026-01-01"): 2,
        ("reconcile", "--from", "2026-01-02", "--to", "2026-01-01"): 1,
        ("reconcile", "--payment", "x"): 1,
        ("reconcile", "--payment", "a" * 32): 1,
        ("ledger", "verify", "--limit", "3"): 2,
    }
    for arguments, code in asked.items():
        done = await _run(alone, *arguments)
        assert (done.code, bool(done.err)) == (code, True), (arguments, done)


async def test_setup_schedules_the_nightly_run_once(alone: Engine) -> None:
    """A schedule that an operator paused stays paused."""
    handle = alone.client.get_schedule_handle(SCHEDULE_ID)
    try:
        assert (await _run(alone, "setup")).code == 0
        await handle.pause()
        again = await _run(alone, "setup")
        assert again.code == 0, again.err
        schedule = (await handle.describe()).schedule
        assert schedule.state.paused
        assert [hour.start for hour in schedule.spec.calendars[0].hour] == [2]
    finally:
        await handle.delete()


async def test_without_a_worker_nobody_waits_for_a_report(alone: Engine) -> None:
    idle = alone.env | {"DISPUTES_TASK_QUEUE": f"{alone.name}-idle"}
    done = await disputes("reconcile", "--date", "2026-01-03", env=idle)
    assert done.code == 4
    assert done.err
