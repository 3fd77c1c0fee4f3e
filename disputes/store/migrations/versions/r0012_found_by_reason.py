"""Indexes by which a search finds a reason's cases, in the order in which it takes them."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Replace an index, of whose order nothing was asked, and create one."""
    op.drop_index("case_by_reason", "dispute_case")
    op.create_index("case_by_reason", "dispute_case", ["reason_code", "case_id"])
    columns = ["reason_code", "merchant_id", "case_id"]
    op.create_index("case_by_reason_of_merchant", "dispute_case", columns)
