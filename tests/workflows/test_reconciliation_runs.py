"""How a comparison with the gateway runs: by page, by night, and on after an interruption."""

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta

from disputes.decode import sha256
from disputes.reconciliation import FIRST, LAST, ReconciliationReport, ReconciliationWindow
from disputes.vocabulary import PaymentType
from tests.store.scene import Scene, entry
from tests.support.engine import Engine
from tests.support.reconciliation import reconcile, start, window
from tests.workflows.conftest import Workers
from tests.workflows.hands import Dispute, refused
from workflows.reconciliation import PAGE
from workflows.schedule import SCHEDULE_ID, prepare_schedule


async def test_a_gateway_without_an_answer_is_told(quick: Engine) -> None:
    dispute = await Dispute.booked(quick)
    match = {"query": True, "payment_id": dispute.payment}
    await quick.sandbox.arm("http_500", match=match, times=3)
    report = await reconcile(quick, dispute.payment)
    command = f"disputes reconcile --payment {dispute.payment}"
    assert [(it.type, it.what_to_do) for it in report.differences] == [("not_compared", command)]


async def test_a_throttled_question_is_asked_again(quick: Engine) -> None:
    dispute = await Dispute.booked(quick)
    match = {"query": True, "payment_id": dispute.payment}
    await quick.sandbox.arm("throttle", match=match, times=2)
    report = await reconcile(quick, dispute.payment)
    assert (report.compared, report.entries, report.flagged) == (1, 2, 0)


async def test_a_window_that_cannot_be_read_is_refused(quick: Engine) -> None:
    wrong = {"from": LAST.isoformat(), "to": FIRST.isoformat()}
    for number, content in enumerate((wrong, {"from": "soon"}, [1], "x")):
        handle = await start(quick, f"wrong-{number}", content)
        kind, details = await refused(handle.result())
        assert kind == "InvalidMessage"
        assert details["fields"]


async def test_an_id_stands_for_onewindow(quick: Engine) -> None:
    dispute = await Dispute.booked(quick)
    one = window(payment_id=dispute.payment)
    assert (await (await start(quick, "one", one)).result()).compared == 1
    assert (await (await start(quick, "one", one)).result()).compared == 1
    other = await start(quick, "one", one | {"adopt": False})
    assert await refused(other.result()) == ("Conflict", {"fields": ["adopt"]})


async def _payments(engine: Engine, number: int) -> list[str]:
    """Payments of 92.00 with a dispute in the books, all of them known to the gateway."""
    scene = Scene(engine.store)
    ids = [sha256(f"{engine.name} {index}")[:32] for index in range(number)]
    for index, payment_id in enumerate(ids):
        await engine.sandbox.payment(payment_id, "92.00", "EUR")
        shown = entry(PaymentType.DB, 92_00, gateway_id=payment_id)
        scene.dispute(f"{engine.name}-{index}", [shown], 92_00)
    return sorted(ids)


async def test_many_payments_are_compared_page_by_page(alone: Engine) -> None:
    """Each page is a run of its own, and the report is of all of them."""
    ids = await _payments(alone, PAGE + 3)
    handle = await start(alone, "all", window())
    report = await handle.result()
    assert (report.compared, report.entries, report.flagged) == (PAGE + 3, PAGE + 3, 0)
    assert report.next_after is None
    first = await (await start(alone, "first", window(limit=2))).result()
    assert (first.compared, first.next_after) == (2, ids[1])
    rest = await (await start(alone, "rest", window(after=ids[1]))).result()
    assert rest.compared == PAGE + 1


async def test_a_schedule_compares_the_day_before(alone: Engine) -> None:
    """The night's run asks for yesterday, and for what is open whatever its age."""
    await _payments(alone, 1)
    await prepare_schedule(alone.client, alone.settings.task_queue)
    await prepare_schedule(alone.client, alone.settings.task_queue)
    schedule = alone.client.get_schedule_handle(SCHEDULE_ID)
    try:
        await schedule.trigger()

        async def started() -> list[str]:
            described = await schedule.describe()
            actions = [it.action for it in described.info.recent_actions]
            return [it.workflow_id for it in actions if hasattr(it, "workflow_id")]

        async with asyncio.timeout(60):
            while not (ids := await started()):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
        handle = alone.client.get_workflow_handle(ids[0], result_type=ReconciliationReport)
        report = await handle.result()
    finally:
        await schedule.delete()
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    yesterday = ReconciliationWindow(since=today - timedelta(days=1), until=today)
    assert report.window == yesterday
    assert (report.compared, report.flagged) == (1, 0)
    assert ids[0].startswith("reconciliation-")


async def test_what_was_interrupted_goes_on_where_it_was(workers: Workers) -> None:
    """The worker dies in the middle of the second payment; the next one finishes the report."""
    engine = workers.engine
    victim = await workers.stack.start_worker()
    first, second = sorted(await _payments(engine, 2))
    hang = {"query": True, "payment_id": second}
    await engine.sandbox.arm("hang", match=hang, delay_s=3)
    handle = await start(engine, "interrupted", window())

    async def asked(payment_id: str) -> int:
        path = f"/v1/query/{payment_id}"
        return sum(str(it["path"]).endswith(path) for it in await engine.sandbox.requests())

    async with asyncio.timeout(60):
        while not await asked(second):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    os.killpg(victim.pid, signal.SIGKILL)
    await victim.process.wait()
    await workers.stack.start_worker()
    report = await handle.result()
    assert (report.compared, report.entries, report.flagged) == (2, 2, 0)
    assert (await asked(first), await asked(second)) == (1, 2)
