"""What a person or the policy may do to a case now: checked here, once, for every door.

``decide`` is called by update validators (its result thrown away) and by handlers; it returns the
events that the command makes, or raises the typed refusal.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from disputes import messages
from disputes.case import Case, answers_open_stage, evidence_complete, missing_evidence
from disputes.decode import canonical, differing, json_of, sha256
from disputes.errors import (
    Conflict,
    IllegalTransition,
    IncompleteEvidence,
    NotFound,
    SecondPersonNeeded,
)
from disputes.events import (
    ApprovalDecided,
    ApprovalRequested,
    ArbitrationFiled,
    Assigned,
    Body,
    EvidenceAdded,
    EvidenceWithdrawn,
    Held,
    LiabilityAccepted,
    NoteAdded,
    OperationResolved,
    PreArbitrationAnswered,
    RebillRequested,
    RefundRequested,
    Submitted,
)
from disputes.messages import Command
from disputes.money import Money
from disputes.possible import POSSIBLE, allowed, in_time, may_submit, not_missed
from disputes.rebills import amount_within, no_live_rebill, rebill_amount, rebill_requested
from disputes.refunds import not_refunded_by_network, refund_requested

#: The actor of what the policy decides.
POLICY = "policy"


def decide(case: Case, name: str, command: Command, now: datetime) -> tuple[Body, ...]:
    """The events that ``command`` makes at ``now`` (UTC), in their order.

    Raises the contract's refusals: ``IllegalTransition DeadlinePassed IncompleteEvidence
    SecondPersonNeeded MoneyHeld NotSupported NotFound Conflict InvalidMessage``.
    """
    if _repeated(case, command):
        return ()
    _possible(case, name, command)
    match command:
        case messages.AddEvidence():
            return (EvidenceAdded(evidence=command),)
        case messages.WithdrawEvidence():
            return _withdraw_evidence(case, command)
        case messages.SubmitRepresentment():
            return _submit(case, command, now)
        case messages.AnswerPreArbitration():
            return _answer(case, command, now)
        case messages.FileArbitration():
            in_time(case, now)
            filing = ArbitrationFiled(filing=command, stage=case.stage, cycle=case.cycle)
            return _four_eyes(case, name, filing, command.filed_by, case.disputed_minor, now)
        case messages.AcceptLiability():
            return _accept(case, command, now)
        case messages.ResolveByRefund():
            return _refund(case, command, now)
        case messages.Decide():
            return _decide(case, name, command, now)
        case messages.RequestRebill():
            rebill = rebill_requested(case, command, now)
            return _four_eyes(case, name, rebill, command.requested_by, rebill.amount_minor, now)
        case messages.Assign():
            return (Assigned(assignment=command),)
        case messages.AddNote():
            return (NoteAdded(note=command),)
        case messages.ResolveOperation():
            return _resolve(case, command, now)


def _possible(case: Case, name: str, command: Command) -> None:
    not_missed(case, name, command)
    if isinstance(command, messages.ResolveByRefund):
        not_refunded_by_network(case)
    if not POSSIBLE[name](case):
        raise IllegalTransition(case.status.value, name, allowed(case))


def _repeated(case: Case, command: Command) -> bool:
    """Whether what carries its own id was done already; other content raises ``Conflict``."""
    if isinstance(command, messages.AddEvidence):
        pieces = (it for it in case.evidence if it.evidence_id == command.evidence_id)
        return _same("evidence_id", pieces, command)
    if isinstance(command, messages.AddNote) and command.note_id:
        notes = (it.body.note for it in case.events if isinstance(it.body, NoteAdded))
        return _same("note_id", (it for it in notes if it.note_id == command.note_id), command)
    if isinstance(command, messages.RequestRebill) and command.rebill_id:
        asked = (it.body for it in case.events if isinstance(it.body, RebillRequested))
        known = (it.request for it in asked if it.rebill_id == command.rebill_id)
        return _same("rebill_id", known, command)
    if isinstance(command, messages.AcceptLiability) and command.acceptance_id:
        given = (it.body.acceptance for it in case.events if isinstance(it.body, LiabilityAccepted))
        same = (it for it in given if it.acceptance_id == command.acceptance_id)
        return _same("acceptance_id", same, command)
    if isinstance(command, messages.ResolveByRefund) and command.refund_id:
        paid = (it.body.request for it in case.events if isinstance(it.body, RefundRequested))
        return _same("refund_id", (it for it in paid if it.refund_id == command.refund_id), command)
    return False


def _same(name: str, known: Iterable[Command], command: Command) -> bool:
    """Whether the id is taken by this very command; by another it is a ``Conflict``."""
    first = next(iter(known), None)
    if first is None or first == command:
        return first is not None
    raise Conflict(f"this {name}", differing(json_of(first), json_of(command)))


def _withdraw_evidence(case: Case, command: messages.WithdrawEvidence) -> tuple[Body, ...]:
    if all(item.evidence_id != command.evidence_id for item in case.evidence):
        raise NotFound("there is no such evidence on this case")
    return (EvidenceWithdrawn(withdrawal=command),)


def packet_content(case: Case, narrative: str | None) -> str:
    """What is sent, as canonical JSON: the evidence in order of its ids, and the narrative."""
    items = sorted(case.evidence, key=lambda item: item.evidence_id)
    content = {
        "dispute_id": case.case_id,
        "cycle": case.cycle,
        "evidence": [item.model_dump(mode="json", exclude_none=True) for item in items],
        "narrative": narrative,
    }
    return canonical(content)


def _submit(case: Case, command: messages.SubmitRepresentment, now: datetime) -> tuple[Body, ...]:
    submitted = _submitted(case, command, now)
    if case.opened_terms.submission_needs_approval:
        return _approval(
            case, "submit_representment", submitted, command.submitted_by, case.disputed_minor, now
        )
    return (submitted,)


def _submitted(case: Case, command: messages.SubmitRepresentment, now: datetime) -> Submitted:
    in_time(case, now)
    if not command.allow_incomplete:
        missing = missing_evidence(case)
        if not case.opened_terms.checklist.ruled:
            # Nobody can say what is complete: a person must (lifecycle row 6).
            raise IncompleteEvidence(["no rule names the evidence for this reason code"])
        if missing:
            raise IncompleteEvidence(list(missing))
    return _packet(case, command)


def _packet(case: Case, command: messages.SubmitRepresentment) -> Submitted:
    return Submitted(
        submission=command,
        packet_sha256=sha256(packet_content(case, command.narrative)),
        stage=case.stage,
        cycle=case.cycle,
    )


def _answer(case: Case, command: messages.AnswerPreArbitration, now: datetime) -> tuple[Body, ...]:
    in_time(case, now)
    answered = PreArbitrationAnswered(answer=command, stage=case.stage, cycle=case.cycle)
    if command.decision == "decline":
        return (answered,)
    amount = amount_within(case, command.amount, case.disputed_minor)
    name = "answer_pre_arbitration"
    return _four_eyes(case, name, answered, command.answered_by, amount, now)


def _accept(case: Case, command: messages.AcceptLiability, now: datetime) -> tuple[Body, ...]:
    rest = case.disputed_minor - case.accepted_minor
    amount = amount_within(case, command.amount, rest)
    accepted = LiabilityAccepted(acceptance=command, amount_minor=amount)
    return _four_eyes(
        case,
        "accept_liability",
        accepted,
        command.accepted_by,
        amount,
        now,
        before_minor=case.accepted_minor,
    )


def _refund(case: Case, command: messages.ResolveByRefund, now: datetime) -> tuple[Body, ...]:
    refund = refund_requested(case, command, now)
    who, before = command.requested_by, case.refunded_minor
    name = "resolve_by_refund"
    return _four_eyes(case, name, refund, who, refund.amount_minor, now, before_minor=before)


def _four_eyes(
    case: Case,
    name: str,
    body: Held,
    who: str,
    amount_minor: int,
    now: datetime,
    *,
    before_minor: int = 0,
) -> tuple[Body, ...]:
    """The command itself, or a request for a second person above the policy's limit.

    ``before_minor`` was done already and counts: parts are no way round the limit.
    """
    _none_waits(case, name)
    limit = case.opened_terms.four_eyes_above_minor
    if limit is None or before_minor + amount_minor <= limit:
        return (body,)
    return _approval(case, name, body, who, amount_minor, now)


def _approval(
    case: Case, name: str, body: Held, who: str, amount_minor: int, now: datetime
) -> tuple[Body, ...]:
    _none_waits(case, name)
    return (
        ApprovalRequested(
            request_id=f"{case.case_id}-A{len(case.approvals) + 1}",
            command=name,
            requested_by=who,
            amount_minor=amount_minor,
            expires_at=now + timedelta(hours=case.opened_terms.approval_hours),
            body=body,
        ),
    )


def _none_waits(case: Case, name: str) -> None:
    """While one waits for a second person, another of its kind would change what was asked for."""
    if any(item.command == name for item in case.open_approvals):
        raise IllegalTransition(case.status.value, name, ["approve", "decline"])


def _decide(case: Case, name: str, command: messages.Decide, now: datetime) -> tuple[Body, ...]:
    # A request ends with its moment, however late the timer is.
    waiting = (item for item in case.open_approvals if now < item.expires_at)
    request = next((item for item in waiting if item.request_id == command.request_id), None)
    if request is None:
        raise NotFound("there is no open request with this id on the case")
    if request.requested_by == command.decided_by:
        raise SecondPersonNeeded
    decided = ApprovalDecided(decision=command, approved=name == "approve")
    if name == "decline":
        return (decided,)
    if not POSSIBLE[request.command](case) or not answers_open_stage(case, request.body):
        raise IllegalTransition(case.status.value, request.command, ["decline", *allowed(case)])
    return (decided, _released(case, request.body, now))


def _released(case: Case, body: Held, now: datetime) -> Held:
    """What an approval sets free, as it is possible now: the case may have moved on meanwhile."""
    match body:
        case Submitted():
            return _submitted(case, body.submission, now)
        case PreArbitrationAnswered() | ArbitrationFiled():
            in_time(case, now)
        case RebillRequested():
            no_live_rebill(case)
            rebill_amount(case, Money.of(body.amount_minor, case.currency))
        case RefundRequested():
            amount = Money.of(body.amount_minor, case.currency)
            request = body.request.model_copy(update={"amount": amount})
            refund = refund_requested(case, request, now)
            # As it was asked for: the same request is known by it.
            return refund.model_copy(update={"request": body.request})
        case LiabilityAccepted() | OperationResolved():
            pass
    return body


def _resolve(case: Case, command: messages.ResolveOperation, now: datetime) -> tuple[Body, ...]:
    doubtful = next((op for op in case.doubtful if op.key == command.operation_key), None)
    if doubtful is None:
        raise NotFound("there is no operation in doubt with this key on the case")
    body = OperationResolved(resolution=command)
    amount = doubtful.amount_minor
    return _four_eyes(case, "resolve_operation", body, command.resolved_by, amount, now)


def policy_at_opening(case: Case) -> tuple[Body, ...]:
    """Row 5: the policy gives up what is not worth a fight."""
    limit = case.terms.auto_accept_below_minor if case.terms else None
    if limit is None or case.disputed_minor >= limit or not (case.answerable and case.money_moved):
        return ()
    acceptance = messages.AcceptLiability(accepted_by=POLICY, reason="below the policy's limit")
    return (LiabilityAccepted(acceptance=acceptance, amount_minor=case.disputed_minor),)


def policy_at_last_call(case: Case, now: datetime) -> tuple[Body, ...]:
    """Row 9: a complete answer goes out before the deadline, whoever still has to approve it."""
    terms = case.terms
    late = case.respond_by is not None and now >= case.respond_by
    if terms is None or late or not (terms.auto_submit and may_submit(case)):
        return ()
    if not evidence_complete(case):
        return ()
    return (_packet(case, messages.SubmitRepresentment(submitted_by=POLICY)),)
