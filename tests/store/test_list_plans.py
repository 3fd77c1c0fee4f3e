"""No list goes through all cases, nor sorts them: SQLite says how it would answer."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event

from disputes.store.database import make_engine
from disputes.store.engine import Store
from disputes.store.listing import CaseFilter, Place, case_page
from disputes.store.migrations import migrate

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


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    url = f"sqlite:///{tmp_path / 'plans.sqlite3'}"
    migrate(url)
    return make_engine(url)


def _plans(engine: Engine, wanted: CaseFilter) -> list[str]:
    """How the database answers each question of a list, in its words."""
    asked: list[tuple[str, tuple[object, ...]]] = []

    def note(_c: object, _u: object, sql: str, values: tuple[object, ...], *_: object) -> None:
        asked.append((sql, values))

    event.listen(engine, "before_cursor_execute", note)
    with Store(engine).read() as session:
        case_page(session, wanted)
    event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        return [step for question in asked for step in _steps(connection, *question)]


def _steps(connection: Connection, statement: str, values: tuple[object, ...]) -> list[str]:
    cursor = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
    return [row[3] for row in cursor]


@pytest.mark.parametrize("wanted", _LISTS.values(), ids=_LISTS)
def test_a_list_is_read_from_an_index_in_its_order(engine: Engine, wanted: CaseFilter) -> None:
    plans = _plans(engine, wanted)
    assert plans
    for step in plans:
        assert " USING INDEX case_by_" in step


def test_a_search_looks_each_kind_up(engine: Engine) -> None:
    plans = _plans(engine, CaseFilter(q="D-1"))
    assert any("case_by_arn" in step for step in plans)
    assert not [step for step in plans if step.startswith("SCAN dispute_case")]
