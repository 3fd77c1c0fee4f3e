"""When a case must act: the deadline of the open stage and the next moment of its own."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from disputes.case import Case, day_end
from disputes.events import PaymentKnown, TimerKind
from disputes.notice import DisputeNotice
from disputes.terms import CaseTerms
from disputes.vocabulary import Finality, Flow, Stage, Status

#: Hours before the deadline at which the policy looks again for a complete answer.
_LAST_HOUR = 1
#: Pause before the gateway is asked again for a payment; each later one doubles the time waited.
_FIRST_QUESTION = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Timer:
    """A moment on which the case acts by itself."""

    due: datetime
    kind: TimerKind
    detail: str = ""


def opening_deadline(notice: DisputeNotice, terms: CaseTerms) -> tuple[datetime | None, bool]:
    """Deadline of the stage that a notice opens, and whether it is a guess.

    The notice's own moment stands. Else the shortest window from ``processed_at`` (day 0), from
    ``received_at`` as a guess; without a window the policy's fallback days, as a guess
    (lifecycle, Deadlines).
    """
    if notice.stage is Stage.ALERT:
        return _alert_deadline(notice, terms)
    if notice.respond_by is not None:
        return notice.respond_by, False
    if terms.flow is Flow.NONE and notice.stage is not Stage.INQUIRY:
        return None, False
    days = {
        Stage.INQUIRY: terms.inquiry_days,
        Stage.PRE_ARBITRATION: terms.pre_arbitration_answer_days,
        Stage.ARBITRATION: terms.arbitration_days,
    }.get(notice.stage, terms.respond_days)
    day_zero = notice.processed_at or notice.received_at.date()
    guess = days is None or notice.processed_at is None
    return day_end(day_zero, days or terms.fallback_days, notice.received_at), guess


def _alert_deadline(notice: DisputeNotice, terms: CaseTerms) -> tuple[datetime | None, bool]:
    known = notice.alert_expires_at or notice.respond_by
    if known or notice.alert_program == "rdr":
        return known, False  # rdr: the network has refunded, nobody must act
    day_zero = notice.processed_at or notice.received_at.date()
    return day_end(day_zero, terms.fallback_days, notice.received_at), True


def stage_deadline(at: datetime, days: int | None, terms: CaseTerms) -> tuple[datetime, bool]:
    """Deadline of a stage opened by a fact at ``at`` without its own, and whether it is a guess."""
    return day_end(at.date(), days or terms.fallback_days, at), days is None


def next_timer(case: Case) -> Timer | None:
    """The earliest moment that has not fired yet, or ``None`` when the case waits for others."""
    pending = [
        timer for timer in _timers(case) if (timer.kind, timer.due, timer.detail) not in case.fired
    ]
    return min(pending, key=lambda timer: timer.due, default=None)


def _timers(case: Case) -> list[Timer]:
    timers = [
        Timer(item.expires_at, TimerKind.APPROVAL_EXPIRY, item.request_id)
        for item in case.open_approvals
    ]
    if case.status is Status.AWAITING_NOTICE or case.terms is None:
        return timers
    if case.decided:
        if case.finality is not Finality.FINAL and case.tail_until:
            timers.append(Timer(case.tail_until, TimerKind.TAIL_END))
    elif case.answerable:
        timers += _answer_timers(case, case.terms)
    else:
        timers += _review_timers(case, case.terms)
    return timers


def next_question(case: Case) -> datetime | None:
    """When to ask the gateway again for a payment that it does not know: pauses grow.

    ``None``: it is known, was not asked for yet, or the policy's ``payment_wait_days`` are over.
    """
    payment, terms = case.payment, case.terms
    if payment is None or payment.known or terms is None or case.finality is Finality.FINAL:
        return None
    asked = [it.recorded_at for it in case.events if isinstance(it.body, PaymentKnown)]
    first, last = asked[0], asked[-1]
    end = first + timedelta(days=terms.payment_wait_days)
    return min(end, last + max(_FIRST_QUESTION, last - first)) if last < end else None


def due_when_known(case: Case, moment: datetime) -> datetime:
    """A moment of the open stage; one that had passed before we knew of the stage comes at once."""
    return max(moment, case.stage_known_at) if case.stage_known_at else moment


def _answer_timers(case: Case, terms: CaseTerms) -> list[Timer]:
    respond_by = case.respond_by
    if respond_by is None:
        return []
    rungs = [
        Timer(respond_by - timedelta(hours=hours), TimerKind.LADDER, str(hours))
        for hours in terms.ladder_hours
    ]
    return [
        # A rung that had passed before we knew of the stage is no reminder.
        *(rung for rung in rungs if case.stage_known_at and rung.due > case.stage_known_at),
        *(
            Timer(due_when_known(case, respond_by - timedelta(hours=hours)), TimerKind.LAST_CALL)
            for hours in _last_call_hours(terms)
        ),
        Timer(due_when_known(case, respond_by), TimerKind.DEADLINE),
    ]


def _last_call_hours(terms: CaseTerms) -> tuple[int, ...]:
    """Where the policy may submit it calls twice: evidence may come after the first call."""
    again = terms.auto_submit and terms.last_call_hours > _LAST_HOUR
    return (terms.last_call_hours, _LAST_HOUR) if again else (terms.last_call_hours,)


def _review_timers(case: Case, terms: CaseTerms) -> list[Timer]:
    """When silence is told: nobody may wait for a bank's word for ever."""
    if case.waits_since is None:
        return []
    days: int | None
    if case.stage is Stage.ARBITRATION:
        # No network says how long it may judge: as long as a lost case is watched.
        days, kind = terms.tail_lost_days, TimerKind.RULING_OVERDUE
    elif terms.flow is Flow.ALLOCATION and case.stage is Stage.PRE_ARBITRATION:
        days, kind = terms.issuer_answer_days, TimerKind.ISSUER_SILENT
    else:
        days, kind = terms.tail_response_days, TimerKind.RULING_OVERDUE
    # The issuer's clock ends with the day: silence is certain only on the next (longest window).
    due = day_end(case.waits_since.date(), days + 1, case.waits_since) if days else None
    return [Timer(due, kind)] if due else []
