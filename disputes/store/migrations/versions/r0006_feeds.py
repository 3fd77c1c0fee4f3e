"""What feeds bring besides messages to cases: merchants' months, and rows of providers' reports."""

import sqlalchemy as sa
from alembic import op

from disputes.store.tables import UtcMoment

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the two tables."""
    op.create_table(
        "merchant_month",
        sa.Column("merchant_id", sa.String(), primary_key=True),
        sa.Column("network", sa.String(), primary_key=True),
        sa.Column("month", sa.String(), primary_key=True),
        sa.Column("settled_count", sa.BigInteger(), nullable=False),
        sa.Column("settled_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("fraud_reports", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("told_at", UtcMoment(), nullable=False),
    )
    op.create_table(
        "report_row",
        sa.Column("mapping", sa.String(), primary_key=True),
        sa.Column("dispute_id", sa.String(), primary_key=True),
        sa.Column("state_json", sa.String(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("pending_json", sa.String(), nullable=True),
        sa.Column("seen_at", UtcMoment(), nullable=False),
    )
