"""What the register keeps of a case: every fact, command, timer and outcome as one event."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from disputes import messages
from disputes.fields import Durable, Moment
from disputes.notice import DisputeNotice
from disputes.operations import Operation, Payment
from disputes.terms import CaseTerms
from disputes.vocabulary import NetworkEventKind, Stage


class TimerKind(StrEnum):
    """The moments on which a case acts by itself."""

    NOTICE_WAIT = "notice_wait"
    LADDER = "ladder"
    LAST_CALL = "last_call"
    DEADLINE = "deadline"
    ISSUER_SILENT = "issuer_silent"
    RULING_OVERDUE = "ruling_overdue"
    APPROVAL_EXPIRY = "approval_expiry"
    TAIL_END = "tail_end"


class Opened(Durable):
    """The notice arrived; the case's slice of rulebook and policy is pinned with it."""

    kind: Literal["opened"] = "opened"
    notice: DisputeNotice
    terms: CaseTerms


class PaymentKnown(Durable):
    """The gateway told what it knows of the presented entry."""

    kind: Literal["payment_known"] = "payment_known"
    payment: Payment


class Ruled(Durable):
    """A bank's ruling."""

    kind: Literal["ruled"] = "ruled"
    ruling: messages.BankRuling


class Reported(Durable):
    """A network event."""

    kind: Literal["reported"] = "reported"
    event: messages.NetworkEvent


class Booked(Durable):
    """An entry that the gateway reported by itself, adopted as an operation."""

    kind: Literal["booked"] = "booked"
    booking: messages.Booking
    operation: Operation | None = None


class EvidenceAdded(Durable):
    """A piece of evidence."""

    kind: Literal["evidence_added"] = "evidence_added"
    evidence: messages.AddEvidence


class EvidenceWithdrawn(Durable):
    """A piece of evidence taken back."""

    kind: Literal["evidence_withdrawn"] = "evidence_withdrawn"
    withdrawal: messages.WithdrawEvidence


class _Answer(Durable):
    """What answers the network: it names the stage and cycle that were open when it was given."""

    stage: Stage | None = None
    cycle: int | None = None


class Submitted(_Answer):
    """The representment (or pre-arbitration attempt) went out; the packet's hash is kept."""

    kind: Literal["submitted"] = "submitted"
    submission: messages.SubmitRepresentment
    packet_sha256: str


class LiabilityAccepted(Durable):
    """The merchant gave the case up; ``amount_minor`` is the accepted part."""

    kind: Literal["liability_accepted"] = "liability_accepted"
    acceptance: messages.AcceptLiability
    amount_minor: int


class PreArbitrationAnswered(_Answer):
    """The merchant answered the issuer's pre-arbitration."""

    kind: Literal["pre_arbitration_answered"] = "pre_arbitration_answered"
    answer: messages.AnswerPreArbitration


class ArbitrationFiled(_Answer):
    """The merchant went to arbitration."""

    kind: Literal["arbitration_filed"] = "arbitration_filed"
    filing: messages.FileArbitration


class RebillRequested(Durable):
    """A rebill that passed every guard and approval."""

    kind: Literal["rebill_requested"] = "rebill_requested"
    request: messages.RequestRebill
    rebill_id: str
    amount_minor: int


class RefundRequested(Durable):
    """A refund of the case's own that passed every guard and approval; ``place``: from 1.

    ``closes``: once it is booked, the alert or inquiry is settled (lifecycle rows 1 and 2).
    """

    kind: Literal["refund_requested"] = "refund_requested"
    request: messages.ResolveByRefund
    place: int
    amount_minor: int
    closes: bool


class ApprovalRequested(Durable):
    """A command waits for a second person; ``body`` is the event that approval releases."""

    kind: Literal["approval_requested"] = "approval_requested"
    request_id: str
    command: str
    requested_by: str
    amount_minor: int
    expires_at: Moment
    body: "Held"


class ApprovalDecided(Durable):
    """The second person's decision."""

    kind: Literal["approval_decided"] = "approval_decided"
    decision: messages.Decide
    approved: bool


class Assigned(Durable):
    """The case went to a person."""

    kind: Literal["assigned"] = "assigned"
    assignment: messages.Assign


class NoteAdded(Durable):
    """A remark."""

    kind: Literal["note_added"] = "note_added"
    note: messages.AddNote


class OperationResolved(Durable):
    """A person settled an operation in doubt."""

    kind: Literal["operation_resolved"] = "operation_resolved"
    resolution: messages.ResolveOperation


class OperationReported(Durable):
    """The outcome of a gateway operation."""

    kind: Literal["operation_reported"] = "operation_reported"
    operation: Operation


class CallsHeld(Durable):
    """Calls on the payment wait; ``reason`` is an attention code."""

    kind: Literal["calls_held"] = "calls_held"
    reason: str


class TimerFired(Durable):
    """A moment of the case came; ``due`` is when it should have, ``at`` of the event likewise."""

    kind: Literal["timer_fired"] = "timer_fired"
    timer: TimerKind
    due: Moment
    #: hours before the deadline for a ladder notice, the request id for an approval
    detail: str = ""


class NotTaken(Durable):
    """A message that could not be taken, kept by its hash only."""

    kind: Literal["not_taken"] = "not_taken"
    name: str
    reason: str
    payload_sha256: str


Held = Annotated[
    LiabilityAccepted
    | PreArbitrationAnswered
    | ArbitrationFiled
    | RebillRequested
    | RefundRequested
    | OperationResolved
    | Submitted,
    Field(discriminator="kind"),
]
Body = Annotated[
    Opened
    | PaymentKnown
    | Ruled
    | Reported
    | Booked
    | EvidenceAdded
    | EvidenceWithdrawn
    | Submitted
    | LiabilityAccepted
    | PreArbitrationAnswered
    | ArbitrationFiled
    | RebillRequested
    | RefundRequested
    | ApprovalRequested
    | ApprovalDecided
    | Assigned
    | NoteAdded
    | OperationResolved
    | OperationReported
    | CallsHeld
    | TimerFired
    | NotTaken,
    Field(discriminator="kind"),
]
ApprovalRequested.model_rebuild()


class CaseEvent(Durable):
    """One entry of the register.

    ``sequence`` counts the case's events in the order of acceptance, ``at`` is when it happened
    (facts: at the bank), ``recorded_at`` the case's clock when it was accepted.
    """

    sequence: int
    event_id: str
    at: Moment
    recorded_at: Moment
    actor: str
    body: Body


#: Kinds that report what has happened outside; they may arrive in any order.
FACTS = (Opened, Ruled, Reported)
_RANK = {"opened": 0, "payment_known": 1, "ruled": 2, "reported": 2}
_LAST_RANK = 3
#: The stage that a network event belongs to, for the order of facts of one moment.
_STAGE = {
    NetworkEventKind.ESCALATED: Stage.CHARGEBACK,
    NetworkEventKind.SECOND_CHARGEBACK: Stage.CHARGEBACK,
    NetworkEventKind.PRE_ARBITRATION_OPENED: Stage.PRE_ARBITRATION,
    NetworkEventKind.PRE_ARBITRATION_ACCEPTED: Stage.PRE_ARBITRATION,
    NetworkEventKind.PRE_ARBITRATION_DECLINED: Stage.PRE_ARBITRATION,
    NetworkEventKind.ARBITRATION_OPENED: Stage.ARBITRATION,
}


#: Where an event stands among all events of its case.
Place = tuple[int, datetime, int, int, int, str, int]


def order(event: CaseEvent) -> Place:
    """Sort key: the notice, then by moment; facts before ours, by stage, cycle and id.

    Facts of one moment may come in any order (lifecycle, Facts); ours keep the order of
    acceptance.
    """
    body = event.body
    stage = cycle = 0
    if isinstance(body, Ruled):
        stage = body.ruling.stage.rank if body.ruling.stage else 0
        cycle = body.ruling.cycle or 0
    elif isinstance(body, Reported):
        stage = _STAGE[body.event.kind].rank if body.event.kind in _STAGE else 0
        cycle = body.event.cycle or 0
    rank = _RANK.get(body.kind, _LAST_RANK)
    is_fact = isinstance(body, (*FACTS, Booked))
    return (
        0 if isinstance(body, Opened) else 1,
        event.at,
        rank,
        stage,
        cycle,
        event.event_id if is_fact else "",
        0 if is_fact else event.sequence,
    )
