"""Commands that tell a case what the bank or the network did; they are facts, never refused."""

from typing import Annotated

import typer

from disputes.messages import BankRuling, NetworkEvent
from disputes.vocabulary import NetworkEventKind, Outcome, Stage
from starter.cli_office import Amount, AsJson, at_desk, message, moment, money, own_id, print_json
from starter.client import DisputeDesk
from starter.render import say

_At = Annotated[str | None, typer.Option("--at", help="When it happened (RFC 3339); default now.")]
_Id = Annotated[str | None, typer.Option("--id", help="The bank's id; default from the content.")]
_Reference = Annotated[str | None, typer.Option(help="The gateway's entry (32 hex digits).")]
_Cycle = Annotated[int | None, typer.Option(help="Round of the dispute, from 1.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("rule")(rule)
    app.command("event")(event)


def rule(
    dispute_id: str,
    outcome: Outcome,
    merchant_amount: Annotated[
        str | None, typer.Option(help="What returns to the merchant; needed for partial.")
    ] = None,
    cardholder_amount: Annotated[str | None, typer.Option(help="The cardholder's side.")] = None,
    stage: Annotated[Stage | None, typer.Option(help="Stage that was ruled on.")] = None,
    cycle: _Cycle = None,
    *,
    final: Annotated[bool, typer.Option("--final", help="No further round.")] = False,
    gateway_reference: _Reference = None,
    reason: Annotated[str | None, typer.Option(help="The bank's words.")] = None,
    ruling_id: _Id = None,
    at: _At = None,
    as_json: AsJson = False,
) -> None:
    """Tell a case what the bank decided."""

    async def tell(desk: DisputeDesk) -> BankRuling:
        fields = {
            "outcome": outcome.value,
            "decided_at": moment(at),
            "merchant_amount": await money(desk, dispute_id, merchant_amount),
            "cardholder_amount": await money(desk, dispute_id, cardholder_amount),
            "stage": stage and stage.value,
            "cycle": cycle,
            "final": final or None,
            "gateway_reference": gateway_reference,
            "reason": reason,
        }
        given = ruling_id or own_id("ruling", dispute_id, fields)
        ruling = message(BankRuling, ruling_id=given, **fields)
        await desk.fact(dispute_id, "bank_ruling", ruling)
        return ruling

    told = at_desk(tell)
    if as_json:
        print_json({"dispute_id": dispute_id, "ruling_id": told.ruling_id})
    else:
        say(f"{dispute_id} was told of ruling {told.ruling_id}: {told.outcome.value}")


def event(
    dispute_id: str,
    kind: NetworkEventKind,
    amount: Amount = None,
    respond_by: Annotated[str | None, typer.Option(help="New deadline (RFC 3339).")] = None,
    cycle: _Cycle = None,
    gateway_reference: _Reference = None,
    fee_type: Annotated[str | None, typer.Option(help="What the fee is for.")] = None,
    event_id: _Id = None,
    at: _At = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Tell a case what the network did besides ruling."""

    async def tell(desk: DisputeDesk) -> NetworkEvent:
        fields = {
            "kind": kind.value,
            "occurred_at": moment(at),
            "amount": await money(desk, dispute_id, amount),
            "respond_by": respond_by,
            "cycle": cycle,
            "gateway_reference": gateway_reference,
            "fee_type": fee_type,
        }
        given = event_id or own_id("event", dispute_id, fields)
        happened = message(NetworkEvent, event_id=given, **fields)
        await desk.fact(dispute_id, "network_event", happened)
        return happened

    told = at_desk(tell)
    if as_json:
        print_json({"dispute_id": dispute_id, "event_id": told.event_id})
    else:
        say(f"{dispute_id} was told of event {told.event_id}: {told.kind.value}")
