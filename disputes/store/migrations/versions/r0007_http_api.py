"""What the HTTP API lists and searches by, and the requests that it answers once."""

import sqlalchemy as sa
from alembic import op

from disputes.store.tables import UtcMoment

revision = "0007"
down_revision = "0006"

#: Each filter's column with the order that lists have.
_LISTED = {
    "case_by_deadline": (),
    "case_by_status": ("status",),
    "case_by_merchant": ("merchant_id",),
    "case_by_stage": ("stage",),
    "case_by_network": ("network",),
    "case_by_assignee": ("assignee",),
    "case_by_reason": ("reason_code",),
}


def upgrade() -> None:
    """Create the table, the column with what is known of it, and the indexes."""
    op.create_table(
        "api_request",
        sa.Column("key_name", sa.String(), primary_key=True),
        sa.Column("idempotency_key", sa.String(), primary_key=True),
        sa.Column("route", sa.String(), primary_key=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("at", UtcMoment(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.String(), nullable=True),
    )
    op.create_index("api_request_by_moment", "api_request", ["at"])
    waiting = sa.Column("waiting_approvals", sa.Integer(), nullable=False, server_default="0")
    op.add_column("dispute_case", waiting)
    _fill()
    for name in ("case_by_deadline", "case_by_status", "case_by_merchant"):
        op.drop_index(name, "dispute_case")
    for name, columns in _LISTED.items():
        op.create_index(name, "dispute_case", [*columns, "next_deadline", "case_id"])
    op.create_index("case_by_update", "dispute_case", ["updated_at", "case_id"])
    op.create_index("case_by_amount", "dispute_case", ["amount_minor", "case_id"])
    op.create_index("case_by_approvals", "dispute_case", ["waiting_approvals", "case_id"])
    by_bytes = {"case_id": "text_pattern_ops"}
    op.create_index("case_by_prefix", "dispute_case", ["case_id"], postgresql_ops=by_bytes)
    op.create_index("ledger_by_moment", "ledger", ["moment", "id"])


def _fill() -> None:
    """The new column of the cases that there are, from their statuses."""
    postgres = op.get_bind().dialect.name == "postgresql"
    waiting = (
        "json_array_length(status_json::json -> 'approvals')"
        if postgres
        else "json_array_length(status_json, '$.approvals')"
    )
    op.execute(
        f"UPDATE dispute_case SET waiting_approvals = coalesce({waiting}, 0)"  # noqa: S608 - words of ours
        " WHERE status_json IS NOT NULL"
    )
