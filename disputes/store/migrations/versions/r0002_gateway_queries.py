"""Turns to ask the gateway, shared by all workers."""

import sqlalchemy as sa
from alembic import op

from disputes.store.tables import UtcMoment

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table of questions."""
    op.create_table(
        "gateway_query",
        sa.Column("account", sa.String(), primary_key=True),
        sa.Column("transaction_id", sa.String(), primary_key=True),
        sa.Column("asked_at", UtcMoment(), nullable=True),
        sa.Column("waiting", sa.Boolean(), nullable=False),
        sa.Column("since", UtcMoment(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("until", UtcMoment(), nullable=False),
    )
    op.create_index("gateway_query_by_until", "gateway_query", ["until"])
