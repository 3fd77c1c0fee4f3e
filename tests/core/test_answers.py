"""An answer is to the stage that was open when it was given, and in time or not."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from disputes.commands import policy_at_last_call
from disputes.deadlines import next_timer
from disputes.errors import DeadlinePassed, IllegalTransition
from disputes.events import TimerKind
from disputes.messages import (
    AnswerPreArbitration,
    Command,
    Decide,
    FileArbitration,
    SubmitRepresentment,
)
from disputes.status import timeline_of
from disputes.vocabulary import Flow, NetworkEventKind, Outcome, Stage, Status
from tests.support.story import Story, day, terms

SUBMIT = SubmitRepresentment(submitted_by="ann")
DECLINE = AnswerPreArbitration(decision="decline", answered_by="ann")
APPROVE = Decide(request_id="D-1-A1", decided_by="bob")
EARLIER = "it answered an earlier stage: this one is open still"


def charged_back(**changes: object) -> Story:
    return Story(terms(**changes)).sale().opened().payment().gateway()


def inquiry(**changes: object) -> Story:
    return Story(terms(**changes)).sale().opened(stage=Stage.INQUIRY).payment()


@pytest.mark.parametrize("flow", [Flow.COLLABORATION, Flow.ALLOCATION])
def test_the_answer_to_an_inquiry_is_none_to_the_chargeback_told_after_it(flow: Flow) -> None:
    """Escalated on day 4, answered as an inquiry on day 5, told on day 6: its clock runs on."""
    story = inquiry(flow=flow).on(5).evidence().command("submit_representment", SUBMIT)
    story.on(6).network(NetworkEventKind.ESCALATED, 4, respond_by=day(34))

    assert story.case.stage is Stage.CHARGEBACK
    assert story.standing() is Status.READY
    assert EARLIER in {entry.ignored for entry in timeline_of(story.case)}

    story.command("submit_representment", SUBMIT)
    assert story.standing() is Status.UNDER_REVIEW


def test_an_answered_inquiry_that_escalates_afterwards_is_collecting_again() -> None:
    story = inquiry().on(3).evidence().command("submit_representment", SUBMIT)
    assert story.standing() is Status.UNDER_REVIEW

    story.network(NetworkEventKind.ESCALATED, 4, respond_by=day(34))
    assert story.standing() is Status.READY


def test_a_representment_is_no_answer_to_the_pre_arbitration_or_the_next_cycle() -> None:
    pre_arbitration = charged_back().on(5).evidence().command("submit_representment", SUBMIT)
    pre_arbitration.on(6).network(NetworkEventKind.PRE_ARBITRATION_OPENED, 4)
    second = charged_back().on(5).evidence().command("submit_representment", SUBMIT)
    second.on(6).ruled(Outcome.MERCHANT_WON, 2)
    second.network(NetworkEventKind.SECOND_CHARGEBACK, 3, respond_by=day(30))

    for story in (pre_arbitration, second):
        assert story.case.answerable
        assert story.case.respond_by is not None


def test_an_answer_to_pre_arbitration_is_none_to_a_second_chargeback() -> None:
    answered = charged_back().network(NetworkEventKind.PRE_ARBITRATION_OPENED, 5).on(8)
    answered.command("answer_pre_arbitration", DECLINE)
    filed = charged_back(flow=Flow.ALLOCATION)
    filed.network(NetworkEventKind.PRE_ARBITRATION_DECLINED, 5).on(8)
    filed.command("file_arbitration", FileArbitration(filed_by="ann"))

    for story in (answered, filed):
        story.on(9).network(NetworkEventKind.SECOND_CHARGEBACK, 7, respond_by=day(40))
        assert (story.case.stage, story.standing()) == (Stage.CHARGEBACK, Status.COLLECTING)


def test_an_answer_that_waits_for_approval_is_not_given_to_another_stage() -> None:
    story = inquiry(submission_needs_approval=True).on(1).evidence()
    story.command("submit_representment", SUBMIT)
    story.network(NetworkEventKind.ESCALATED, 2)

    with pytest.raises(IllegalTransition):
        story.command("approve", APPROVE)
    assert story.standing() is Status.READY


#: A stage, the command that answers it, and the stage again with a person waiting for a second.
LATE: dict[str, tuple[Callable[[], Story], str, Command]] = {
    "inquiry": (inquiry, "submit_representment", SUBMIT),
    "chargeback": (charged_back, "submit_representment", SUBMIT),
    "pre-arbitration": (
        lambda: charged_back().network(NetworkEventKind.PRE_ARBITRATION_OPENED, 5),
        "answer_pre_arbitration",
        DECLINE,
    ),
    "allocation declined": (
        lambda: charged_back(flow=Flow.ALLOCATION).network(
            NetworkEventKind.PRE_ARBITRATION_DECLINED, 5
        ),
        "file_arbitration",
        FileArbitration(filed_by="ann"),
    ),
}


@pytest.mark.parametrize("name", LATE)
def test_a_late_answer_is_late_before_its_timer_and_after(name: str) -> None:
    told, command, message = LATE[name]
    before = told().on(1).evidence()
    respond_by = before.case.respond_by
    assert respond_by is not None
    before.now = respond_by
    after = told().on(1).evidence().until(TimerKind.DEADLINE)

    for story in (before, after):
        with pytest.raises(DeadlinePassed) as caught:
            story.command(command, message)
        assert caught.value.details == {"respond_by": respond_by.isoformat().replace("+00:00", "Z")}


def test_a_late_approval_is_late_before_the_timer_and_after() -> None:
    for timer_came in (False, True):
        story = charged_back(submission_needs_approval=True, approval_hours=1000)
        story.on(1).evidence().command("submit_representment", SUBMIT)
        story.until(TimerKind.DEADLINE if timer_came else TimerKind.LAST_CALL).on(30)
        with pytest.raises(DeadlinePassed):
            story.command("approve", APPROVE)


def test_what_the_deadline_did_not_end_is_not_late_but_not_possible() -> None:
    ruled = charged_back().until(TimerKind.DEADLINE).ruled(Outcome.CARDHOLDER_WON, 40)
    expired = charged_back().until(TimerKind.DEADLINE)

    with pytest.raises(IllegalTransition):
        ruled.command("submit_representment", SUBMIT)
    with pytest.raises(IllegalTransition):
        expired.command("answer_pre_arbitration", DECLINE)


def test_evidence_after_the_last_call_goes_out_an_hour_before_the_deadline() -> None:
    story = charged_back(auto_submit=True).on(1).until(TimerKind.LAST_CALL)
    assert policy_at_last_call(story.case, story.now) == ()

    story.evidence().until(TimerKind.LAST_CALL)
    for body in policy_at_last_call(story.case, story.now):
        story.tell(body)

    assert story.standing() is Status.UNDER_REVIEW
    assert story.case.respond_by is not None
    assert story.case.respond_by - story.now == timedelta(hours=1)


def test_where_the_policy_submits_nothing_there_is_one_last_call() -> None:
    story = charged_back().until(TimerKind.LAST_CALL)

    timer = next_timer(story.case)

    assert timer is not None
    assert timer.kind is TimerKind.DEADLINE
