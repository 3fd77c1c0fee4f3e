"""Pre-authorizations, refunds, payouts and rebills as their workflows recorded them; notices."""

import sqlalchemy as sa
from alembic import op

from disputes.store.tables import UtcMoment

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create both tables; note whose an operation is, and since when an authorization lapsed."""
    op.add_column("payment", sa.Column("lapsed_at", UtcMoment(), nullable=True))
    op.add_column("operation", sa.Column("owner", sa.String(), nullable=True))
    op.create_index("operation_by_owner", "operation", ["owner"])
    op.create_table(
        "payment_file",
        sa.Column("workflow_id", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("merchant_id", sa.String(), nullable=False),
        sa.Column("payment_id", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("next_moment", UtcMoment(), nullable=True),
        sa.Column("needs_attention", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("status_json", sa.String(), nullable=False),
        sa.Column("updated_at", UtcMoment(), nullable=False),
    )
    op.create_index("payment_file_by_kind", "payment_file", ["kind", "next_moment"])
    op.create_index("payment_file_by_payment", "payment_file", ["payment_id"])
    op.create_index("payment_file_by_merchant", "payment_file", ["merchant_id", "kind"])
    op.create_table(
        "notice",
        sa.Column("notice_id", sa.String(), primary_key=True),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("merchant_id", sa.String(), nullable=False),
        sa.Column("payment_id", sa.String(), nullable=True),
        sa.Column("at", UtcMoment(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("told_at", UtcMoment(), nullable=False),
    )
    op.create_index("notice_by_telling", "notice", ["told_at", "notice_id"])
