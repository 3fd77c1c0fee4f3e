"""Payments: what became of one, by the gateway's entries and by the ledger."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel

from disputes.errors import NotFound
from disputes.fields import GatewayId
from disputes.ledger import IN_HAND, Account
from disputes.money import to_decimal
from disputes.store.ledger import LedgerLine
from disputes.store.reads import OperationLine
from starter.api import documents
from starter.api.access import Viewer
from starter.api.ledger import LedgerEntry, entry_of
from starter.api.office import office_of
from starter.api.once import json_answer

router = APIRouter(tags=["payments"])


class Position(BaseModel):
    """What the merchant has of a payment in one currency; signed decimal strings.

    ``in_hand``: fees deducted; ``at_risk``: what the bank holds and may give back; ``accounts``:
    what stands on each account, debit positive.
    """

    currency: str
    in_hand: str
    at_risk: str
    accounts: dict[Account, str]


class PaymentDetail(BaseModel):
    """A payment: positions, the gateway's entries (minor units), every posting."""

    payment_id: str
    root_id: str
    merchant_id: str
    positions: list[Position]
    entries: list[OperationLine]
    ledger: list[LedgerEntry]


@router.get(
    "/v1/payments/{payment_id}",
    summary="A payment's position, entries and ledger",
    responses=documents.reads(PaymentDetail, "All that the books have of it."),
)
def show(request: Request, key: Viewer, payment_id: GatewayId) -> Response:
    """Show a payment, by its first or any presented entry's id at the gateway."""
    office = office_of(request)
    found = office.reads.payment(payment_id)
    if found is None or not key.sees(found.merchant_id):
        raise NotFound("the books have nothing on this payment")
    lines = office.ledger.show(payment_id)
    return json_answer(
        PaymentDetail(
            payment_id=payment_id,
            root_id=found.root_id,
            merchant_id=found.merchant_id,
            positions=[_position(name, lines) for name in sorted({it.currency for it in lines})],
            entries=list(found.operations),
            ledger=[entry_of(line) for line in lines],
        )
    )


def _position(currency: str, lines: list[LedgerLine]) -> Position:
    balances = dict.fromkeys(Account, 0)
    for line in lines:
        if line.currency == currency:
            balances[line.debit] += line.amount_minor
            balances[line.credit] -= line.amount_minor
    return Position(
        currency=currency,
        in_hand=to_decimal(sum(balances[account] for account in IN_HAND), currency),
        at_risk=to_decimal(balances[Account.DISPUTED], currency),
        accounts={name: to_decimal(it, currency) for name, it in balances.items() if it},
    )
