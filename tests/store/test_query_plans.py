"""What belongs to one payment or case is found by its id, however many there are.

SQLite says how it would answer. It has no figures of the tables: left to itself it takes all that
is settled, or open, for as few as what one payment has.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from disputes.notices import Notice
from disputes.store import guards, positions
from disputes.store.engine import Store
from disputes.store.notices import SqlNotices
from disputes.store.own_payment import own_payment
from disputes.store.payment_register import SqlPaymentRegister
from disputes.store.reads import Reads
from disputes.store.reconciliation import SqlReconciliationBook
from disputes.store.records import operations_of
from disputes.store.register import SqlRegister
from disputes.store.tables import PaymentRow
from disputes.vocabulary import PaymentType
from tests.support.query_plans import steps

ID = "8ac7a4a09136ba2801913734d9e253d8"
NOW = datetime(2026, 11, 2, tzinfo=UTC)
#: A table from its beginning, or all rows of a kind of which there are few.
GOES_THROUGH = re.compile(
    r"SCAN (operation|payment|dispute_case|case_event|claim|ledger|payment_file|notice)\b"
    r"|\((state|finality|status|stage|purpose|payment_type|kind)=\?"
)


def _payment(entry_type: str) -> PaymentRow:
    return PaymentRow(
        payment_id=ID,
        root_id=ID,
        merchant_id="M-1",
        entry_type=entry_type,
        amount_minor=9200,
        currency="EUR",
    )


def _of(ask: Callable[[Session], object]) -> Callable[[Store], object]:
    def question(store: Store) -> None:
        with store.read() as session:
            ask(session)

    return question


QUESTIONS: dict[str, Callable[[Store], object]] = {
    "refunds of an entry": _of(lambda it: guards.refunded_minor(it, ID)),
    "what moved on it": _of(lambda it: positions.moved(it, ID, PaymentType.CP, PaymentType.RV)),
    "what is left of it": _of(lambda it: positions.position_of(it, _payment("DB"))),
    "its disputes": _of(lambda it: positions.open_disputes(it, ID)),
    "its disputes of late": _of(lambda it: positions.cases_since(it, ID, NOW)),
    "a chargeback of nobody's": _of(lambda it: positions.unexplained_chargeback(it, ID)),
    "an authorization": _of(lambda it: own_payment(it, _payment("PA"), None, NOW)),
    "a sale": _of(lambda it: own_payment(it, _payment("DB"), None, NOW)),
    "operations of a case": _of(lambda it: operations_of(it, "D-1")),
    "a case, to go on with": lambda store: SqlRegister(store).load("D-1"),
    "an order, to go on with": lambda store: SqlPaymentRegister(store).load("refund/R-1"),
    "a merchant's disputes": lambda store: SqlPaymentRegister(store).held_by("M-1", ID),
    "a payment's file": lambda store: Reads(store).payment(ID),
    "a payment, to compare": lambda store: SqlReconciliationBook(store).payment(ID, ()),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_what_one_payment_has_is_found_by_its_id(
    empty_sqlite: Engine, question: Callable[[Store], object]
) -> None:
    told = steps(empty_sqlite, question)
    assert told
    assert [step for step in told if GOES_THROUGH.search(step)] == []


def test_notices_go_on_from_the_last_one_read(empty_sqlite: Engine) -> None:
    first = Notice(
        notice_id="N-1", audience="merchant", kind="reminder", merchant_id="M-1", at=NOW, text="it"
    )
    telling = steps(empty_sqlite, lambda store: SqlNotices(store).tell(first))
    assert [step for step in telling if GOES_THROUGH.search(step)] == []
    told = steps(
        empty_sqlite,
        lambda store: SqlNotices(store).told(audience=None, merchants=None, after="N-1", limit=9),
    )
    assert [step for step in told if GOES_THROUGH.search(step)] == []
