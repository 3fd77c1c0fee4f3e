"""Many threads and processes on one payment: exactly one moves its money."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from disputes.errors import MoneyHeld
from disputes.ledger import Account
from disputes.operations import Plan
from disputes.store import Store, open_store
from disputes.store.database import make_engine
from disputes.store.migrations import migrate
from disputes.store.operations import SqlOperationBook
from disputes.vocabulary import OperationState, PaymentType
from tests.store.scene import START, Dispute, Scene, entry, new_id, notice

_MANY = 8


def _disputes(scene: Scene) -> list[Dispute]:
    """As many disputes of 10.00 on one payment as there are threads."""
    entries = [entry(PaymentType.DB, 9200)]
    return [scene.dispute(f"D-{number}", entries, 1000) for number in range(_MANY)]


def test_of_many_operations_on_one_payment_one_goes_out(scene: Scene) -> None:
    plans = [dispute.plan for dispute in _disputes(scene)]
    together = Barrier(_MANY)

    def intend(plan: Plan) -> bool:
        together.wait()
        try:
            scene.book.intend(plan, ())
        except MoneyHeld:
            return False
        return True

    with ThreadPoolExecutor(_MANY) as threads:
        assert sum(threads.map(intend, plans)) == 1


def test_of_many_processes_with_one_plan_one_sends(scene: Scene, store_url: str) -> None:
    """Each has a store of its own, as worker processes do."""
    plan = scene.dispute("D-1", [entry(PaymentType.DB, 9200)], 9200).plan
    scene.book.intend(plan, ())
    together = Barrier(_MANY)

    def send(_: int) -> bool:
        store = open_store(store_url)
        together.wait()
        try:
            SqlOperationBook(store).mark_sent(plan.key, attempts=0)
        except MoneyHeld:
            return False
        finally:
            store.close()
        return True

    with ThreadPoolExecutor(_MANY) as threads:
        assert sum(threads.map(send, range(_MANY))) == 1


def test_an_entry_that_many_settle_and_adopt_at_once_posts_once(scene: Scene) -> None:
    dispute = scene.dispute("D-1", [entry(PaymentType.DB, 9200)], 9200)
    plan = dispute.plan
    scene.book.intend(plan, ())
    scene.book.mark_sent(plan.key, attempts=0)
    shown = entry(PaymentType.CB, 9200, dispute.payment_id)
    together = Barrier(_MANY)

    def learn(number: int) -> None:
        together.wait()
        if number % 2:
            scene.book.adopt_entry("D-1", shown, START)
        else:
            settled = OperationState.SETTLED
            scene.book.settle(plan.key, settled, gateway_id=shown.gateway_id, at=START)

    with ThreadPoolExecutor(_MANY) as threads:
        list(threads.map(learn, range(_MANY)))
    assert scene.readings() == {"disputed": 92, "in_hand": -15}
    assert [row.key for row in scene.reads.operations(dispute_id="D-1")] == [plan.key]
    assert scene.ledger.verify() == []


def test_disputes_that_open_at_once_on_one_payment_adopt_it_once(scene: Scene) -> None:
    entries = [entry(PaymentType.PA, 9200)]
    entries.append(entry(PaymentType.CP, 9200, entries[0].gateway_id))
    entries.append(entry(PaymentType.RF, 2000, entries[1].gateway_id))
    cases = [Dispute(scene, f"D-{number}", entries) for number in range(_MANY)]
    together = Barrier(_MANY)

    def open_(dispute: Dispute) -> None:
        together.wait()
        dispute.open(1000)

    with ThreadPoolExecutor(_MANY) as threads:
        list(threads.map(open_, cases))
    assert scene.readings()["acquirer"] == 72
    assert scene.ledger.verify() == []


def test_captures_of_one_authorization_that_are_disputed_at_once_adopt_it_once(
    scene: Scene,
) -> None:
    entries = [entry(PaymentType.PA, 9200)]
    entries += [entry(PaymentType.CP, 1000, entries[0].gateway_id) for _ in range(_MANY)]
    captures = entries[1:]
    cases = [
        Dispute(scene, f"D-{number}", [*entries, capture])
        for number, capture in enumerate(captures)
    ]
    together = Barrier(_MANY)

    def open_(dispute: Dispute) -> None:
        together.wait()
        dispute.open(1000)

    with ThreadPoolExecutor(_MANY) as threads:
        list(threads.map(open_, cases))
    assert scene.ledger.positions(Account.ACQUIRER) == {(entries[0].gateway_id, "EUR"): 8000}
    assert scene.ledger.verify() == []


def test_an_id_that_many_claim_at_once_goes_to_one(scene: Scene) -> None:
    content = notice("D-1", new_id(), 9200).model_dump_json()
    together = Barrier(_MANY)

    def claim(_: int) -> bool:
        together.wait()
        return scene.register.claim("dispute/D-1", content)

    with ThreadPoolExecutor(_MANY) as threads:
        assert sum(threads.map(claim, range(_MANY))) == 1


def test_many_set_up_one_database_at_once(database_url: str) -> None:
    together = Barrier(3)

    def set_up(_: int) -> None:
        together.wait()
        migrate(database_url)

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(set_up, range(3)))
    open_store(database_url).close()


_KILLED = """
import os, sys
from disputes.store import open_store
from disputes.store.projection import lock_case
store = open_store(sys.argv[1])
with store.write() as session:
    lock_case(session, "D-1").sequence = 99
    session.flush()
    print("written", flush=True)
    os._exit(9)
"""


def test_a_process_that_dies_in_a_transaction_leaves_neither_change_nor_lock(
    scene: Scene, store_url: str
) -> None:
    dispute = scene.dispute("D-1", [entry(PaymentType.DB, 9200)], 9200)
    died = subprocess.run(
        [sys.executable, "-c", _KILLED, store_url], capture_output=True, text=True, check=False
    )
    assert (died.stdout, died.returncode) == ("written\n", 9), died.stderr
    dispute.send()
    assert list(scene.reads.events("D-1")) == dispute.events
    assert scene.ledger.verify() == []


def _write(store: Store) -> int:
    """Begin a write; gives how long its other statements would wait for a lock, ms."""
    with store.write() as session:
        return int(session.connection().exec_driver_sql("PRAGMA busy_timeout").scalar_one())


def test_who_waits_to_write_asks_until_it_is_free(sqlite_template: Path, tmp_path: Path) -> None:
    """Not once and for long: beside a process that writes back to back that asks too rarely."""
    url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'store.sqlite3')}"
    holder, engine, free = open_store(url), make_engine(url), Event()
    asked: list[str] = []

    def ask(_c: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)
        if asked.count("BEGIN IMMEDIATE") == 3:
            free.set()

    event.listen(engine, "before_cursor_execute", ask)
    waiter = Store(engine)
    with ThreadPoolExecutor(1) as threads:
        with holder.write() as held:
            held.connection()
            waiting = threads.submit(_write, waiter)
            assert free.wait(20)
        assert waiting.result() == 30_000
    waiter.close()
    holder.close()


def test_a_lock_that_is_never_released_ends_the_wait(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("disputes.store.database._WAIT_S", 0)
    url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'store.sqlite3')}"
    holder, waiter = open_store(url), open_store(url)
    with holder.write() as held:
        held.connection()
        with pytest.raises(OperationalError, match="database is locked"):
            _write(waiter)
    assert _write(waiter) == 0
    waiter.close()
    holder.close()
