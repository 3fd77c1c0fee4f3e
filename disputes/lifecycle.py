"""The reducer: ``advance`` is the one rule by which a case changes (architecture, Who guards what).

A case is the fold of its events in the order in which they happened, not in which they arrived:
so any order of arrival, and any repetition, ends in the same state (lifecycle, Order).
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from disputes import chain, facts, network, rulings
from disputes.case import Approval, Case, Rebill, Refund, answers_open_stage
from disputes.deadlines import due_when_known
from disputes.events import (
    ApprovalDecided,
    ApprovalRequested,
    ArbitrationFiled,
    Assigned,
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
    order,
)
from disputes.operations import business_key
from disputes.vocabulary import Finality, Flow, OperationState, Purpose, Stage, Status

#: Attention codes of calls that wait: another operation holds the payment, or nobody answers.
HOLDS = ("money_held", "gateway_unreachable")


def advance(case: Case, event: CaseEvent) -> Case:
    """The case after one more event, whenever it happened; total over every status and event.

    An event whose id is known already changes nothing.
    """
    if any(known.event_id == event.event_id for known in case.events):
        return case
    events = (*case.events, event)
    place = order(event)
    newest = max(case.newest or place, place)
    folded = step(case, event) if newest == place else _fold(case.case_id, events)
    return replace(folded, events=events, newest=newest)


def fold(case_id: str, events: Iterable[CaseEvent]) -> Case:
    """The case that a register's events give; repeated ids count once."""
    unique = tuple({event.event_id: event for event in reversed(tuple(events))}.values())
    accepted = tuple(sorted(unique, key=lambda event: event.sequence))
    newest = max(map(order, accepted), default=None)
    return replace(_fold(case_id, accepted), events=accepted, newest=newest)


def _fold(case_id: str, events: tuple[CaseEvent, ...]) -> Case:
    case = Case(case_id=case_id)
    for event in sorted(events, key=order):
        case = step(case, event)
    return case


def step(case: Case, event: CaseEvent) -> Case:
    """Apply one event in its place."""
    case = _step(case, event)
    return _deflected(case, event) if case.refunds else case


def _step(case: Case, event: CaseEvent) -> Case:
    body = event.body
    match body:
        case Opened():
            return facts.opened(case, event, body)
        case PaymentKnown():
            return facts.payment_known(case, body).without_flag(*HOLDS)
        case Ruled():
            return rulings.ruled(case, event, body)
        case Reported():
            return network.reported(case, event, body)
        case Booked():
            return chain.report(case, body.operation) if body.operation else case
        case OperationReported():
            return chain.report(case, body.operation).without_flag(*HOLDS)
        case CallsHeld():
            return case.with_flag(body.reason)
        case TimerFired():
            return _timer(case, event, body)
        case NotTaken():
            return case.with_flag("message_not_taken").skip(event, body.reason)
        case ApprovalRequested() | ApprovalDecided():
            return _approval(case, event, body)
        case Assigned():
            return replace(case, assignee=body.assignment.assignee)
        case NoteAdded() | OperationResolved():
            return case
        case _:
            return _command(case, event, body)


def _command(
    case: Case,
    event: CaseEvent,
    body: EvidenceAdded
    | EvidenceWithdrawn
    | Submitted
    | LiabilityAccepted
    | PreArbitrationAnswered
    | ArbitrationFiled
    | RebillRequested
    | RefundRequested,
) -> Case:
    """Commands were checked when they were accepted; facts that came later may overtake them."""
    if case.notice is None and not isinstance(body, EvidenceAdded | EvidenceWithdrawn):
        return case.skip(event, "the case has no notice yet")
    match body:
        case EvidenceAdded():
            return facts.settle_readiness(replace(case, evidence=(*case.evidence, body.evidence)))
        case EvidenceWithdrawn():
            gone = body.withdrawal.evidence_id
            kept = tuple(item for item in case.evidence if item.evidence_id != gone)
            return facts.settle_readiness(replace(case, evidence=kept))
        case RebillRequested():
            rebill = Rebill(body.rebill_id, body.amount_minor)
            return replace(case, rebills=(*case.rebills, rebill))
        case RefundRequested():
            key = business_key("dispute", case.case_id, Purpose.REFUND, body.place)
            refund = Refund(key, body.amount_minor, body.closes)
            return replace(case, refunds=(*case.refunds, refund))
        case LiabilityAccepted():
            return _accepted(case, event, body)
        case Submitted() | PreArbitrationAnswered() | ArbitrationFiled():
            return _answer(case, event, body)
        case _:
            assert_never(body)


def _answer(
    case: Case, event: CaseEvent, body: Submitted | PreArbitrationAnswered | ArbitrationFiled
) -> Case:
    if isinstance(body, Submitted):
        # It has gone out, whatever it is worth.
        case = replace(case, submitted_at=event.at, packet_sha256=body.packet_sha256)
    if not case.answerable:
        return case.skip(event, "overtaken by an earlier fact")
    if not answers_open_stage(case, body):
        return case.skip(event, "it answered an earlier stage: this one is open still")
    match body:
        case Submitted():
            return _submitted(case, event)
        case PreArbitrationAnswered():
            return _answered(case, event, body)
        case ArbitrationFiled():
            return _waits(replace(case, stage=Stage.ARBITRATION), event)
        case _:
            assert_never(body)


def _waits(case: Case, event: CaseEvent) -> Case:
    """The merchant has answered; the open stage's reminders are over."""
    case = case.without_flag(*facts.CLOCK_FLAGS)
    return replace(case, status=Status.UNDER_REVIEW, waits_since=event.at)


def _submitted(case: Case, event: CaseEvent) -> Case:
    """Row 7: allocation's one response is the pre-arbitration attempt itself."""
    files = case.opened_terms.flow is Flow.ALLOCATION and case.stage is Stage.CHARGEBACK
    return _waits(replace(case, stage=Stage.PRE_ARBITRATION) if files else case, event)


def _accepted(case: Case, event: CaseEvent, body: LiabilityAccepted) -> Case:
    """Row 20: all of it ends the case provisionally, a part is lost and the rest goes on."""
    if case.decided:
        return case.skip(event, "decided by an earlier fact")
    accepted = min(case.accepted_minor + body.amount_minor, case.disputed_minor)
    case = replace(case, accepted_minor=accepted)
    # In a late stage what had come back is disputed again, and goes as in row 16.
    late = case.stage.rank > Stage.CHARGEBACK.rank
    out = max(case.out_minor, accepted) if late else case.out_minor
    if accepted < case.disputed_minor:
        return case.with_out(out, case.fx_minor)
    days = case.opened_terms.tail_lost_days
    return facts.decide(case, Status.ACCEPTED, event.at, out=out, days=days)


def _deflected(case: Case, event: CaseEvent) -> Case:
    """Rows 1 and 2: once its refund is booked an alert is settled, and an inquiry by a full one."""
    decided = case.decided and case.status is not Status.EXPIRED
    if case.money_moved or decided or not any(_is_booked(case, it) for it in case.refunds):
        return case
    days = case.opened_terms.tail_lost_days
    return facts.decide(case, Status.DEFLECTED, event.at, out=0, days=days)


def _is_booked(case: Case, refund: Refund) -> bool:
    """Whether a refund that closes the case is booked, and all of it."""
    operation = case.operation(refund.key)
    if operation is None or operation.state is not OperationState.SETTLED:
        return False
    return refund.closes and operation.amount_minor >= refund.amount_minor


def _answered(case: Case, event: CaseEvent, body: PreArbitrationAnswered) -> Case:
    """Row 16: what is accepted is lost, a part at once; the rest waits for arbitration."""
    answer, disputed = body.answer, case.disputed_minor
    part = answer.amount.minor if answer.amount else disputed
    if answer.decision == "accept" and part >= disputed:
        days = case.opened_terms.tail_lost_days
        return facts.decide(case, Status.LOST, event.at, out=disputed, days=days)
    if answer.decision == "accept":
        case = case.with_out(max(case.out_minor, part), case.fx_minor)
        case = replace(case, accepted_minor=max(case.accepted_minor, part))
    return _waits(replace(case, submitted_at=event.at), event)


def _approval(case: Case, event: CaseEvent, body: ApprovalRequested | ApprovalDecided) -> Case:
    if isinstance(body, ApprovalRequested):
        waiting = Approval(
            request_id=body.request_id,
            command=body.command,
            requested_by=body.requested_by,
            amount_minor=body.amount_minor,
            requested_at=event.at,
            expires_at=body.expires_at,
            body=body.body,
        )
        return replace(case, approvals=(*case.approvals, waiting))
    outcome = "approved" if body.approved else "declined"
    return _close_approval(case, body.decision.request_id, outcome)


def _close_approval(case: Case, request_id: str, outcome: str) -> Case:
    return replace(
        case,
        approvals=tuple(
            replace(item, outcome=outcome)
            if item.request_id == request_id and item.outcome == "open"
            else item
            for item in case.approvals
        ),
    )


def _timer(case: Case, event: CaseEvent, body: TimerFired) -> Case:
    """Rows 8-10, 7b and 23; a timer whose moment has moved since is stale."""
    case = replace(case, fired=case.fired | {(body.timer, body.due, body.detail)})
    if body.timer is TimerKind.APPROVAL_EXPIRY:
        return _close_approval(case, body.detail, "expired")
    if case.notice is None:
        return case.with_flag("notice_missing")
    match body.timer:
        case TimerKind.LADDER:
            last = min(case.opened_terms.ladder_hours, default=0)
            ours = case.respond_by == body.due + timedelta(hours=last)
            near = body.detail == str(last) and ours and case.answerable
            return case.with_flag("deadline_near") if near else case
        case TimerKind.LAST_CALL:
            return case
        case TimerKind.DEADLINE if case.answerable and body.due == _answer_due(case):
            return _expired(case, event)
        case TimerKind.RULING_OVERDUE if case.status is Status.UNDER_REVIEW:
            return case.with_flag("ruling_overdue")
        case TimerKind.ISSUER_SILENT if _awaits_issuer(case):
            days = case.opened_terms.tail_pre_arbitration_days
            return facts.merchant_wins(case, event.at, None, days, final=False)
        case TimerKind.TAIL_END if case.decided and body.due == case.tail_until:
            return replace(case, finality=Finality.FINAL)
        case _:
            return case.skip(event, "the moment has moved")


def _answer_due(case: Case) -> datetime | None:
    return due_when_known(case, case.respond_by) if case.respond_by else None


def _awaits_issuer(case: Case) -> bool:
    return (
        case.status is Status.UNDER_REVIEW
        and case.stage is Stage.PRE_ARBITRATION
        and case.opened_terms.flow is Flow.ALLOCATION
    )


def _expired(case: Case, event: CaseEvent) -> Case:
    """Row 10, and 7c without a filing.

    An alert or inquiry stays open to the end of the tail: a chargeback will likely follow.
    """
    terms = case.opened_terms
    unfiled = case.stage is Stage.PRE_ARBITRATION and terms.flow is Flow.ALLOCATION
    status = Status.LOST if unfiled else Status.EXPIRED
    days = terms.tail_lost_days
    expired = facts.decide(case, status, event.at, out=case.out_minor, days=days)
    if not case.money_moved:
        expired = replace(expired, finality=Finality.OPEN)
    # That there never was a chance to answer is for a person to know.
    return expired.with_flag("deadline_past") if "deadline_past" in case.flags else expired
