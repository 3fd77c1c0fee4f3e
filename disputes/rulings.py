"""How a bank's ruling changes a case (lifecycle rows 7b, 7c, 11-13 and 17)."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from disputes.case import Case
from disputes.events import CaseEvent, Ruled, TimerKind
from disputes.facts import decide, filing_declined, merchant_wins, untold, won_days
from disputes.messages import BankRuling
from disputes.vocabulary import Flow, Outcome, Stage, Status


def ruled(case: Case, event: CaseEvent, body: Ruled) -> Case:
    """Rows 7b, 7c, 11-13 and 17: the bank decided."""
    ruling = body.ruling
    if case.notice is None:
        return case
    foreign = _foreign(case, ruling)
    fault = _share_fault(case, ruling, foreign=foreign)
    if fault:
        return case.with_flag("ruling_unclear").skip(event, fault)
    if foreign:
        # Who won is certain, the sum is not: the disputed amount stands until a person looks.
        case = case.with_flag("currency_unknown")
        ruling = ruling.model_copy(update={"merchant_amount": None, "cardholder_amount": None})
    stage = ruling.stage or case.stage
    meaning = _meaning(case, ruling, stage)
    if meaning == case.last_meaning:
        return case.skip(event, "says the same as the fact before it")
    declined = _is_decline(case, ruling, stage)
    if stage.rank >= Stage.CHARGEBACK.rank and not case.money_moved:
        case = untold(case, event)
    case = replace(
        case,
        last_meaning=meaning,
        cycle=max(ruling.cycle or 1, case.cycle),
        stage=stage if stage.rank > case.stage.rank else case.stage,
    )
    return filing_declined(case, event, None) if declined else _apply(case, event.at, ruling)


def _meaning(case: Case, ruling: BankRuling, stage: Stage) -> tuple[str, ...]:
    share = ruling.merchant_amount.minor if ruling.merchant_amount else case.disputed_minor
    cycle = ruling.cycle or case.cycle
    said = share if ruling.outcome is not Outcome.CARDHOLDER_WON else 0
    return ("ruled", stage.value, str(cycle), ruling.outcome.value, str(said))


def _is_decline(case: Case, ruling: BankRuling, stage: Stage) -> bool:
    # Allocation: a ruling of that stage against us is the issuer's answer to our attempt (7c).
    return (
        case.opened_terms.flow is Flow.ALLOCATION
        and case.stage is stage is Stage.PRE_ARBITRATION
        and ruling.stage is not None
        and (case.status is Status.UNDER_REVIEW or _won_by_silence(case))
        and ruling.outcome is Outcome.CARDHOLDER_WON
        and not ruling.final
    )


def _won_by_silence(case: Case) -> bool:
    silent = (TimerKind.ISSUER_SILENT, case.decided_at, "")
    return case.status is Status.WON and silent in case.fired


def _foreign(case: Case, ruling: BankRuling) -> bool:
    amounts = (ruling.merchant_amount, ruling.cardholder_amount)
    return any(item is not None and item.currency != case.currency for item in amounts)


def _share_fault(case: Case, ruling: BankRuling, *, foreign: bool) -> str:
    if foreign and ruling.outcome is Outcome.PARTIAL:
        return "the ruling's currency is not the case's"
    if ruling.outcome is not Outcome.PARTIAL or ruling.merchant_amount is None:
        return ""
    merchant = ruling.merchant_amount.minor
    if not 0 < merchant < case.disputed_minor:
        return "a partial ruling must return more than nothing and less than the disputed amount"
    cardholder = ruling.cardholder_amount
    if cardholder and cardholder.minor + merchant != case.disputed_minor:
        return "the two sides of the ruling do not add up to the disputed amount"
    return ""


def _apply(case: Case, at: datetime, ruling: BankRuling) -> Case:
    terms = case.opened_terms
    amount = ruling.merchant_amount.minor if ruling.merchant_amount else None
    lost_days = (
        terms.tail_arbitration_days if case.stage is Stage.ARBITRATION else terms.tail_lost_days
    )
    match ruling.outcome:
        case Outcome.MERCHANT_WON:
            return merchant_wins(case, at, amount, won_days(case), final=ruling.final)
        case Outcome.PARTIAL:
            out = case.disputed_minor - (amount or 0)
            return decide(
                case, Status.PARTIALLY_WON, at, out=out, days=lost_days, final=ruling.final
            )
        case Outcome.CARDHOLDER_WON:
            out = case.disputed_minor
            return decide(case, Status.LOST, at, out=out, days=lost_days, final=ruling.final)
        case _:
            assert_never(ruling.outcome)
