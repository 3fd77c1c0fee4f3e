"""Commands that only look: lists, a case, its timeline, what a code means."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from disputes.errors import NotFound
from disputes.rulebook import load
from disputes.status import CaseStatus, TimelineEntry
from disputes.store.listing import CaseFilter
from disputes.store.reads import Reads
from disputes.vocabulary import Flow, Network, Stage, Status
from starter.cli_office import AsJson, at_desk, database, print_json
from starter.cli_orders import payment_kind, show_order
from starter.client import DisputeDesk
from starter.render import console, table, when
from starter.render_case import case_file, timeline_table

_ACTIONS = {
    Flow.COLLABORATION: "answer with evidence; the issuer may then open pre-arbitration",
    Flow.ALLOCATION: "answer once: our response is the pre-arbitration attempt",
    Flow.NONE: "the scheme knows no answer",
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(list_cases)
    app.command("show")(show)
    app.command("timeline")(timeline)
    app.command("explain")(explain)


def list_cases(
    status: Annotated[Status | None, typer.Option()] = None,
    stage: Annotated[Stage | None, typer.Option()] = None,
    merchant: Annotated[str | None, typer.Option(help="Merchant id.")] = None,
    network: Annotated[Network | None, typer.Option()] = None,
    assignee: Annotated[str | None, typer.Option()] = None,
    due_before: Annotated[datetime | None, typer.Option(help="UTC.")] = None,
    search: Annotated[
        str | None, typer.Option("--q", help="How an id begins; or a payment id, ARN or code.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    *,
    as_json: AsJson = False,
) -> None:
    """List cases, the next deadline first."""
    wanted = CaseFilter(
        status=status,
        stage=stage,
        merchant_id=merchant,
        network=network,
        assignee=assignee,
        due_before=due_before and due_before.replace(tzinfo=UTC),
        q=search,
        limit=limit,
    )
    store = database()
    cases = Reads(store).cases(wanted)
    store.close()
    if as_json:
        print_json(cases)
        return
    columns = ("dispute", "status", "reason", ">disputed", "due", "attention")
    console().print(table(None, columns, (_row(case) for case in cases)))


def _row(case: CaseStatus) -> tuple[object, ...]:
    usual = case.stage == Stage.CHARGEBACK.value
    return (
        case.dispute_id,
        case.status if usual else f"{case.status} ({case.stage})",
        f"{case.network or ''} {case.reason_code or ''}".strip(),
        f"{case.disputed} {case.currency}",
        when(case.next_deadline),
        ", ".join(case.attention),
    )


def show(
    dispute_id: Annotated[str, typer.Argument(help="Or rebill/ID, refund/ID, payout/ID.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show a case file, or a refund, payout or rebill of a payment's own."""
    kind, slash, own = dispute_id.partition("/")
    if slash:
        show_order(payment_kind(kind), own, as_json=as_json)
        return

    async def look(desk: DisputeDesk) -> tuple[CaseStatus, list[TimelineEntry]]:
        return await desk.status(dispute_id), await desk.timeline(dispute_id)

    case, entries = at_desk(look)
    if as_json:
        print_json(case)
    else:
        console().print(case_file(case, entries))


def timeline(dispute_id: str, *, as_json: AsJson = False) -> None:
    """Show all that happened to a case, also what changed nothing."""
    entries = at_desk(lambda desk: desk.timeline(dispute_id))
    if as_json:
        print_json(entries)
    else:
        console().print(timeline_table(entries, f"Timeline of {dispute_id}"))


def explain(
    code: str,
    network: Annotated[Network | None, typer.Option(help="Only this network's.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Explain a network's reason code."""
    rulebook = load()
    found = [
        {
            "code": reason.code,
            "network": reason.network.value,
            "description": reason.title,
            "group": reason.category,
            "action": _ACTIONS[rulebook.flow(member, code)],
            "confidence": reason.confidence,
            "source": reason.source,
        }
        for member in ([network] if network else Network)
        if (reason := rulebook.reason(member, code)) and (network or reason.network is member)
    ]
    if not found:
        raise NotFound("no network's rules name this code")
    if as_json:
        print_json(found)
        return
    for entry in found:
        title = f"{entry['network']} {entry['code']}"
        rows = [(name, entry[name]) for name in ("description", "group", "action", "source")]
        console().print(table(title, ("", ""), rows))
