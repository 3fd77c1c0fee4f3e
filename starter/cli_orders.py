"""Commands of refunds, payouts and rebills from outside of a dispute, and what was told of them."""

from enum import StrEnum
from typing import Annotated, get_args

import typer
from pydantic import BaseModel

from disputes.errors import NotFound, Refusal
from disputes.order_status import OperationSummary
from disputes.requests import OrderRequest, PayoutRequest, RebillRequest, RefundRequest
from disputes.store.notices import SqlNotices
from disputes.store.payment_reads import PaymentFilter, PaymentReads
from disputes.vocabulary import OrderState, PayoutReason, RefundReason
from starter.cli_office import (
    AsJson,
    By,
    at_payment_desk,
    database,
    full_money,
    message,
    own_id,
    print_json,
)
from starter.payment_desk import Kind, PaymentDesk
from starter.render import console, say, table, when
from starter.render_payment import order_file, waits_for

_Payment = Annotated[str, typer.Argument(help="The entry (CP, DB, RB or CD) at the gateway.")]
_Merchant = Annotated[str, typer.Option(help="Merchant id.")]
_Money = Annotated[str, typer.Option("--amount", help='With its currency: "20.00 EUR".')]
_Registration = Annotated[str | None, typer.Option(help="The shopper's token, 32 hex.")]
_Id = Annotated[
    str | None, typer.Option("--id", help="Its own id; default: from the content, so once.")
]


class Reader(StrEnum):
    """Whom a notice is for."""

    MERCHANT = "merchant"
    SHOPPER = "shopper"


refund = typer.Typer(help="Refunds.", no_args_is_help=True)
payout = typer.Typer(help="Payouts.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(refund, name="refund")
    app.add_typer(payout, name="payout")
    app.command("notices")(notices)


@refund.command("request")
def request_refund(
    payment_id: _Payment,
    merchant: _Merchant,
    amount: _Money,
    reason: Annotated[RefundReason, typer.Option()],
    by: By,
    registration: _Registration = None,
    dispute: Annotated[str | None, typer.Option(help="Whose own refund it is.")] = None,
    refund_id: _Id = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Pay a payment back, or a part of it; of a payout: take it back."""
    named = refund_id or own_id("refund", payment_id, amount, reason.value)
    request = message(
        RefundRequest,
        refund_id=named,
        payment_id=payment_id,
        merchant_id=merchant,
        amount=full_money(amount),
        reason=reason.value,
        requested_by=by,
        registration_id=registration,
        dispute_id=dispute,
    )
    ask_for("refund", named, request, as_json=as_json)


@payout.command("request")
def request_payout(
    registration: Annotated[str, typer.Argument(help="The shopper's token, 32 hex.")],
    merchant: _Merchant,
    amount: _Money,
    reason: Annotated[PayoutReason, typer.Option()],
    by: By,
    payment: Annotated[str | None, typer.Option(help="The payment that it repays.")] = None,
    payout_id: _Id = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Pay a shopper by a standalone credit."""
    named = payout_id or own_id("payout", registration, amount, reason.value, payment)
    request = message(
        PayoutRequest,
        payout_id=named,
        merchant_id=merchant,
        amount=full_money(amount),
        registration_id=registration,
        reason=reason.value,
        requested_by=by,
        payment_id=payment,
    )
    ask_for("payout", named, request, as_json=as_json)


def request_rebill(
    rebill_id: str,
    *,
    payment_id: str,
    merchant: str,
    amount: str,
    reason: str,
    by: str,
    as_json: bool,
) -> None:
    """Charge a shopper again on a debit, outside of a dispute (``disputes rebill --payment``)."""
    request = message(
        RebillRequest,
        rebill_id=rebill_id,
        payment_id=payment_id,
        merchant_id=merchant,
        amount=full_money(amount),
        reason=reason,
        requested_by=by,
    )
    ask_for("rebill", rebill_id, request, as_json=as_json)


def ask_for(kind: Kind, own: str, request: OrderRequest, *, as_json: bool) -> None:
    """Ask for an order and tell what became of it; one that was refused ends as a refusal."""

    async def run(desk: PaymentDesk) -> OperationSummary:
        await desk.order(kind, request)
        return await desk.outcome(kind, own)

    status = at_payment_desk(run)
    if status.state == OrderState.REFUSED.value:
        raise Refusal(f"{kind} {own} was refused: {status.explanation}")
    if as_json:
        print_json(status)
        return
    state = status.state.replace("_", " ")
    waiting = waits_for(status)
    ask = f": request {waiting}, disputes approve {waiting} --by NAME" if waiting else ""
    arrives = f", expected by {status.expected_by:%Y-%m-%d}" if status.expected_by else ""
    say(f"{kind} {own} of {status.amount.amount} {status.amount.currency} {state}{ask}{arrives}")


def give_payment(kind: Kind, own: str, name: str, command: BaseModel, *, as_json: bool) -> None:
    """Give a payment's own workflow a command and print its state."""
    result = at_payment_desk(lambda desk: desk.command(kind, own, name, command))
    if as_json:
        print_json(result)
    else:
        state = str(result["state"]).replace("_", " ")
        waits = result.get("request_id")
        ask = f"; it waits for a second person: disputes approve {waits} --by NAME" if waits else ""
        say(f"{kind} {own}: {name.replace('_', ' ')} done; it is {state}{ask}")


def payment_kind(text: str) -> Kind:
    """The kind of a payment's own workflow; ``NotFound`` for another word."""
    for kind in get_args(Kind):
        if kind == text:
            found: Kind = kind
            return found
    raise NotFound("there is nothing of this kind")


def order_of(request_id: str) -> tuple[Kind, str] | None:
    """Kind and id of the payment whose request for a second person it is: refund.R-1-A1."""
    kind, dot, rest = request_id.partition(".")
    own, separator, _ = rest.rpartition("-A")
    if not dot or not separator or kind not in get_args(Kind):
        return None
    store = database()
    known = PaymentReads(store).status(f"{kind}/{own}")
    store.close()
    return (payment_kind(kind), own) if known else None


@refund.command("show")
def show_refund(refund_id: str, *, as_json: AsJson = False) -> None:
    """Show a refund."""
    show_order("refund", refund_id, as_json=as_json)


@payout.command("show")
def show_payout(payout_id: str, *, as_json: AsJson = False) -> None:
    """Show a payout."""
    show_order("payout", payout_id, as_json=as_json)


def show_order(kind: Kind, own: str, *, as_json: bool) -> None:
    """Show a refund, payout or rebill."""
    status = at_payment_desk(lambda desk: desk.order_status(kind, own))
    if as_json:
        print_json(status)
    else:
        console().print(order_file(status))


@refund.command("list")
def list_refunds(
    state: Annotated[OrderState | None, typer.Option()] = None,
    merchant: Annotated[str | None, typer.Option(help="Merchant id.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List refunds."""
    _list("refund", state, merchant, as_json=as_json)


@payout.command("list")
def list_payouts(
    state: Annotated[OrderState | None, typer.Option()] = None,
    merchant: Annotated[str | None, typer.Option(help="Merchant id.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List payouts."""
    _list("payout", state, merchant, as_json=as_json)


def _list(kind: Kind, state: OrderState | None, merchant: str | None, *, as_json: bool) -> None:
    wanted = PaymentFilter(kind=kind, state=state.value if state else None, merchant_id=merchant)
    store = database()
    texts = PaymentReads(store).statuses(wanted)
    store.close()
    found = [OperationSummary.model_validate_json(text) for text in texts]
    if as_json:
        print_json(found)
        return
    rows = (
        (
            it.id,
            it.state,
            f"{it.amount.amount} {it.amount.currency}",
            it.payment_id,
            it.explanation or ", ".join(it.attention),
        )
        for it in found
    )
    console().print(table(None, (kind, "state", ">amount", "payment", ""), rows))


def notices(
    audience: Annotated[Reader | None, typer.Option(help="Only for these.")] = None,
    after: Annotated[str | None, typer.Option(help="Id of the last one that was read.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what merchants and shoppers are to be told, oldest first."""
    store = database()
    wanted = audience.value if audience else None
    found = SqlNotices(store).told(audience=wanted, after=after, limit=limit)
    store.close()
    if as_json:
        print_json(found)
        return
    rows = ((when(it.at), it.audience, it.kind, it.payment_id, it.text) for it in found)
    console().print(table(None, ("when", "for", "occasion", "payment", "text"), rows))
