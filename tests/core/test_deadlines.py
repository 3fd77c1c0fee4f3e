from datetime import UTC, date, datetime, timedelta

import pytest

from disputes.deadlines import next_timer
from disputes.events import TimerKind
from disputes.messages import AnswerPreArbitration, SubmitRepresentment
from disputes.status import attention
from disputes.vocabulary import Finality, Flow, NetworkEventKind, Outcome, Stage, Status
from tests.support.story import Story, day, terms

SUBMIT = SubmitRepresentment(submitted_by="ann")


def utc(month: int, day_of_month: int) -> datetime:
    return datetime(2026, month, day_of_month, tzinfo=UTC)


def respond_by(case_terms: dict[str, object], **notice: object) -> datetime | None:
    return Story(terms(**case_terms)).opened(**notice).case.respond_by


def test_the_notices_own_deadline_stands() -> None:
    story = Story().opened(respond_by=day(12))

    assert story.case.respond_by == day(12)
    assert "deadline_unknown" not in attention(story.case)


def test_the_networks_date_is_day_zero_not_the_day_the_notice_reached_us() -> None:
    assert respond_by({}, processed_at=date(2026, 10, 31)) == utc(11, 30)


def test_without_the_networks_date_the_deadline_is_a_guess_from_the_notice() -> None:
    story = Story().opened(processed_at=None)

    assert story.case.respond_by == utc(12, 2)
    assert "deadline_unknown" in attention(story.case)


def test_without_a_window_nothing_is_invented_and_the_policys_days_count() -> None:
    story = Story(terms(respond_days=None)).opened()

    assert story.case.respond_by == utc(11, 9)
    assert "deadline_unknown" in attention(story.case)


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (Stage.INQUIRY, utc(11, 22)),
        (Stage.CHARGEBACK, utc(12, 2)),
        (Stage.PRE_ARBITRATION, utc(11, 22)),
        (Stage.ARBITRATION, utc(11, 12)),
    ],
)
def test_each_stage_has_its_own_window(stage: Stage, expected: datetime) -> None:
    assert respond_by({"pre_arbitration_answer_days": 20}, stage=stage) == expected


def test_an_alert_acts_until_it_expires_and_by_the_policys_days_if_nobody_says_when() -> None:
    assert respond_by({}, stage=Stage.ALERT, alert_expires_at=day(2)) == day(2)

    story = Story().opened(stage=Stage.ALERT)
    assert story.case.respond_by == utc(11, 9)
    assert "deadline_unknown" in attention(story.case)


def test_where_the_scheme_knows_no_answer_there_is_no_deadline() -> None:
    assert respond_by({"flow": Flow.NONE}) is None
    assert respond_by({"flow": Flow.NONE}, stage=Stage.INQUIRY) == utc(11, 22)


def test_a_fact_opens_its_stage_on_its_own_day() -> None:
    story = Story().opened().on(30)

    story.network(NetworkEventKind.PRE_ARBITRATION_OPENED, 10)

    assert story.case.respond_by == utc(12, 12)


def test_an_escalation_without_a_deadline_has_the_chargebacks_window_not_the_inquirys() -> None:
    story = Story().opened(stage=Stage.INQUIRY).network(NetworkEventKind.ESCALATED, 10)

    assert story.case.respond_by == utc(12, 12)
    assert "deadline_unknown" not in attention(story.case)


def test_the_ladder_the_last_call_and_the_deadline_come_in_this_order() -> None:
    story = Story().opened()
    seen: list[tuple[TimerKind, str]] = []
    while story.standing() is Status.COLLECTING:
        timer = next_timer(story.case)
        assert timer is not None
        seen.append((timer.kind, timer.detail))
        story.until(timer.kind)

    assert seen == [
        (TimerKind.LADDER, "168"),
        (TimerKind.LADDER, "72"),
        (TimerKind.LADDER, "24"),
        (TimerKind.LAST_CALL, ""),
        (TimerKind.DEADLINE, ""),
    ]


def test_after_the_last_rung_a_person_sees_it() -> None:
    story = Story().opened()
    for _ in range(3):
        assert "deadline_near" not in attention(story.case)
        story.until(TimerKind.LADDER)

    assert "deadline_near" in attention(story.case)


def test_rungs_that_had_passed_before_we_knew_are_no_reminders() -> None:
    story = Story().opened(respond_by=day(2))

    first = next_timer(story.case)

    assert first is not None
    assert (first.kind, first.detail) == (TimerKind.LADDER, "24")


def test_a_deadline_that_had_passed_with_the_notice_is_told_and_expires_the_case() -> None:
    story = Story().opened(respond_by=day(-3))
    assert "deadline_past" in attention(story.case)

    story.until(TimerKind.DEADLINE)

    assert story.standing() is Status.EXPIRED
    assert "deadline_past" in attention(story.case)


def test_a_deadline_that_had_passed_with_its_event_comes_at_once() -> None:
    """The event is older than its clock: the timer must count after it, or never would."""
    story = Story().opened().ruled(Outcome.MERCHANT_WON, 3)
    story.network(NetworkEventKind.SECOND_CHARGEBACK, 20, respond_by=day(15))
    assert story.standing() is Status.COLLECTING

    story.until(TimerKind.DEADLINE)

    assert story.standing() is Status.EXPIRED
    assert story.case.decided_at == day(20)


def test_a_timer_whose_moment_moved_is_stale() -> None:
    story = Story().opened().until(TimerKind.DEADLINE)
    assert story.standing() is Status.EXPIRED

    story.network(NetworkEventKind.PRE_ARBITRATION_OPENED, 20, respond_by=day(60))

    assert story.standing() is Status.COLLECTING
    assert story.case.respond_by == day(60)


def test_our_answer_stops_the_deadline_and_starts_the_issuers_clock() -> None:
    story = Story(terms(flow=Flow.ALLOCATION)).opened().on(1).evidence()
    story.command("submit_representment", SUBMIT)

    timer = next_timer(story.case)

    assert timer is not None
    assert (timer.kind, timer.due) == (TimerKind.ISSUER_SILENT, utc(12, 4))


def test_an_issuer_that_is_late_to_rule_gets_attention_and_no_decision() -> None:
    story = Story().opened().on(1).evidence().command("submit_representment", SUBMIT)

    story.until(TimerKind.RULING_OVERDUE)

    assert story.standing() is Status.UNDER_REVIEW
    assert attention(story.case) == ("ruling_overdue",)
    story.ruled(Outcome.MERCHANT_WON, 200)
    assert attention(story.case) == ()


def test_an_arbitration_that_nobody_rules_on_is_told() -> None:
    """Opened on a case that was won without a word of ours: no case waits unseen for ever."""
    story = Story().opened().ruled(Outcome.MERCHANT_WON, 5)
    story.network(NetworkEventKind.ARBITRATION_OPENED, 20).until(TimerKind.RULING_OVERDUE)

    assert story.standing() is Status.UNDER_REVIEW
    assert attention(story.case) == ("ruling_overdue",)


@pytest.mark.parametrize(
    ("stage", "days"),
    [(Stage.CHARGEBACK, 45), (Stage.PRE_ARBITRATION, 75), (Stage.ARBITRATION, 0)],
)
def test_a_wins_tail_runs_from_the_ruling_by_its_stage(stage: Stage, days: int) -> None:
    case_terms = terms(tail_response_days=45, tail_pre_arbitration_days=75)
    story = Story(case_terms).opened().on(30).ruled(Outcome.MERCHANT_WON, 10, stage=stage)

    assert story.case.tail_until == day(10) + timedelta(days=days)
    assert (next_timer(story.case) is None) == (days == 0)


def test_a_ruling_that_calls_itself_final_is_final() -> None:
    story = Story().opened().ruled(Outcome.CARDHOLDER_WON, 10, final=True)

    assert next_timer(story.case) is None
    assert story.finality().value == "final"


@pytest.mark.parametrize("stage", [Stage.ALERT, Stage.INQUIRY])
def test_what_nobody_answered_is_open_to_the_end_of_its_tail(stage: Stage) -> None:
    """No money has moved: a chargeback may follow, and may also come after the end."""
    story = Story().opened(stage=stage).payment().until(TimerKind.DEADLINE)
    assert (story.standing(), story.finality()) == (Status.EXPIRED, Finality.OPEN)
    assert attention(story.case) == (("deadline_unknown",) if stage is Stage.ALERT else ())
    expired_at = story.now

    story.until(TimerKind.TAIL_END)
    assert (story.standing(), story.finality()) == (Status.EXPIRED, Finality.FINAL)
    assert story.now == expired_at + timedelta(days=120)
    assert next_timer(story.case) is None

    story.network(NetworkEventKind.ESCALATED, 200)
    assert (story.standing(), story.finality()) == (Status.COLLECTING, Finality.OPEN)


def test_an_inquiry_answered_in_allocation_waits_for_a_word_not_for_silence() -> None:
    """Silence decides over our pre-arbitration attempt alone."""
    story = Story(terms(flow=Flow.ALLOCATION)).opened(stage=Stage.INQUIRY).on(1).evidence()
    story.command("submit_representment", SUBMIT).until(TimerKind.RULING_OVERDUE)

    assert story.standing() is Status.UNDER_REVIEW
    assert attention(story.case) == ("ruling_overdue",)


def test_a_deadline_that_is_told_when_the_stage_is_told_again_counts() -> None:
    """Ten days, and not the thirty of the rulebook: the second message is no mere repetition."""
    story = Story().opened().network(NetworkEventKind.PRE_ARBITRATION_OPENED, 5)
    story.on(6).network(NetworkEventKind.PRE_ARBITRATION_OPENED, 5, respond_by=day(15))
    assert story.case.respond_by == day(15)

    story.until(TimerKind.DEADLINE)
    assert story.now == day(15)


def test_a_deadline_that_proves_later_than_the_guess_opens_the_stage_again() -> None:
    opened = NetworkEventKind.PRE_ARBITRATION_OPENED
    story = Story(terms(pre_arbitration_answer_days=None)).opened().network(opened, 5)
    story.until(TimerKind.DEADLINE).on(13)
    assert story.standing() is Status.EXPIRED

    story.network(opened, 5, respond_by=day(35))
    assert story.standing() is Status.COLLECTING
    assert attention(story.case) == ()
    assert story.until(TimerKind.DEADLINE).now == day(35)


def test_a_second_chargeback_is_lost_only_until_its_deadline_is_told() -> None:
    second = NetworkEventKind.SECOND_CHARGEBACK
    story = Story().opened().ruled(Outcome.MERCHANT_WON, 10).network(second, 20)
    assert story.standing() is Status.LOST

    story.on(21).network(second, 20, cycle=2, respond_by=day(40))
    assert (story.standing(), story.case.cycle) == (Status.COLLECTING, 2)
    assert story.case.respond_by == day(40)


def test_a_repetition_moves_no_deadline_of_an_answered_stage() -> None:
    story = Story().opened().network(NetworkEventKind.PRE_ARBITRATION_OPENED, 5).on(6)
    answer = AnswerPreArbitration(decision="decline", answered_by="ann")
    story.command("answer_pre_arbitration", answer)

    story.network(NetworkEventKind.PRE_ARBITRATION_OPENED, 7, respond_by=day(15))

    assert story.standing() is Status.UNDER_REVIEW
