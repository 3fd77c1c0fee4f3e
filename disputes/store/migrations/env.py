"""Alembic runs this for every command, on the connection that the package gives."""

from alembic import context
from sqlmodel import SQLModel

from disputes.store import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    # SQLite rolls schema changes back too, once its transactions are begun by hand.
    transactional_ddl=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()

__all__ = ["tables"]
