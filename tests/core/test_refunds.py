"""Alerts and inquiries that a refund of their own settles, and what keeps a refund from going out.

Sale 92, fee 15, whole euros in hand and at risk.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest

from disputes.chain import next_plan
from disputes.commands import decide
from disputes.consequences import consequences
from disputes.errors import Conflict, Refusal
from disputes.events import ApprovalRequested, TimerKind
from disputes.ledger import Account
from disputes.messages import Decide, ResolveByRefund, SubmitRepresentment
from disputes.operations import Plan
from disputes.status import attention, result_of
from disputes.vocabulary import (
    Finality,
    NetworkEventKind,
    OperationState,
    Outcome,
    Purpose,
    Stage,
    Status,
)
from tests.support.story import Story, day, euros, gateway_id, terms

RF = ("RF", 9200)
APPROVE = Decide(request_id="D-1-A1", decided_by="bob")


def back(amount: str | None = None) -> ResolveByRefund:
    return ResolveByRefund(requested_by="ann", amount=euros(amount) if amount else None)


def early(stage: Stage, **changes: object) -> Story:
    """An alert or inquiry on a payment of 92.00, a day old."""
    story = Story(terms(**changes)).sale()
    return story.opened(stage=stage, alert_expires_at=day(20)).payment().on(1)


def read_again(story: Story, minor: int) -> Story:
    """The gateway is asked again, and shows what is refunded by now."""
    story.now += timedelta(seconds=1)
    return story.payment(refunded_minor=minor)


def alert(**changes: object) -> Story:
    return early(Stage.ALERT, **changes)


def inquiry(**changes: object) -> Story:
    return early(Stage.INQUIRY, **changes)


def refund(story: Story, amount: str | None = None) -> Story:
    return story.command("resolve_by_refund", back(amount))


def refusal(story: Story, amount: str | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        decide(story.case, "resolve_by_refund", back(amount), story.now)
    return caught.value


def plan_of(story: Story) -> Plan:
    plan = next_plan(story.case)
    assert plan is not None
    return plan


def in_hand(story: Story) -> tuple[int, int]:
    return story.book.in_hand // 100, story.book.at_risk // 100


@pytest.mark.parametrize("opened", [alert, inquiry], ids=["alert", "inquiry"])
def test_a_full_refund_settles_it_and_it_is_watched(opened: Callable[[], Story]) -> None:
    story = refund(opened())
    before = story.standing()
    assert result_of("resolve_by_refund", story.case) == {"status": before.value}

    story.gateway()

    assert story.sent == [RF]
    assert (story.standing(), story.finality()) == (Status.DEFLECTED, Finality.PROVISIONAL)
    assert (story.book.balances[Account.REFUNDS], in_hand(story)) == (9200, (0, 0))
    read_again(story, 9200)
    assert attention(story.case) == ()
    story.until(TimerKind.TAIL_END)
    assert story.finality() is Finality.FINAL
    assert story.case.decided_at is not None
    assert (story.now - story.case.decided_at).days == story.terms.tail_lost_days


def test_its_key_names_the_case_and_its_place() -> None:
    story = refund(inquiry(), "40.00")
    first = plan_of(story)
    story.gateway()
    refund(story)

    assert first.key == "dispute:D-1:refund:1"
    assert plan_of(story).key == "dispute:D-1:refund:2"
    assert (first.purpose, first.referenced_id) == (Purpose.REFUND, first.payment_id)


def test_an_inquiry_is_closed_by_the_rest_of_a_refund_in_parts() -> None:
    story = refund(inquiry(), "40.00").gateway()
    assert (story.standing(), story.finality()) == (Status.COLLECTING, Finality.OPEN)

    refund(read_again(story, 4000)).gateway()

    assert story.sent == [("RF", 4000), ("RF", 5200)]
    assert story.standing() is Status.DEFLECTED


def test_an_alert_is_settled_by_what_was_refunded() -> None:
    assert refund(alert(), "40.00").gateway().standing() is Status.DEFLECTED


def test_what_was_refunded_before_is_not_refunded_again() -> None:
    """All that is left closes an inquiry: the shopper has everything back."""
    story = read_again(inquiry(), 2000)
    assert refusal(story, "72.01").type == "InvalidMessage"

    refund(story).gateway()

    assert story.sent == [("RF", 7200)]
    assert story.standing() is Status.DEFLECTED


def test_an_inquiry_can_be_refunded_while_the_issuer_reads_the_answer_and_after_its_moment() -> (
    None
):
    answered = inquiry().evidence()
    answered.command("submit_representment", SubmitRepresentment(submitted_by="ann"))
    assert answered.standing() is Status.UNDER_REVIEW
    silent = inquiry().until(TimerKind.DEADLINE)
    assert (silent.standing(), silent.finality()) == (Status.EXPIRED, Finality.OPEN)

    for story in (answered, silent):
        assert refund(story).gateway().standing() is Status.DEFLECTED


def test_an_alert_cannot_be_refunded_from_its_moment_on() -> None:
    """Whether its timer has fired or not; what waits is sent no more, what has left counts."""
    late = alert().on(60)
    assert refusal(late).type == "DeadlinePassed"
    assert refusal(alert().until(TimerKind.DEADLINE)).type == "DeadlinePassed"

    waiting = refund(alert()).until(TimerKind.DEADLINE)
    assert (next_plan(waiting.case), attention(waiting.case)) == (None, ("refund_overtaken",))

    sent = refund(alert())
    plan = plan_of(sent)
    sent.until(TimerKind.DEADLINE).answer(plan)
    assert (sent.standing(), sent.finality()) == (Status.DEFLECTED, Finality.PROVISIONAL)


def test_nobody_refunds_what_the_network_has_refunded() -> None:
    story = Story().sale().opened(stage=Stage.ALERT, alert_program="rdr").payment().on(1)

    found = refusal(story)

    assert found.type == "NotSupported"
    assert "the network has paid the shopper back" in str(found.details["instead"])


@pytest.mark.parametrize(
    "story",
    [
        Story().sale().opened().payment().gateway().on(1),
        inquiry().network(NetworkEventKind.ESCALATED, 2),
        inquiry().ruled(Outcome.MERCHANT_WON, 2),
        refund(inquiry()).gateway(),
    ],
    ids=["chargeback", "escalated", "decided", "refunded"],
)
def test_at_another_stage_or_after_a_decision_it_is_not_possible(story: Story) -> None:
    found = refusal(story)

    assert found.type == "IllegalTransition"
    assert "resolve_by_refund" not in str(found.details["allowed"])


def test_money_that_is_held_is_not_refunded() -> None:
    under_way = refund(inquiry(), "40.00")
    assert refusal(under_way).details == {"operation_key": "dispute:D-1:refund:1"}
    doubtful = refund(inquiry(), "40.00")
    doubtful.answer(plan_of(doubtful), OperationState.IN_DOUBT)
    assert refusal(doubtful).details == {"operation_key": "dispute:D-1:refund:1"}
    booked = inquiry()
    chargeback = booked.booked_by_gateway(Purpose.BOOK, 9200)
    assert refusal(booked).details == {"operation_key": f"gateway:{chargeback}"}
    nothing_left = read_again(inquiry(), 9200)
    for story in (under_way, doubtful, booked, nothing_left):
        assert refusal(story).type == "MoneyHeld"


def test_an_unknown_payment_is_not_refunded() -> None:
    story = Story().sale().opened(stage=Stage.INQUIRY).payment(known=False).on(1)
    assert "payment_history_unknown" in refusal(story).message
    assert "currency_unknown" in refusal(story.payment(currency="USD")).message


def test_never_more_than_is_disputed_or_left() -> None:
    part = Story().sale().opened(stage=Stage.INQUIRY, amount=euros("30.00")).payment().on(1)

    for story, amount in ((part, "30.01"), (inquiry(), "92.01")):
        found = refusal(story, amount)
        assert found.details == {
            "fields": {"amount": "is more than what is left of the disputed amount"}
        }


def test_what_the_wire_cannot_say_is_refused_by_field() -> None:
    dinars = {"amount": "9.255", "currency": "KWD"}
    story = Story().opened(stage=Stage.INQUIRY, amount=dinars)
    story.payment(amount_minor=9255, currency="KWD").on(1)

    assert refusal(story).details == {
        "fields": {"amount": "has more decimals than the gateway's two"}
    }


# Four eyes


def test_above_the_limit_a_second_person_approves_and_parts_are_no_way_round_it() -> None:
    story = refund(inquiry(four_eyes_above_minor=5000), "50.00").gateway()
    assert story.sent == [("RF", 5000)]
    (waits,) = decide(story.case, "resolve_by_refund", back("1.00"), story.now)
    assert isinstance(waits, ApprovalRequested)
    refund(read_again(story, 5000)).gateway()
    assert story.sent == [("RF", 5000)]
    assert result_of("resolve_by_refund", story.case) == {
        "status": "collecting",
        "request_id": "D-1-A1",
    }

    story.command("approve", APPROVE).gateway()

    assert story.sent == [("RF", 5000), ("RF", 4200)]
    assert story.standing() is Status.DEFLECTED


@pytest.mark.parametrize("four_eyes_above_minor", [None, 500])
def test_the_same_refund_again_changes_nothing_and_another_is_a_conflict(
    four_eyes_above_minor: int | None,
) -> None:
    """Temporal forgets an update's id with its run; a part would be paid twice."""
    asked = back("10.00").model_copy(update={"refund_id": "F-1"})
    story = inquiry(four_eyes_above_minor=four_eyes_above_minor)
    story.command("resolve_by_refund", asked)
    if four_eyes_above_minor:
        story.command("approve", APPROVE)
    story.gateway()
    assert decide(story.case, "resolve_by_refund", asked, story.now) == ()
    other = asked.model_copy(update={"amount": euros("11.00")})
    with pytest.raises(Conflict) as conflict:
        decide(story.case, "resolve_by_refund", other, story.now)
    assert conflict.value.details == {"fields": ["amount"]}
    assert story.sent == [("RF", 1000)]


def test_a_refund_of_all_is_known_again_whatever_an_approval_made_of_it() -> None:
    asked = back().model_copy(update={"refund_id": "F-1"})
    story = inquiry(four_eyes_above_minor=500).command("resolve_by_refund", asked)
    story.command("approve", APPROVE).gateway()
    assert decide(story.case, "resolve_by_refund", asked, story.now) == ()


def test_what_is_approved_is_checked_as_the_case_is_then() -> None:
    refunded = read_again(refund(inquiry(four_eyes_above_minor=1)), 2000)
    escalated = refund(inquiry(four_eyes_above_minor=1))
    escalated.network(NetworkEventKind.ESCALATED, 2)

    for story, kind in ((refunded, "InvalidMessage"), (escalated, "IllegalTransition")):
        with pytest.raises(Refusal) as caught:
            decide(story.case, "approve", APPROVE, story.now)
        assert caught.value.type == kind


def test_a_decision_overtakes_a_refund_that_waits_for_its_second_person() -> None:
    story = refund(inquiry(four_eyes_above_minor=1)).ruled(Outcome.MERCHANT_WON, 2)

    assert story.case.open_approvals == ()


# Refused, and booked otherwise


def test_a_refused_refund_may_be_asked_for_again() -> None:
    story = refund(inquiry())
    story.answer(plan_of(story), OperationState.REFUSED)
    assert (story.standing(), attention(story.case)) == (Status.COLLECTING, ("refund_refused",))
    assert next_plan(story.case) is None

    refund(story).gateway()

    assert [plan.key for plan in story.calls] == ["dispute:D-1:refund:2"]
    assert (story.standing(), attention(story.case)) == (Status.DEFLECTED, ())


def test_what_the_gateway_shows_of_a_refund_in_doubt_settles_it() -> None:
    story = refund(inquiry())
    story.answer(plan_of(story), OperationState.IN_DOUBT)
    doubtful = story.case.operations[-1]
    assert attention(story.case) == ("operation_in_doubt",)

    found = {"state": OperationState.SETTLED, "gateway_id": gateway_id(7)}
    story.now += timedelta(seconds=1)
    story.payment(refunded_minor=9200, booked=(doubtful.model_copy(update=found),))

    assert (story.standing(), attention(story.case)) == (Status.DEFLECTED, ())


def test_a_part_of_what_was_asked_does_not_close_an_inquiry() -> None:
    """The gateway booked another amount; a person sees it."""
    story = refund(inquiry())
    story.answer(plan_of(story).model_copy(update={"amount_minor": 9000}))

    assert (story.standing(), story.case.refunded_minor) == (Status.COLLECTING, 9000)
    assert refund(read_again(story, 9000)).gateway().standing() is Status.DEFLECTED


# Races with the chargeback


def test_alert_refund_wins_race() -> None:
    """Refunded in time; the bank took the money all the same: a double loss, and no CB of ours."""
    story = refund(alert()).gateway()

    read_again(story.network(NetworkEventKind.ESCALATED, 10), 9200).gateway()

    assert story.sent == [RF]
    assert story.standing() is Status.COLLECTING
    assert attention(story.case) == ("double_loss",)
    assert in_hand(story) == (-107, 92)


def test_alert_refund_loses_race() -> None:
    """The chargeback came before the refund was sent: it is booked, and nothing is refunded."""
    story = refund(alert()).network(NetworkEventKind.ESCALATED, 2).gateway()

    assert story.sent == [("CB", 9200)]
    assert attention(story.case) == ("refund_overtaken",)
    assert in_hand(story) == (-15, 92)


def test_a_chargeback_that_is_told_late_ends_the_same() -> None:
    """It happened before the refund was asked for, and reached us after it was booked."""
    story = refund(alert().on(3)).gateway()
    assert story.standing() is Status.DEFLECTED

    read_again(story.network(NetworkEventKind.ESCALATED, 2), 9200).gateway()

    assert (story.sent, story.standing()) == ([RF], Status.COLLECTING)
    assert attention(story.case) == ("double_loss",)


def test_a_refund_that_had_left_when_the_chargeback_came_is_a_double_loss() -> None:
    story = refund(inquiry())
    plan = plan_of(story)
    story.network(NetworkEventKind.ESCALATED, 2)

    read_again(story.answer(plan), 9200).gateway()

    assert (story.standing(), story.sent) == (Status.COLLECTING, [])
    assert attention(story.case) == ("double_loss",)


def test_a_chargeback_of_the_rest_after_a_refund_in_part_is_no_double_loss() -> None:
    story = read_again(refund(inquiry(), "40.00").gateway(), 4000)

    story.network(NetworkEventKind.ESCALATED, 10, "52.00").gateway()

    assert story.sent == [("RF", 4000), ("CB", 5200)]
    assert attention(story.case) == ()


def test_a_chargeback_that_the_gateway_booked_first_keeps_a_refund_back() -> None:
    story = refund(inquiry())

    story.booked_by_gateway(Purpose.BOOK, 9200)

    assert next_plan(story.case) is None
    assert "refund_overtaken" in attention(story.case)


def test_a_refund_that_is_due_stands_among_the_consequences() -> None:
    story = refund(inquiry())

    shown = consequences(story.case, None, story.now)

    assert [(call.payment_type, call.amount.amount) for call in shown.calls] == [("RF", "92.00")]
    assert [(entry.debit, entry.credit) for entry in shown.entries] == [("refunds", "acquirer")]
    assert (shown.status, shown.stage) == ("deflected", "inquiry")
