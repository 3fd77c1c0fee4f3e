"""Differences between the two books in words, each with the command that would resolve it."""

from collections.abc import Iterator

from disputes.comparison import Comparison, Match
from disputes.known import KnownOperation, KnownPayment
from disputes.money import Money
from disputes.operations import GatewayEntry
from disputes.reconciliation import Difference, DifferenceType
from disputes.vocabulary import OperationState, PaymentType

#: What undoes a second entry (architecture, step 7); the others only the acquirer can undo.
_INVERSE = {
    PaymentType.PA: PaymentType.RV,
    PaymentType.DB: PaymentType.RF,
    PaymentType.CP: PaymentType.RF,
    PaymentType.RB: PaymentType.RF,
    PaymentType.CD: PaymentType.RF,
}


def adoptable(known: KnownPayment, found: Comparison) -> tuple[Difference, ...]:
    """What taking over would resolve, or would have: entries that our books do not have."""
    again = compare_again(known.root_id)
    return (
        *(
            _match(
                DifferenceType.SHOWN,
                match,
                f"{match.operation.state} in our books, and the gateway shows it as booked",
                again,
            )
            for match in (*found.shown, *found.named)
        ),
        *(
            Difference(
                type=DifferenceType.MISSING_HERE,
                payment_id=known.root_id,
                gateway_id=entry.gateway_id,
                theirs=_theirs(entry),
                text=f"the gateway shows this {entry.payment_type}, our books do not",
                what_to_do=_missing_here(known, entry),
            )
            for entry in found.new
        ),
    )


def for_a_person(known: KnownPayment, found: Comparison) -> tuple[Difference, ...]:
    """What only a person can resolve."""
    return tuple(_for_a_person(known, found))


def not_compared(root_id: str, reason: str) -> Difference:
    """A payment of which the gateway told nothing."""
    return Difference(
        type=DifferenceType.NOT_COMPARED,
        payment_id=root_id,
        text=f"not compared: {reason}",
        what_to_do=compare_again(root_id),
    )


def unknown_payment(known: KnownPayment) -> tuple[Difference, ...]:
    """The gateway denies the payment of disputes that are open."""
    return tuple(
        Difference(
            type=DifferenceType.UNKNOWN_PAYMENT,
            payment_id=dispute.payment_id,
            dispute_id=dispute.dispute_id,
            text="the gateway does not know the payment: check the payment id and the merchant",
            what_to_do=f"disputes show {dispute.dispute_id}",
        )
        for dispute in known.disputes
        if not dispute.final
    )


def compare_again(root_id: str) -> str:
    """The command that compares one payment and takes over what is new."""
    return f"disputes reconcile --payment {root_id}"


def _for_a_person(known: KnownPayment, found: Comparison) -> Iterator[Difference]:
    again = compare_again(known.root_id)
    for match in found.altered:
        text = "the gateway shows it with another amount, currency or reference"
        yield _match(DifferenceType.OTHER_AMOUNT, match, text, _other_amount(match, again))
    for op in found.missing:
        text = "settled in our books, and the gateway does not show it as booked"
        ask = f"ask the acquirer about the entry, then: {again}"
        yield _operation(DifferenceType.MISSING_THERE, op, text, ask)
    for op in found.denied:
        text = f"{op.state} in our books, and the gateway does not show it"
        yield _operation(DifferenceType.DENIED, op, text, _denied(op))
    for match in found.twins:
        text = "the gateway booked it a second time"
        yield _match(DifferenceType.TWIN, match, text, f"{_undo(match.entry)}, then: {again}")
    for op in found.unexplained:
        text = "the gateway booked a chargeback that no dispute of ours explains"
        yield _operation(DifferenceType.UNEXPLAINED, op, text, "disputes intake FILE (its notice)")


def _missing_here(known: KnownPayment, entry: GatewayEntry) -> str:
    if entry.payment_type is PaymentType.CR and entry.referenced_id is None:
        return "ask the acquirer which chargeback it reverses"
    return compare_again(known.root_id)


def _other_amount(match: Match, again: str) -> str:
    op = match.operation
    if op.state in (OperationState.IN_DOUBT, OperationState.SENT):
        # Refused by a person, our operation claims the entry no longer, and it can be adopted.
        return f"{_resolve(op, 'did_not_happen')}, then: {again}"
    return f"ask the acquirer to correct the entry, then: {again}"


def _denied(op: KnownOperation) -> str:
    if op.state is OperationState.SENT:
        # Nobody may decide it yet: any word to the case makes it ask the gateway again.
        return f'disputes note {op.dispute_id} "asked again" --by NAME'
    return _resolve(op, "did_not_happen")


def _resolve(op: KnownOperation, resolution: str) -> str:
    return f"disputes resolve {op.dispute_id} {op.key} {resolution} --by NAME --proof TEXT"


def _undo(entry: GatewayEntry) -> str:
    inverse = _INVERSE.get(entry.payment_type)
    if inverse is None:
        return f"have the acquirer undo entry {entry.gateway_id}"
    return f"undo entry {entry.gateway_id} at the gateway by {inverse}"


def _match(kind: DifferenceType, match: Match, text: str, what_to_do: str) -> Difference:
    found = _operation(kind, match.operation, text, what_to_do)
    theirs = {"gateway_id": match.entry.gateway_id, "theirs": _theirs(match.entry)}
    return found.model_copy(update=theirs)


def _operation(kind: DifferenceType, op: KnownOperation, text: str, what_to_do: str) -> Difference:
    return Difference(
        type=kind,
        payment_id=op.payment_id,
        operation_key=op.key,
        dispute_id=op.dispute_id,
        gateway_id=op.gateway_id,
        ours=_money(op.amount_minor, op.currency),
        text=f"{op.payment_type} {text}",
        what_to_do=what_to_do,
    )


def _theirs(entry: GatewayEntry) -> Money | None:
    return _money(entry.amount_minor or 0, entry.currency or "")


def _money(minor: int, currency: str) -> Money | None:
    try:
        return Money.of(minor, currency)
    except ValueError:
        return None
