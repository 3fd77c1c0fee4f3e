"""The state of one case: what folding its events gives, and nothing that a fold cannot give."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Self

from disputes.events import (
    ArbitrationFiled,
    CaseEvent,
    Held,
    Place,
    PreArbitrationAnswered,
    Submitted,
    TimerKind,
)
from disputes.messages import AddEvidence
from disputes.notice import DisputeNotice
from disputes.operations import Operation, Payment
from disputes.terms import CaseTerms
from disputes.vocabulary import (
    ANSWERABLE,
    DECIDED,
    Finality,
    OperationState,
    PaymentType,
    Purpose,
    Stage,
    Status,
)

#: Evidence type, or what of a group, is missing on the path that is nearest to complete.
Missing = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Approval:
    """A command that waits, or waited, for a second person; amount in minor units."""

    request_id: str
    command: str
    requested_by: str
    amount_minor: int
    requested_at: datetime
    expires_at: datetime
    body: Held
    outcome: str = "open"


@dataclass(frozen=True, slots=True)
class Rebill:
    """A rebill that was requested and approved; amount in minor units."""

    rebill_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund of the case's own that was requested and approved; amount in minor units.

    ``key`` is its operation's; ``closes``: once it is booked, the alert or inquiry is settled.
    """

    key: str
    amount_minor: int
    closes: bool


@dataclass(frozen=True, slots=True)
class Case:
    """One dispute; amounts are minor units of ``currency``, moments UTC.

    ``out_minor`` is what the bank holds now by its own facts: up by a chargeback, down by a
    ruling for the merchant. What the gateway shows of it is in ``operations``.
    """

    case_id: str
    events: tuple[CaseEvent, ...] = ()
    #: place of the event that happened last: what comes after it needs no new fold
    newest: Place | None = None
    skipped: tuple[tuple[str, str], ...] = ()

    notice: DisputeNotice | None = None
    terms: CaseTerms | None = None
    payment: Payment | None = None

    stage: Stage = Stage.CHARGEBACK
    status: Status = Status.AWAITING_NOTICE
    finality: Finality = Finality.OPEN
    cycle: int = 1

    disputed_minor: int = 0
    out_minor: int = 0
    #: all that the bank ever took, and ever returned, by its own facts
    taken_minor: int = 0
    returned_minor: int = 0
    accepted_minor: int = 0
    network_refund_minor: int = 0
    #: what a reinstatement brought less than was taken; negative: more
    fx_minor: int = 0
    expected_fee_minor: int = 0
    fees: tuple[tuple[str, int], ...] = ()
    fee_meanings: frozenset[tuple[str, ...]] = frozenset()
    #: whether the chargeback's own fee was told: then none is expected
    fee_told: bool = False

    evidence: tuple[AddEvidence, ...] = ()
    submitted_at: datetime | None = None
    #: since when another has the next word: the issuer, or who arbitrates
    waits_since: datetime | None = None
    packet_sha256: str | None = None
    respond_by: datetime | None = None
    #: when we learned of the open stage
    stage_known_at: datetime | None = None
    #: when the decision that stands was made, and until when it may turn
    decided_at: datetime | None = None
    tail_until: datetime | None = None
    fired: frozenset[tuple[TimerKind, datetime, str]] = frozenset()
    last_meaning: tuple[str, ...] = ()

    approvals: tuple[Approval, ...] = ()
    rebills: tuple[Rebill, ...] = ()
    refunds: tuple[Refund, ...] = ()
    operations: tuple[Operation, ...] = ()
    flags: frozenset[str] = frozenset()
    assignee: str | None = None

    @property
    def currency(self) -> str:
        """The case's currency: the payment's, or the settled amount's where the notice has one."""
        if self.notice is None:
            return ""
        return (self.notice.settled_amount or self.notice.amount).currency

    @property
    def opened_terms(self) -> CaseTerms:
        """The pinned terms; only for a case that has its notice."""
        if self.terms is None:
            raise ValueError("the case has no notice yet")
        return self.terms

    @property
    def answerable(self) -> bool:
        """Whether the merchant may still answer the open stage."""
        return self.status in ANSWERABLE

    @property
    def decided(self) -> bool:
        """Whether a decision stands, provisional or final."""
        return self.status in DECIDED

    @property
    def money_moved(self) -> bool:
        """Whether the stage is one in which the bank has taken money."""
        return self.stage.takes_money

    @property
    def loss_minor(self) -> int:
        """The recognised loss: all that is out once decided, before that the accepted part."""
        return self.out_minor if self.decided else min(self.accepted_minor, self.out_minor)

    @property
    def open_approvals(self) -> tuple[Approval, ...]:
        """Approvals that still wait."""
        return tuple(item for item in self.approvals if item.outcome == "open")

    @property
    def doubtful(self) -> tuple[Operation, ...]:
        """Operations whose outcome nobody knows."""
        return tuple(op for op in self.operations if op.state is OperationState.IN_DOUBT)

    def operation(self, key: str) -> Operation | None:
        """The operation with this key, once its outcome was told."""
        return next((op for op in self.operations if op.key == key), None)

    def settled(self, *purposes: Purpose) -> int:
        """Sum in minor units of the settled operations of some purposes."""
        return sum(
            op.amount_minor
            for op in self.operations
            if op.purpose in purposes and op.state is OperationState.SETTLED
        )

    @property
    def rebilled_minor(self) -> int:
        """Charged again by settled rebills."""
        return self.settled(Purpose.REBILL)

    @property
    def refunded_minor(self) -> int:
        """Paid back by the case's own refunds."""
        outcomes = (self.operation(refund.key) for refund in self.refunds)
        settled = (op for op in outcomes if op and op.state is OperationState.SETTLED)
        return sum(op.amount_minor for op in settled)

    @property
    def given_back_minor(self) -> int:
        """Given back of rebills, by refund or by credit."""
        return self.settled(Purpose.GIVE_BACK, Purpose.GIVE_BACK_CREDIT)

    @property
    def give_back_minor(self) -> int:
        """All that was or must be given back of rebills, because the bank reinstated too."""
        reinstated = self.disputed_minor - self.out_minor
        due = self.rebilled_minor + reinstated - self.disputed_minor
        return max(self.given_back_minor, due, 0) if self.rebilled_minor else 0

    @property
    def presented_as(self) -> PaymentType | None:
        """Type of the presented entry, once the gateway told."""
        return self.payment.entry_type if self.payment else None

    def with_out(self, out_minor: int, fx_minor: int) -> Self:
        """The case with what the bank holds, and the difference of what it returned."""
        change = out_minor - self.out_minor
        return replace(
            self,
            out_minor=out_minor,
            fx_minor=fx_minor,
            taken_minor=self.taken_minor + max(change, 0),
            returned_minor=self.returned_minor + max(-change, 0),
        )

    def with_flag(self, *codes: str) -> Self:
        """The case with attention codes raised."""
        return replace(self, flags=self.flags | set(codes))

    def without_flag(self, *codes: str) -> Self:
        """The case with attention codes cleared."""
        return replace(self, flags=self.flags - set(codes))

    def skip(self, event: CaseEvent, reason: str) -> Self:
        """The case unchanged, with the reason why an event changed nothing."""
        return replace(self, skipped=(*self.skipped, (event.event_id, reason)))


def answers_open_stage(case: Case, body: Held) -> bool:
    """Whether an answer was given to the stage that is open; what is no answer always fits.

    We may learn of a stage only after we have answered the one before it: then it is still open.
    """
    if not isinstance(body, Submitted | PreArbitrationAnswered | ArbitrationFiled):
        return True
    return body.stage in (None, case.stage) and body.cycle in (None, case.cycle)


def refundable(case: Case) -> bool:
    """Whether a refund still settles the case: an alert until its moment, an inquiry until decided.

    An inquiry that nobody answered stays open (lifecycle row 2).
    """
    if case.stage is Stage.ALERT:
        return case.answerable
    undecided = not case.decided or case.status is Status.EXPIRED
    return case.stage is Stage.INQUIRY and undecided


def evidence_gaps(case: Case) -> dict[str, Missing]:
    """What each ruled way to answer still lacks, by its name; empty for an unruled code."""
    if case.terms is None or not case.terms.checklist.ruled:
        return {}
    have = {item.evidence_type for item in case.evidence}
    return {
        path.path: tuple(name for name in path.all_of if name not in have)
        + tuple(
            " or ".join(group.types) for group in path.any_of if not have.intersection(group.types)
        )
        for path in case.terms.checklist.paths
    }


def missing_evidence(case: Case) -> Missing:
    """What the nearest path still lacks; empty when one path is complete or none is ruled."""
    return min(evidence_gaps(case).values(), key=len, default=())


def evidence_complete(case: Case) -> bool:
    """Whether a ruled checklist has a complete path; never for an unruled code."""
    return bool(
        case.terms
        and case.terms.checklist.ruled
        and case.terms.checklist.paths
        and not missing_evidence(case)
    )


def day_end(day_zero: date, days: int, zone_moment: datetime) -> datetime:
    """00:00Z of the last day of a window; ``day_zero`` is not counted (VCR2025 11.2.1)."""
    last = day_zero + timedelta(days=days)
    return zone_moment.replace(
        year=last.year, month=last.month, day=last.day, hour=0, minute=0, second=0, microsecond=0
    )
