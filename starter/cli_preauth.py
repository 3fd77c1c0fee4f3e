"""Commands of pre-authorizations: watch over one, capture it, reverse it, increase it."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from pydantic import BaseModel

from disputes.authorization_status import PreAuthorizationStatus
from disputes.errors import Refusal
from disputes.requests import Capture, ConditionMet, Increase, PreAuthorization, Reverse
from disputes.store.payment_reads import PaymentFilter, PaymentReads
from disputes.vocabulary import AuthorizationState, Condition, Network, OnExpiry, ReversalReason
from starter.cli_office import (
    AsJson,
    By,
    at_payment_desk,
    database,
    full_money,
    message,
    moment,
    print_json,
)
from starter.payment_desk import PaymentDesk
from starter.render import console, say, table, when
from starter.render_payment import authorization_file

_Key = Annotated[
    str | None, typer.Option("--id", help="The same id does it once, however often it is given.")
]
preauth = typer.Typer(help="Pre-authorizations.", no_args_is_help=True)


class Initiator(StrEnum):
    """Who started the payment."""

    CUSTOMER = "customer"
    MERCHANT = "merchant"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(preauth, name="preauth")


@preauth.command("open")
def open_(
    payment_id: Annotated[str, typer.Argument(help="The PA's id at the gateway, 32 hex.")],
    merchant: Annotated[str, typer.Option(help="Merchant id.")],
    network: Annotated[Network, typer.Option()],
    amount: Annotated[str, typer.Option(help='Authorized: "92.00 EUR".')],
    authorized_at: Annotated[str | None, typer.Option(help="RFC 3339; default: now.")] = None,
    expires_at: Annotated[str | None, typer.Option(help="RFC 3339; default: by rule.")] = None,
    authorization_type: Annotated[str | None, typer.Option("--type")] = None,
    mcc: Annotated[str | None, typer.Option()] = None,
    initiator: Annotated[Initiator | None, typer.Option()] = None,
    region: Annotated[str | None, typer.Option()] = None,
    registration: Annotated[str | None, typer.Option(help="The shopper's token, 32 hex.")] = None,
    on_expiry: Annotated[OnExpiry | None, typer.Option(help="Default: the policy's.")] = None,
    capture_when: Annotated[list[Condition] | None, typer.Option(help="May be repeated.")] = None,
    *,
    card_present: Annotated[bool | None, typer.Option("--card-present/--card-absent")] = None,
    extended: Annotated[bool, typer.Option("--extended")] = False,
    as_json: AsJson = False,
) -> None:
    """Watch over an authorization from now on, to its capture, reversal or expiry."""
    start = message(
        PreAuthorization,
        payment_id=payment_id,
        merchant_id=merchant,
        network=network.value,
        amount=full_money(amount),
        authorized_at=moment(authorized_at),
        expires_at=expires_at,
        authorization_type=authorization_type,
        mcc=mcc,
        initiator=initiator.value if initiator else None,
        region=region,
        registration_id=registration,
        on_expiry=on_expiry.value if on_expiry else None,
        capture_when=[it.value for it in capture_when] if capture_when else None,
        card_present=card_present,
        extended=extended,
    )
    started = at_payment_desk(lambda desk: desk.authorize(start))
    if as_json:
        print_json({"payment_id": payment_id, "known": started.known})
    else:
        known = " (it was known already)" if started.known else ""
        say(f"{payment_id} is watched over{known}: disputes preauth show {payment_id}")


@preauth.command("show")
def show(payment_id: str, *, as_json: AsJson = False) -> None:
    """Show a pre-authorization."""
    status = at_payment_desk(lambda desk: desk.authorization(payment_id))
    if as_json:
        print_json(status)
    else:
        console().print(authorization_file(status))


@preauth.command("list")
def list_(
    state: Annotated[AuthorizationState | None, typer.Option()] = None,
    merchant: Annotated[str | None, typer.Option(help="Merchant id.")] = None,
    due_before: Annotated[datetime | None, typer.Option(help="UTC.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    *,
    as_json: AsJson = False,
) -> None:
    """List pre-authorizations, the one that lapses next first."""
    wanted = PaymentFilter(
        kind="preauthorization",
        state=state.value if state else None,
        merchant_id=merchant,
        due_before=due_before and due_before.replace(tzinfo=UTC),
        limit=limit,
    )
    store = database()
    texts = PaymentReads(store).statuses(wanted)
    store.close()
    found = [PreAuthorizationStatus.model_validate_json(text) for text in texts]
    if as_json:
        print_json(found)
        return
    columns = ("payment", "state", ">open", "lapses", "attention")
    rows = (
        (
            it.payment_id,
            it.state,
            f"{it.open_amount} {it.currency}",
            when(it.expires_at),
            ", ".join(it.attention),
        )
        for it in found
    )
    console().print(table(None, columns, rows))


@preauth.command("capture")
def capture(
    payment_id: str,
    by: By,
    amount: Annotated[
        str | None, typer.Option(help='A part: "20.00 EUR"; default: all that is open.')
    ] = None,
    key: _Key = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Capture what is open, or a part of it."""
    part = full_money(amount) if amount else None
    command = message(Capture, requested_by=by, amount=part, request_id=key)
    _give(payment_id, "capture", command, key, as_json=as_json)


@preauth.command("reverse")
def reverse(
    payment_id: str,
    reason: Annotated[ReversalReason, typer.Option()],
    by: By,
    key: _Key = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Release all that is open."""
    command = message(Reverse, reason=reason.value, requested_by=by)
    _give(payment_id, "reverse", command, key, as_json=as_json)


@preauth.command("increase")
def increase(
    payment_id: str,
    amount: Annotated[str, typer.Option(help='On top: "8.00 EUR".')],
    by: By,
    key: _Key = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Authorize more."""
    command = message(Increase, amount=full_money(amount), requested_by=by, request_id=key)
    _give(payment_id, "increase", command, key, as_json=as_json)


@preauth.command("condition")
def condition(
    payment_id: str,
    met: Annotated[Condition, typer.Argument()],
    occurred_at: Annotated[str | None, typer.Option("--at", help="RFC 3339; default: now.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Tell that a condition of the capture has come true."""
    told = message(ConditionMet, condition=met.value, occurred_at=moment(occurred_at))
    at_payment_desk(lambda desk: desk.signal("preauthorization", payment_id, "condition_met", told))
    if as_json:
        print_json({"payment_id": payment_id, "condition": met.value})
    else:
        say(f"{payment_id}: {met.value} was told")


def _give(
    payment_id: str, name: str, command: BaseModel, key: str | None, *, as_json: bool
) -> None:
    """Give a command; one that the gateway refused ends as a refusal, with its reason."""

    async def run(desk: PaymentDesk) -> dict[str, object]:
        return await desk.command("preauthorization", payment_id, name, command, key)

    result = at_payment_desk(run)
    operation = result.get("operation")
    told = operation if isinstance(operation, dict) else {}
    if told.get("state") == "refused":
        raise Refusal(f"{name} of {payment_id} was refused: {told.get('reason')}")
    if as_json:
        print_json(result)
    elif result.get("waiting"):
        say(f"{payment_id}: {name} waits ({result['waiting']}) and is done by itself later")
    else:
        state = str(told.get("state", "")).replace("_", " ")
        say(f"{payment_id}: {name} of {told.get('amount')} {state}; it is {result['state']}")
