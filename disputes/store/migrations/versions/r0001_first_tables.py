"""The first tables: register, payments, operations, ledger, intake."""

import sqlalchemy as sa
from alembic import op

from disputes.store.tables import UtcMoment

revision = "0001"
down_revision = None

_MONEY = sa.BigInteger()


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=nullable)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[sa.DateTime]:
    return sa.Column(name, UtcMoment(), nullable=nullable)


def upgrade() -> None:
    """Create the tables, and the triggers that keep the ledger append only."""
    _register()
    _money()
    _ledger()
    op.create_table(
        "intake",
        sa.Column("event_id", sa.String(), primary_key=True),
        _text("sha256"),
        _text("type"),
        _text("dispute_id", nullable=True),
        _text("state"),
        _moment("seen_at"),
    )


def _register() -> None:
    op.create_table(
        "claim",
        sa.Column("workflow_id", sa.String(), primary_key=True),
        _text("sha256"),
        _text("content"),
        _moment("claimed_at"),
    )
    op.create_table(
        "case_event",
        sa.Column("case_id", sa.String(), primary_key=True),
        sa.Column("sequence", sa.Integer(), primary_key=True),
        _text("event_id"),
        _text("kind"),
        _moment("at"),
        _moment("recorded_at"),
        _text("body"),
        sa.UniqueConstraint("case_id", "event_id", name="one_event_per_id"),
    )
    op.create_table(
        "dispute_case",
        sa.Column("case_id", sa.String(), primary_key=True),
        _text("merchant_id", nullable=True),
        _text("payment_id", nullable=True),
        _text("network", nullable=True),
        _text("reason_code", nullable=True),
        _text("stage"),
        _text("status"),
        _text("finality"),
        sa.Column("amount_minor", _MONEY, nullable=False),
        _text("currency"),
        _moment("respond_by", nullable=True),
        _moment("next_deadline", nullable=True),
        _text("assignee", nullable=True),
        sa.Column("needs_attention", sa.Boolean(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        _moment("updated_at", nullable=True),
        _text("status_json", nullable=True),
        _text("levels_json", nullable=True),
    )
    op.create_index("case_by_deadline", "dispute_case", ["next_deadline"])
    op.create_index("case_by_status", "dispute_case", ["status", "next_deadline"])
    op.create_index("case_by_merchant", "dispute_case", ["merchant_id", "status"])
    op.create_index("case_by_payment", "dispute_case", ["payment_id"])


def _money() -> None:
    op.create_table(
        "payment",
        sa.Column("payment_id", sa.String(), primary_key=True),
        _text("root_id"),
        _text("merchant_id"),
        _text("entry_type", nullable=True),
        sa.Column("amount_minor", _MONEY, nullable=False),
        _text("currency", nullable=True),
        sa.Column("refunded_minor", _MONEY, nullable=False),
        sa.Column("history_known", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "operation",
        sa.Column("key", sa.String(), primary_key=True),
        _text("payment_id"),
        _text("dispute_id", nullable=True),
        _text("merchant_id"),
        _text("purpose", nullable=True),
        _text("payment_type"),
        _text("state"),
        sa.Column("amount_minor", _MONEY, nullable=False),
        _text("currency"),
        _text("referenced_id", nullable=True),
        _text("merchant_transaction_id", nullable=True),
        _text("gateway_id", nullable=True),
        _text("result_code", nullable=True),
        _text("reason", nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("absent_count", sa.Integer(), nullable=False),
        _moment("absent_at", nullable=True),
        _moment("intended_at"),
        _moment("sent_at", nullable=True),
        _moment("settled_at", nullable=True),
        _text("plan_json", nullable=True),
        sa.UniqueConstraint("gateway_id", name="one_operation_per_entry"),
    )
    op.create_index("operation_by_payment", "operation", ["payment_id", "state"])
    op.create_index("operation_by_dispute", "operation", ["dispute_id"])
    op.create_index("operation_by_merchant_transaction", "operation", ["merchant_transaction_id"])
    op.create_index("operation_by_reference", "operation", ["referenced_id"])


def _ledger() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "ledger",
        sa.Column("id", number, primary_key=True, autoincrement=True),
        _text("merchant_id"),
        _text("currency"),
        _text("root_id"),
        _text("entry_id"),
        _text("dispute_id", nullable=True),
        _text("source"),
        sa.Column("line", sa.Integer(), nullable=False),
        _moment("moment"),
        _text("debit"),
        _text("credit"),
        sa.Column("amount_minor", _MONEY, nullable=False),
        _text("text"),
        sa.UniqueConstraint("source", "line", name="nothing_posts_twice"),
        sa.CheckConstraint("amount_minor > 0", name="amount_above_zero"),
        sa.CheckConstraint("debit <> credit", name="two_accounts"),
    )
    op.create_index("ledger_by_root", "ledger", ["root_id"])
    op.create_index("ledger_by_entry", "ledger", ["entry_id"])
    op.create_index("ledger_by_dispute", "ledger", ["dispute_id"])
    for statement in _APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


_REFUSAL = "the ledger is append only"
_FUNCTION = f"""CREATE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"""
_TRIGGER = """CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()"""
_APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER ledger_no_{verb.lower()} BEFORE {verb} ON ledger"
        f" BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        for verb in ("UPDATE", "DELETE")
    ],
    "postgresql": [_FUNCTION, _TRIGGER],
}
