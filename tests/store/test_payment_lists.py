"""Lists of payments' own workflows, page by page, on both databases, from their indexes."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from disputes.payment_steps import PaymentFile
from disputes.store.engine import Store
from disputes.store.payment_reads import PaymentFilter, PaymentReads
from disputes.store.payment_register import SqlPaymentRegister
from tests.store.scene import START

SOME = 24
#: Which filters have their list from which index.
INDEXES = {
    "payment_file_by_kind": {},
    "payment_file_by_state": {"state": "settled"},
    "payment_file_by_merchant": {"merchant_id": "M-1"},
}


@pytest.fixture
def reads(store: Store) -> PaymentReads:
    """Files of which a third has a next moment, several at the same moments."""
    register = SqlPaymentRegister(store)
    for number in range(SOME):
        register.record(_file(number), None)
    return PaymentReads(store)


def _file(number: int, **changes: object) -> PaymentFile:
    due = START + timedelta(hours=number // 6) if number % 3 == 0 else None
    base = PaymentFile(
        workflow_id=f"refund/R-{number:02}",
        kind="refund",
        merchant_id=f"M-{number % 2}",
        state="waiting_for_approval" if due else "settled",
        next_moment=due,
        revision=1,
        content="{}",
        status=json.dumps({"id": number}),
        at=START + timedelta(minutes=number // 4),
    )
    return base.model_copy(update=changes)


def _all(reads: PaymentReads, limit: int, **narrowed: Any) -> list[int]:  # noqa: ANN401 - the filter's fields
    found: list[int] = []
    place = None
    while True:
        page = reads.page(PaymentFilter(kind="refund", limit=limit, after=place, **narrowed))
        found += [json.loads(status)["id"] for status in page.statuses]
        place = page.next
        if place is None:
            return found


def test_every_page_goes_on_after_the_last(reads: PaymentReads) -> None:
    dated = sorted(range(0, SOME, 3), key=lambda it: (it // 6, it))
    undated = [it for it in reversed(range(SOME)) if it % 3]
    for limit in (1, 5, len(dated), SOME):
        assert _all(reads, limit) == dated + undated
        assert _all(reads, limit, state="settled") == undated
        assert _all(reads, limit, merchant_id="M-1") == [it for it in dated + undated if it % 2]
        assert _all(reads, limit, merchants=("M-0", "M-9")) == [
            it for it in dated + undated if it % 2 == 0
        ]
        assert _all(reads, limit, due_before=START + timedelta(hours=1)) == [0, 3]
    assert _all(reads, 5, merchants=()) == []
    assert reads.page(PaymentFilter(kind="payout")).statuses == ()


def test_what_moves_between_pages_hides_no_other(reads: PaymentReads, store: Store) -> None:
    whole = _all(reads, SOME)
    first = reads.page(PaymentFilter(kind="refund", limit=10))
    moved = {whole[9], whole[12]}
    for number in moved:
        later = _file(number, revision=2, next_moment=None, at=START + timedelta(days=1))
        SqlPaymentRegister(store).record(later, None)
    rest = reads.page(PaymentFilter(kind="refund", limit=SOME, after=first.next))
    seen = [json.loads(status)["id"] for status in (*first.statuses, *rest.statuses)]
    assert len(seen) == len(set(seen))
    assert [it for it in seen if it not in moved] == [it for it in whole if it not in moved]


@pytest.mark.parametrize("index", INDEXES)
def test_a_page_is_read_from_its_index(reads: PaymentReads, store: Store, index: str) -> None:
    """Neither sorted nor searched through, however many there are, also after the first page."""
    narrowed: Any = INDEXES[index]
    first = reads.page(PaymentFilter(kind="refund", limit=9, **narrowed))
    asked: list[tuple[str, Any]] = []

    def listen(*of: Any) -> None:  # noqa: ANN401 - connection, cursor, statement, parameters ...
        asked.append((of[2], of[3]))

    with store.read() as session:
        engine = session.connection().engine
    event.listen(engine, "before_cursor_execute", listen)
    reads.page(PaymentFilter(kind="refund", limit=9, **narrowed))
    reads.page(PaymentFilter(kind="refund", limit=9, after=first.next, **narrowed))
    event.remove(engine, "before_cursor_execute", listen)
    questions = [(sql, values) for sql, values in asked if sql.startswith("SELECT")]
    assert len(questions) >= 3
    for statement, parameters in questions:
        with store.read() as session:
            connection = session.connection()
            if engine.dialect.name == "postgresql":
                # It reads so small a table whole, and sorts it, where it may.
                for way in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
                    connection.exec_driver_sql(f"SET LOCAL {way} = off")
                plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            else:
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            told = "\n".join(str(row) for row in plan)
        assert index in told, told
        assert "TEMP B-TREE" not in told
        assert "Sort" not in told, told
