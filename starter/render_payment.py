"""A pre-authorization, refund, payout or rebill as a person reads it."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from disputes.authorization import Note
from disputes.authorization_status import PreAuthorizationStatus
from disputes.order_status import OperationSummary
from disputes.second_person import PaymentApproval
from disputes.status import OperationStatus
from starter.advice import advice
from starter.render import plain, table, when


def authorization_file(status: PreAuthorizationStatus) -> Group:
    """The whole pre-authorization."""
    coming = status.next_action
    lines = [
        status.state.replace("_", " "),
        f"lapses at {when(status.expires_at)}: {status.expires_why}",
        f"next: {coming.what} at {when(coming.at)}" if coming else "next: nothing, it has ended",
        f"before it lapses: {status.on_expiry}",
        f"merchant {status.merchant_id}, {status.network}",
    ]
    if status.reauthorized_as:
        lines.append(f"authorized anew as {status.reauthorized_as}")
    if waiting := _open_request(status.approvals):
        lines.append(f"waits for a second person: request {waiting}")
    amounts = {
        "authorized": status.authorized,
        "captured": status.captured,
        "open": status.open_amount,
    }
    rows = [(name, f"{amount} {status.currency}") for name, amount in amounts.items()]
    parts: list[RenderableType] = [table("Money", ("", ">"), rows)]
    if status.conditions:
        met = ((it.condition, when(it.met_at) or "missing") for it in status.conditions)
        parts.append(table("Captured when", ("condition", "since"), met))
    title = f"Pre-authorization {status.payment_id}"
    return _file(title, lines, parts, status.operations, status.attention, status.timeline)


def order_file(status: OperationSummary) -> Group:
    """The whole refund, payout or rebill."""
    lines = [
        status.state.replace("_", " "),
        f"{status.amount.amount} {status.amount.currency}, {status.reason}",
        f"asked for by {status.requested_by}, merchant {status.merchant_id}",
        f"payment {status.payment_id or 'none'}",
    ]
    if status.dispute_id:
        lines.append(f"dispute {status.dispute_id}")
    if status.explanation:
        lines.append(status.explanation)
    if status.expected_by:
        lines.append(f"the shopper should have it by {status.expected_by:%Y-%m-%d}")
    waiting = waits_for(status)
    if waiting:
        lines.append(f"waits for a second person: request {waiting}")
    operations = (status.operation,) if status.operation else ()
    title = f"{status.kind.capitalize()} {status.id}"
    return _file(title, lines, [], operations, status.attention, status.timeline)


def waits_for(status: OperationSummary) -> str | None:
    """Id of the request that waits for a second person."""
    own = (status.approval,) if status.approval else ()
    return _open_request((*own, *status.approvals)) or status.request_id


def _open_request(approvals: Sequence[PaymentApproval]) -> str | None:
    return next((it.request_id for it in approvals if it.waits), None)


def _file(
    title: str,
    lines: Sequence[str],
    parts: Sequence[RenderableType],
    operations: Sequence[OperationStatus],
    attention: Sequence[str],
    timeline: Sequence[Note],
) -> Group:
    shown = list(parts)
    if operations:
        rows = (
            (op.type, op.purpose, op.amount, op.state, op.reason or op.key) for op in operations
        )
        shown.append(table("At the gateway", ("type", "for", ">amount", "state", ""), rows))
    if attention:
        told = ((code, advice(code)) for code in attention)
        shown.append(table("Needs attention", ("what", "what to do"), told))
    history = ((when(note.at), note.actor, note.what) for note in timeline)
    shown.append(table("Timeline", ("when", "who", "what"), history))
    head = Panel(Text(plain("\n".join(lines))), title=Text(plain(title)))
    return Group(head, *(Padding(part, (0, 0, 1, 1)) for part in shown))
