"""Workers, a feed, a webhook and a comparison on one payment at the same instant.

Its money moves once because rows are locked, not by luck: without the locks it moves twice.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from threading import Barrier, Event, Lock

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SAWarning
from sqlalchemy.orm.exc import StaleDataError

from disputes.errors import Conflict, MoneyHeld, NotFound
from disputes.events import NoteAdded, Ruled
from disputes.messages import AddNote, BankRuling
from disputes.operations import GatewayEntry, OperationRecord, Plan
from disputes.store.database import make_engine
from disputes.store.engine import Store
from disputes.store.migrations import migrate
from disputes.vocabulary import OperationState, Outcome, PaymentType
from tests.store.scene import START, Dispute, Scene, entry

_ENDED = (OperationState.SETTLED, OperationState.REFUSED)
_numbers = count(1)
Hand = Callable[[], None]


@dataclass
class Gateway:
    """Books every call that reaches it, as the real one does, and remembers all of them."""

    calls: Counter[str] = field(default_factory=Counter)
    booked: list[GatewayEntry] = field(default_factory=list)
    #: a hand has failed: the others need not go on
    over: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)

    def call(self, plan: Plan) -> GatewayEntry:
        """A call goes out; gives what it books."""
        made = entry(plan.payment_type, plan.amount_minor, plan.referenced_id)
        with self._lock:
            self.calls[plan.key] += 1
            self.booked.append(made)
        return made


@contextmanager
def _stores(url: str, *, without_lock_on: str | None = None) -> Iterator[list[Scene]]:
    """Two stores on one database, as two worker processes have.

    Args:
        url: the database.
        without_lock_on: a table whose rows are read as ever, but not held.
    """

    def unlocked(*of: object) -> tuple[str, object]:
        statement, parameters = str(of[2]), of[3]
        table = f"FROM {without_lock_on} "
        plain = statement.replace("\n", " ")
        return (plain.replace(" FOR UPDATE", "") if table in plain else statement), parameters

    with ExitStack() as exits:
        scenes = []
        for _ in range(2):
            engine = make_engine(url)
            event.listen(engine, "before_cursor_execute", unlocked, retval=True)
            store = Store(engine)
            exits.callback(store.close)
            scenes.append(Scene(store))
        yield scenes


def _together(hands: Sequence[Hand], over: Event) -> None:
    """Let all hands begin at the same instant; an error of any of them ends them all."""
    barrier = Barrier(len(hands))

    def begin(hand: Hand) -> None:
        barrier.wait()
        try:
            hand()
        except BaseException:
            over.set()
            raise

    with ThreadPoolExecutor(len(hands)) as threads:
        list(threads.map(begin, hands))


def _work(scene: Scene, gateway: Gateway, plan: Plan) -> None:
    """What a worker does with a plan until it has ended; what was sent is not sent again."""
    while not gateway.over.is_set():
        with suppress(MoneyHeld):
            record = scene.book.intend(plan, ())
            if record.operation.state in _ENDED:
                return
            if record.operation.state is OperationState.INTENDED:
                _send(scene, gateway, record)


def _send(scene: Scene, gateway: Gateway, record: OperationRecord) -> None:
    key = record.plan.key
    sent = scene.book.mark_sent(key, attempts=record.attempts)
    made = gateway.call(sent.plan)
    scene.book.settle(key, OperationState.SETTLED, gateway_id=made.gateway_id, at=START)


def _hear(scene: Scene, gateway: Gateway, dispute: Dispute) -> None:
    """A webhook, and a comparison, tell of what the gateway books as soon as it shows."""
    while not gateway.booked:
        if gateway.over.wait(0.001):
            return
    shown = gateway.booked[0]
    scene.book.adopt_entry(dispute.case_id, shown, START)
    entries = [*dispute.entries, shown]
    scene.book.adopt_payment(dispute.case_id, dispute.payment_id, entries, START)


def _tell(scene: Scene, dispute: Dispute) -> None:
    """A feed and an analyst: facts are recorded whoever holds the payment."""
    lost = BankRuling(ruling_id="R-1", outcome=Outcome.CARDHOLDER_WON, decided_at=dispute.now)
    for body in (Ruled(ruling=lost), NoteAdded(note=AddNote(author="ann", text="lost"))):
        scene.register.record(dispute.case_id, [dispute.happen(body)])


def _round(scenes: Sequence[Scene]) -> Gateway:
    """Two disputes on one payment, each with two workers, a webhook and a feed.

    The gateway takes one chargeback an entry: one call goes out, and the other is refused here.
    """
    number, gateway = next(_numbers), Gateway()
    entries = [entry(PaymentType.DB, 92_00)]
    hands: list[Hand] = []
    for minor in (40_00, 30_00):
        dispute = scenes[0].dispute(f"D-{number}-{minor}", entries, minor)
        hands += [partial(_work, scene, gateway, dispute.plan) for scene in scenes]
        hands += [partial(_hear, scenes[0], gateway, dispute), partial(_tell, scenes[1], dispute)]
    _together(hands, gateway.over)
    return gateway


def test_of_all_hands_one_moves_the_money_of_a_payment(store_url: str) -> None:
    with _stores(store_url) as scenes:
        for _ in range(5):
            gateway = _round(scenes)
            assert gateway.calls.total() == 1
        assert scenes[0].ledger.verify() == []


@pytest.mark.parametrize("table", ["payment", "operation"])
def test_without_a_row_lock_the_money_moves_twice(postgres_url: str, table: str) -> None:
    """Each of the two locks is needed; SQLite has no row locks, its writes take turns."""
    migrate(postgres_url)
    with _stores(postgres_url, without_lock_on=table) as scenes:
        for _ in range(100):
            # Constraints notice some of it, afterwards.
            with suppress(DBAPIError, SAWarning, StaleDataError, NotFound, Conflict):
                if _round(scenes).calls.total() > 1:
                    return
    raise AssertionError("never seen: the lock is not what keeps the guard")
