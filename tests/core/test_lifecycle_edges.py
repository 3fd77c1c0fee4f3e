"""The named edge cases, as far as rules alone carry them (processes and outages: tests/workflows).

Each ends with what the merchant has: status, calls sent, and money in hand and at risk (sale 92,
fee 15, whole euros).
"""

import pytest

from disputes.events import Ruled, TimerKind
from disputes.messages import (
    AcceptLiability,
    AnswerPreArbitration,
    FileArbitration,
    SubmitRepresentment,
)
from disputes.money import Money
from disputes.status import attention, timeline_of
from disputes.vocabulary import (
    Finality,
    Flow,
    NetworkEventKind,
    Outcome,
    Stage,
    Status,
)
from tests.support.story import Story, day, euros, terms

WON, LOST, PARTIAL = Outcome.MERCHANT_WON, Outcome.CARDHOLDER_WON, Outcome.PARTIAL
CB, CR = ("CB", 9200), ("CR", 9200)
SUBMIT = SubmitRepresentment(submitted_by="ann")


def charged_back(**changes: object) -> Story:
    return Story(terms(**changes)).sale().opened().payment().gateway()


def submitted(**changes: object) -> Story:
    return charged_back(**changes).on(1).evidence().command("submit_representment", SUBMIT)


def assert_stands(story: Story, status: Status, in_hand: int, at_risk: int = 0) -> None:
    assert story.standing() is status
    assert (story.book.in_hand, story.book.at_risk) == (in_hand * 100, at_risk * 100)


def test_ruling_before_evidence() -> None:
    story = charged_back().ruled(WON, 1).gateway()

    assert_stands(story, Status.WON, 77)
    assert story.sent == [CB, CR]


def test_ruling_before_notice() -> None:
    story = Story().sale().ruled(WON, 1)
    assert story.standing() is Status.AWAITING_NOTICE
    assert story.sent == []

    story.opened().payment().gateway()

    assert_stands(story, Status.WON, 77)
    assert story.sent == []


def test_duplicate_ruling() -> None:
    story = charged_back().ruled(LOST, 10, ruling_id="R").ruled(LOST, 10, ruling_id="R").gateway()

    assert_stands(story, Status.LOST, -15)
    assert len([it for it in story.case.events if isinstance(it.body, Ruled)]) == 1


def test_same_ruling_other_id() -> None:
    story = charged_back().ruled(WON, 10).ruled(WON, 11, "92.00", stage=Stage.CHARGEBACK).gateway()

    assert_stands(story, Status.WON, 77)
    assert story.sent == [CB, CR]
    assert timeline_of(story.case)[-2].ignored == "says the same as the fact before it"


def test_won_then_lost() -> None:
    story = charged_back().ruled(WON, 10).gateway().ruled(LOST, 20).gateway()

    assert_stands(story, Status.LOST, -15)
    assert story.sent == [CB, CR, CR]


def test_lost_then_won() -> None:
    story = charged_back().ruled(LOST, 10).gateway().ruled(WON, 20).gateway()

    assert_stands(story, Status.WON, 77)
    assert story.sent == [CB, CR]


def test_won_lost_won() -> None:
    story = charged_back()
    for number, outcome in enumerate((WON, LOST, WON), 1):
        story.ruled(outcome, 10 * number).gateway()

    assert_stands(story, Status.WON, 77)
    assert story.sent == [CB, CR, CR, CR]
    references = [plan.referenced_id for plan in story.calls]
    assert len(set(references)) == 4, "each entry hangs on the one before it"
    assert len({plan.key for plan in story.calls}) == 4


def test_late_evidence() -> None:
    """Evidence accepted before, told after a ruling that came first, changes nothing."""
    story = charged_back().on(5).evidence().ruled(LOST, 3)

    assert_stands(story, Status.LOST, -15)


def test_deadline_met_by_last_call() -> None:
    story = charged_back().on(1).evidence()
    assert story.standing() is Status.READY

    story.until(TimerKind.LAST_CALL).command("submit_representment", SUBMIT)

    assert story.standing() is Status.UNDER_REVIEW
    assert story.case.submitted_at is not None
    assert story.case.respond_by is not None
    assert story.case.submitted_at < story.case.respond_by


def test_deadline_missed() -> None:
    story = charged_back().until(TimerKind.DEADLINE)

    assert_stands(story, Status.EXPIRED, -15)
    assert story.finality() is Finality.PROVISIONAL


def test_second_chargeback_after_reversal() -> None:
    story = submitted().ruled(WON, 10).gateway()
    story.network(NetworkEventKind.SECOND_CHARGEBACK, 20, respond_by=day(50)).gateway()

    assert_stands(story, Status.READY, -15, 92)
    assert story.case.cycle == 2
    assert story.case.stage is Stage.CHARGEBACK
    assert story.sent == [CB, CR, CR]


def test_second_chargeback_told_twice_with_and_without_its_details() -> None:
    story = submitted().ruled(WON, 10).gateway()
    story.network(NetworkEventKind.SECOND_CHARGEBACK, 20)
    story.network(NetworkEventKind.SECOND_CHARGEBACK, 20, "92.00", cycle=2)
    story.network(NetworkEventKind.SECOND_CHARGEBACK, 21).gateway()

    assert_stands(story, Status.LOST, -15)
    assert story.case.cycle == 2
    assert story.sent == [CB, CR, CR]


def test_second_chargeback_of_a_part() -> None:
    story = submitted().ruled(WON, 10).gateway()
    story.network(NetworkEventKind.SECOND_CHARGEBACK, 20, "30.00", respond_by=day(50)).gateway()
    assert_stands(story, Status.READY, 47, 30)

    story.ruled(WON, 30).gateway()

    assert_stands(story, Status.WON, 77)
    assert story.sent == [CB, CR, ("CR", 3000), ("CR", 3000)]


def test_pre_arbitration_after_win() -> None:
    story = submitted().ruled(WON, 10).gateway()
    story.network(NetworkEventKind.PRE_ARBITRATION_OPENED, 20).gateway()

    assert_stands(story, Status.READY, 77)
    assert story.case.stage is Stage.PRE_ARBITRATION
    assert story.finality() is Finality.OPEN
    assert story.sent == [CB, CR]


def test_allocation_issuer_declines() -> None:
    story = submitted(flow=Flow.ALLOCATION)
    assert (story.case.stage, story.case.status) == (Stage.PRE_ARBITRATION, Status.UNDER_REVIEW)

    story.network(NetworkEventKind.PRE_ARBITRATION_DECLINED, 20)
    assert story.standing() is Status.COLLECTING
    assert story.case.respond_by is not None

    story.until(TimerKind.DEADLINE)
    assert_stands(story, Status.LOST, -15)


def test_allocation_issuer_declines_by_a_ruling_of_that_stage() -> None:
    story = submitted(flow=Flow.ALLOCATION).ruled(LOST, 20, stage=Stage.PRE_ARBITRATION)

    assert story.standing() is Status.COLLECTING
    assert_stands(story, Status.COLLECTING, -15, 92)


def test_allocation_issuer_is_silent_and_declines_after_all() -> None:
    story = submitted(flow=Flow.ALLOCATION).until(TimerKind.ISSUER_SILENT).gateway()
    assert_stands(story, Status.WON, 77)

    story.network(NetworkEventKind.PRE_ARBITRATION_DECLINED, 40).gateway()
    assert_stands(story, Status.COLLECTING, -15, 92)

    story.until(TimerKind.DEADLINE)
    assert_stands(story, Status.LOST, -15)


@pytest.mark.parametrize(
    ("outcome", "status", "in_hand", "sent"),
    [(WON, Status.WON, 77, [CB, CR]), (LOST, Status.LOST, -15, [CB])],
    ids=["arbitration_won", "arbitration_lost"],
)
def test_arbitration(
    outcome: Outcome, status: Status, in_hand: int, sent: list[tuple[str, int]]
) -> None:
    story = submitted(flow=Flow.ALLOCATION)
    story.network(NetworkEventKind.PRE_ARBITRATION_DECLINED, 20)
    story.command("file_arbitration", FileArbitration(filed_by="ann"))
    assert story.case.stage is Stage.ARBITRATION

    story.ruled(outcome, 40, stage=Stage.ARBITRATION).gateway()

    assert_stands(story, status, in_hand)
    assert story.finality() is Finality.FINAL
    assert story.sent == sent


def test_partial_win() -> None:
    story = charged_back().ruled(PARTIAL, 10, "40.00").gateway()

    assert_stands(story, Status.PARTIALLY_WON, 25)
    assert story.sent == [CB, ("CR", 4000)]


def test_partial_win_and_then_all_of_it() -> None:
    story = charged_back().ruled(PARTIAL, 10, "40.00").gateway().ruled(WON, 20).gateway()

    assert_stands(story, Status.WON, 77)
    assert story.sent == [CB, ("CR", 4000), ("CR", 5200)]


def test_partial_win_and_then_less_of_it() -> None:
    story = charged_back().ruled(PARTIAL, 10, "40.00").gateway()
    story.ruled(PARTIAL, 20, "10.00").gateway()

    assert_stands(story, Status.PARTIALLY_WON, -5)
    assert story.sent == [CB, ("CR", 4000), ("CR", 3000)]
    assert story.book.reading()[:2] == (10, 0)


def test_partial_win_then_lost_undoes_every_part() -> None:
    story = charged_back().ruled(PARTIAL, 10, "40.00").gateway()
    story.ruled(PARTIAL, 20, "70.00").gateway().ruled(LOST, 30).gateway()

    assert_stands(story, Status.LOST, -15)
    assert story.sent == [CB, ("CR", 4000), ("CR", 3000), ("CR", 3000), ("CR", 4000)]


def test_cardholder_withdrew() -> None:
    """Flagged only: evidence is still sent, and the bank's reversal closes the case."""
    story = charged_back().network(NetworkEventKind.CARDHOLDER_WITHDREW, 1)
    assert "cardholder_withdrew" in attention(story.case)

    story.evidence().command("submit_representment", SUBMIT).ruled(WON, 10).gateway()

    assert_stands(story, Status.WON, 77)


def test_issuer_withdrew() -> None:
    story = charged_back().network(NetworkEventKind.CHARGEBACK_WITHDRAWN, 5).gateway()

    assert_stands(story, Status.WITHDRAWN, 77)
    assert story.finality() is Finality.PROVISIONAL
    assert story.sent == [CB, CR]


def test_accepted_then_won() -> None:
    story = charged_back().command("accept_liability", AcceptLiability(accepted_by="ann"))
    assert_stands(story, Status.ACCEPTED, -15)

    story.ruled(WON, 10).gateway()

    assert_stands(story, Status.WON, 77)
    assert story.sent == [CB, CR]


def test_accepted_after_a_win_that_was_told_later() -> None:
    story = charged_back().on(5).command("accept_liability", AcceptLiability(accepted_by="ann"))

    story.ruled(WON, 3).gateway()

    assert_stands(story, Status.WON, 77)


def test_inquiry_escalated() -> None:
    story = Story().sale().opened(stage=Stage.INQUIRY).payment().gateway()
    assert_stands(story, Status.COLLECTING, 92)

    story.network(NetworkEventKind.ESCALATED, 10).gateway()

    assert_stands(story, Status.COLLECTING, -15, 92)
    assert story.case.stage is Stage.CHARGEBACK


def test_inquiry_unanswered_expires_but_stays_open() -> None:
    story = Story().sale().opened(stage=Stage.INQUIRY).until(TimerKind.DEADLINE)

    assert_stands(story, Status.EXPIRED, 92)
    assert story.finality() is Finality.OPEN


def test_rdr_deflected() -> None:
    story = Story().sale().opened(stage=Stage.ALERT, alert_program="rdr").payment().gateway()

    assert_stands(story, Status.DEFLECTED, 0)
    assert story.finality() is Finality.PROVISIONAL
    assert story.sent == []


def test_rdr_charged_back_all_the_same_is_a_double_loss() -> None:
    story = Story().sale().opened(stage=Stage.ALERT, alert_program="rdr").payment()
    story.network(NetworkEventKind.ESCALATED, 10).gateway()

    assert "double_loss" in attention(story.case)
    assert_stands(story, Status.COLLECTING, -107, 92)


def test_unknown_reason_code() -> None:
    story = charged_back(known_reason=False, checklist={"ruled": False})

    assert "unknown_reason_code" in attention(story.case)
    assert_stands(story, Status.COLLECTING, -15, 92)


def test_outage_over_deadline_takes_the_late_branch() -> None:
    """A timer counts from when it was due, however late it fires."""
    story = charged_back()
    due = story.case.respond_by
    assert due is not None
    story.on(40).until(TimerKind.DEADLINE)

    assert_stands(story, Status.EXPIRED, -15)
    assert story.case.decided_at == due


def test_sepa_return_is_lost_and_final_at_once() -> None:
    story = charged_back(flow=Flow.NONE)

    assert_stands(story, Status.LOST, -15)
    assert story.finality() is Finality.FINAL


def test_a_final_case_takes_a_contrary_fact_and_is_provisional_again() -> None:
    story = charged_back().ruled(LOST, 10).until(TimerKind.TAIL_END)
    assert story.finality() is Finality.FINAL

    story.ruled(WON, 200).gateway()

    assert_stands(story, Status.WON, 77)
    assert story.finality() is Finality.PROVISIONAL


def test_a_tail_ends_without_posting_anything() -> None:
    story = charged_back().ruled(WON, 10).gateway()
    before = story.book.balances.copy()

    story.until(TimerKind.TAIL_END)

    assert story.finality() is Finality.FINAL
    assert story.book.balances == before


@pytest.mark.parametrize("merchant", ["92.00", "100.00"])
def test_a_partial_ruling_of_all_or_more_is_unclear_and_changes_nothing(merchant: str) -> None:
    story = charged_back().ruled(PARTIAL, 10, merchant)

    assert_stands(story, Status.COLLECTING, -15, 92)
    assert "ruling_unclear" in attention(story.case)


def test_a_partial_ruling_whose_sides_do_not_add_up_is_unclear() -> None:
    story = charged_back().ruled(PARTIAL, 10, "40.00", cardholder_amount=euros("50.00"))

    assert_stands(story, Status.COLLECTING, -15, 92)
    assert "add up" in (timeline_of(story.case)[-1].ignored or "")


def test_a_ruling_in_another_currency_still_says_who_won() -> None:
    dollars = {"amount": "100.00", "currency": "USD"}
    story = charged_back().ruled(WON, 10, merchant_amount=dollars).gateway()

    assert_stands(story, Status.WON, 77)
    assert "currency_unknown" in attention(story.case)


def test_an_event_in_another_currency_still_starts_its_clock() -> None:
    dollars = Money(amount="100.00", currency="USD")
    story = submitted().ruled(WON, 10).gateway()
    story.network(
        NetworkEventKind.SECOND_CHARGEBACK, 20, respond_by=day(50), amount=dollars
    ).gateway()

    assert_stands(story, Status.READY, -15, 92)
    assert story.case.respond_by == day(50)
    assert "currency_unknown" in attention(story.case)


def test_a_second_notice_does_not_open_the_case_again() -> None:
    story = charged_back().ruled(WON, 10).gateway()
    other = Story(terms()).opened(amount=euros("50.00")).case.events[0]

    story.tell(other.body, at=day(1), event_id="another")

    assert_stands(story, Status.WON, 77)
    assert timeline_of(story.case)[-1].ignored == "the case has its notice already"


def test_the_rulings_stage_and_cycle_never_go_back() -> None:
    story = submitted().ruled(WON, 10)
    story.network(NetworkEventKind.SECOND_CHARGEBACK, 20, respond_by=day(50))
    story.ruled(LOST, 30, cycle=1, stage=Stage.INQUIRY)

    assert (story.case.cycle, story.case.stage) == (2, Stage.CHARGEBACK)


def test_row_7b_an_issuer_that_accepts_our_attempt_returns_the_money() -> None:
    story = submitted(flow=Flow.ALLOCATION)

    story.network(NetworkEventKind.PRE_ARBITRATION_ACCEPTED, 20).gateway()

    assert_stands(story, Status.WON, 77)
    assert story.sent == [CB, CR]


def test_row_16_accepting_pre_arbitration_after_a_win_gives_the_money_up() -> None:
    story = submitted().ruled(WON, 10).gateway()
    story.network(NetworkEventKind.PRE_ARBITRATION_OPENED, 20)
    story.command(
        "answer_pre_arbitration", AnswerPreArbitration(decision="accept", answered_by="ann")
    ).gateway()

    assert_stands(story, Status.LOST, -15)
    assert story.finality() is Finality.PROVISIONAL
    assert story.sent == [CB, CR, CR]


def test_row_16_declining_pre_arbitration_waits_for_arbitration() -> None:
    story = submitted().ruled(WON, 10).gateway()
    story.network(NetworkEventKind.PRE_ARBITRATION_OPENED, 20)
    story.command(
        "answer_pre_arbitration", AnswerPreArbitration(decision="decline", answered_by="ann")
    )
    assert story.standing() is Status.UNDER_REVIEW

    story.network(NetworkEventKind.ARBITRATION_OPENED, 30)
    story.ruled(LOST, 60, stage=Stage.ARBITRATION).gateway()

    assert_stands(story, Status.LOST, -15)
    assert story.finality() is Finality.FINAL
    assert story.sent == [CB, CR, CR]


@pytest.mark.parametrize("first_told", ["ruling", "event"])
def test_of_one_moment_the_earlier_stage_comes_first(first_told: str) -> None:
    """A win and the pre-arbitration that follows it carry the same date."""
    story = charged_back()
    if first_told == "ruling":
        story.ruled(WON, 10).network(NetworkEventKind.PRE_ARBITRATION_OPENED, 10)
    else:
        story.network(NetworkEventKind.PRE_ARBITRATION_OPENED, 10).ruled(WON, 10)

    assert_stands(story, Status.COLLECTING, 77)
    assert story.case.stage is Stage.PRE_ARBITRATION


def test_an_alert_that_nobody_answers_expires_and_a_chargeback_may_follow() -> None:
    story = Story().sale().opened(stage=Stage.ALERT, alert_expires_at=day(1)).payment()
    assert story.standing() is Status.RECEIVED

    story.until(TimerKind.DEADLINE)
    assert_stands(story, Status.EXPIRED, 92)
    assert story.finality() is Finality.OPEN

    story.network(NetworkEventKind.ESCALATED, 10).gateway()
    assert_stands(story, Status.COLLECTING, -15, 92)
