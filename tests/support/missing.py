"""Books that lack an operation which its workflow knows, as after the restore of an old copy."""

from collections.abc import Iterator
from contextlib import contextmanager

from disputes.store.engine import Store
from disputes.store.tables import OperationRow


@contextmanager
def without(store: Store, key: str) -> Iterator[None]:
    """While it lasts, the operation is not in the books."""
    with store.write() as session:
        row = session.get_one(OperationRow, key)
        content = row.model_dump()
        session.delete(row)
    yield
    with store.write() as session:
        session.add(OperationRow(**content))
