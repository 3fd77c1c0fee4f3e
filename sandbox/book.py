"""The gateway's own book: append only, and in a file where it must outlive the process."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from pathlib import Path

from disputes.vocabulary import PaymentType
from sandbox.transactions import Transaction

_COLUMNS = tuple(field.name for field in fields(Transaction))
_CREATE = f"CREATE TABLE IF NOT EXISTS transactions ({', '.join(_COLUMNS)}, PRIMARY KEY (id))"
_INSERT = f"INSERT INTO transactions VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - only question marks


class Book:
    """Every transaction that the sandbox answered, in order.

    ``path`` is the SQLite file to continue; without one the book lives as long as the process.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._file = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._file.execute("PRAGMA journal_mode=WAL")
        # Survives a killed process, which is what tests do; a power cut may cost the last entries.
        self._file.execute("PRAGMA synchronous=NORMAL")
        self._file.execute(_CREATE)
        self._all: list[Transaction] = []
        self._by_id: dict[str, Transaction] = {}
        self._by_merchant_id: dict[tuple[str, str], list[Transaction]] = defaultdict(list)
        self._by_root: dict[str, list[Transaction]] = defaultdict(list)
        self._children: dict[str, list[Transaction]] = defaultdict(list)
        for row in self._file.execute("SELECT * FROM transactions ORDER BY rowid"):
            kind, *rest = row[1:]
            self._index(Transaction(row[0], PaymentType(kind), *rest))

    def add(self, entry: Transaction) -> None:
        """Write ``entry`` down before anyone hears of it."""
        self._file.execute(_INSERT, astuple(entry))
        self._index(entry)

    def replace(self, entry: Transaction) -> None:
        """Write down what became of a pending transaction, in the place of what was known of it."""
        old = self._by_id[entry.id]
        self._file.execute("DELETE FROM transactions WHERE id = ?", (entry.id,))
        self._all.remove(old)
        self._by_root[old.root_id].remove(old)
        if old.merchant_transaction_id:
            key = old.entity_id, old.merchant_transaction_id
            self._by_merchant_id[key].remove(old)
        self.add(entry)

    def _index(self, entry: Transaction) -> None:
        self._all.append(entry)
        self._by_id[entry.id] = entry
        self._by_root[entry.root_id].append(entry)
        if entry.merchant_transaction_id:
            key = entry.entity_id, entry.merchant_transaction_id
            self._by_merchant_id[key].append(entry)
        if entry.booked and entry.referenced_id:
            self._children[entry.referenced_id].append(entry)

    def get(self, identity: str | None) -> Transaction | None:
        """The transaction ``identity``, or ``None``."""
        return self._by_id.get(identity or "")

    def tree(self, root_id: str) -> Sequence[Transaction]:
        """Everything under one payment root, oldest first."""
        return self._by_root.get(root_id, ())

    def named(self, entity_id: str, merchant_transaction_id: str) -> Sequence[Transaction]:
        """What an entity sent under one reference: possibly several, the platform allows it."""
        return self._by_merchant_id.get((entity_id, merchant_transaction_id), ())

    def children(self, identity: str) -> Iterable[Transaction]:
        """Booked transactions that reference ``identity``."""
        return self._children.get(identity, ())

    def booked(self, root_id: str | None = None) -> list[Transaction]:
        """What moved money or an authorization, oldest first."""
        source = self._all if root_id is None else self.tree(root_id)
        return [entry for entry in source if entry.booked]

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
