"""No list goes through all cases, nor sorts them: SQLite says how it would answer."""

from dataclasses import replace
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


#: What narrows a search; without figures SQLite would go through all that have the status.
_NARROWED: dict[str, CaseFilter] = {
    "nothing": CaseFilter(),
    "status": CaseFilter(status="won"),
    "stage": CaseFilter(stage="chargeback"),
    "network": CaseFilter(network="visa"),
    "assignee": CaseFilter(assignee="ann"),
    "due": CaseFilter(due_before=_NOW),
    "everything": CaseFilter(status="won", network="visa", assignee="ann", due_before=_NOW),
    "a merchant": CaseFilter(merchant_id="M-1", status="won"),
    "the key's merchants": CaseFilter(merchants=("M-1", "M-2"), status="won"),
}


@pytest.mark.parametrize("narrowed", _NARROWED.values(), ids=_NARROWED)
def test_a_search_looks_each_kind_up(empty_sqlite: Engine, narrowed: CaseFilter) -> None:
    plans = _plans(empty_sqlite, replace(narrowed, q="D-1"))
    looked = [step for step in plans if "dispute_case" in step and "(" in step]
    ids = ("case_id>", "merchant_id="), ("payment_id=",), ("arn=",), ("reason_code=",)
    assert len(looked) == len(ids) + 1
    for step, names in zip(looked, ids, strict=False):
        assert any(f"({name}" in step for name in names), step
    assert "(case_id=?)" in looked[-1]
    assert not [step for step in plans if step.startswith("SCAN dispute_case")]


def test_a_reasons_cases_are_found_in_their_order(empty_sqlite: Engine) -> None:
    """Of many the first are taken, without a look at all; of a merchant's, at nobody else's."""
    for narrowed in (CaseFilter(q="13.1", status="won"), CaseFilter(q="13.1", merchant_id="M-1")):
        plans = _plans(empty_sqlite, narrowed)
        (step,) = (step for step in plans if "(reason_code=?" in step)
        assert ("merchant_id=?" in step) is (narrowed.merchant_id is not None)
        assert "ORDER BY" not in plans[plans.index(step) + 1]
