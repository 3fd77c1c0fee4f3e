"""No list goes through all cases, nor sorts them: SQLite says how it would answer."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from disputes.store.engine import Store
from disputes.store.listing import CaseFilter, Place, case_page
from tests.support.query_plans import steps

_NOW = datetime(2026, 11, 2, tzinfo=UTC)
_LISTS = {
    "all": CaseFilter(),
    "go on among the dated": CaseFilter(after=Place(_NOW, "D-1")),
    "go on among the undated": CaseFilter(after=Place(None, "D-1")),
    "due": CaseFilter(due_before=_NOW),
    "status": CaseFilter(status="won"),
    "stage": CaseFilter(stage="chargeback"),
    "network": CaseFilter(network="visa"),
    "assignee": CaseFilter(assignee="ann"),
    "merchant": CaseFilter(merchant_id="M-1"),
    "a merchant's, going on": CaseFilter(merchant_id="M-1", after=Place(None, "D-1")),
    "newest": CaseFilter(sort="updated_at"),
    "newest, going on": CaseFilter(sort="updated_at", after=Place(_NOW, "D-1")),
    "largest": CaseFilter(sort="amount", after=Place(5, "D-1")),
}


def _plans(empty_sqlite: Engine, wanted: CaseFilter) -> list[str]:
    def ask(store: Store) -> None:
        with store.read() as session:
            case_page(session, wanted)

    return steps(empty_sqlite, ask)


@pytest.mark.parametrize("wanted", _LISTS.values(), ids=_LISTS)
def test_a_list_is_read_from_an_index_in_its_order(
    empty_sqlite: Engine, wanted: CaseFilter
) -> None:
    plans = _plans(empty_sqlite, wanted)
    assert plans
    for step in plans:
        assert " USING INDEX case_by_" in step


def test_a_search_looks_each_kind_up(empty_sqlite: Engine) -> None:
    plans = _plans(empty_sqlite, CaseFilter(q="D-1"))
    assert any("case_by_arn" in step for step in plans)
    assert not [step for step in plans if step.startswith("SCAN dispute_case")]
