"""What our books know of one payment, and what of it the cases have not been told."""

from collections.abc import Collection

from disputes.fields import Durable, Moment
from disputes.operations import OWN_WORKFLOWS, STANDALONE, owner_of
from disputes.twins import TWIN
from disputes.vocabulary import OperationState, PaymentType, Purpose

#: Entries of which a case hears by the signal ``booking``.
_TOLD = (PaymentType.CB, PaymentType.CR, PaymentType.RF, PaymentType.RB)


class KnownOperation(Durable):
    """One operation as our books have it; minor units, wire time in UTC.

    ``adopted``: the gateway booked it by itself, as far as our books know; ``attempts``: how often
    it was sent.
    """

    key: str
    payment_id: str
    dispute_id: str | None = None
    purpose: Purpose | None = None
    payment_type: PaymentType
    state: OperationState
    amount_minor: int
    currency: str
    referenced_id: str | None = None
    merchant_transaction_id: str | None = None
    gateway_id: str | None = None
    result_code: str | None = None
    adopted: bool = False
    attempts: int = 0
    sent_at: Moment | None = None
    settled_at: Moment | None = None


class KnownDispute(Durable):
    """A dispute on the payment, and what its case has been told.

    ``told``: keys of operations that the case knows as settled; ``doubted``: of those that it takes
    for in doubt; ``refunded_minor``: what it knows to be refunded of the payment, ``None`` where it
    does not know the payment.
    """

    dispute_id: str
    payment_id: str
    final: bool = False
    told: tuple[str, ...] = ()
    doubted: tuple[str, ...] = ()
    refunded_minor: int | None = None


class KnownPayment(Durable):
    """All that our books have of a payment; ``wire_now`` is the database's clock."""

    root_id: str
    operations: tuple[KnownOperation, ...] = ()
    disputes: tuple[KnownDispute, ...] = ()
    wire_now: Moment


def untold(
    known: KnownPayment, fresh: Collection[str] = ()
) -> tuple[tuple[str, KnownOperation], ...]:
    """What a case has to be told: its id, with an entry that our books have and it does not.

    ``fresh``: entries that were taken over just now. Of its own operations a case may know more
    than it has recorded: besides them only those are looked at that it takes for in doubt, for
    another's question may have proved them since.
    """
    news = [
        (dispute.dispute_id, op)
        for dispute in known.disputes
        for op in known.operations
        if op.dispute_id == dispute.dispute_id
        and _tellable(op)
        and (
            op.gateway_id in fresh
            or op.key in dispute.doubted
            or (op.adopted and op.key not in dispute.told)
        )
    ]
    for dispute in known.disputes:
        refunds = [
            op
            for op in known.operations
            if op.payment_type is PaymentType.RF
            and op.referenced_id == dispute.payment_id
            and _tellable(op)
        ]
        refunded = sum(op.amount_minor for op in refunds)
        if not dispute.final and dispute.refunded_minor not in (None, refunded) and refunds:
            news.append((dispute.dispute_id, refunds[-1]))
    return tuple(news)


def booked_by_owner(known: KnownPayment) -> dict[str, KnownOperation]:
    """The newest booked operation of each of the payment's own workflows, by the workflow's id."""
    booked = [op for op in known.operations if op.state is OperationState.SETTLED and op.gateway_id]
    # What undoes a twin is no operation of the workflow.
    owned = [(owner_of(op.key) or "", op) for op in booked if TWIN not in op.key]
    return {owner: op for owner, op in owned if owner.partition("/")[0] in OWN_WORKFLOWS}


def sent_again(known: KnownPayment) -> KnownOperation | None:
    """The operation that made the payment, where it went out more than once.

    Its first request may have been booked all the same, as a payment of its own that hangs under
    nothing: only a question by our reference shows it.
    """
    return next(
        (
            op
            for op in known.operations
            if op.purpose in STANDALONE and op.gateway_id == known.root_id and op.attempts > 1
        ),
        None,
    )


def _tellable(op: KnownOperation) -> bool:
    booked = op.state is OperationState.SETTLED and op.gateway_id is not None
    return booked and op.payment_type in _TOLD
