"""Indexes by which what belongs to one payment or case is found, however many there are."""

from alembic import op

revision = "0011"
down_revision = "0010"

_WIDER = {
    "operation_by_dispute": ("operation", ["dispute_id", "state", "intended_at"]),
    "operation_by_reference": ("operation", ["referenced_id", "state", "intended_at"]),
    "case_by_payment": ("dispute_case", ["payment_id", "finality"]),
}


def upgrade() -> None:
    """Widen three indexes and create one."""
    for name, (table, columns) in _WIDER.items():
        op.drop_index(name, table)
        op.create_index(name, table, columns)
    op.create_index("payment_by_root", "payment", ["root_id"])
