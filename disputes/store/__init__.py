"""The database: the register of cases, gateway operations, the ledger and the intake."""

from disputes.store.engine import Store, open_store

__all__ = ["Store", "open_store"]
