"""Which payments a window holds, and what the books know of each, on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event

from disputes.known import KnownPayment, untold
from disputes.ledger import Account
from disputes.reconciliation import FIRST, LAST, ListPayments, ReconciliationWindow
from disputes.store.engine import Store
from disputes.store.reconciliation import SqlReconciliationBook
from disputes.store.tables import CaseRow
from disputes.vocabulary import Finality, OperationState, Outcome, PaymentType
from tests.store.scene import Dispute, Scene, entry, new_id

EVER = ReconciliationWindow(since=FIRST, until=LAST)
DAY = timedelta(days=1)
_INDEXES = (
    "operation_by_state",
    "operation_by_intention",
    "operation_by_sending",
    "operation_by_settlement",
    "case_by_finality",
)


def _payment(scene: Scene, name: str) -> Dispute:
    presented = entry(PaymentType.DB, 92_00, gateway_id=new_id())
    return scene.dispute(name, [presented], 92_00)


def _roots(store: Store, window: ReconciliationWindow, **more: object) -> list[str]:
    asked = {"size": 100, "window": window} | more
    wanted = ListPayments.model_validate(asked, by_name=True)
    page = SqlReconciliationBook(store).payments(wanted)
    return [payment.root_id for payment in page.payments]


def _known(store: Store, dispute: Dispute) -> KnownPayment:
    return SqlReconciliationBook(store).payment(dispute.payment_id, dispute.entries)


def _close(scene: Scene, dispute: Dispute) -> None:
    """Let a case be final, as its projection says."""
    dispute.ruled(Outcome.CARDHOLDER_WON)
    with scene.store.write() as session:
        row = session.get_one(CaseRow, dispute.case_id)
        row.finality = Finality.FINAL.value
        session.add(row)


def test_pages_follow_each_other_by_root(scene: Scene, store: Store) -> None:
    roots = sorted(_payment(scene, f"D-{number}").payment_id for number in range(5))
    book = SqlReconciliationBook(store)
    first = book.payments(ListPayments(window=EVER, size=3))
    assert ([it.root_id for it in first.payments], first.more) == (roots[:3], True)
    second = book.payments(ListPayments(window=EVER, size=3, after=roots[2]))
    assert ([it.root_id for it in second.payments], second.more) == (roots[3:], False)
    assert {it.merchant_id for it in first.payments} == {"M-1"}


def test_a_window_is_found_without_reading_every_operation(scene: Scene, store: Store) -> None:
    """The night's run on a book of years costs what its day holds."""
    _payment(scene, "D-1")
    asked: list[tuple[str, Any]] = []

    def listen(*of: Any) -> None:  # noqa: ANN401 - connection, cursor, statement, parameters ...
        asked.append((of[2], of[3]))

    now = datetime.now(UTC)
    with store.read() as session:
        engine = session.connection().engine
    event.listen(engine, "before_cursor_execute", listen)
    assert _roots(store, ReconciliationWindow(since=now - DAY, until=now + DAY))
    event.remove(engine, "before_cursor_execute", listen)
    statement, parameters = asked[-1]  # after SQLite's own BEGIN
    with store.read() as session:
        connection = session.connection()
        if engine.dialect.name == "postgresql":
            # It reads so small a table whole where it may.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        else:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        told = "\n".join(str(row) for row in plan)
    unused = [name for name in _INDEXES if name not in told]
    assert unused == [], told


def test_a_window_holds_its_operations_and_what_is_open(scene: Scene, store: Store) -> None:
    """A closed case of another day is left out; one in doubt is not, nor is an open one."""
    closed, doubtful, opened = (_payment(scene, f"D-{number}") for number in range(3))
    closed.send()
    _close(scene, closed)
    plan = doubtful.plan
    scene.book.intend(plan, ())
    scene.book.mark_sent(plan.key, attempts=0)
    doubtful.settle(plan, OperationState.IN_DOUBT)
    _close(scene, doubtful)
    now = datetime.now(UTC)
    today = ReconciliationWindow(since=now - DAY, until=now + DAY)
    tomorrow = ReconciliationWindow(since=now + DAY, until=now + 2 * DAY)
    everything = sorted(it.payment_id for it in (closed, doubtful, opened))
    assert _roots(store, today) == everything
    assert _roots(store, tomorrow) == sorted([doubtful.payment_id, opened.payment_id])


def test_one_payment_is_found_by_its_root_and_by_what_was_captured(
    scene: Scene, store: Store
) -> None:
    authorized, captured = new_id(), new_id()
    entries = [
        entry(PaymentType.PA, 92_00, gateway_id=authorized),
        entry(PaymentType.CP, 92_00, authorized, gateway_id=captured),
    ]
    scene.dispute("D-1", entries, 92_00)
    _payment(scene, "D-2")
    for asked in (authorized, captured):
        window = EVER.model_copy(update={"payment_id": asked})
        assert _roots(store, window) == [authorized]


def test_the_books_tell_all_of_a_payment(scene: Scene, store: Store) -> None:
    dispute = _payment(scene, "D-1")
    settled = dispute.send()
    known = _known(store, dispute)
    assert [(op.key, op.adopted) for op in known.operations] == [
        (f"gateway:{dispute.payment_id}", True),
        (settled.key, False),
    ]
    assert [(it.dispute_id, it.told, it.refunded_minor) for it in known.disputes] == [
        ("D-1", (settled.key,), 0)
    ]
    assert untold(known) == ()


def test_what_the_case_was_not_told_is_known(scene: Scene, store: Store) -> None:
    """The books took an entry over, and whoever did so died before the case heard of it."""
    dispute = _payment(scene, "D-1")
    taken = entry(PaymentType.CB, 92_00, dispute.payment_id)
    assert scene.book.adopt_entry("D-1", taken, dispute.now)
    told = untold(_known(store, dispute))
    assert [(case, op.gateway_id) for case, op in told] == [("D-1", taken.gateway_id)]


def test_a_person_s_word_gets_its_entry_once(scene: Scene, store: Store) -> None:
    dispute = _payment(scene, "D-1")
    plan = dispute.plan
    scene.book.intend(plan, ())
    scene.book.mark_sent(plan.key, attempts=0)
    scene.book.resolve(plan.key, happened=True, reason="seen", at=dispute.now)
    book, first = SqlReconciliationBook(store), new_id()
    book.name(plan.key, first)
    book.name(plan.key, new_id())
    [named] = [op for op in _known(store, dispute).operations if op.key == plan.key]
    assert named.gateway_id == first
    assert scene.ledger.verify() == []


def test_balances_are_by_book_and_account(scene: Scene) -> None:
    dispute = _payment(scene, "D-1")
    dispute.send()
    found = {it.account: it.amount_minor for it in scene.ledger.balances()}
    assert found == {
        Account.ACQUIRER: 0,
        Account.UNMIRRORED: 0,
        Account.DISPUTED: 92_00,
        Account.FEES_PAYABLE: -15_00,
        Account.SALES: -92_00,
        Account.FEES: 15_00,
    }
