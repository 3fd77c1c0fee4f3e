"""How SQLite would answer what the store asks, in its own words; its tables hold nothing yet."""

from collections.abc import Callable

from sqlalchemy import Engine, event

from disputes.store.engine import Store


def steps(engine: Engine, ask: Callable[[Store], object]) -> list[str]:
    """The steps of the plans of all questions that ``ask`` puts."""
    asked: list[tuple[str, tuple[object, ...]]] = []

    def note(_c: object, _u: object, sql: str, values: tuple[object, ...], *_: object) -> None:
        asked.append((sql, values))

    event.listen(engine, "before_cursor_execute", note)
    ask(Store(engine))
    event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", it) for sql, it in asked]
        return [row[3] for plan in plans for row in plan]
