"""Indexes to find payments by the moments of their operations, and open cases (reconciliation)."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("operation_by_state", "operation", ["state", "intended_at"])
    op.create_index("operation_by_intention", "operation", ["intended_at"])
    op.create_index("operation_by_sending", "operation", ["sent_at"])
    op.create_index("operation_by_settlement", "operation", ["settled_at"])
    op.create_index("case_by_finality", "dispute_case", ["finality"])
