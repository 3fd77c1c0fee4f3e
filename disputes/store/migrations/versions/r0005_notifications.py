"""The gateway's notifications, and what a case is found by when one comes."""

import sqlalchemy as sa
from alembic import op

from disputes.store.tables import UtcMoment

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table; fill the new columns of the cases that there are from their notices."""
    op.create_table(
        "notification",
        sa.Column("sha256", sa.String(), primary_key=True),
        sa.Column("meaning", sa.String(), nullable=True),
        sa.Column("received_at", UtcMoment(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("case_id", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcMoment(), nullable=True),
        sa.UniqueConstraint("meaning", name="one_notification_per_meaning"),
    )
    op.create_index("notification_by_due", "notification", ["due_at"])
    op.create_index("notification_by_state", "notification", ["state", "received_at"])
    op.add_column("dispute_case", sa.Column("gateway_reference", sa.String(), nullable=True))
    op.add_column("dispute_case", sa.Column("arn", sa.String(), nullable=True))
    op.create_index("case_by_gateway_reference", "dispute_case", ["gateway_reference"])
    op.create_index("case_by_arn", "dispute_case", ["arn"])
    postgres = op.get_bind().dialect.name == "postgresql"
    for name in ("gateway_reference", "arn"):
        value = f"content::json ->> '{name}'" if postgres else f"json_extract(content, '$.{name}')"
        op.execute(
            f"UPDATE dispute_case SET {name} = (SELECT {value} FROM claim"  # noqa: S608 - two names of ours
            " WHERE workflow_id = 'dispute/' || case_id)"
        )
