"""Commands that move money or decide on it: acceptance, answers, rebills, operations in doubt."""

from enum import StrEnum
from typing import Annotated

import typer
from pydantic import BaseModel

from disputes import messages
from starter.cli_case import give
from starter.cli_office import Amount, AsJson, By, at_desk, message, money
from starter.cli_orders import give_payment, payment_kind, refund, request_rebill

_Reason = Annotated[str | None, typer.Option(help="Why.")]


class Answer(StrEnum):
    """The answer to the issuer's pre-arbitration."""

    ACCEPT = "accept"
    DECLINE = "decline"


class Resolution(StrEnum):
    """What a person found out about an operation in doubt."""

    HAPPENED = "happened"
    DID_NOT_HAPPEN = "did_not_happen"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("accept")(accept)
    app.command("answer")(answer)
    refund.command("dispute")(refund_dispute)
    app.command("rebill")(rebill)
    app.command("resolve")(resolve)


def _with_money(
    model: type[BaseModel], dispute_id: str, amount: str | None, **fields: object
) -> BaseModel:
    if amount is None:
        return message(model, **fields)
    part = at_desk(lambda desk: money(desk, dispute_id, amount))
    return message(model, amount=part, **fields)


def accept(
    dispute_id: str,
    by: By,
    amount: Amount = None,
    reason: _Reason = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Give the case, or a part of it, up."""
    command = _with_money(
        messages.AcceptLiability, dispute_id, amount, accepted_by=by, reason=reason
    )
    give(dispute_id, "accept_liability", command, as_json=as_json)


def refund_dispute(
    dispute_id: str, by: By, amount: Amount = None, *, as_json: AsJson = False
) -> None:
    """Settle an alert or inquiry by paying the shopper back."""
    command = _with_money(messages.ResolveByRefund, dispute_id, amount, requested_by=by)
    give(dispute_id, "resolve_by_refund", command, as_json=as_json)


def answer(
    dispute_id: str, decision: Answer, by: By, amount: Amount = None, *, as_json: AsJson = False
) -> None:
    """Answer the issuer's pre-arbitration."""
    command = _with_money(
        messages.AnswerPreArbitration, dispute_id, amount, decision=decision.value, answered_by=by
    )
    give(dispute_id, "answer_pre_arbitration", command, as_json=as_json)


def rebill(
    own: Annotated[
        str, typer.Argument(metavar="ID", help="The dispute; with --payment the rebill's own id.")
    ],
    by: By,
    reason: Annotated[
        str, typer.Option(help="Why the shopper owes it; with --payment one of the three reasons.")
    ],
    consent_given_at: Annotated[
        str | None, typer.Option(help="When the shopper agreed (RFC 3339).")
    ] = None,
    consent_evidence: Annotated[
        str | None, typer.Option(help="Id of the evidence of the consent.")
    ] = None,
    amount: Amount = None,
    rebill_id: Annotated[
        str | None, typer.Option("--id", help="The rebill's own id, of a dispute.")
    ] = None,
    payment: Annotated[
        str | None, typer.Option(help="The debit (DB) to charge on, outside of a dispute.")
    ] = None,
    merchant: Annotated[str | None, typer.Option(help="Merchant id, with --payment.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Charge the shopper again: after a lost dispute, or on a debit (--payment)."""
    if payment is not None:
        if merchant is None or amount is None:
            raise typer.BadParameter("--payment needs --merchant and --amount")
        request_rebill(
            own,
            payment_id=payment,
            merchant=merchant,
            amount=amount,
            reason=reason,
            by=by,
            as_json=as_json,
        )
        return
    if consent_given_at is None or consent_evidence is None:
        raise typer.BadParameter("a dispute needs --consent-given-at and --consent-evidence")
    command = _with_money(
        messages.RequestRebill,
        own,
        amount,
        requested_by=by,
        reason=reason,
        consent={"given_at": consent_given_at, "evidence_id": consent_evidence},
        rebill_id=rebill_id,
    )
    give(own, "request_rebill", command, as_json=as_json)


def resolve(
    owner: Annotated[
        str, typer.Argument(help="The dispute, or preauthorization/ID, refund/ID, payout/ID ...")
    ],
    operation_key: str,
    resolution: Resolution,
    by: By,
    proof: Annotated[str, typer.Option(help="How you know.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Say, with proof, what became of an operation in doubt."""
    command = message(
        messages.ResolveOperation,
        operation_key=operation_key,
        resolution=resolution.value,
        resolved_by=by,
        proof=proof,
    )
    kind, _, own = owner.partition("/")
    if own:
        give_payment(payment_kind(kind), own, "resolve_operation", command, as_json=as_json)
    else:
        give(owner, "resolve_operation", command, as_json=as_json)
