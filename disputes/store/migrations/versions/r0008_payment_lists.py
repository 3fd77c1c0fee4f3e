"""Lists of payments' own workflows, page by page from an index."""

from alembic import op

revision = "0008"
down_revision = "0007"

_ORDER = ("next_moment", "updated_at", "workflow_id")


def upgrade() -> None:
    """Each filter's index gets the order that lists have."""
    for name in ("payment_file_by_kind", "payment_file_by_merchant"):
        op.drop_index(name, "payment_file")
    op.create_index("payment_file_by_kind", "payment_file", ["kind", *_ORDER])
    op.create_index("payment_file_by_state", "payment_file", ["kind", "state", *_ORDER])
    op.create_index("payment_file_by_merchant", "payment_file", ["merchant_id", "kind", *_ORDER])
