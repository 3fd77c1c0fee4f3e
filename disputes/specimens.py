"""One case of every kind and one event of every kind, to show what the reducer does with each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from disputes import messages
from disputes.case import Case, Refund
from disputes.deadlines import due_when_known
from disputes.events import (
    ApprovalDecided,
    ApprovalRequested,
    ArbitrationFiled,
    Assigned,
    Body,
    Booked,
    CallsHeld,
    CaseEvent,
    EvidenceAdded,
    EvidenceWithdrawn,
    LiabilityAccepted,
    NoteAdded,
    NotTaken,
    Opened,
    OperationReported,
    OperationResolved,
    PaymentKnown,
    PreArbitrationAnswered,
    RebillRequested,
    RefundRequested,
    Reported,
    Ruled,
    Submitted,
    TimerFired,
    TimerKind,
)
from disputes.lifecycle import step
from disputes.money import Money
from disputes.notice import DisputeNotice
from disputes.operations import Operation, Payment
from disputes.possible import POSSIBLE
from disputes.terms import CaseTerms, Checklist, EvidencePath, Pin
from disputes.vocabulary import (
    DECIDED,
    Finality,
    Flow,
    Network,
    NetworkEventKind,
    OperationState,
    Outcome,
    PaymentType,
    Purpose,
    Stage,
    Status,
)

_OPENED = datetime(2026, 1, 5, tzinfo=UTC)
_NOW = _OPENED + timedelta(days=10)
_ID = "0" * 32
_WHO = "somebody"
_REFUND = "dispute:specimen:refund:1"
_WHOLE, _PART = (Money(amount=amount, currency="EUR") for amount in ("92.00", "40.00"))
_PIN = Pin(version="specimen", sha256="0" * 64)
_DONE_STAGES = (Stage.CHARGEBACK, Stage.PRE_ARBITRATION, Stage.ARBITRATION)
#: The stages in which a case can have each status.
STAGES: dict[Status, tuple[Stage, ...]] = {
    Status.AWAITING_NOTICE: (Stage.CHARGEBACK,),
    Status.RECEIVED: (Stage.ALERT,),
    Status.COLLECTING: (Stage.INQUIRY, Stage.CHARGEBACK, Stage.PRE_ARBITRATION),
    Status.READY: (Stage.INQUIRY, Stage.CHARGEBACK, Stage.PRE_ARBITRATION),
    Status.SUBMITTED: (Stage.CHARGEBACK,),
    Status.UNDER_REVIEW: (Stage.INQUIRY, *_DONE_STAGES),
    Status.WON: _DONE_STAGES,
    Status.PARTIALLY_WON: _DONE_STAGES,
    Status.LOST: _DONE_STAGES,
    Status.ACCEPTED: (Stage.CHARGEBACK,),
    Status.EXPIRED: (Stage.ALERT, Stage.INQUIRY, Stage.CHARGEBACK, Stage.PRE_ARBITRATION),
    Status.WITHDRAWN: _DONE_STAGES,
    Status.DEFLECTED: (Stage.ALERT, Stage.INQUIRY),
}
_RETURNED = {Status.WON: 0, Status.WITHDRAWN: 0, Status.DEFLECTED: 0, Status.PARTIALLY_WON: 5200}


@dataclass(frozen=True, slots=True)
class Happening:
    """An event as people call it; ``command``: the message that a person sends for it."""

    name: str
    body_for: Callable[[Case], Body]
    command: str | None = None


def cases() -> Iterator[Case]:
    """A case of every status, in each stage and flow in which it can have it."""
    for flow in (Flow.COLLABORATION, Flow.ALLOCATION):
        for status, stages in STAGES.items():
            for stage in stages:
                # In allocation a chargeback is answered by pre-arbitration alone.
                own = flow is Flow.ALLOCATION and status in (Status.SUBMITTED, Status.UNDER_REVIEW)
                if not (own and stage is Stage.CHARGEBACK):
                    yield _case(status, stage, flow)


def apply(case: Case, happening: Happening) -> Case:
    """The case after the happening, ten days into its life."""
    return step(case, _event(happening.body_for(case), _NOW))


def possible(case: Case, happening: Happening) -> bool:
    """Whether a case like this can meet it: facts always, commands when they are allowed."""
    return happening.command is None or POSSIBLE[happening.command](case)


def happenings() -> list[Happening]:
    """Every kind of event, in the variants that make a difference."""
    return [*_notices(), *_facts(), *_commands(), *_others(), *_timers()]


def _case(status: Status, stage: Stage, flow: Flow) -> Case:
    case = Case(case_id="specimen")
    if status is Status.AWAITING_NOTICE:
        return case
    case = step(case, _event(_opened(stage, flow), _OPENED))
    decided = status in DECIDED
    unanswered = status is Status.EXPIRED and not case.money_moved
    final = Finality.PROVISIONAL if decided and not unanswered else Finality.OPEN
    out = _RETURNED.get(status, case.disputed_minor) if case.money_moved else 0
    evidence = (_evidence(),) if status is Status.READY else ()
    return replace(
        case.with_out(out, 0),
        status=status,
        finality=final,
        evidence=evidence,
        refunds=() if case.money_moved else (Refund(_REFUND, case.disputed_minor, closes=True),),
        submitted_at=_NOW if status is Status.UNDER_REVIEW else None,
        waits_since=_NOW if status is Status.UNDER_REVIEW else None,
        tail_until=_NOW + timedelta(days=120) if decided else None,
    )


def _event(body: Body, at: datetime) -> CaseEvent:
    return CaseEvent(sequence=1, event_id="specimen", at=at, recorded_at=at, actor=_WHO, body=body)


def _opened(stage: Stage, flow: Flow, **changes: object) -> Opened:
    notice = {
        "dispute_id": "specimen",
        "merchant_id": "specimen",
        "payment_id": _ID,
        "stage": stage,
        "network": Network.VISA,
        "reason_code": "13.1",
        "amount": _WHOLE,
        "received_at": _OPENED,
        "processed_at": date(2026, 1, 5),
    }
    terms = CaseTerms(
        rulebook=_PIN,
        policy=_PIN,
        known_reason=True,
        category="other",
        fraud=False,
        flow=flow,
        checklist=Checklist(ruled=True, paths=(EvidencePath(path="any", all_of=("invoice",)),)),
        respond_days=30,
        inquiry_days=20,
        pre_arbitration_answer_days=30,
        arbitration_days=10,
        issuer_answer_days=30,
    )
    return Opened(notice=DisputeNotice.model_validate(notice | changes), terms=terms)


def _evidence() -> messages.AddEvidence:
    return messages.AddEvidence(
        evidence_id="E-1", evidence_type="invoice", submitted_by=_WHO, text="specimen"
    )


def _fixed(name: str, body: Body, command: str | None = None) -> Happening:
    return Happening(name, lambda _case: body, command)


def _notices() -> Iterator[Happening]:
    card = Flow.COLLABORATION
    yield _fixed("notice: alert", _opened(Stage.ALERT, card))
    yield _fixed("notice: RDR alert", _opened(Stage.ALERT, card, alert_program="rdr"))
    yield _fixed("notice: inquiry", _opened(Stage.INQUIRY, card))
    yield _fixed("notice: chargeback", _opened(Stage.CHARGEBACK, card))
    yield _fixed("notice: SEPA return", _opened(Stage.CHARGEBACK, Flow.NONE))
    yield _fixed("notice: pre-arbitration", _opened(Stage.PRE_ARBITRATION, card))
    yield _fixed("notice: arbitration", _opened(Stage.ARBITRATION, card))


def _facts() -> Iterator[Happening]:
    for outcome in Outcome:
        yield _ruling(outcome)
    yield _ruling(Outcome.CARDHOLDER_WON, Stage.PRE_ARBITRATION)
    for kind in NetworkEventKind:
        yield _network(kind)
    yield _network(NetworkEventKind.SECOND_CHARGEBACK, _NOW + timedelta(days=30))


def _ruling(outcome: Outcome, stage: Stage | None = None) -> Happening:
    ruling = messages.BankRuling(
        ruling_id="R-1",
        outcome=outcome,
        decided_at=_NOW,
        merchant_amount=_PART if outcome is Outcome.PARTIAL else None,
        stage=stage,
    )
    where = " in pre-arbitration" if stage else ""
    return _fixed(f"ruling: {outcome.replace('_', ' ')}{where}", Ruled(ruling=ruling))


def _network(kind: NetworkEventKind, respond_by: datetime | None = None) -> Happening:
    event = messages.NetworkEvent(
        event_id="N-1", kind=kind, occurred_at=_NOW, respond_by=respond_by, amount=_WHOLE
    )
    ending = " with a deadline" if respond_by else ""
    return _fixed(
        f"{kind.replace('_', ' ').replace('pre arb', 'pre-arb')}{ending}", Reported(event=event)
    )


def _commands() -> Iterator[Happening]:
    yield _fixed("evidence added", EvidenceAdded(evidence=_evidence()), "add_evidence")
    gone = messages.WithdrawEvidence(evidence_id="E-1", withdrawn_by=_WHO, reason="wrong order")
    yield _fixed("evidence withdrawn", EvidenceWithdrawn(withdrawal=gone), "withdraw_evidence")
    sent = messages.SubmitRepresentment(submitted_by=_WHO)
    submitted = Submitted(submission=sent, packet_sha256="0" * 64)
    yield _fixed("representment submitted", submitted, "submit_representment")
    for name, amount in (("all", _WHOLE), ("a part", _PART)):
        acceptance = messages.AcceptLiability(accepted_by=_WHO, amount=amount)
        accepted = LiabilityAccepted(acceptance=acceptance, amount_minor=amount.minor)
        yield _fixed(f"liability accepted: {name}", accepted, "accept_liability")
        answer = messages.AnswerPreArbitration(decision="accept", answered_by=_WHO, amount=amount)
        body = PreArbitrationAnswered(answer=answer)
        yield _fixed(f"pre-arbitration answer: accept {name}", body, "answer_pre_arbitration")
    declined = messages.AnswerPreArbitration(decision="decline", answered_by=_WHO)
    body = PreArbitrationAnswered(answer=declined)
    yield _fixed("pre-arbitration answer: decline", body, "answer_pre_arbitration")
    filed = ArbitrationFiled(filing=messages.FileArbitration(filed_by=_WHO))
    yield _fixed("arbitration filed", filed, "file_arbitration")
    yield _fixed("rebill requested", _rebill(), "request_rebill")
    back = messages.ResolveByRefund(requested_by=_WHO)
    refund = RefundRequested(request=back, place=2, amount_minor=100, closes=True)
    yield _fixed("refund requested", refund, "resolve_by_refund")


def _rebill() -> RebillRequested:
    consent = messages.Consent(given_at=_NOW, evidence_id="E-2")
    asked = messages.RequestRebill(requested_by=_WHO, reason="agreed", consent=consent)
    return RebillRequested(request=asked, rebill_id="R1", amount_minor=100)


def _others() -> Iterator[Happening]:
    requested = ApprovalRequested(
        request_id="A1",
        command="request_rebill",
        requested_by=_WHO,
        amount_minor=100,
        expires_at=_NOW + timedelta(days=3),
        body=_rebill(),
    )
    yield _fixed("approval requested", requested)
    decision = messages.Decide(request_id="A1", decided_by="somebody else")
    yield _fixed("approval decided", ApprovalDecided(decision=decision, approved=True))
    yield _fixed("assigned", Assigned(assignment=messages.Assign(assignee=_WHO)))
    yield _fixed("note added", NoteAdded(note=messages.AddNote(author=_WHO, text="specimen")))
    resolution = messages.ResolveOperation(
        operation_key="specimen", resolution="happened", resolved_by=_WHO, proof="statement"
    )
    yield _fixed("operation resolved", OperationResolved(resolution=resolution))
    operation = Operation(
        key="specimen",
        purpose=Purpose.BOOK,
        state=OperationState.SETTLED,
        payment_type=PaymentType.CB,
        amount_minor=9200,
        currency="EUR",
        gateway_id=_ID,
    )
    yield _fixed("operation reported", OperationReported(operation=operation))
    refunded = {"key": _REFUND, "purpose": Purpose.REFUND, "payment_type": PaymentType.RF}
    refund = operation.model_copy(update=refunded)
    yield _fixed("refund settled", OperationReported(operation=refund))
    booking = messages.Booking(gateway_id=_ID, payment_type=PaymentType.CB, occurred_at=_NOW)
    yield _fixed("booking", Booked(booking=booking, operation=operation))
    payment = Payment(payment_id=_ID, known=True, amount_minor=9200, currency="EUR")
    yield _fixed("payment known", PaymentKnown(payment=payment))
    yield _fixed("calls held", CallsHeld(reason="specimen"))
    misfit = NotTaken(name="bank_ruling", reason="specimen", payload_sha256="0" * 64)
    yield _fixed("message not taken", misfit)


def _timers() -> Iterator[Happening]:
    def timer(kind: TimerKind) -> Happening:
        return Happening(f"timer: {kind.replace('_', ' ')}", lambda case: _due(case, kind))

    yield from map(timer, TimerKind)


def _due(case: Case, kind: TimerKind) -> TimerFired:
    due = _NOW
    if kind is TimerKind.DEADLINE and case.respond_by:
        due = due_when_known(case, case.respond_by)
    elif kind is TimerKind.TAIL_END and case.tail_until:
        due = case.tail_until
    return TimerFired(timer=kind, due=due)
