"""What a case shows of itself: the contract's ``CaseStatus``, ``CaseSummary`` and timeline."""

from pydantic import Field

from disputes.case import Case, evidence_gaps, missing_evidence, refundable
from disputes.chain import booked_minor, next_plan, owed_minor, refund_owed
from disputes.deadlines import next_timer
from disputes.events import CaseEvent, TimerFired
from disputes.fields import Durable, Moment
from disputes.ledger import levels
from disputes.money import Money, to_decimal
from disputes.operations import Operation
from disputes.terms import Pin
from disputes.vocabulary import OperationState, Purpose


class ChecklistStatus(Durable):
    """Where the evidence stands; ``missing`` is what the nearest path lacks."""

    satisfied: bool
    unruled: bool
    missing: tuple[str, ...]
    present: tuple[str, ...]
    optional: tuple[str, ...] = ()
    #: what each way to answer the reason code still lacks
    paths: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class Fee(Durable):
    """Fees of a case in one currency, expected ones included; decimal string."""

    amount: str
    currency: str


class OperationStatus(Durable):
    """One gateway operation of the case."""

    key: str
    type: str
    purpose: str
    state: str
    gateway_id: str | None
    amount: str
    result_code: str | None = None
    reason: str | None = None


class ApprovalStatus(Durable):
    """A command that waits for a second person."""

    request_id: str
    command: str
    requested_by: str
    amount: str
    at: Moment
    expires_at: Moment


class CaseSummary(Durable):
    """A case's money and status; amounts are decimal strings in ``currency``.

    ``charged_back``: what the bank took; ``reinstated``: what it returned of that; ``booked_out``:
    what the gateway shows as taken.
    """

    dispute_id: str
    merchant_id: str | None = None
    payment_id: str | None = None
    network: str | None = None
    reason_code: str | None = None
    stage: str
    status: str
    finality: str
    cycle: int
    currency: str
    disputed: str
    charged_back: str
    reinstated: str
    booked_out: str
    rebilled: str
    give_back_due: str
    written_off: str
    at_risk: str
    recovered: str
    fees: tuple[Fee, ...]


class CaseStatus(CaseSummary):
    """All that a person or program may ask of a case (contract, CaseStatus)."""

    amount: Money | None = None
    respond_by: Moment | None = None
    next_deadline: Moment | None = None
    tail_until: Moment | None = None
    checklist: ChecklistStatus
    operations: tuple[OperationStatus, ...] = ()
    approvals: tuple[ApprovalStatus, ...] = ()
    attention: tuple[str, ...] = ()
    assignee: str | None = None
    submitted_at: Moment | None = None
    packet_sha256: str | None = None
    rulebook: Pin | None = None
    policy: Pin | None = None
    sequence: int = 0


class TimelineEntry(Durable):
    """One line of a case's history; ``ignored`` says why it changed nothing."""

    sequence: int
    at: Moment
    recorded_at: Moment
    actor: str
    what: str
    event_id: str
    data: dict[str, object]
    ignored: str | None = None


def summary_of(case: Case) -> CaseSummary:
    """The result of a case's workflow."""
    return CaseSummary.model_validate(_summary(case))


def status_of(case: Case) -> CaseStatus:
    """The whole status; a pure function of the case, the same in workflow and read model."""
    timer = next_timer(case)
    notice, terms = case.notice, case.terms
    return CaseStatus.model_validate(
        _summary(case)
        | {
            "amount": notice.amount if notice else None,
            "respond_by": case.respond_by,
            "next_deadline": timer.due if timer else None,
            "tail_until": case.tail_until if case.decided else None,
            "checklist": _checklist(case),
            "operations": list(map(operation_status, case.operations)),
            "approvals": _approvals(case),
            "attention": attention(case),
            "assignee": case.assignee,
            "submitted_at": case.submitted_at,
            "packet_sha256": case.packet_sha256,
            "rulebook": terms.rulebook if terms else None,
            "policy": terms.policy if terms else None,
            "sequence": case.events[-1].sequence if case.events else 0,
        }
    )


def attention(case: Case) -> tuple[str, ...]:
    """Codes of what a person should look at, sorted."""
    codes = set(case.flags)
    if next_plan(case) is None:
        codes.discard("money_held")  # what was held up is no longer owed
    if case.doubtful:
        codes.add("operation_in_doubt")
    known = case.payment is not None
    if known and owed_minor(case) + _unreachable(case) and next_plan(case) is None:
        codes.add("not_mirrored")
    rebills = [op for op in case.operations if op.purpose is Purpose.REBILL]
    if rebills and rebills[-1].state is OperationState.REFUSED:
        codes.add("rebill_refused")
    codes |= _of_refunds(case)
    if any(op.twins for op in case.operations):
        codes.add("twin_entries")
    if any(op.asked_minor is not None for op in case.operations):
        codes.add("other_amount")
    if case.give_back_minor > case.given_back_minor:
        codes.add("give_back_due")
    if case.open_approvals:
        codes.add("approval_waiting")
    return tuple(sorted(codes))


def _of_refunds(case: Case) -> set[str]:
    """What the case's own refunds came to."""
    if case.notice is None or not case.refunds:
        return set()
    codes = set[str]()
    outcomes = [case.operation(refund.key) for refund in case.refunds]
    if None in outcomes and refund_owed(case) is None:
        codes.add("refund_overtaken")
    last = outcomes[-1]
    if last and last.state is OperationState.REFUSED and refundable(case):
        codes.add("refund_refused")
    told = (case.notice.settled_amount or case.notice.amount).minor
    paid = case.refunded_minor
    if paid and paid + case.out_minor > max(told, case.disputed_minor):
        codes.add("double_loss")
    return codes


def _unreachable(case: Case) -> int:
    # What the bank took beyond what the entry holds can never show at the gateway.
    return 0 if case.payment and case.payment.known else case.out_minor


def timeline_of(case: Case) -> tuple[TimelineEntry, ...]:
    """Every event in the order of acceptance, the ignored ones with the reason."""
    reasons = dict(case.skipped)
    return tuple(
        TimelineEntry(
            sequence=event.sequence,
            at=event.at,
            recorded_at=event.recorded_at,
            actor=event.actor,
            what=_what(event),
            event_id=event.event_id,
            data=event.body.model_dump(mode="json", exclude_none=True, exclude={"kind"}),
            ignored=reasons.get(event.event_id),
        )
        for event in case.events
    )


def _what(event: CaseEvent) -> str:
    body = event.body
    return body.timer.value if isinstance(body, TimerFired) else body.kind


def _summary(case: Case) -> dict[str, object]:
    notice = case.notice
    taken = case.disputed_minor if case.money_moved and notice else 0

    def money(minor: int) -> str:
        return to_decimal(minor, case.currency) if case.currency else "0"

    paid_back = case.given_back_minor
    return {
        "dispute_id": case.case_id,
        "merchant_id": notice.merchant_id if notice else None,
        "payment_id": notice.payment_id if notice else None,
        "network": notice.network.value if notice else None,
        "reason_code": notice.reason_code if notice else None,
        "stage": case.stage.value,
        "status": case.status.value,
        "finality": case.finality.value,
        "cycle": case.cycle,
        "currency": case.currency,
        "disputed": money(case.disputed_minor),
        "charged_back": money(taken),
        "reinstated": money(taken - case.out_minor if taken else 0),
        "booked_out": money(booked_minor(case)),
        "rebilled": money(case.rebilled_minor),
        "give_back_due": money(case.give_back_minor - paid_back),
        "written_off": money(case.loss_minor),
        "at_risk": money(case.out_minor - case.loss_minor),
        "recovered": money(case.rebilled_minor - case.give_back_minor),
        "fees": [
            {"amount": to_decimal(minor, currency), "currency": currency}
            for currency, minor in levels(case).fees
        ],
    }


def _checklist(case: Case) -> ChecklistStatus:
    rules = case.terms.checklist if case.terms else None
    missing = missing_evidence(case)
    return ChecklistStatus(
        satisfied=bool(rules and rules.ruled and rules.paths and not missing),
        unruled=not (rules and rules.ruled),
        missing=missing,
        present=tuple(sorted({item.evidence_type for item in case.evidence})),
        optional=tuple(
            sorted({name for path in (rules.paths if rules else ()) for name in path.optional})
        ),
        paths=evidence_gaps(case),
    )


#: Commands that answer with the case's status, and a request id where a second person is needed.
_DECIDING = (
    "submit_representment accept_liability resolve_by_refund request_rebill"
    " answer_pre_arbitration file_arbitration approve decline"
).split()


def result_of(command: str, case: Case) -> dict[str, object]:
    """What a command answers once it was carried out (contract, Refusals and results)."""
    if command == "add_evidence":
        return _checklist(case).model_dump(mode="json")
    if command not in _DECIDING:
        return {"sequence": case.events[-1].sequence if case.events else 0}
    waiting = next((item for item in case.open_approvals if item.command == command), None)
    requested = {"request_id": waiting.request_id} if waiting else {}
    return {"status": case.status.value, **requested}


def operation_status(operation: Operation) -> OperationStatus:
    """An operation as every status shows it."""
    return OperationStatus(
        key=operation.key,
        type=operation.payment_type.value,
        purpose=operation.purpose.value,
        state=operation.state.value,
        gateway_id=operation.gateway_id,
        amount=to_decimal(operation.amount_minor, operation.currency),
        result_code=operation.result_code,
        reason=operation.reason,
    )


def _approvals(case: Case) -> list[ApprovalStatus]:
    return [
        ApprovalStatus(
            request_id=item.request_id,
            command=item.command,
            requested_by=item.requested_by,
            amount=to_decimal(item.amount_minor, case.currency),
            at=item.requested_at,
            expires_at=item.expires_at,
        )
        for item in case.open_approvals
    ]
