"""What the facts leave out: a chargeback nobody told of, a fee told before it, a late decline."""

import pytest

from disputes.events import TimerKind
from disputes.messages import (
    AcceptLiability,
    AnswerPreArbitration,
    FileArbitration,
    SubmitRepresentment,
)
from disputes.status import attention, status_of
from disputes.vocabulary import Flow, NetworkEventKind, Outcome, Purpose, Stage, Status
from tests.support.story import Story, euros, terms

WON, LOST = Outcome.MERCHANT_WON, Outcome.CARDHOLDER_WON
CB, CR = ("CB", 9200), ("CR", 9200)
KIND = NetworkEventKind
SUBMIT = SubmitRepresentment(submitted_by="ann")
ACCEPT = AcceptLiability(accepted_by="ann")


def charged_back(**changes: object) -> Story:
    return Story(terms(**changes)).sale().opened().payment().gateway()


def inquiry() -> Story:
    return Story().sale().opened(stage=Stage.INQUIRY).payment()


def assert_stands(story: Story, status: Status, in_hand: int, at_risk: int = 0) -> None:
    assert story.standing() is status
    assert (story.book.in_hand, story.book.at_risk) == (in_hand * 100, at_risk * 100)


# A chargeback that nobody told of


def test_a_ruling_on_a_chargeback_that_nobody_told_of_gives_back_what_the_gateway_booked() -> None:
    story = inquiry()
    story.booked_by_gateway(Purpose.BOOK, 9200)
    assert story.gateway().sent == []

    story.ruled(WON, 5, stage=Stage.CHARGEBACK).gateway()

    assert_stands(story, Status.WON, 77)
    assert story.sent == [CR]


@pytest.mark.parametrize("kind", [KIND.SECOND_CHARGEBACK, KIND.PRE_ARBITRATION_ACCEPTED])
def test_every_fact_beyond_a_chargeback_brings_the_chargeback_and_its_fee(
    kind: NetworkEventKind,
) -> None:
    assert_stands(inquiry().network(kind, 5).gateway(), Status.LOST, -15)


# Fees


@pytest.mark.parametrize("at", [4, 5])
def test_the_chargebacks_fee_told_before_or_with_the_escalation_is_the_only_one(at: int) -> None:
    story = inquiry().network(KIND.FEE_CHARGED, at, "17.00", fee_type="chargeback")
    story.network(KIND.ESCALATED, 5)

    assert [fee.amount for fee in status_of(story.case).fees] == ["17.00"]


def test_an_inquirys_own_fee_leaves_the_chargebacks_expected() -> None:
    story = inquiry().network(KIND.FEE_CHARGED, 4, "2.00").network(KIND.ESCALATED, 5)

    assert [fee.amount for fee in status_of(story.case).fees] == ["17.00"]


# Late stages


def taken_up_again() -> Story:
    """Won, its money back; then the issuer opened pre-arbitration."""
    story = charged_back().ruled(WON, 5).gateway().network(KIND.PRE_ARBITRATION_OPENED, 8)
    assert_stands(story, Status.COLLECTING, 77)
    return story


def test_liability_accepted_in_pre_arbitration_takes_back_what_was_reinstated() -> None:
    story = taken_up_again().command("accept_liability", ACCEPT).gateway()

    assert_stands(story, Status.ACCEPTED, -15)
    assert story.sent == [CB, CR, CR]


def test_a_part_accepted_in_pre_arbitration_goes_and_the_rest_goes_on() -> None:
    part = AcceptLiability(accepted_by="ann", amount=euros("30.00"))
    story = taken_up_again().command("accept_liability", part).gateway()
    assert_stands(story, Status.COLLECTING, 47)

    story.ruled(WON, 20, stage=Stage.ARBITRATION).gateway()
    assert_stands(story, Status.WON, 47)


def test_of_a_second_chargeback_no_more_is_accepted_than_it_took() -> None:
    story = charged_back().ruled(WON, 5).gateway()
    story.network(KIND.SECOND_CHARGEBACK, 8, "40.00", respond_by=story.now).gateway()

    story.command("accept_liability", ACCEPT).gateway()

    assert_stands(story, Status.ACCEPTED, 37)


def test_what_arbitration_takes_up_is_at_risk_again_though_all_was_accepted() -> None:
    story = charged_back().command("accept_liability", ACCEPT)
    assert_stands(story, Status.ACCEPTED, -15)

    story.network(KIND.ARBITRATION_OPENED, 5)

    assert_stands(story, Status.UNDER_REVIEW, -15, at_risk=92)


def test_an_issuer_that_declines_by_a_ruling_after_its_silence_leaves_arbitration_open() -> None:
    """As its decline by a network event does: what silence had decided is undone."""
    story = charged_back(flow=Flow.ALLOCATION).on(1).evidence()
    story.command("submit_representment", SUBMIT).until(TimerKind.ISSUER_SILENT).gateway()
    assert_stands(story, Status.WON, 77)

    story.ruled(LOST, 40, stage=Stage.PRE_ARBITRATION).gateway()

    assert_stands(story, Status.COLLECTING, -15, at_risk=92)
    story.command("file_arbitration", FileArbitration(filed_by="ann"))
    assert story.case.stage is Stage.ARBITRATION


def test_a_pre_arbitration_that_the_bank_ruled_for_us_is_lost_by_its_next_ruling() -> None:
    story = charged_back(flow=Flow.ALLOCATION).on(1).evidence()
    story.command("submit_representment", SUBMIT).ruled(WON, 10, stage=Stage.PRE_ARBITRATION)

    story.ruled(LOST, 40, stage=Stage.PRE_ARBITRATION)

    assert story.standing() is Status.LOST


def test_what_was_answered_is_near_no_deadline() -> None:
    answering = charged_back().network(KIND.PRE_ARBITRATION_OPENED, 5)
    filing = charged_back(flow=Flow.ALLOCATION).network(KIND.PRE_ARBITRATION_DECLINED, 5)
    overtaken = charged_back()
    for story in (answering, filing, overtaken):
        while "deadline_near" not in attention(story.case):
            story.until(TimerKind.LADDER)

    decline = AnswerPreArbitration(decision="decline", answered_by="ann")
    answering.command("answer_pre_arbitration", decline)
    filing.command("file_arbitration", FileArbitration(filed_by="ann"))
    overtaken.network(KIND.PRE_ARBITRATION_DECLINED, 30)

    for story in (answering, filing, overtaken):
        assert story.standing() is Status.UNDER_REVIEW
        assert attention(story.case) == ()
