"""What a person or the policy may do to a case now: checked here, once, for every door.

``decide`` is called by update validators (its result thrown away) and by handlers; it returns the
events that the command makes, or raises the typed refusal.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

from disputes import messages
from disputes.case import Case, answers_open_stage, evidence_complete, missing_evidence
from disputes.deadlines import due_when_known
from disputes.decode import canonical, differing, json_of, sha256
from disputes.errors import (
    Conflict,
    DeadlinePassed,
    IllegalTransition,
    IncompleteEvidence,
    InvalidMessage,
    MoneyHeld,
    NotFound,
    NotSupported,
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
    Submitted,
    TimerKind,
)
from disputes.messages import Command
from disputes.money import Money
from disputes.vocabulary import Flow, PaymentType, Purpose, Stage, Status

#: The actor of what the policy decides.
POLICY = "policy"
#: Commands that the deadline of the open stage ends.
_ANSWERS = ("submit_representment", "answer_pre_arbitration", "file_arbitration")
_REBILLABLE = (Status.LOST, Status.ACCEPTED, Status.EXPIRED, Status.PARTIALLY_WON)


def _may_submit(case: Case) -> bool:
    return case.answerable and case.stage in (Stage.INQUIRY, Stage.CHARGEBACK)


def _may_accept(case: Case) -> bool:
    return case.notice is not None and not case.decided


def _may_answer(case: Case) -> bool:
    ours = case.terms is not None and case.terms.flow is Flow.ALLOCATION
    return case.answerable and case.stage is Stage.PRE_ARBITRATION and not ours


def _may_arbitrate(case: Case) -> bool:
    ours = case.terms is not None and case.terms.flow is Flow.ALLOCATION
    return case.answerable and case.stage is Stage.PRE_ARBITRATION and ours


def _may_rebill(case: Case) -> bool:
    return case.status in _REBILLABLE and case.out_minor > 0


def _may_collect(case: Case) -> bool:
    return case.answerable or case.status is Status.AWAITING_NOTICE


def _always(_case: Case) -> bool:
    return True


#: When each command is possible at all; the order is that of the contract.
POSSIBLE: dict[str, Callable[[Case], bool]] = {
    # After a loss only the shopper's consent to a rebill is still of use.
    "add_evidence": lambda case: _may_collect(case) or _may_rebill(case),
    "withdraw_evidence": _may_collect,
    "submit_representment": _may_submit,
    "answer_pre_arbitration": _may_answer,
    "file_arbitration": _may_arbitrate,
    "accept_liability": _may_accept,
    "approve": lambda case: bool(case.open_approvals),
    "decline": lambda case: bool(case.open_approvals),
    "request_rebill": _may_rebill,
    "assign": _always,
    "add_note": _always,
    "resolve_operation": lambda case: bool(case.doubtful),
}


def allowed(case: Case) -> list[str]:
    """Names of the commands that the case's status allows."""
    return [name for name, possible in POSSIBLE.items() if possible(case)]


def decide(case: Case, name: str, command: Command, now: datetime) -> tuple[Body, ...]:
    """The events that ``command`` makes at ``now`` (UTC), in their order.

    Raises the contract's refusals: ``IllegalTransition DeadlinePassed IncompleteEvidence
    SecondPersonNeeded MoneyHeld NotSupported NotFound Conflict InvalidMessage``.
    """
    if _repeated(case, command):
        return ()
    _not_missed(case, name, command)
    if not POSSIBLE[name](case):
        raise IllegalTransition(case.status.value, name, allowed(case))
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
            _in_time(case, now)
            filing = ArbitrationFiled(filing=command, stage=case.stage, cycle=case.cycle)
            return _four_eyes(case, name, filing, command.filed_by, case.disputed_minor, now)
        case messages.AcceptLiability():
            return _accept(case, command, now)
        case messages.Decide():
            return _decide(case, name, command, now)
        case messages.RequestRebill():
            return _rebill(case, command, now)
        case messages.Assign():
            return (Assigned(assignment=command),)
        case messages.AddNote():
            return (NoteAdded(note=command),)
        case messages.ResolveOperation():
            return _resolve(case, command, now)


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


def _in_time(case: Case, now: datetime) -> None:
    if case.respond_by is not None and now >= case.respond_by:
        raise _too_late(case.respond_by)


def _not_missed(case: Case, name: str, command: Command) -> None:
    """What would be an answer, had the deadline not ended the case, is late and nothing else."""
    if isinstance(command, messages.Decide) and name == "approve":
        asked = (it for it in case.approvals if it.outcome in ("open", "overtaken"))
        name = next((it.command for it in asked if it.request_id == command.request_id), name)
    if case.respond_by is None or name not in _ANSWERS or not case.decided:
        return
    due = due_when_known(case, case.respond_by)
    missed = case.decided_at == due and (TimerKind.DEADLINE, due, "") in case.fired
    if missed and POSSIBLE[name](replace(case, status=Status.COLLECTING)):
        raise _too_late(case.respond_by)


def _too_late(respond_by: datetime) -> DeadlinePassed:
    return DeadlinePassed(respond_by.isoformat().replace("+00:00", "Z"))


def packet_sha256(case: Case, narrative: str | None) -> str:
    """Hash of what is sent: the evidence in order of its ids, and the narrative."""
    items = sorted(case.evidence, key=lambda item: item.evidence_id)
    content = {
        "dispute_id": case.case_id,
        "cycle": case.cycle,
        "evidence": [item.model_dump(mode="json", exclude_none=True) for item in items],
        "narrative": narrative,
    }
    return sha256(canonical(content))


def _submit(case: Case, command: messages.SubmitRepresentment, now: datetime) -> tuple[Body, ...]:
    submitted = _submitted(case, command, now)
    if case.opened_terms.submission_needs_approval:
        return _approval(
            case, "submit_representment", submitted, command.submitted_by, case.disputed_minor, now
        )
    return (submitted,)


def _submitted(case: Case, command: messages.SubmitRepresentment, now: datetime) -> Submitted:
    _in_time(case, now)
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
        packet_sha256=packet_sha256(case, command.narrative),
        stage=case.stage,
        cycle=case.cycle,
    )


def _answer(case: Case, command: messages.AnswerPreArbitration, now: datetime) -> tuple[Body, ...]:
    _in_time(case, now)
    answered = PreArbitrationAnswered(answer=command, stage=case.stage, cycle=case.cycle)
    if command.decision == "decline":
        return (answered,)
    amount = _amount(case, command.amount, case.disputed_minor)
    name = "answer_pre_arbitration"
    return _four_eyes(case, name, answered, command.answered_by, amount, now)


def _accept(case: Case, command: messages.AcceptLiability, now: datetime) -> tuple[Body, ...]:
    rest = case.disputed_minor - case.accepted_minor
    amount = _amount(case, command.amount, rest)
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


def _amount(case: Case, given: Money | None, limit: int) -> int:
    if given is None:
        return limit
    if given.currency != case.currency:
        raise InvalidMessage({"amount.currency": "must be the case's currency"})
    if given.minor > limit:
        raise InvalidMessage({"amount": "is more than what is left of the disputed amount"})
    return given.minor


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
            _in_time(case, now)
        case RebillRequested():
            _no_live_rebill(case)
            _rebill_amount(case, Money.of(body.amount_minor, case.currency))
        case LiabilityAccepted() | OperationResolved():
            pass
    return body


def _rebill(case: Case, command: messages.RequestRebill, now: datetime) -> tuple[Body, ...]:
    """Row 21: every condition, each with its own answer."""
    terms = case.opened_terms
    if terms.fraud:
        raise NotSupported("rebill", terms.acquirer, "nothing: the reason code is fraud")
    if not terms.capabilities.rebill_after_dispute:
        instead = "a new payment with the shopper's own authorization"
        raise NotSupported("rebill_after_dispute", terms.acquirer, instead)
    if case.payment is None or not case.payment.known:
        raise MoneyHeld(
            "the payment's history at the gateway is not known: payment_history_unknown"
        )
    if case.presented_as is not PaymentType.DB:
        instead = "a new DB by the shopper's registration: a rebill references a DB only"
        raise NotSupported("rebill", terms.acquirer, instead)
    _no_live_rebill(case)
    cool_off = timedelta(hours=terms.rebill_cool_off_hours)
    if case.decided_at and now < case.decided_at + cool_off:
        raise MoneyHeld("the policy's cool-off after the decision has not passed yet")
    amount = _rebill_amount(case, command.amount)
    taken = {rebill.rebill_id for rebill in case.rebills}
    free = (f"R{number}" for number in count(1) if f"R{number}" not in taken)
    rebill_id = command.rebill_id or next(free)
    body = RebillRequested(request=command, rebill_id=rebill_id, amount_minor=amount)
    return _four_eyes(case, "request_rebill", body, command.requested_by, amount, now)


def _rebill_amount(case: Case, given: Money | None) -> int:
    """Rebilled and reinstated together stay within the disputed amount (lifecycle, Guards)."""
    left = case.out_minor - case.rebilled_minor
    if left <= 0:
        raise MoneyHeld("nothing is left to charge again: it was rebilled or came back before")
    return _amount(case, given, left)


def _no_live_rebill(case: Case) -> None:
    """One rebill at a time: none under way, none whose money is still here."""
    reported = {op.key: op for op in case.operations if op.purpose is Purpose.REBILL}
    for rebill in case.rebills:
        key = f"dispute:{case.case_id}:rebill:{rebill.rebill_id}"
        if key not in reported:
            raise MoneyHeld("a rebill of this dispute is under way", key)
    if case.rebilled_minor > case.given_back_minor:
        raise MoneyHeld("a rebill of this dispute is live already, or still being given back")


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
    if terms is None or late or not (terms.auto_submit and _may_submit(case)):
        return ()
    if not evidence_complete(case):
        return ()
    return (_packet(case, messages.SubmitRepresentment(submitted_by=POLICY)),)
