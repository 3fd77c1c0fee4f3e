"""Lines of feeds over HTTP that could not be taken."""

import sqlalchemy as sa
from alembic import op

from disputes.store.tables import UtcMoment

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "rejected_line",
        sa.Column("sha256", sa.String(), primary_key=True),
        sa.Column("rejected_at", UtcMoment(), nullable=False),
        sa.Column("entry_json", sa.String(), nullable=False),
    )
    op.create_index("rejected_line_by_moment", "rejected_line", ["rejected_at", "sha256"])
