"""What the gateway notifies us of, and whom it concerns: a pure rule over what our books know.

A notification is a hint, never a proof: whoever is told asks the gateway before money moves.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from disputes.decode import json_of
from disputes.fields import Durable, GatewayId, Label, Moment
from disputes.operations import OWN_WORKFLOWS
from disputes.vocabulary import OperationState, PaymentType, Stage

#: Start of the key of an entry that the gateway booked by itself.
_ADOPTED: Final = "gateway:"
#: Start of the id of a case that stands for a chargeback without a notice.
PLACEHOLDER: Final = "gw-"
#: What a dispute can be told of by ``booking``.
_TOLD: Final = (PaymentType.CB, PaymentType.CR, PaymentType.RF, PaymentType.RB)
#: Why a chargeback waits of which a case was told: that case may not take it.
TOLD: Final = "its case was told, and has not taken it yet"
_UNDER_WAY: Final = (OperationState.INTENDED, OperationState.SENT)


class NotifiedEntry(Durable):
    """The entry that a notification is about: ids, type and amount, and nothing of the shopper.

    ``amount_minor`` in minor units of ``currency``; ``at``: the gateway's moment, UTC.
    """

    gateway_id: GatewayId
    payment_type: PaymentType
    referenced_id: GatewayId | None = None
    #: only where it can be ours: 32 hex
    merchant_transaction_id: GatewayId | None = None
    amount_minor: int | None = None
    currency: str | None = None
    result_code: str | None = None
    arn: Label | None = None
    at: Moment | None = None

    def booking(self, received_at: datetime) -> dict[str, object]:
        """What its owner is told: only the id, for the amount must be the gateway's answer.

        ``received_at`` (UTC) stands in for a moment that is missing or lies in the future.
        """
        past = self.at is not None and self.at <= received_at
        moment = self.at if past and self.at is not None else received_at
        told = {"gateway_id": self.gateway_id, "payment_type": self.payment_type.value}
        return {**told, "occurred_at": moment.isoformat()}


class Notification(Durable):
    """A notification as it is kept; ``ignored`` says why nothing follows from it."""

    type: str
    action: str | None = None
    entry: NotifiedEntry | None = None
    ignored: str | None = None

    def kept(self) -> dict[str, object]:
        """All that is stored of it, as JSON."""
        return json_of(self)


class Arrival(Durable):
    """A notification that came: what is kept, and by what its repetition is known.

    ``sha256``: hex digest of the whole plaintext; ``meaning``: of what makes two notifications the
    same, where it is about a payment.
    """

    notification: Notification
    sha256: str
    meaning: str | None = None


class KnownAs(Durable):
    """The operation of our books that an entry is, by its id or by our reference.

    ``unheard``: the books know it as booked, and its owner does not.
    """

    key: str
    state: OperationState
    gateway_id: str | None = None
    dispute_id: str | None = None
    unheard: bool = False

    def has(self, gateway_id: str) -> bool:
        """Whether the books have this entry as booked, and its owner knows."""
        booked = self.state is OperationState.SETTLED and self.gateway_id == gateway_id
        return booked and not self.unheard


class Suspect(Durable):
    """A dispute that an entry may belong to, by its notice; ``booked``: it has its chargeback."""

    dispute_id: str
    payment_id: str | None = None
    gateway_reference: str | None = None
    arn: str | None = None
    amount_minor: int = 0
    currency: str = ""
    stage: Stage = Stage.CHARGEBACK
    final: bool = False
    booked: bool = False


class Bearings(Durable):
    """What our books know around an entry.

    ``parent_known``, ``parent_dispute``: of the entry that it references; ``watched``: the workflow
    that watches over the pre-authorization that it references; ``told``: the case that was told of
    this chargeback when nobody had it.
    """

    operation: KnownAs | None = None
    parent_known: bool = False
    parent_dispute: str | None = None
    watched: str | None = None
    told: str | None = None
    suspects: tuple[Suspect, ...] = ()


@dataclass(frozen=True, slots=True)
class TellDisputes:
    """These cases are told."""

    dispute_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TellWorkflow:
    """The workflow of a payment's own operation is told, whether it runs or has closed."""

    workflow_id: str


@dataclass(frozen=True, slots=True)
class Known:
    """Nobody need be told: it is the outcome of a call of ours that is on the books."""

    dispute_id: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Nobody can be told yet; ``orphan``: a chargeback that no case explains, or has taken.

    ``told``: the case that was told of it.
    """

    reason: str
    orphan: bool = False
    told: str | None = None


@dataclass(frozen=True, slots=True)
class Nobody:
    """It concerns no operation and no case."""

    reason: str


Route = TellDisputes | TellWorkflow | Known | Wait | Nobody


def placeholder_id(gateway_id: str) -> str:
    """Id of the case that stands for a chargeback until its notice comes."""
    return f"{PLACEHOLDER}{gateway_id}"


def route(entry: NotifiedEntry, known: Bearings) -> Route:
    """Whom an entry concerns: the owner of the operation that it is, else the dispute it fits."""
    if known.operation is not None:
        owner = _owner(entry, known.operation, known.told)
        if owner is not None:
            return owner
    match entry.payment_type:
        case PaymentType.CB:
            return _explained(entry, known)
        case PaymentType.CR:
            parent = known.parent_dispute or _named_by_arn(entry, known)
            return TellDisputes((parent,)) if parent else Wait("it reverses nobody's chargeback")
        case PaymentType.RF:
            concerned = _refunded(entry, known)
            return TellDisputes(concerned) if concerned else Nobody("no open case on the payment")
        case PaymentType.CP | PaymentType.RV if known.watched is not None:
            return TellWorkflow(known.watched)
        case _:
            return Nobody("no operation of ours")


def _explained(entry: NotifiedEntry, known: Bearings) -> Route:
    """The way to the case that explains a chargeback; once it was told, it is waited for."""
    ours = _explained_by(entry, known.suspects)
    if ours is None:
        return Wait("no case explains it", orphan=True)
    return Wait(TOLD, orphan=True, told=ours) if ours == known.told else TellDisputes((ours,))


def _owner(entry: NotifiedEntry, operation: KnownAs, told: str | None) -> Route | None:
    """The way to an operation's owner; ``None`` for an entry that has none.

    ``told``: a case that was told of the entry. Whoever took it since knows it.
    """
    if operation.state in _UNDER_WAY:
        return Wait("the call is under way: who sent it asks")
    if operation.key.startswith(_ADOPTED):
        if operation.dispute_id is None or entry.payment_type not in _TOLD:
            return None
        return Known(operation.dispute_id) if told else TellDisputes((operation.dispute_id,))
    if operation.has(entry.gateway_id):
        return Known(operation.dispute_id)
    owner, owner_id = operation.key.split(":")[:2]
    if owner in OWN_WORKFLOWS:
        return TellWorkflow(f"{owner}/{owner_id}")
    if entry.payment_type in _TOLD:
        return TellDisputes((owner_id,))
    return Wait("its case cannot be told of this type: the comparison settles it")


def _explained_by(entry: NotifiedEntry, suspects: tuple[Suspect, ...]) -> str | None:
    """The dispute whose notice names the chargeback, else the one of that payment and amount.

    An alert or inquiry has none: the chargeback that follows may get an id of its own.
    """
    named = [it for it in suspects if it.gateway_reference == entry.gateway_id]
    alike = [
        it
        for it in suspects
        if it.gateway_reference is None
        and it.stage.takes_money
        and not it.booked
        and (it.amount_minor, it.currency) == (entry.amount_minor, entry.currency)
        and (it.payment_id == entry.referenced_id or (it.arn is not None and it.arn == entry.arn))
    ]
    return next((it.dispute_id for it in (*named, *alike)), None)


def _named_by_arn(entry: NotifiedEntry, known: Bearings) -> str | None:
    """The one dispute to ask about a reversal of what our books do not know.

    What they know without a dispute is waited for: its case is the reversal's too.
    """
    if known.parent_known or entry.arn is None:
        return None
    named = [it for it in known.suspects if it.arn == entry.arn and it.stage.takes_money]
    return named[0].dispute_id if len(named) == 1 else None


def _refunded(entry: NotifiedEntry, known: Bearings) -> tuple[str, ...]:
    """A refund lessens what a dispute of the payment can still hold."""
    on_it = [
        it.dispute_id
        for it in known.suspects
        if it.payment_id == entry.referenced_id and not it.final
    ]
    return tuple(dict.fromkeys([*([known.parent_dispute] if known.parent_dispute else []), *on_it]))
