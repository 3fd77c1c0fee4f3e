"""How a notice and the gateway's word on a payment change a case, and what every decision does.

Lifecycle rows 1, 2, 4, 6 and 7c. Facts always post; one that does not fit is skipped with its
reason, never refused.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from disputes import chain
from disputes.case import Case, evidence_complete
from disputes.deadlines import opening_deadline, stage_deadline
from disputes.events import CaseEvent, Opened, PaymentKnown
from disputes.vocabulary import Finality, Flow, Stage, Status

#: Attention of the open stage's clock: gone when the stage is.
CLOCK_FLAGS = frozenset({"deadline_near", "deadline_past", "ruling_overdue"})


def opened(case: Case, event: CaseEvent, body: Opened) -> Case:
    """Rows 1, 2 and 4: the notice opens the case at its stage."""
    notice, terms = body.notice, body.terms
    if case.notice is not None:
        return case.skip(event, "the case has its notice already")
    amount = (notice.settled_amount or notice.amount).minor
    respond_by, guess = opening_deadline(notice, terms)
    case = replace(
        case,
        notice=notice,
        terms=terms,
        stage=notice.stage,
        disputed_minor=amount,
        respond_by=respond_by,
        stage_known_at=event.recorded_at,
        status=Status.RECEIVED if notice.stage is Stage.ALERT else Status.COLLECTING,
        flags=case.flags - {"notice_missing"},
    )
    case = case if terms.known_reason else case.with_flag("unknown_reason_code")
    case = case.with_flag("deadline_unknown") if guess else case
    if notice.alert_program == "rdr" and notice.stage is Stage.ALERT:
        case = replace(case, network_refund_minor=amount)
        return decide(case, Status.DEFLECTED, event.at, out=0, days=terms.tail_lost_days)
    case = flag_past(case, event)
    if case.money_moved:
        case = taken(case, event, amount)
    if notice.stage is Stage.ARBITRATION and not case.decided:
        case = replace(case, status=Status.UNDER_REVIEW)
    return settle_readiness(case)


def taken(case: Case, event: CaseEvent, amount: int) -> Case:
    """Row 4: the bank took ``amount`` minor units; SEPA returns are lost and final at once."""
    terms = case.opened_terms
    expected = 0 if case.fee_told else terms.expected_fee_minor
    case = replace(case.with_out(amount, 0), expected_fee_minor=expected)
    # A refund by the network (RDR) and a chargeback: the money is gone twice.
    case = case.with_flag("double_loss") if case.network_refund_minor else case
    if terms.flow is Flow.NONE:
        return decide(case, Status.LOST, event.at, out=amount, days=0)
    return case


def untold(case: Case, event: CaseEvent) -> Case:
    """Nobody told of the chargeback, but there was one: its money is gone."""
    return taken(replace(case, stage=Stage.CHARGEBACK), event, case.disputed_minor)


def flag_past(case: Case, event: CaseEvent) -> Case:
    """Attention when the deadline of a stage had passed before we learned of the stage."""
    late = case.respond_by is not None and case.respond_by <= event.recorded_at
    return case.with_flag("deadline_past") if late else case


def settle_readiness(case: Case) -> Case:
    """Row 6: collecting <-> ready by the checklist."""
    if case.status not in (Status.COLLECTING, Status.READY):
        return case
    return replace(case, status=Status.READY if evidence_complete(case) else Status.COLLECTING)


def payment_known(case: Case, body: PaymentKnown) -> Case:
    """What the gateway knows of the entry: attention where the dispute does not fit it."""
    payment = body.payment
    case = replace(case, payment=payment)
    if not payment.known:
        return case.with_flag("payment_unknown")
    case = case.without_flag("payment_unknown")
    if payment.currency != case.currency:
        return case.with_flag("currency_unknown")
    for operation in payment.booked:
        case = chain.report(case, operation)
    case = flag_excess(case)
    return case.with_flag("second_dispute") if payment.other_disputes else case


def flag_excess(case: Case) -> Case:
    """Attention where more is disputed than the payment was, or than refunds left of it."""
    payment = case.payment
    if payment is None or not payment.known or payment.currency != case.currency:
        return case
    if case.disputed_minor > payment.amount_minor:
        return case.with_flag("amount_above_payment")
    # What the case paid back itself is no loss until the bank takes it too (status.attention).
    refunded = max(payment.refunded_minor - case.refunded_minor, 0)
    excess = case.disputed_minor + refunded > payment.amount_minor
    return case.with_flag("double_loss") if excess else case


#: Commands that a decision overtakes while they wait for a second person (row 20).
_OVERTAKEN = (
    "submit_representment",
    "answer_pre_arbitration",
    "file_arbitration",
    "accept_liability",
    "resolve_by_refund",
)


def decide(
    case: Case, status: Status, at: datetime, *, out: int, days: int, final: bool = False
) -> Case:
    """A decision with its tail of ``days``; without days it is final at once (row 23).

    ``out``: minor units that the bank holds by it; what it takes again, it takes with any
    difference of an earlier reinstatement.
    """
    out = out if case.money_moved else 0
    case = case.with_out(out, case.fx_minor if out <= case.out_minor else 0)
    return replace(
        case,
        status=status,
        finality=Finality.FINAL if final or days == 0 else Finality.PROVISIONAL,
        decided_at=at,
        tail_until=at + timedelta(days=days),
        flags=case.flags - CLOCK_FLAGS,
        approvals=tuple(
            replace(item, outcome="overtaken")
            if item.outcome == "open" and item.command in _OVERTAKEN
            else item
            for item in case.approvals
        ),
    )


def merchant_wins(case: Case, at: datetime, amount: int | None, days: int, *, final: bool) -> Case:
    """The bank returns all, or ``amount`` minor units, to the merchant.

    A part that the merchant accepted before stays out, unless the bank names what it returned.
    """
    part = case.accepted_minor if case.accepted_minor < case.disputed_minor else 0
    kept = min(part, case.out_minor)
    if amount is not None and amount == case.out_minor - kept:
        amount = None
    return returned(case, Status.WON, at, amount, kept=kept, days=days, final=final)


def returned(
    case: Case,
    status: Status,
    at: datetime,
    amount: int | None,
    *,
    kept: int,
    days: int,
    final: bool = False,
) -> Case:
    """A decision that gives the money back but for ``kept``; an ``amount`` is what came instead.

    Another amount than what was out is an exchange difference (ledger, table); the disputed amount
    named again after a part had come back is none.
    """
    if amount is None or case.out_minor == 0:
        return decide(case, status, at, out=kept, days=days, final=final)
    difference = case.out_minor - amount
    if difference and amount != case.disputed_minor:
        case = replace(case, fx_minor=case.fx_minor + difference).with_flag("fx_difference")
    return decide(case, status, at, out=0, days=days, final=final)


def filing_declined(case: Case, event: CaseEvent, respond_by: datetime | None) -> Case:
    """Row 7c: the issuer declined our pre-arbitration; arbitration may be filed, else lost.

    A win that its silence had made before is undone with it.
    """
    case = replace(case, stage=Stage.PRE_ARBITRATION)
    if case.out_minor < case.disputed_minor:
        case = case.with_out(case.disputed_minor, 0)
    case = collecting(case, event, respond_by, case.opened_terms.arbitration_days)
    return replace(case, status=Status.COLLECTING)


def reopened(case: Case) -> Case:
    """A stage opens, and with it whatever was decided before."""
    # A part stays accepted; that all was accepted is what the network has just denied.
    part = case.accepted_minor if case.accepted_minor < case.disputed_minor else 0
    return replace(case.without_flag(*CLOCK_FLAGS), finality=Finality.OPEN, accepted_minor=part)


def collecting(case: Case, event: CaseEvent, respond_by: datetime | None, days: int | None) -> Case:
    """A stage opens in which the merchant must answer: by its own deadline, else by the window."""
    computed, guess = stage_deadline(event.at, days, case.opened_terms)
    case = case.with_flag("deadline_unknown") if guess and not respond_by else case
    case = replace(
        reopened(case),
        status=Status.COLLECTING,
        respond_by=respond_by or computed,
        stage_known_at=event.recorded_at,
    )
    return settle_readiness(flag_past(case, event))


def won_days(case: Case) -> int:
    """How long a win at the case's stage may still turn (rules/tails.csv)."""
    terms = case.opened_terms
    return {
        Stage.ARBITRATION: terms.tail_arbitration_days,
        Stage.PRE_ARBITRATION: terms.tail_pre_arbitration_days,
    }.get(case.stage, terms.tail_response_days)
