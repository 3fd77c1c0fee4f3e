"""How a network event changes a case (lifecycle rows 3, 7b, 7c, 14, 15, 17-19 and 26)."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from disputes.case import Case
from disputes.events import CaseEvent, Reported
from disputes.facts import (
    CLOCK_FLAGS,
    collecting,
    decide,
    filing_declined,
    flag_excess,
    flag_past,
    merchant_wins,
    reopened,
    returned,
    taken,
    untold,
    won_days,
)
from disputes.messages import NetworkEvent
from disputes.vocabulary import Flow, NetworkEventKind, Stage, Status

_FEES = (NetworkEventKind.FEE_CHARGED, NetworkEventKind.FEE_RETURNED)
#: Events that decide nothing: they stand between no two facts of one meaning.
_PASSING = (NetworkEventKind.CARDHOLDER_WITHDREW, NetworkEventKind.ISSUER_COMMENT)
_SECOND = NetworkEventKind.SECOND_CHARGEBACK
#: Events that open a stage in which the merchant must answer.
_OPENING = (
    NetworkEventKind.ESCALATED,
    NetworkEventKind.SECOND_CHARGEBACK,
    NetworkEventKind.PRE_ARBITRATION_OPENED,
    NetworkEventKind.PRE_ARBITRATION_DECLINED,
)
#: Events that only a case can have whose money the bank took.
_BEYOND_CHARGEBACK = (
    NetworkEventKind.SECOND_CHARGEBACK,
    NetworkEventKind.PRE_ARBITRATION_OPENED,
    NetworkEventKind.PRE_ARBITRATION_ACCEPTED,
    NetworkEventKind.PRE_ARBITRATION_DECLINED,
    NetworkEventKind.ARBITRATION_OPENED,
)


def reported(case: Case, event: CaseEvent, body: Reported) -> Case:
    """Apply a network event; same meaning with nothing contrary between is dropped."""
    news = body.event
    if case.notice is None:
        return case
    if news.kind in _FEES:
        return _fee(case, event, news)
    if news.kind in _PASSING:
        flagged = news.kind is NetworkEventKind.CARDHOLDER_WITHDREW
        return case.with_flag("cardholder_withdrew") if flagged else case
    if news.amount and news.amount.currency != case.currency:
        # What happened is certain, the sum is not: the case's own stands until a person looks.
        case = case.with_flag("currency_unknown")
        news = news.model_copy(update={"amount": None})
    meaning = _meaning(case, news)
    if meaning == case.last_meaning:
        return _told_again(case, event, news)
    if news.kind is NetworkEventKind.ESCALATED and case.money_moved:
        return case.skip(event, "the case is a chargeback already")
    if news.kind in _BEYOND_CHARGEBACK and not case.money_moved:
        case = untold(case, event)
    return flag_excess(_apply(replace(case, last_meaning=meaning), event, news))


def _told_again(case: Case, event: CaseEvent, news: NetworkEvent) -> Case:
    """The same again changes nothing but the deadline of its stage, where it names another."""
    respond_by = news.respond_by
    if respond_by is not None and news.kind in _OPENING and respond_by != case.respond_by:
        if case.answerable:
            case = replace(case, respond_by=respond_by, stage_known_at=event.recorded_at)
            return flag_past(case.without_flag("deadline_unknown", *CLOCK_FLAGS), event)
        if news.kind is _SECOND and case.status is Status.LOST:
            # It was lost for want of a deadline (row 14).
            return collecting(case, event, respond_by, None)
    return case.skip(event, "says the same as the fact before it")


def _meaning(case: Case, news: NetworkEvent) -> tuple[str, ...]:
    # What a fact leaves open it says as the fact before it did, where that was of its kind: a
    # second chargeback without a cycle means the next one, unless it repeats the last.
    repeats = case.last_meaning[:1] == (news.kind.value,)
    cycle = news.cycle or case.cycle + (news.kind is _SECOND and not repeats)
    reinstated = case.disputed_minor - case.out_minor
    whole = reinstated if news.kind is _SECOND else case.disputed_minor
    amount = case.last_meaning[2] if repeats else str(whole)
    return (news.kind.value, str(cycle), str(news.amount.minor) if news.amount else amount)


def _apply(case: Case, event: CaseEvent, news: NetworkEvent) -> Case:
    terms, at = case.opened_terms, event.at
    amount = news.amount.minor if news.amount else None
    kind = NetworkEventKind
    match news.kind:
        case kind.ESCALATED:
            return _escalated(case, event, news, amount)
        case kind.SECOND_CHARGEBACK:
            return _second_chargeback(case, event, news, amount)
        case kind.PRE_ARBITRATION_OPENED:
            case = replace(case, stage=Stage.PRE_ARBITRATION)
            return collecting(case, event, news.respond_by, terms.pre_arbitration_answer_days)
        case kind.PRE_ARBITRATION_ACCEPTED:
            return _accepted(case, at, amount)
        case kind.PRE_ARBITRATION_DECLINED if _ours(case):
            return filing_declined(case, event, news.respond_by)
        case kind.PRE_ARBITRATION_DECLINED:
            return _reviewed(case, event, Stage.PRE_ARBITRATION)
        case kind.REPRESENTMENT_ACCEPTED:
            return merchant_wins(case, at, amount, won_days(case), final=False)
        case kind.ARBITRATION_OPENED:
            return _reviewed(case, event, Stage.ARBITRATION)
        case kind.CHARGEBACK_WITHDRAWN:
            days = terms.tail_response_days
            return returned(case, Status.WITHDRAWN, at, amount, kept=0, days=days)
        case kind.CARDHOLDER_WITHDREW | kind.ISSUER_COMMENT | kind.FEE_CHARGED | kind.FEE_RETURNED:
            return case
        case _:
            assert_never(news.kind)


def _ours(case: Case) -> bool:
    """Whether the pre-arbitration attempt is the merchant's own (allocation flow)."""
    return case.opened_terms.flow is Flow.ALLOCATION


def _reviewed(case: Case, event: CaseEvent, stage: Stage) -> Case:
    case = reopened(case)
    return replace(case, stage=stage, status=Status.UNDER_REVIEW, waits_since=event.at)


def _accepted(case: Case, at: datetime, amount: int | None) -> Case:
    """Rows 7b and 16: whoever did not open the pre-arbitration gave in."""
    terms = case.opened_terms
    if case.stage is Stage.CHARGEBACK:
        case = replace(case, stage=Stage.PRE_ARBITRATION)
    if _ours(case):
        return merchant_wins(case, at, amount, terms.tail_pre_arbitration_days, final=False)
    out = case.disputed_minor
    return decide(case, Status.LOST, at, out=out, days=terms.tail_lost_days)


def _escalated(case: Case, event: CaseEvent, news: NetworkEvent, amount: int | None) -> Case:
    """Row 3: an alert or inquiry became a chargeback."""
    amount = amount or case.disputed_minor
    case = replace(case, stage=Stage.CHARGEBACK, disputed_minor=amount)
    case = collecting(case, event, news.respond_by, case.opened_terms.respond_days)
    return taken(case, event, amount)


def _second_chargeback(
    case: Case, event: CaseEvent, news: NetworkEvent, amount: int | None
) -> Case:
    """Row 14: what was reinstated is taken again; without a deadline it is lost."""
    disputed = max(case.disputed_minor, amount or 0)
    again = disputed if amount is None else case.out_minor + case.fx_minor + amount
    out, fx = (disputed, 0) if again >= disputed else (again - case.fx_minor, case.fx_minor)
    case = replace(
        case.with_out(out, fx),
        stage=Stage.CHARGEBACK,
        cycle=max(news.cycle or case.cycle + 1, case.cycle),
        disputed_minor=disputed,
    )
    if news.respond_by is None:
        return decide(case, Status.LOST, event.at, out=out, days=case.opened_terms.tail_lost_days)
    return collecting(case, event, news.respond_by, None)


def _fee(case: Case, event: CaseEvent, news: NetworkEvent) -> Case:
    """Row 26: a fee replaces the expected one; a returned one reduces what is owed."""
    if news.amount is None:
        return case.skip(event, "a fee without an amount")
    currency, amount = news.amount.currency, news.amount.minor
    charged = news.kind is NetworkEventKind.FEE_CHARGED
    what = (news.fee_type or "", str(news.cycle or ""), currency, str(amount))
    meaning, contrary = (news.kind.value, *what), (_other(news.kind).value, *what)
    if meaning in case.fee_meanings:
        return case.skip(event, "says the same as the fee before it")
    fees = dict(case.fees)
    fees[currency] = fees.get(currency, 0) + (amount if charged else -amount)
    # Before the chargeback a fee without a type is another's.
    types = (None, "chargeback") if case.money_moved else ("chargeback",)
    told = charged and news.fee_type in types
    return replace(
        case,
        fees=tuple(sorted(fees.items())),
        fee_meanings=(case.fee_meanings - {contrary}) | {meaning},
        expected_fee_minor=0 if told else case.expected_fee_minor,
        fee_told=told or case.fee_told,
    )


def _other(kind: NetworkEventKind) -> NetworkEventKind:
    return _FEES[1] if kind is _FEES[0] else _FEES[0]
