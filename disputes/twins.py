"""What the gateway booked twice under one reference: which entry is kept, how another is undone."""

from collections.abc import Collection, Sequence

from disputes.operations import GatewayEntry, Plan
from disputes.vocabulary import PaymentType, Purpose

#: In the key of what undoes an entry that the gateway booked twice.
TWIN = ":twin:"
#: What undoes an entry (architecture, step 7), the next where the gateway refuses the first. A CB,
#: CR or RF only the acquirer can undo, and an increase not without the authorization.
_UNDONE_BY = {
    PaymentType.PA: (Purpose.REVERSE,),
    PaymentType.DB: (Purpose.REVERSE, Purpose.REFUND),
    PaymentType.CP: (Purpose.REFUND,),
    PaymentType.RB: (Purpose.REFUND,),
    PaymentType.CD: (Purpose.REFUND,),
}


def kept(live: Sequence[GatewayEntry], built_on: Collection[str | None]) -> GatewayEntry:
    """The one that something builds on, else the oldest; ``live``: oldest first."""
    return next((entry for entry in live if entry.gateway_id in built_on), live[0])


def built_on(linked: Sequence[GatewayEntry]) -> frozenset[str | None]:
    """Ids of all entries that a live one references."""
    return frozenset(entry.referenced_id for entry in linked if entry.succeeded)


def undoing(
    key: str, purpose: Purpose | None, merchant_id: str, twin: GatewayEntry
) -> tuple[Plan, ...]:
    """Operations of which the first that is booked undoes ``twin``; none: a person must decide.

    ``key`` and ``purpose`` are of the operation under whose reference it was booked. The keys are
    the twin's own, so that whoever finds it, and however often, undoes it once.
    """
    amount, currency = twin.amount_minor, twin.currency
    if purpose is Purpose.INCREASE or amount is None or currency is None:
        return ()
    return tuple(
        Plan(
            key=f"{key}{TWIN}{twin.gateway_id}:{undo.value}",
            purpose=undo,
            merchant_id=merchant_id,
            payment_id=twin.gateway_id,
            referenced_id=twin.gateway_id,
            amount_minor=amount,
            currency=currency,
        )
        for undo in _UNDONE_BY.get(twin.payment_type, ())
    )
