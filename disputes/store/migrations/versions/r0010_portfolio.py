"""What a portfolio sums, and which payments' own workflows wait for a second person."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_SUMMED = ("charged_back", "at_risk", "give_back_due", "written_off", "recovered")
_INDEXED = ("currency", "status", "stage", "merchant_id", "needs_attention", "respond_by")


def upgrade() -> None:
    """Create the columns with what is known of them, and their indexes."""
    for name in _SUMMED:
        column = sa.Column(f"{name}_minor", sa.BigInteger(), nullable=False, server_default="0")
        op.add_column("dispute_case", column)
    waiting = sa.Column("waiting_approvals", sa.Integer(), nullable=False, server_default="0")
    op.add_column("payment_file", waiting)
    _fill()
    summed = [f"{name}_minor" for name in _SUMMED]
    op.create_index("case_by_portfolio", "dispute_case", [*_INDEXED, "amount_minor", *summed])
    approvals = ["waiting_approvals", "workflow_id"]
    op.create_index("payment_file_by_approvals", "payment_file", approvals)


def _fill() -> None:
    """The new columns of the rows that there are, from their statuses."""
    postgres = op.get_bind().dialect.name == "postgresql"
    field = "status_json::json ->> '{}'" if postgres else "json_extract(status_json, '$.{}')"
    # Each amount has all of its currency's decimals: without the point it is minor units.
    minor = f"coalesce(cast(replace({field}, '.', '') AS bigint), 0)"
    summed = ", ".join(f"{name}_minor = {minor.format(name)}" for name in _SUMMED)
    op.execute(f"UPDATE dispute_case SET {summed} WHERE status_json IS NOT NULL")  # noqa: S608 - words of ours
    op.execute(f"UPDATE payment_file SET waiting_approvals = {_POSTGRES if postgres else _SQLITE}")  # noqa: S608 - same


#: Open requests of a status: an order's own, and those on a person's word on a doubt.
_SQLITE = """
    CASE WHEN json_extract(status_json, '$.approval.outcome') = 'open' THEN 1 ELSE 0 END
    + (SELECT count(*) FROM json_each(coalesce(json_extract(status_json, '$.approvals'), '[]'))
       WHERE json_extract(value, '$.outcome') = 'open')"""
_POSTGRES = """
    CASE WHEN status_json::json -> 'approval' ->> 'outcome' = 'open' THEN 1 ELSE 0 END
    + (SELECT count(*)
       FROM json_array_elements(coalesce(status_json::json -> 'approvals', '[]'::json)) AS asked
       WHERE asked ->> 'outcome' = 'open')"""
