"""A case as a person reads it: who must act by when, the money, the evidence, what is wrong."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from disputes.status import CaseStatus, TimelineEntry
from starter.advice import advice
from starter.render import plain, table, when

_LAST_LINES = 10
_AWAITED = {
    "awaiting_notice": "the bank, with its notice",
    "submitted": "the submission channel",
    "under_review": "the bank, with its ruling",
}
#: Fields that tell one entry of a timeline from another.
_TELLING = ("outcome", "kind", "evidence_type", "payment_type", "state", "text", "reason")
_MERCHANT_ACTS = frozenset({"received", "collecting", "ready"})


def case_file(case: CaseStatus, timeline: Sequence[TimelineEntry]) -> Group:
    """The whole case; the newest lines of its timeline last."""
    parts: list[RenderableType] = [_money(case), _checklist(case)]
    if case.operations:
        parts.append(_operations(case))
    if case.approvals:
        parts.append(_approvals(case))
    if case.attention:
        rows = ((code, advice(code)) for code in case.attention)
        parts.append(table("Needs attention", ("what", "what to do"), rows))
    shown = timeline[-_LAST_LINES:]
    earlier = len(timeline) - len(shown)
    title = f"Timeline ({earlier} earlier: disputes timeline {case.dispute_id})"
    parts.append(timeline_table(shown, title if earlier else "Timeline"))
    return Group(_header(case), *(Padding(part, (0, 0, 1, 1)) for part in parts))


def _header(case: CaseStatus) -> Panel:
    lines = [
        f"{case.status} ({case.finality}), stage {case.stage}, cycle {case.cycle}",
        f"next to act: {_next_to_act(case)}",
        f"merchant {case.merchant_id or 'unknown'}, payment {case.payment_id or 'unknown'}",
        f"{case.network or 'unknown network'}, reason code {case.reason_code or 'unknown'}",
        f"assigned to {case.assignee or 'nobody'}",
    ]
    return Panel(Text(plain("\n".join(lines))), title=Text(f"Dispute {case.dispute_id}"))


def _next_to_act(case: CaseStatus) -> str:
    if case.finality == "final":
        return "nobody, the case is closed"
    if case.status in _MERCHANT_ACTS:
        return f"the merchant, by {when(case.respond_by) or 'an unknown deadline'}"
    if case.status in _AWAITED:
        due = f", expected by {when(case.next_deadline)}" if case.next_deadline else ""
        return _AWAITED[case.status] + due
    return f"nobody, unless the decision turns before {when(case.tail_until) or 'it is final'}"


def _money(case: CaseStatus) -> RenderableType:
    lines = {
        "disputed": case.disputed,
        "charged back by the bank": case.charged_back,
        "returned by the bank": case.reinstated,
        "booked out at the gateway": case.booked_out,
        "at risk": case.at_risk,
        "written off": case.written_off,
        "rebilled": case.rebilled,
        "recovered": case.recovered,
        "owed back to the shopper": case.give_back_due,
    }
    always = ("disputed", "at risk")
    rows = [
        (name, f"{value} {case.currency}")
        for name, value in lines.items()
        if name in always or value.strip("-0.")
    ]
    rows += [("fees", f"{fee.amount} {fee.currency}") for fee in case.fees]
    return table("Money", ("", ">"), rows)


def _checklist(case: CaseStatus) -> RenderableType:
    listed = case.checklist
    if listed.unruled:
        state = "no rule names the evidence: a person decides"
    else:
        state = "complete" if listed.satisfied else "incomplete"
    rows = [(name, "there") for name in listed.present]
    nearest_first = sorted(listed.paths.items(), key=lambda path: len(path[1]))
    rows += [
        (f"to answer with {path.replace('_', ' ')}", f"missing: {', '.join(missing)}")
        for path, missing in nearest_first
        if missing and not listed.satisfied
    ]
    rows += [(name, "optional") for name in listed.optional if name not in listed.present]
    return table(f"Evidence: {state}", ("", ""), rows)


def _operations(case: CaseStatus) -> RenderableType:
    rows = (
        (
            op.type,
            op.purpose,
            f"{op.state}: {op.reason}" if op.reason else op.state,
            f"{op.amount} {case.currency}",
            op.key,
        )
        for op in case.operations
    )
    return table("At the gateway", ("type", "purpose", "state", ">amount", "key"), rows)


def _approvals(case: CaseStatus) -> RenderableType:
    rows = (
        (item.request_id, item.command, item.requested_by, item.amount, when(item.expires_at))
        for item in case.approvals
    )
    columns = ("request", "command", "requested by", ">amount", "until")
    return table("Waiting for a second person", columns, rows)


def timeline_table(entries: Sequence[TimelineEntry], title: str) -> RenderableType:
    """Entries of a timeline, with why one changed nothing."""
    rows = (
        (entry.sequence, when(entry.at), entry.actor, entry.what.replace("_", " "), _effect(entry))
        for entry in entries
    )
    return table(title, (">#", "when", "who", "what", ""), rows)


def _effect(entry: TimelineEntry) -> str:
    return f"changed nothing: {entry.ignored}" if entry.ignored else _detail(entry.data)


def _detail(data: dict[str, object]) -> str:
    """The few words that tell one entry from another."""
    inner = [value for value in data.values() if isinstance(value, dict)]
    words = (part.get(name) for part in inner for name in _TELLING)
    return ", ".join(word[:80] for word in words if isinstance(word, str))
