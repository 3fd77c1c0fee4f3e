"""Our operations against the gateway's entries of one payment: what is the same, and what not.

Entries are matched by the gateway's id, else by our merchantTransactionId together with type,
amount and reference (architecture, step 4).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from disputes.known import KnownOperation, KnownPayment
from disputes.operations import GatewayEntry
from disputes.vocabulary import OperationState, PaymentType

_UNDOING = (PaymentType.RV, PaymentType.RF, PaymentType.CR)


@dataclass(frozen=True, slots=True)
class Windows:
    """How long the two books may differ without meaning anything.

    ``settling``: until an entry is booked and shown; ``patience``: until a call without an answer
    is no longer under way.
    """

    settling: timedelta
    patience: timedelta


@dataclass(frozen=True, slots=True)
class Match:
    """An operation, and the entry at the gateway that belongs to it."""

    operation: KnownOperation
    entry: GatewayEntry


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the gateway's entries prove of our operations.

    Attributes:
        shown: not settled by our books, and booked by the gateway.
        named: settled by a person's word; this is the entry that was meant.
        new: entries that our books do not have.
        altered: an entry under our own reference, or of one id, that is not what we have.
        missing: settled by our books, and not shown as booked.
        denied: in doubt or sent long ago, and not shown.
        twins: the operation with a further live entry under its reference.
        unexplained: chargebacks that no dispute of ours claims.
    """

    shown: tuple[Match, ...] = ()
    named: tuple[Match, ...] = ()
    new: tuple[GatewayEntry, ...] = ()
    altered: tuple[Match, ...] = ()
    missing: tuple[KnownOperation, ...] = ()
    denied: tuple[KnownOperation, ...] = ()
    twins: tuple[Match, ...] = ()
    unexplained: tuple[KnownOperation, ...] = ()

    @property
    def adoptable(self) -> int:
        """How many entries wait to be taken over."""
        return len(self.shown) + len(self.named) + len(self.new)


def compare(known: KnownPayment, entries: Sequence[GatewayEntry], windows: Windows) -> Comparison:
    """Compare all that our books have of a payment with all entries that the gateway shows of it.

    ``entries`` must have been asked for before ``known`` was read.
    """
    live = [entry for entry in entries if entry.succeeded]
    matches = _matches(known, live)
    held = {op.gateway_id for op in known.operations} | {it.entry.gateway_id for it in matches}
    free = [entry for entry in live if entry.gateway_id not in held]
    matched = {match.operation.key for match in matches}
    altered = _altered(known, free, matched) + _changed(known, live)
    explained = matched | {match.operation.key for match in altered}
    rest = [op for op in known.operations if op.key not in explained]
    doubted = {match.entry.gateway_id for match in altered}
    settled = OperationState.SETTLED
    return Comparison(
        shown=tuple(match for match in matches if match.operation.state is not settled),
        named=tuple(match for match in matches if match.operation.state is settled),
        new=tuple(entry for entry in free if entry.gateway_id not in doubted),
        altered=altered,
        missing=tuple(op for op in rest if _is_missing(op, live, known, windows)),
        denied=tuple(op for op in rest if _is_denied(op, entries, known, windows)),
        twins=tuple(_twins(known, live, matches)),
        unexplained=tuple(op for op in rest if _is_unexplained(op, live)),
    )


def _matches(known: KnownPayment, live: Sequence[GatewayEntry]) -> tuple[Match, ...]:
    """Operations without an entry, each with the one that is theirs."""
    taken = {op.gateway_id for op in known.operations if not op.adopted}
    adopted = {op.gateway_id for op in known.operations if op.adopted}
    found = []
    for op in known.operations:
        if op.gateway_id or op.adopted or op.state is OperationState.INTENDED:
            continue
        candidates = [
            entry
            for entry in live
            if entry.gateway_id not in taken and _is_entry_of(entry, op, adopted)
        ]
        if candidates:
            kept = _kept(candidates, live)
            taken.add(kept.gateway_id)
            found.append(Match(op, kept))
    return tuple(found)


def _is_entry_of(entry: GatewayEntry, op: KnownOperation, adopted: set[str | None]) -> bool:
    """Whether an entry is an operation's: under our reference, else as a person said it was."""
    reference = entry.merchant_transaction_id
    named = reference is not None and reference == op.merchant_transaction_id
    unnamed = reference is None and entry.gateway_id not in adopted
    word = op.state is OperationState.SETTLED and unnamed
    return (named or word) and _alike(entry, op)


def _alike(entry: GatewayEntry, op: KnownOperation) -> bool:
    return (
        entry.payment_type is op.payment_type
        and entry.amount_minor in (op.amount_minor, None)
        and entry.currency in (op.currency, None)
        and entry.referenced_id in (op.referenced_id, None)
    )


def _kept(candidates: Sequence[GatewayEntry], live: Sequence[GatewayEntry]) -> GatewayEntry:
    """Of two under one reference, the one that something builds on, else the older (step 7)."""
    referenced = {entry.referenced_id for entry in live}
    return next((it for it in candidates if it.gateway_id in referenced), candidates[0])


def _altered(
    known: KnownPayment, free: Sequence[GatewayEntry], matched: set[str]
) -> tuple[Match, ...]:
    """Entries under the reference of an operation that waits for one, and not what was sent."""
    waiting = {
        op.merchant_transaction_id: op
        for op in known.operations
        if op.gateway_id is None
        and not op.adopted
        and op.key not in matched
        # What was refused claims nothing: another amount under its name is an entry of its own.
        and op.state is not OperationState.REFUSED
    }
    return tuple(
        Match(op, entry)
        for entry in free
        if entry.merchant_transaction_id is not None
        and (op := waiting.get(entry.merchant_transaction_id)) is not None
        and op.payment_type is entry.payment_type
    )


def _changed(known: KnownPayment, live: Sequence[GatewayEntry]) -> tuple[Match, ...]:
    """Entries that both books have, but not with the same content."""
    by_id = {entry.gateway_id: entry for entry in live}
    return tuple(
        Match(op, entry)
        for op in known.operations
        if (entry := by_id.get(op.gateway_id or "")) is not None and not _alike(entry, op)
    )


def _is_missing(
    op: KnownOperation, live: Sequence[GatewayEntry], known: KnownPayment, windows: Windows
) -> bool:
    since = op.settled_at or known.wire_now
    shown = any(entry.gateway_id == op.gateway_id for entry in live)
    late = known.wire_now - since >= windows.settling
    return op.state is OperationState.SETTLED and not shown and late


def _is_denied(
    op: KnownOperation, entries: Sequence[GatewayEntry], known: KnownPayment, windows: Windows
) -> bool:
    """Whether nobody but a person can say what became of it; what is pending is not over yet."""
    under_way = op.state is OperationState.SENT and (
        known.wire_now - (op.sent_at or known.wire_now) < windows.patience
    )
    pending = any(
        entry.pending and entry.merchant_transaction_id == op.merchant_transaction_id
        for entry in entries
    )
    unknown = op.state in (OperationState.SENT, OperationState.IN_DOUBT)
    return unknown and not under_way and not pending


def _twins(
    known: KnownPayment, live: Sequence[GatewayEntry], matches: Sequence[Match]
) -> Iterator[Match]:
    """Further entries under an operation's reference that nobody has undone."""
    found = {match.operation.key: match.entry.gateway_id for match in matches}
    for op in known.operations:
        own = op.gateway_id or found.get(op.key)
        if op.adopted or own is None or op.merchant_transaction_id is None:
            continue
        for entry in live:
            reference = (entry.merchant_transaction_id, entry.payment_type)
            second = reference == (op.merchant_transaction_id, op.payment_type)
            undone = _undone(entry.gateway_id, entry.amount_minor, live)
            if second and entry.gateway_id != own and not undone:
                yield Match(op, entry)


def _is_unexplained(op: KnownOperation, live: Sequence[GatewayEntry]) -> bool:
    nobodys = op.payment_type is PaymentType.CB and op.dispute_id is None
    booked = op.state is OperationState.SETTLED and op.gateway_id is not None
    return nobodys and booked and not _undone(op.gateway_id, op.amount_minor, live)


def _undone(gateway_id: str | None, minor: int | None, live: Sequence[GatewayEntry]) -> bool:
    back = sum(
        entry.amount_minor or 0
        for entry in live
        if entry.referenced_id == gateway_id and entry.payment_type in _UNDOING
    )
    return back >= (minor or 0)
