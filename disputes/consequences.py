"""What would follow a ruling, a network event or silence, without changing anything.

It asks the same rules as the case itself, so that the answer cannot differ from what will happen.
"""

from datetime import datetime

from disputes.case import Case
from disputes.chain import next_plan
from disputes.commands import policy_at_last_call
from disputes.deadlines import next_timer
from disputes.events import (
    Body,
    CaseEvent,
    OperationReported,
    Reported,
    Ruled,
    TimerFired,
    TimerKind,
)
from disputes.fields import Durable
from disputes.ledger import Posting, fact_postings, levels, operation_postings
from disputes.lifecycle import advance
from disputes.messages import BankRuling, NetworkEvent
from disputes.money import Money, to_decimal
from disputes.operations import Operation, Plan
from disputes.vocabulary import OperationState

#: A case never owes more calls at once: a give-back follows a reinstatement of at most two parts.
_MOST_CALLS = 20
#: Timers that decide; at reminders nobody acts here, at a last call the policy does.
_DECIDING = (
    TimerKind.DEADLINE,
    TimerKind.ISSUER_SILENT,
    TimerKind.RULING_OVERDUE,
    TimerKind.TAIL_END,
)
_ACTOR = "hypothetical"


class Call(Durable):
    """A gateway call that would go out, each taken to succeed."""

    payment_type: str
    purpose: str
    amount: Money
    referenced_id: str | None = None


class Entry(Durable):
    """A ledger entry that would post."""

    debit: str
    credit: str
    amount: str
    currency: str
    text: str


class Consequences(Durable):
    """Where the case would stand, and the calls and entries on the way, in their order."""

    status: str
    stage: str
    finality: str
    calls: tuple[Call, ...] = ()
    entries: tuple[Entry, ...] = ()


def consequences(
    case: Case, hypothetical: BankRuling | NetworkEvent | None, now: datetime
) -> Consequences:
    """What would follow a ruling or a network event; ``None``: nothing by the deadline.

    ``now`` is the case's clock in UTC. Calls that the case owes already are among those shown.
    """
    after = _happened(case, hypothetical, now)
    postings = list(fact_postings(levels(case), levels(after)))
    plans: list[Plan] = []
    while len(plans) < _MOST_CALLS and (plan := next_plan(after)):
        plans.append(plan)
        settled = _append(after, OperationReported(operation=_settled(plan, len(plans))), now, now)
        postings += operation_postings(plan.purpose, plan.amount_minor, plan.currency)
        postings += fact_postings(levels(after), levels(settled))
        after = settled
    return Consequences(
        status=after.status.value,
        stage=after.stage.value,
        finality=after.finality.value,
        calls=tuple(_call(plan) for plan in plans),
        entries=tuple(_entry(posting) for posting in postings),
    )


def _happened(case: Case, hypothetical: BankRuling | NetworkEvent | None, now: datetime) -> Case:
    match hypothetical:
        case BankRuling():
            return _append(case, Ruled(ruling=hypothetical), hypothetical.decided_at, now)
        case NetworkEvent():
            return _append(case, Reported(event=hypothetical), hypothetical.occurred_at, now)
        case None:
            return _waited(case)


def _waited(case: Case) -> Case:
    """The case once its next deciding moment has come and no person has acted before."""
    while timer := next_timer(case):
        body = TimerFired(timer=timer.kind, due=timer.due, detail=timer.detail)
        case = _append(case, body, timer.due, timer.due)
        acts = policy_at_last_call(case, timer.due) if timer.kind is TimerKind.LAST_CALL else ()
        for act in acts:
            case = _append(case, act, timer.due, timer.due)
        if acts or timer.kind in _DECIDING:
            break
    return case


def _append(case: Case, body: Body, at: datetime, recorded_at: datetime) -> Case:
    sequence = 1 + (case.events[-1].sequence if case.events else 0)
    event = CaseEvent(
        sequence=sequence,
        event_id=f"{_ACTOR}:{sequence}",
        at=at,
        recorded_at=recorded_at,
        actor=_ACTOR,
        body=body,
    )
    return advance(case, event)


def _settled(plan: Plan, number: int) -> Operation:
    return Operation(
        key=plan.key,
        purpose=plan.purpose,
        state=OperationState.SETTLED,
        payment_type=plan.payment_type,
        amount_minor=plan.amount_minor,
        currency=plan.currency,
        referenced_id=plan.referenced_id,
        gateway_id=f"{number:032x}",
    )


def _call(plan: Plan) -> Call:
    return Call(
        payment_type=plan.payment_type.value,
        purpose=plan.purpose.value,
        amount=Money.of(plan.amount_minor, plan.currency),
        referenced_id=plan.referenced_id,
    )


def _entry(posting: Posting) -> Entry:
    return Entry(
        debit=posting.debit.value,
        credit=posting.credit.value,
        amount=to_decimal(posting.amount_minor, posting.currency),
        currency=posting.currency,
        text=posting.text,
    )
